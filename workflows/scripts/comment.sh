#!/usr/bin/env bash
# Writes MARKDOWN as the one comment of this kind on pull request NUMBER; without, that there is no review of it. Environment:
# SHA, the commit that was reviewed; RUN, the run's address; GH_TOKEN and GH_REPO for `gh`.
set -euo pipefail

mark='<!-- layered-images: review -->'
comments="repos/$GH_REPO/issues/$NUMBER/comments"
own='.[] | select(.user.login == "github-actions[bot]") | select(.body | startswith("'"$mark"'")) | .id'
ids=$(gh api --paginate "$comments" --jq "$own")
id=${ids%%$'\n'*}
if [ -n "$MARKDOWN" ]; then
    # Before the review: what is cut off at its end may be in the middle of a block.
    body=$(printf '%s\nOf commit %s, as it would be merged ([run](%s)):\n\n%s' "$mark" "$SHA" "$RUN" "$MARKDOWN")
else
    body=$(printf '%s\n### There is no review of commit %s\n\n[The run](%s) says more.' "$mark" "$SHA" "$RUN")
fi
if [ -n "$id" ]; then
    gh api --silent --method PATCH "repos/$GH_REPO/issues/comments/$id" --raw-field "body=$body"
else
    gh api --silent --method POST "$comments" --raw-field "body=$body"
fi
