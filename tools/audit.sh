#!/bin/sh
# Asks whether a locked dependency has a known vulnerability; fails if one has, or if one cannot be asked about.
#
#   tools/audit.sh                    the advisories of the Python Package Index
#   tools/audit.sh -s osv             those of OSV; further arguments go to pip-audit (--ignore-vuln ID, with a reason)
#
# Needs the network. --strict, because pip-audit calls a package that its service does not know "skipped", and
# finding nothing in nothing would pass.
set -eu

tools/lock.sh --tools
for lock in serve all supply; do
    printf 'requirements/%s.txt: ' "$lock"
    build/supply/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off \
        --requirement "requirements/$lock.txt" "$@"
done
