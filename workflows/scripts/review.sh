#!/usr/bin/env bash
# Reviews the checkout: what `up` would do, as the step's summary and its output `markdown`. Ends as the review does.
# Environment: GITHUB_STEP_SUMMARY, GITHUB_OUTPUT; PULUMI_STACK and what else Pulumi needs.
set -euo pipefail
umask 022

folder=$(mktemp -d)
code=0
npm run --silent review -- --stack "$PULUMI_STACK" --format markdown --output "$folder/review.md" || code=$?
if [ -s "$folder/review.md" ]; then
    cat "$folder/review.md" >> "$GITHUB_STEP_SUMMARY"
    # GitHub takes comments of up to 65,536 characters.
    end="end-$(basename "$folder")"
    { echo "markdown<<$end"; head -c 60000 "$folder/review.md"; echo; echo "$end"; } >> "$GITHUB_OUTPUT"
fi
if [ "$code" -eq 3 ]; then echo "::error::The review found something dangerous; it says what."; fi
exit "$code"
