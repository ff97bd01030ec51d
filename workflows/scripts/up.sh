#!/usr/bin/env bash
# Brings the stack to what the checkout says. Environment: REFRESH=true looks into the registry first, and what it lost is
# built again; GITHUB_STEP_SUMMARY is a file for what happened; PULUMI_* as Pulumi has them.
set -euo pipefail
umask 022

npm ci --ignore-scripts --no-audit --no-fund

quietly=(--yes --skip-preview --non-interactive --color never)

# A workflow file's update names the file's version that the state knows: a push that changed it would make it fail. A
# pattern that matches nothing refreshes nothing.
pulumi refresh "${quietly[@]}" --target '**github:index/repositoryFile:RepositoryFile::**'

# Never the indexes: a refresh would take whatever `latest` was moved to for ours.
if [ "${REFRESH:-}" = true ]; then
    pulumi refresh "${quietly[@]}" --exclude '**docker-build:index:Index::**'
fi

log=$(mktemp)
summarise() {
    { echo '```'; tail -n 100 "$log"; echo '```'; } >> "$GITHUB_STEP_SUMMARY"
}
trap summarise EXIT
pulumi up "${quietly[@]}" 2>&1 | tee "$log"
