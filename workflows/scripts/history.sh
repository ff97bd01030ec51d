#!/usr/bin/env bash
# Downloads the recorded updates of the newest `up` from its run's artifact into .updates. Missing updates are no error: durations are then
# unknown. If the download fails, the output `lost` is true, so that this run saves no artifact that would replace the earlier updates.
# Environment: BRANCH, the branch of the `up`; GITHUB_OUTPUT; GH_TOKEN and GH_REPO for `gh`.
set -euo pipefail

# Only artifacts from this repository's branch: a pull request from a fork can create an artifact of any name, from a branch of any name.
newest='[.artifacts[] | select((.expired | not) and .workflow_run.head_branch == env.BRANCH
    and .workflow_run.head_repository_id == .workflow_run.repository_id)]
    | max_by(.created_at) | .workflow_run.id // empty'
take() {
    run=$(gh api "repos/$GH_REPO/actions/artifacts?name=updates&per_page=100" --jq "$newest") || return 1
    [ -n "$run" ] || { echo "no durations recorded yet"; return 0; }
    # A new folder for each attempt: an interrupted download leaves files that the next download would not overwrite.
    folder=$(mktemp -d) || return 1
    gh run download "$run" --name updates --dir "$folder" || return 1
    mkdir -p .updates && cp -R "$folder/." .updates || return 1
    echo "took the updates that run $run recorded"
}

for pause in 5 20 0; do
    if take; then exit 0; fi
    sleep "$pause"
done
echo "::warning::The recorded updates could not be got: durations are not known, and those of this run are not kept."
echo 'lost=true' >> "$GITHUB_OUTPUT"
