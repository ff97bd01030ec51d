#!/usr/bin/env bash
# Builds the whole hierarchy into a registry on this runner: for code that must not see a secret.
set -euo pipefail
umask 022

# A runner's disk is mostly filled with what is not needed here.
sudo rm -rf /usr/local/lib/android /usr/share/dotnet /opt/ghc /usr/local/.ghcup

# The runner's own platform: emulating another takes hours, and the `up` on main builds and tests them all before it promotes.
# BuildKit needs root; `sudo` alone would look for npm in its own PATH.
sudo env "PATH=$PATH" "HOME=$HOME" npm run up -- --platforms host
