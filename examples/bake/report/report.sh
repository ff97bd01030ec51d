#!/bin/sh
cat /etc/platform-version /etc/service-version
