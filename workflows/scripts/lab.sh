#!/usr/bin/env bash
# Builds the whole hierarchy into a registry on this runner, for code that must not see secrets.
set -euo pipefail
umask 022

# Software that is not needed here fills most of a runner's disk.
sudo rm -rf /usr/local/lib/android /usr/share/dotnet /opt/ghc /usr/local/.ghcup

# Only the runner's platform: emulating another platform takes hours, and `up` on main builds and tests all platforms before it promotes.
# BuildKit needs root. Without `env`, sudo would search npm in its secure PATH.
sudo env "PATH=$PATH" "HOME=$HOME" npm run up -- --platforms host
