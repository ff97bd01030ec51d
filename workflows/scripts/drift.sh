#!/usr/bin/env bash
# Keeps one issue open while the stack and reality differ. Environment: DRIFT (true or false), REPORT, RUN (the run's
# address); GH_TOKEN and GH_REPO for `gh`.
set -euo pipefail

title='The stack and reality differ'
mine='.[] | select(.title == "'"$title"'") | .number'
numbers=$(gh issue list --app github-actions --state open --limit 100 --json number,title --jq "$mine")
number=${numbers%%$'\n'*}
if [ "$DRIFT" = true ]; then
    # As Markdown shows it unchanged: in a fence that is longer than any in it.
    longest=$(printf '``\n%s\n' "$REPORT" | grep -o '`\+' | LC_ALL=C sort | tail -n 1)
    body=$(printf '%s`\n%s\n%s`\n\n%s\n' "$longest" "$REPORT" "$longest" "$RUN")
    if [ -n "$number" ]; then
        gh issue edit "$number" --body "$body"
    else
        gh issue create --title "$title" --body "$body"
    fi
elif [ -n "$number" ]; then
    gh issue close "$number" --comment "They agree again: $RUN"
fi
