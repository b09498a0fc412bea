#!/bin/sh
# gate.sh IMAGE REPORTS TARGET…: check a built image for every target; the exit code is v2vlint's.
set -eu
image=$1 reports=$2
shift 2
mkdir -p "$reports"
for target in "$@"; do
    set -- "$@" --target "$target"
    shift
done
exec v2vlint check "$image" "$@" --fail-on warning \
    --report "html=$reports/v2vlint.html" \
    --report "junit=$reports/v2vlint.xml" \
    --report "sarif=$reports/v2vlint.sarif"
