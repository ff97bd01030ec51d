#!/usr/bin/env bash
# Compares the stack with reality: the step's summary, and its outputs `drift` (true or false) and `report`. Fails when the
# comparison could not be made. Environment: GITHUB_STEP_SUMMARY, GITHUB_OUTPUT; PULUMI_STACK and what else Pulumi needs.
set -euo pipefail
umask 022

folder=$(mktemp -d)
code=0
npm run --silent status -- --stack "$PULUMI_STACK" > "$folder/report" || code=$?
cat "$folder/report"
"$(dirname "$0")/fenced.sh" < "$folder/report" >> "$GITHUB_STEP_SUMMARY"
case $code in
    0) drift=false ;;
    2) drift=true ;;
    *) exit "$code" ;;
esac
end="end-$(basename "$folder")"
{ echo "drift=$drift"; echo "report<<$end"; head -c 60000 "$folder/report"; echo; echo "$end"; } >> "$GITHUB_OUTPUT"
