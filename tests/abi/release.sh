#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Programs of earlier releases run with this library: tests/abi/release/VERSION holds what `make abi-release`
# kept of each, a binary that calls every function of that release, its sources and header, and what it
# printed. The binary must print the same with the library of this tree, and so must its sources compiled
# against today's header. The sources of the next release (tests/abi/release/*.c) are held to the same; that
# they call everything is asked for when they are kept.
#   release.sh --keep VERSION    keeps VERSION, at a release
#   release.sh --expected        records what the next release's program prints
#   release.sh --complete        wants every function called
set -u
cd "$(dirname "$0")/../.."
lib=$(realpath "${MDLDM_LIB:-lib/libmdldm.so.0}")
here=tests/abi/release
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. tests/support/checks.sh
export OMP_WAIT_POLICY=passive
compile() { # compile OUTPUT SOURCE-FOLDER HEADERS FLAG...
    local output=$1 sources=$2 headers=$3
    shift 3
    gcc -std=gnu11 -O1 -Wall -Wextra -I"$headers" "$@" "$sources"/*.c "$lib" -lm -o "$output"
}
run() { # run BINARY: its output in $work/out
    rm -rf "$work/files" && mkdir "$work/files"
    LD_LIBRARY_PATH=$(dirname "$lib") timeout 300 "$1" "$work/files" >"$work/out" 2>"$work/err"
}
judge() { # judge NAME BINARY EXPECTED
    local status=0
    run "$2" || status=$?
    if [ $status -eq 0 ] && [ ! -s "$work/err" ] && diff "$3" "$work/out" >"$work/diff"; then
        passed=$((passed + 1))
        echo "ok $1"
    else
        failed=$((failed + 1))
        echo "not ok $1: status $status (< as it was, > now)"
        cat "$work/err" "$work/diff" 2>/dev/null | head -n 20
    fi
}

case ${1:-} in
--expected)
    compile "$work/caller" $here include -Werror && run "$work/caller" && cp "$work/out" $here/expected
    exit
    ;;
--keep)
    version=$2
    [ ! -e "$here/$version" ] || { echo "$here/$version is there already: a kept release never changes"; exit 1; }
    bash "$0" --complete >"$work/log" 2>&1 || { tail -n 20 "$work/log"; exit 1; }
    mkdir -p "$here/$version/mdldm" || exit 1
    compile "$here/$version/caller" $here include -s -Werror && cp $here/*.c $here/*.h $here/expected "$here/$version/" &&
        cp include/mdldm/mdldm.h "$here/$version/mdldm/"
    exit
    ;;
esac

# The program of the next release: complete, it calls all that is exported and says something about each.
if compile "$work/caller" $here include -Werror; then
    judge "the program of this tree" "$work/caller" $here/expected
    exported() { awk '!/^#/ && NF {print $1}' lib/symbols-in-versions | sort; }
    nm -D --undefined-only "$work/caller" | awk '{print $2}' | sed 's/@.*//' | grep '^mdldm_' | sort >"$work/called"
    calls_all() { diff <(exported) "$work/called"; }
    tells_all() { diff <(exported) "$work/told"; }
    sed -n 's/^\(mdldm_[a-z0-9_]*\) -> .*/\1/p' $here/expected | sort -u >"$work/told"
    if [ "${1:-}" = --complete ]; then
        check "it calls every function (else see $here/caller.h)" calls_all
        check "it says something about every function" tells_all
    else
        echo "not called yet:" $(comm -23 <(exported) "$work/called")
    fi
    # A caller shouts what it finds wrong.
    all_well() { ! grep -E -- '-> .*\b[A-Z]{4,}\b' $here/expected | grep -v '\bNULL\b'; }
    check "nothing is wrong in what is expected" all_well
else
    failed=1
    echo "not ok: $here/*.c do not compile"
fi
for kept in $here/[0-9]*/; do
    [ -d "$kept" ] || continue
    version=$(basename "$kept")
    if [ "$(uname -m)" = x86_64 ]; then
        judge "the binary of $version" "$kept/caller" "$kept/expected"
    fi
    if compile "$work/caller" "$kept" include; then
        judge "the sources of $version" "$work/caller" "$kept/expected"
    else
        failed=$((failed + 1))
        echo "not ok: the sources of $version do not compile any more"
    fi
done
checks_end
