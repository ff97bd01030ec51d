#!/usr/bin/env bash
# Writes the review MARKDOWN as a comment on pull request NUMBER, replacing its earlier review comment. If MARKDOWN is empty, the comment
# reports that there is no review. Environment: SHA, the reviewed commit; RUN, the run's URL; GH_TOKEN and GH_REPO for `gh`.
set -euo pipefail

mark='<!-- layered-images: review -->'
comments="repos/$GH_REPO/issues/$NUMBER/comments"
reviews='.[] | select(.user.login == "github-actions[bot]") | select(.body | startswith("'"$mark"'")) | .id'
ids=$(gh api --paginate "$comments" --jq "$reviews")
id=${ids%%$'\n'*}
if [ -n "$MARKDOWN" ]; then
    # This line goes before the review: a review that is truncated may end inside a Markdown block.
    body=$(printf '%s\nOf commit %s, as it would be merged ([run](%s)):\n\n%s' "$mark" "$SHA" "$RUN" "$MARKDOWN")
else
    body=$(printf '%s\n### There is no review of commit %s\n\n[The run](%s) says more.' "$mark" "$SHA" "$RUN")
fi
if [ -n "$id" ]; then
    gh api --silent --method PATCH "repos/$GH_REPO/issues/comments/$id" --raw-field "body=$body"
else
    gh api --silent --method POST "$comments" --raw-field "body=$body"
fi
