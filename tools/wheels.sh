#!/bin/sh
# Checks that every package that an image installs has a wheel for a platform and each supported Python; nothing is
# downloaded but the index's lists.
#
#   tools/wheels.sh [PLATFORM…]       aarch64-manylinux_2_28 if none is named, as uv names them
#
# Images are built without compilers, so a package without a wheel is a failure. torch is asked for as the index of
# packages has it; the image for batch work takes its build for processors from an index of its own.
set -eu

tools/lock.sh --tools
[ $# -gt 0 ] || set -- aarch64-manylinux_2_28
for platform in "$@"; do
    for lock in image batch batch-ray; do
        for python in 3.11 3.12 3.13; do
            packages=$(build/supply/bin/uv pip compile --quiet --no-python-downloads --no-deps --only-binary :all: --no-header \
                --no-annotate --python-platform "$platform" --python-version "$python" "requirements/$lock.txt")
            printf '%s.txt, Python %s, %s: %d packages have wheels\n' "$lock" "$python" "$platform" \
                "$(printf '%s\n' "$packages" | grep -c ==)"
        done
    done
done
