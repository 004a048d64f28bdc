#!/bin/sh
# Gets Debian's prometheus and promtool, which the tests of rules and dashboards run, where they are absent: unpacked
# below build/prometheus, so nothing is installed and no service is started.
set -eu

if command -v prometheus >/dev/null && command -v promtool >/dev/null; then exit 0; fi
into=build/prometheus
if [ -x "$into/usr/bin/prometheus" ] && [ -x "$into/usr/bin/promtool" ]; then exit 0; fi

if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    echo "bertline: the tests of alerts and dashboards need prometheus and promtool: install them" >&2
    exit 0
fi
echo "prometheus, for the tests of alerts and dashboards"
mkdir -p "$into"
log=$PWD/build/prometheus.log
fetch() {
    if [ "$(id -u)" = 0 ]; then apt-get update -qq; fi
    rm -f "$into"/*.deb
    (cd "$into" && apt-get download -qq prometheus && dpkg-deb -x prometheus_*.deb . && rm -f prometheus_*.deb)
}
if ! fetch >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "bertline: prometheus could not be fetched (the whole log is in build/prometheus.log)" >&2
    exit 1
fi
