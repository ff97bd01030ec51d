#!/usr/bin/env bash
# Writes the digests and repositories of releases to a file, as sha256sum writes checksums: a line "<64 hex>  <registry/repository>" each.
# Environment: RELEASES, a JSON list of objects with `repository` and `digest`; FILE.
set -euo pipefail

jq --raw-output '.[] | "\(.digest | ltrimstr("sha256:"))  \(.repository)"' <<< "$RELEASES" > "$FILE"
cat "$FILE"
