#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each program has a manual page that renders without a warning (mandoc and, where there, groff) and holds
# every flag that --help does.
set -u
cd "$(dirname "$0")/../.."
build=$(dirname "${MDLDM_BACKEND_DIR:-$PWD/build/backends}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
tell() { echo "$name: $*"; bad=1; }
for program in "$build"/bin/mdldm-*; do
    name=$(basename "$program") bad=0
    page=$work/$name.1
    "$program" --man >"$page" 2>"$work/err" || tell "--man fails: $(cat "$work/err")"
    mandoc -T lint -W warning "$page" || tell "mandoc warns"
    if command -v groff >/dev/null; then
        groff -man -Tascii -ww -rLL=78n "$page" 2>"$work/err" >/dev/null
        [ ! -s "$work/err" ] || tell "groff warns: $(head -n 3 "$work/err")"
    fi
    mandoc -T ascii -O width=78 "$page" | col -b >"$work/text"
    grep -q "^ *$name - [a-z]" "$work/text" || tell "no line for whatis"
    "$program" --help | sed -n 's/^  \(--[a-z0-9_]*\).*/\1/p' >"$work/flags"
    [ "$(wc -l <"$work/flags")" -gt 5 ] || tell "only $(wc -l <"$work/flags") flags seen"
    sed -n 's/^ *\(--[a-z0-9_]*\).*/\1/p' "$work/text" | sort -u >"$work/shown"
    missing=$(sort -u "$work/flags" | comm -23 - "$work/shown")
    [ -z "$missing" ] || tell "flags missing:" $missing
    for other in "$build"/bin/mdldm-*; do
        grep -q "$(basename "$other")(1)" "$work/text" || [ "$other" = "$program" ] || tell "does not mention $(basename "$other")"
    done
    [ $bad -eq 0 ] && passed=$((passed + 1)) || failed=$((failed + 1))
done
# A page that is none is seen.
printf '.TH X 1 2026-01-01\n.SH NAME\nx \\- y\n.NOSUCH\n' >"$work/broken.1"
name=broken
if mandoc -T lint -W warning "$work/broken.1" >/dev/null; then
    echo "mandoc takes a broken page"
    failed=$((failed + 1))
fi
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -ge 7 ]
