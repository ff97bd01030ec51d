#!/usr/bin/env bash
# Checks that there is a login for each registry that images are pushed to. Environment: REGISTRIES, a word for each:
# <host>=<name of the variable with the user>=<name of the secret with the password>; and these variables and secrets under their names.
set -euo pipefail

missing=0
for registry in $REGISTRIES; do
    IFS='=' read -r host user password <<< "$registry"
    if [ -z "${!user}" ]; then
        echo "::error::The repository's variable $user is missing: the user name for pushing images to $host."
        missing=1
    fi
    if [ -z "${!password}" ]; then
        echo "::error::The secret $password is missing: the password or token for pushing images to $host."
        missing=1
    fi
done
exit "$missing"
