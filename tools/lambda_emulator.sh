#!/bin/sh
# Fetches the emulator of Lambda's runtime, which Amazon ships in the wheel of its SAM command line, and prints its path:
# build/tools/aws-lambda-rie. Nothing is installed.
set -eu

SAM=aws-sam-cli==1.170.0
emulator=build/tools/aws-lambda-rie
if [ ! -x "$emulator" ]; then
    python=${VENV:-.venv}/bin/python
    mkdir -p build/tools
    "$python" -m pip download --quiet --no-deps --only-binary :all: --dest build/tools "$SAM"
    "$python" - "$emulator" build/tools/aws_sam_cli-*.whl <<'PROGRAM'
import pathlib, platform, sys, zipfile
machine = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
content = zipfile.ZipFile(sys.argv[2]).read(f"samcli/local/rapid/aws-lambda-rie-{machine}")
pathlib.Path(sys.argv[1]).write_bytes(content)
PROGRAM
    rm build/tools/aws_sam_cli-*.whl
    chmod +x "$emulator"
fi
printf '%s\n' "$(pwd)/$emulator"
