#!/bin/sh
set -eu
test -s /srv/assets/site.css
