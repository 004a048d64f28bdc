#!/bin/sh
# Installs what the tests of the web page drive, where it is absent and we may install it: Debian's chromium, and the
# library that Playwright's driver is linked against and a bare Debian lacks.
set -eu

missing=""
found=no
for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null; then found=yes; fi
done
[ "$found" = yes ] || missing="chromium"
[ -n "$(find /lib/ /usr/lib/ -maxdepth 2 -name libatomic.so.1 2>/dev/null)" ] || missing="${missing:+$missing }libatomic1"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "bertline: the tests of the web page need more than is here: apt-get install $missing, as root" >&2
    exit 0
fi
echo "$missing, for the tests of the web page"
mkdir -p build
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # one word for each package
if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing; } >build/browser.log 2>&1; then
    tail -n 20 build/browser.log >&2
    echo "bertline: $missing could not be installed (the whole log is in build/browser.log)" >&2
    exit 1
fi
