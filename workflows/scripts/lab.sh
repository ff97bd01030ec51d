#!/usr/bin/env bash
# Builds the whole hierarchy into a registry on this runner, for code that must not see secrets. Arguments: the command that does it.
# Environment: LARGER_DISK, where a runner may have a larger disk; by default /mnt, as on GitHub's.
set -euo pipefail
umask 022

free() { df --output=avail --block-size=1 "$1" | tail -n 1; }

# Everything that the lab keeps goes to the larger disk. Where there is none, software that is not needed here is removed: it fills most
# of a runner's disk.
larger=${LARGER_DISK-/mnt}
if [ -d "$larger" ] && [ "$(free "$larger")" -gt "$(free /)" ]; then
    home=$larger/layered-images
else
    home=
    sudo rm -rf /usr/local/lib/android /usr/share/dotnet /opt/ghc /usr/local/.ghcup
fi

# BuildKit needs root. Without `env`, sudo would search the program in its secure PATH.
sudo env "PATH=$PATH" "HOME=$HOME" ${home:+"LAYERED_IMAGES_HOME=$home"} "$@"
