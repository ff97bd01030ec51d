#!/bin/sh
# The bot image is for running the bot, as somebody who can change nothing.
set -eu
cd /app
python -m bot --check
test "$(id -u)" -ne 0 || { echo "the bot runs as root" >&2; exit 1; }
test ! -w /app/bot || { echo "the bot can write its own code" >&2; exit 1; }
code=0
env -u DISCORD_TOKEN python -m bot || code=$?
test "$code" -eq 78 || { echo "without a token: exit code $code instead of 78" >&2; exit 1; }
for tool in gcc cc make; do
    if command -v "$tool"; then echo "build tool in the image: $tool" >&2; exit 1; fi
done
echo "the bot checks out, is not root and asks for its token"
