#!/bin/sh
set -eu
test -s /opt/bot.txt
