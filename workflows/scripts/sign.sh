#!/usr/bin/env bash
# Signs releases in their registries with the identity of this workflow, by Cosign. All are tried, also after one failed. Environment: FILE
# with a line "<64 hex>  <registry/repository>" for each.
set -euo pipefail

failed=0
while read -r digest repository; do
    cosign sign --yes "$repository@sha256:$digest" || failed=1
done < "$FILE"
exit "$failed"
