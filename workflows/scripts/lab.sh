#!/usr/bin/env bash
# Builds the whole hierarchy into a registry on this runner, for code that must not see secrets. Arguments: the command that does it.
set -euo pipefail
umask 022

# Software that is not needed here fills most of a runner's disk.
sudo rm -rf /usr/local/lib/android /usr/share/dotnet /opt/ghc /usr/local/.ghcup

# BuildKit needs root. Without `env`, sudo would search the program in its secure PATH.
sudo env "PATH=$PATH" "HOME=$HOME" "$@"
