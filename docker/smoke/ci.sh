#!/bin/sh
# The CI image is for running tests and linters.
set -eu
cd "$(mktemp -d)"
echo 'def test_it() -> None: assert 1 + 1 == 2' > test_it.py
python -m pytest --quiet test_it.py
mypy --strict test_it.py
ruff check test_it.py
echo "pytest, mypy and ruff work"
