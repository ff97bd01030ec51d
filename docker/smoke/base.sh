#!/bin/sh
# The base is for computing with PyTorch, in the right time zone.
set -eu
python - <<'PY'
import torch
import torchvision

result = (torch.ones(2, 3) @ torch.ones(3, 2)).sum().item()
assert result == 12, result
print(f"torch {torch.__version__} multiplies on the CPU, torchvision {torchvision.__version__} loads")
PY
test "$(cat /etc/timezone)" = "$TZ"
test "$(env -u TZ date +%z)" = "$(date +%z)"
python -c 'import os, zoneinfo; zoneinfo.ZoneInfo(os.environ["TZ"])'
test "$(readlink /etc/localtime)" = "/usr/share/zoneinfo/$TZ"
echo "the time zone is $TZ"
