#!/usr/bin/env bash
# Keeps an issue open while the stack and reality differ. Environment: DRIFT (true or false), REPORT, RUN (the run's URL); GH_TOKEN and
# GH_REPO for `gh`.
set -euo pipefail

title='The stack and reality differ'
byTitle='.[] | select(.title == "'"$title"'") | .number'
numbers=$(gh issue list --app github-actions --state open --limit 100 --json number,title --jq "$byTitle")
number=${numbers%%$'\n'*}
if [ "$DRIFT" = true ]; then
    # Markdown shows the report unchanged inside a fence that is longer than any fence in it.
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
