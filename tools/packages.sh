#!/bin/sh
# Installs the Debian packages that the tests drive for real, where they are absent and we may install them: a browser
# (and the library that Playwright's driver is linked against), PostgreSQL, Redis, Prometheus with promtool, nginx,
# openssl, and QEMU, which emulates processors without the newest instructions. Tests start servers of their own; none of the packages' services has to run.
#
#   tools/packages.sh [program …]     all of them, or those that provide these programs
set -eu

# package_of PROGRAM: which package brings it.
package_of() {
    case $1 in
    libatomic) echo libatomic1 ;;
    initdb) echo postgresql ;;
    nginx) echo nginx-light ;;
    promtool) echo prometheus ;;
    qemu-x86_64-static) echo qemu-user-static ;;
    redis-server | chromium | openssl) echo "$1" ;;
    *)
        echo "bertline: tools/packages.sh knows no program $1" >&2
        exit 2
        ;;
    esac
}

# found PROGRAM…: whether one of these is on the path, or where Debian keeps it.
found() {
    for name in "$@"; do
        for place in $(printf %s "$PATH" | tr : ' ') /usr/sbin /usr/lib/postgresql/*/bin; do
            if [ -x "$place/$name" ]; then return 0; fi
        done
    done
    return 1
}

present() {
    case $1 in
    chromium) found chromium chromium-browser google-chrome google-chrome-stable ;;
    libatomic) [ -n "$(find /lib/ /usr/lib/ -maxdepth 2 -name libatomic.so.1 2>/dev/null)" ] ;;
    *) found "$1" ;;
    esac
}

missing=""
for program in ${*:-chromium libatomic initdb redis-server promtool nginx openssl qemu-x86_64-static}; do
    package=$(package_of "$program")
    present "$program" || missing="${missing:+$missing }$package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "bertline: some tests need more than is here: apt-get install $missing, as root" >&2
    exit 0
fi
echo "$missing, for the tests"
mkdir -p build
export DEBIAN_FRONTEND=noninteractive
# A package whose service starts at once takes a port; the tests start their own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
# shellcheck disable=SC2086 # one word for each package
if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing; } >build/packages.log 2>&1; then
    tail -n 20 build/packages.log >&2
    echo "bertline: $missing could not be installed (the whole log is in build/packages.log)" >&2
    exit 1
fi
