#!/bin/sh
# Installs Debian's chromium, which the tests of the web page drive, where there is no browser and we may install one.
set -eu

for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null; then
        exit 0
    fi
done
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "bertline: no Chromium here, and installing one takes root and apt-get: apt-get install chromium" >&2
    exit 0
fi
echo "chromium, which the tests of the web page drive"
mkdir -p build
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >build/browser.log 2>&1; then
    tail -n 20 build/browser.log >&2
    echo "bertline: chromium could not be installed (the whole log is in build/browser.log)" >&2
    exit 1
fi
