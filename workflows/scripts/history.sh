#!/usr/bin/env bash
# Gets the updates that the newest `up` recorded, out of its run's artifact, into .updates. That there are none fails
# nothing: durations are then not known. Where they could not be got the output `lost` is true: an artifact of this run would
# take the place of theirs. Environment: BRANCH, whose they are; GITHUB_OUTPUT; GH_TOKEN and GH_REPO for `gh`.
set -euo pipefail

# Of this repository's own branch alone: a pull request from a fork can bring an artifact of any name, from a branch of any name.
newest='[.artifacts[] | select((.expired | not) and .workflow_run.head_branch == env.BRANCH
    and .workflow_run.head_repository_id == .workflow_run.repository_id)]
    | max_by(.created_at) | .workflow_run.id // empty'
take() {
    run=$(gh api "repos/$GH_REPO/actions/artifacts?name=updates&per_page=100" --jq "$newest") || return 1
    [ -n "$run" ] || { echo "no durations recorded yet"; return 0; }
    # An empty folder each time: a download that broke off leaves files, which the next one would not write over.
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
