#!/usr/bin/env bash
# Brings the stack to what the checkout says. Environment: REFRESH=true looks at the registry and GitHub first, and what was lost or
# changed there is made again; RENEWABLE=true says that there can be another token for GitHub than the one in GITHUB_TOKEN: where
# that may have expired meanwhile, the output `again` is true and the script succeeds; PULUMI_STACK, and what else Pulumi needs.
set -euo pipefail
umask 022

options=(--stack "$PULUMI_STACK")
if [ "${REFRESH:-}" = true ]; then options+=(--refresh); fi
if [ "${RENEWABLE:-}" = true ]; then options+=(--renewable-token); fi
exec npm run --silent up -- "${options[@]}"
