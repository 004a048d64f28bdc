#!/bin/sh
# Puts Ray into the environment for the drills of clusters; `make test` does without its 240 MB.
set -eu
cd "$(dirname "$0")/.."

python=${VENV:-.venv}/bin/python
"$python" -c 'import importlib.metadata as m; m.version("ray")' 2>/dev/null && exit 0
printf '  %-56s' "Ray, for clusters"
begin=$(date +%s)
mkdir -p build
"$python" -m pip install --disable-pip-version-check --quiet --editable ".[ray]" >build/ray.log 2>&1 || {
    echo "failed (why: build/ray.log)"
    exit 1
}
printf '%4d s\n' $(($(date +%s) - begin))
