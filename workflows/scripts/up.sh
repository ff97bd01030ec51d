#!/usr/bin/env bash
# Brings the stack to what the checkout says, and records that in .updates. Environment: REFRESH=true looks into the
# registry first, and what it lost is built again; GITHUB_STEP_SUMMARY is a file for what happened; PULUMI_* as Pulumi has
# them.
set -euo pipefail
umask 022

node lab/bootstrap.mjs --install-only

quietly=(--yes --skip-preview --non-interactive --color never)

# A workflow file's update names the file's version that the state knows: a push that changed it would make it fail. A
# pattern that matches nothing refreshes nothing.
pulumi refresh "${quietly[@]}" --target '**github:index/repositoryFile:RepositoryFile::**'

# Never the indexes: a refresh would take whatever `latest` was moved to for ours.
if [ "${REFRESH:-}" = true ]; then
    pulumi refresh "${quietly[@]}" --exclude '**docker-build:index:Index::**'
fi

log=$(mktemp)
events=$(mktemp)
summarise() {
    code=$?
    # What is wrong with the record or the summary fails no update.
    npm run --silent record -- --event-log "$events" --summary "$GITHUB_STEP_SUMMARY" || true
    if [ "$code" -ne 0 ]; then
        {
            printf '\n<details><summary>The end of the log</summary>\n\n```\n'
            tail -n 100 "$log"
            printf '```\n\n</details>\n'
        } >> "$GITHUB_STEP_SUMMARY"
    fi
    rm -f "$log" "$events"
}
trap summarise EXIT
# The engine has --event-log only where its debugging commands are asked for.
PULUMI_DEBUG_COMMANDS=true pulumi up "${quietly[@]}" --event-log "$events" 2>&1 | tee "$log"
