#!/bin/sh
# Locks what bertline depends on: every package, its version and the hashes of its files, for each supported Python.
#
#   tools/lock.sh                     requirements/*.txt anew; pins that still fit stay as they are
#   tools/lock.sh --upgrade           the newest versions that pyproject.toml admits
#   tools/lock.sh --check             fails if pyproject.toml asks for something that the locks do not have
#   tools/lock.sh --tools             only the environment build/supply, which tools/audit.sh and tools/sbom.sh use too
#
#   serve.txt    what a server installs
#   image.txt    what the image of bertline deploy image installs: a server with databases, shared limits, S3 and traces
#   batch.txt    what its image for training and batch work installs, with the build of torch for GPUs
#   batch-ray.txt the same for clusters of Ray, also those of KubeRay
#   all.txt      every extra, and what tests and checks use
#   supply.txt   the tools of this script, from supply.in
#
# Needs Python 3.11 or newer with pip. torch is the release that every figure was measured with (tools/venv.sh).
set -eu

VENV=${VENV:-.venv}
TOOLS=build/supply
TORCH=2.13.0
SERVE="--extra serve"
IMAGE="$SERVE --extra postgres --extra redis --extra s3 --extra traces"
BATCH="--extra train --extra parquet --extra s3 --extra sign"
ALL="--all-extras --group test --group check"

fail() {
    printf 'bertline: %s\n' "$*" >&2
    exit 1
}

with_pip() {
    for candidate in "$VENV/bin/python" "${PYTHON:-python3}"; do
        if "$candidate" -m pip --version >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
    fail "pip is needed and was not found: run make check once, or install Debian's python3-pip"
}

# Hashes are required of the tools as well: whoever controls them controls the locks.
make_tools() {
    [ -e "$TOOLS/.made" ] && [ "$TOOLS/.made" -nt requirements/supply.txt ] && return
    python=$(with_pip)
    "$python" -m venv --clear --without-pip "$TOOLS"
    if [ -s requirements/supply.txt ]; then
        "$python" -m pip --python "$TOOLS/bin/python" install --quiet --require-hashes -r requirements/supply.txt
    else
        "$python" -m pip --python "$TOOLS/bin/python" install --quiet -r requirements/supply.in
    fi
    touch "$TOOLS/.made"
}

# compile OUT ARGUMENTS…: for every system and every Python from 3.11 on; no address of an index is written.
compile() {
    out=$1
    shift
    printf 'torch==%s\n' "$TORCH" >"$TOOLS/constraints.txt"
    UV_CUSTOM_COMPILE_COMMAND=tools/lock.sh "$TOOLS/bin/uv" pip compile --quiet --universal --python-version 3.11 \
        --generate-hashes --no-annotate --constraints "$TOOLS/constraints.txt" --output-file "$out" "$@" >/dev/null
}

# all FOLDER ARGUMENTS…
all() {
    into=$1
    shift
    compile "$into/supply.txt" requirements/supply.in "$@"
    # shellcheck disable=SC2086 # several words each
    compile "$into/serve.txt" pyproject.toml $SERVE "$@"
    # shellcheck disable=SC2086
    compile "$into/image.txt" pyproject.toml $IMAGE "$@"
    # shellcheck disable=SC2086
    compile "$into/batch.txt" pyproject.toml $BATCH "$@"
    # shellcheck disable=SC2086
    compile "$into/batch-ray.txt" pyproject.toml $BATCH --extra kuberay "$@"
    # shellcheck disable=SC2086
    compile "$into/all.txt" pyproject.toml $ALL "$@"
}

[ -f pyproject.toml ] || fail "tools/lock.sh is run where pyproject.toml is: cd to the root of the repository"
case ${1-} in
--tools) make_tools ;;
--check)
    make_tools
    rm -rf "$TOOLS/locks"
    cp -R requirements "$TOOLS/locks"
    all "$TOOLS/locks"
    diff -ru requirements "$TOOLS/locks" || fail "requirements/ is not what pyproject.toml asks for: run tools/lock.sh"
    ;;
--upgrade | "")
    make_tools
    # shellcheck disable=SC2086
    all requirements ${1-}
    ;;
*) fail "tools/lock.sh knows --upgrade, --check and --tools, not $1" ;;
esac
