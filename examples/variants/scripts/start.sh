#!/bin/sh
cat /opt/tools/flavor
