#!/usr/bin/env bash
# Brings the stack to what the checkout says, and records that in .updates. Environment: REFRESH=true looks at the
# registry and GitHub first, and what was lost or changed there is made again; RENEWABLE=true says that there can be another token for GitHub than the
# one in GITHUB_TOKEN: where that may have expired meanwhile, the output `again` is true and the script succeeds;
# GITHUB_STEP_SUMMARY is a file for what happened, GITHUB_OUTPUT one for outputs; PULUMI_* as Pulumi has them.
set -euo pipefail
umask 022

# What an App's token lives, in seconds, less the moment that it is older than this script.
life=3500

node lab/bootstrap.mjs --install-only

quietly=(--yes --skip-preview --non-interactive --color never)
folder=$(mktemp -d)
touch "$folder/events" "$folder/log"
summarise() {
    code=$?
    # What is wrong with the record or the summary fails no update.
    npm run --silent record -- --event-log "$folder/events" --log "$folder/log" --summary "$folder/summary" || true
    if [ "$code" -ne 0 ] && [ ! -s "$folder/summary" ]; then
        printf '### The update failed\n\nNothing could be recorded of it: see the log of this step.\n' > "$folder/summary"
    fi
    if [ "$code" -ne 0 ] && may_have_expired; then
        printf '\nThe token of the GitHub App lives for an hour: once more, with another one.\n' >> "$folder/summary"
        echo 'again=true' >> "$GITHUB_OUTPUT"
        code=0
    fi
    if [ -s "$folder/summary" ]; then cat "$folder/summary" >> "$GITHUB_STEP_SUMMARY"; fi
    rm -rf "$folder"
    exit "$code"
}
# Whether something on GitHub failed after the token's time, and nothing else did.
may_have_expired() {
    [ "${RENEWABLE:-}" = true ] && [ "$SECONDS" -ge "$life" ] &&
        jq --slurp --exit-status '[.[].resOpFailedEvent.metadata.type | strings]
            | length > 0 and all(startswith("github:"))' "$folder/events" > /dev/null
}
trap summarise EXIT

logged() { "$@" 2>&1 | tee -a "$folder/log"; }

# A workflow file's update names the file's version that the state knows: a push that changed it would make it fail. A
# pattern that matches nothing refreshes nothing.
logged pulumi refresh "${quietly[@]}" --target '**github:index/repositoryFile:RepositoryFile::**'

# Never the indexes: a refresh would take whatever `latest` was moved to for ours.
replaced=()
if [ "${REFRESH:-}" = true ]; then
    logged pulumi refresh "${quietly[@]}" --exclude '**docker-build:index:Index::**'
    # GitHub shows no secret's value: that somebody else set one is seen by its time, and by no update.
    pulumi stack export --non-interactive | npm run --silent changed-secrets > "$folder/changed"
    while read -r urn; do replaced+=(--replace "$urn"); done < "$folder/changed"
fi

# The engine has --event-log only where its debugging commands are asked for.
PULUMI_DEBUG_COMMANDS=true logged pulumi up "${quietly[@]}" "${replaced[@]}" --event-log "$folder/events"
