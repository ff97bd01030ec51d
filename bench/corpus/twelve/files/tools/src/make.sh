# Installs every tool of a folder.
set -eu
mkdir -p "$2"
for tool in minify lint; do
    install -m 755 "$1/$tool.sh" "$2/$tool"
done
