#!/bin/sh
# Lists what a server and a whole installation consist of, as CycloneDX documents with the hashes of the files.
#
#   tools/sbom.sh [FOLDER]            serve.cdx.json and all.cdx.json, in build/sbom if no folder is named
#
# The lists are those of requirements/, so an installation with --require-hashes has these packages or fewer (some are
# for one system or one Python). The documents are checked against the schema, and the same locks give the same bytes.
set -eu

into=${1:-build/sbom}
tools/lock.sh --tools
mkdir -p "$into"
for lock in serve all; do
    build/supply/bin/cyclonedx-py requirements "requirements/$lock.txt" --pyproject pyproject.toml \
        --spec-version 1.6 --output-reproducible --validate --output-file "$into/$lock.cdx.json"
    printf '%s\n' "$into/$lock.cdx.json"
done
