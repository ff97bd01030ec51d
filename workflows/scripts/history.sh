#!/usr/bin/env bash
# Gets the updates that the newest `up` recorded, out of its run's artifact, into .updates. That there are none fails
# nothing: durations are then not known. Environment: BRANCH, whose they are; GH_TOKEN and GH_REPO for `gh`.
set -euo pipefail

# Of this repository's own branch alone: a pull request from a fork can bring an artifact of any name, from a branch of any name.
newest='[.artifacts[] | select((.expired | not) and .workflow_run.head_branch == env.BRANCH
    and .workflow_run.head_repository_id == .workflow_run.repository_id)]
    | max_by(.created_at) | .workflow_run.id // empty'
if run=$(gh api "repos/$GH_REPO/actions/artifacts?name=updates&per_page=100" --jq "$newest") && [ -n "$run" ] &&
    gh run download "$run" --name updates --dir .updates; then
    echo "took the updates that run $run recorded"
else
    echo "no durations recorded yet"
fi
