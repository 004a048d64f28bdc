#!/bin/sh
# Makes the environment build/release, with the wheel in dist and what it needs, file by file from the locks, and signs in
# to a registry where REGISTRY_TOKEN is set.
#
#   tools/release/ready.sh [REGISTRY]    and then build/release/bin/python -m tools.release …
set -eu

python3 -m venv --clear build/release
build/release/bin/pip install --disable-pip-version-check --quiet --require-hashes -r requirements/serve.txt
build/release/bin/pip install --disable-pip-version-check --quiet --no-deps dist/bertline-*.whl
build/release/bin/bertline --version

if [ -n "${REGISTRY_TOKEN:-}" ]; then
    # One file for podman, Helm and cosign.
    mkdir -p "$HOME/.docker"
    printf %s "$REGISTRY_TOKEN" |
        podman login --authfile "$HOME/.docker/config.json" --username "$REGISTRY_USER" --password-stdin "${1%%/*}"
fi
