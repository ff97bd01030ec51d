#!/bin/sh
# Writes down the tools of a flavor: slim or full.
set -eu
mkdir -p /opt/tools
echo "$1" > /opt/tools/flavor
