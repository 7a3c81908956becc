# SPDX-License-Identifier: MIT
# Sourced by test scripts: counts their checks. $work is the script's own folder.
passed=0 failed=0

# check NAME COMMAND...: the command's exit status decides. What it says goes to $work/log and is shown when it fails,
# and so is $work/err, where there is one.
check() {
    local name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1))
        echo "ok $((passed + failed)) - $name"
    else
        failed=$((failed + 1))
        echo "not ok $((passed + failed)) - $name"
        tail -n 20 "$work/log" | sed 's/^/# /'
        [ ! -s "$work/err" ] || tail -n 5 "$work/err" | sed 's/^/# /'
    fi
}

# The closing line that tests/run.sh reads, and the exit status.
checks_end() {
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
}
