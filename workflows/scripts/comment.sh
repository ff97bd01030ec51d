#!/usr/bin/env bash
# Writes MARKDOWN as the one comment of this kind on pull request NUMBER. Environment: GH_TOKEN and GH_REPO for `gh`.
set -euo pipefail

mark='<!-- layered-images: review -->'
comments="repos/$GH_REPO/issues/$NUMBER/comments"
own='.[] | select(.user.login == "github-actions[bot]") | select(.body | startswith("'"$mark"'")) | .id'
ids=$(gh api --paginate "$comments" --jq "$own")
id=${ids%%$'\n'*}
body=$(printf '%s\n%s' "$mark" "$MARKDOWN")
if [ -n "$id" ]; then
    gh api --silent --method PATCH "repos/$GH_REPO/issues/comments/$id" --raw-field "body=$body"
else
    gh api --silent --method POST "$comments" --raw-field "body=$body"
fi
