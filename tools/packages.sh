#!/bin/sh
# Installs the Debian packages that the tests drive for real (tools/packages.txt), as far as they are absent and we may
# install them: as root, or in CI with sudo. Elsewhere one line names what is missing, and the tests that need it are
# skipped; in CI that is a failure. Tests start servers of their own: none of the packages' services has to run.
#
#   tools/packages.sh [program …]     all of them, or those that provide these programs
#   tools/packages.sh --drill         those of tools/packages-drill.txt as well, which only drills need
set -eu
cd "$(dirname "$0")/.."

LOG=build/packages.log
mkdir -p build
lists=tools/packages.txt
if [ "${1-}" = --drill ]; then
    lists="$lists tools/packages-drill.txt"
    shift
fi

# present NAME…: whether one of these programs or libraries is where Debian keeps it.
present() {
    for name in "$@"; do
        case $name in
        *.so.*) [ -z "$(find /lib/ /usr/lib/ -maxdepth 2 -name "$name" 2>/dev/null)" ] || return 0 ;;
        *)
            for place in $(printf %s "$PATH" | tr : ' ') /usr/sbin /usr/lib/podman /usr/lib/postgresql/*/bin; do
                if [ -x "$place/$name" ]; then return 0; fi
            done
            ;;
        esac
    done
    return 1
}

# wanted NAME PROGRAM…: whether the program is among those that were asked for; nothing asked for is all.
wanted() {
    name=$1
    shift
    [ $# -gt 0 ] || return 0
    for program in "$@"; do
        if [ "$program" = "$name" ]; then return 0; fi
    done
    return 1
}

missing=""
# shellcheck disable=SC2086 # one word for each list
cat $lists >build/packages.list
while IFS=: read -r names package; do
    case $names in '' | '#'*) continue ;; esac
    # shellcheck disable=SC2086 # one word for each name
    if wanted ${names%% *} "$@" && ! present $names; then
        case " $missing " in *" ${package# } "*) ;; *) missing="${missing:+$missing }${package# }" ;; esac
    fi
done <build/packages.list
[ -n "$missing" ] || exit 0

# give_up TEXT: in CI every test has to run.
give_up() {
    echo "bertline: $1" >&2
    [ "${CI:-}" != true ] || exit 1
    exit 0
}

as_root=""
if [ "$(id -u)" != 0 ]; then
    if [ "${CI:-}" = true ] && sudo -n true 2>/dev/null; then
        as_root="sudo -n DEBIAN_FRONTEND=noninteractive"
    else
        give_up "tests that need more than is here are skipped; for them, as root: apt-get install $missing"
    fi
fi
command -v apt-get >/dev/null || give_up "tests that need more than is here are skipped: $missing (Debian's names)"

printf '  %-56s' "$(echo "$missing" | wc -w) Debian packages that the tests drive"
begin=$(date +%s)
export DEBIAN_FRONTEND=noninteractive
# A package whose service starts at once takes a port; the tests start their own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod +x "$policy"
    trap '$as_root rm -f "$policy"' EXIT
fi
# shellcheck disable=SC2086 # one word for each package
if { $as_root apt-get update -qq && $as_root apt-get install -y -qq --no-install-recommends $missing; } >"$LOG" 2>&1; then
    printf '%4d s\n' $(($(date +%s) - begin))
else
    printf 'failed\n'
    give_up "$missing could not be installed, so the tests that need them are skipped (why: $LOG)"
fi
