#!/usr/bin/env bash
# Prints its input as Markdown shows it unchanged: in a fence that is longer than any in it.
set -euo pipefail

text=$(cat)
longest=$(printf '``\n%s\n' "$text" | grep -o '`\+' | LC_ALL=C sort | tail -n 1)
printf '%s`\n%s\n%s`\n' "$longest" "$text" "$longest"
