#!/bin/sh
# Puts Spark into build/tools/spark, an environment of its own, for the drill of the guide's example; it needs Java.
set -eu
cd "$(dirname "$0")/.."

VERSION=4.3.0
TARGET=build/tools/spark
[ "$(cat "$TARGET/.done" 2>/dev/null)" != "$VERSION" ] || exit 0
printf '  %-56s' "Spark $VERSION"
begin=$(date +%s)
mkdir -p build
rm -rf "$TARGET"
{ "${VENV:-.venv}/bin/python" -m venv "$TARGET" &&
    "$TARGET/bin/python" -m pip install --disable-pip-version-check --quiet "pyspark==$VERSION"; } >build/spark.log 2>&1 ||
    { echo "failed (why: build/spark.log)"; exit 1; }
echo "$VERSION" >"$TARGET/.done"
printf '%4d s\n' $(($(date +%s) - begin))
