#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs test programs and scripts one after the other and adds up their results.
#   tests/run.sh BACKEND_DIR TEST...
# A cmocka program's own summary is counted test by test; a script counts as its exit status says,
# or by its closing line "N passed, N failed". RUNNER=valgrind... is put in front of programs.
set -u
export MDLDM_BACKEND_DIR=$1
export GOMP_SPINCOUNT=${GOMP_SPINCOUNT-1000} # long waits slow tests down when the machine is shared
shift
passed=0 failed=0 skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for test in "$@"; do
    start=$SECONDS
    case "$test" in
    *.sh) timeout 900 bash "$test" >"$log" 2>&1 ;;
    *) timeout "${TEST_TIMEOUT:-900}" ${RUNNER:-} "$test" >"$log" 2>&1 ;;
    esac
    status=$?
    name=${test#*tests/}
    ok=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$log" | tail -n 1)
    bad=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test.*/\1/p' "$log" | tail -n 1)
    skip=$(sed -n 's/^\[  SKIPPED \] \([0-9]*\) test.*/\1/p' "$log" | tail -n 1)
    if [ -z "$ok$bad" ]; then
        ok=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed.*/\1/p' "$log" | tail -n 1)
        bad=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed.*/\2/p' "$log" | tail -n 1)
    fi
    if [ -z "$ok$bad" ]; then
        [ $status -eq 0 ] && ok=1 || bad=1
    fi
    ok=${ok:-0} bad=${bad:-0} skip=${skip:-0}
    # A program that died counts as a failure whatever it printed before.
    [ $status -ne 0 ] && [ "$bad" -eq 0 ] && bad=1
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
    if [ "$bad" -gt 0 ]; then
        echo "FAILED $name: $bad of $((ok + bad)), exit status $status"
        tail -n 60 "$log" | sed 's/^/    /'
    else
        echo "ok     $name: $ok ($((SECONDS - start)) s)"
    fi
done
echo
if [ "$skipped" -gt 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
