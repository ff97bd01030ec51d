#!/bin/sh
# The devcontainer is for developing, and for signing what was developed.
set -eu
test "$(id -u)" -ne 0 || { echo "the devcontainer's user is root" >&2; exit 1; }
GNUPGHOME=$(mktemp -d)
export GNUPGHOME
gpg --batch --quiet --pinentry-mode loopback --passphrase '' --quick-generate-key 'smoke test <smoke@example.invalid>' ed25519 sign
echo signed | gpg --batch --quiet --clearsign | gpg --batch --quiet --verify
gpgconf --kill all
rm -rf "$GNUPGHOME"
echo "gpg makes a key and signs with it"
git --version
ssh -V
python -m pytest --version
mypy --version
ruff --version
