#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Programs built against the last release run with this library: abidiff against lib/libmdldm.abi, the
# interface as the release had it. What was added is allowed; what went or changed is refused.
#   abi_check.sh            checks
#   abi_check.sh --write    records the present interface as the baseline: at a release
#   MDLDM_LIB, MDLDM_HEADERS, MDLDM_BASELINE: other files than the tree's
set -eu
cd "$(dirname "$0")/../.."
lib=${MDLDM_LIB:-lib/libmdldm.so.0}
headers=${MDLDM_HEADERS:-include/mdldm}
baseline=${MDLDM_BASELINE:-lib/libmdldm.abi}
# Without debug information abidiff sees names only, and is content.
readelf -S "$lib" | grep -q '\.debug_info' || { echo "$lib has no debug information: build with -g"; exit 1; }
if [ "${1:-}" = --write ]; then
    abidw --headers-dir "$headers" --drop-private-types --exported-interfaces-only --no-corpus-path \
        --no-comp-dir-path --no-show-locs --no-elf-needed --no-parameter-names --type-id-style hash \
        --out-file "$baseline" "$lib"
    exit 0
fi
machine=$(sed -n "1s/.*architecture='elf-\([^']*\)'.*/\1/p" "$baseline")
case $machine in
amd-x86_64) here=x86_64 ;;
*) echo "$baseline is of an unknown machine: ${machine:-none}"; exit 1 ;;
esac
[ "$(uname -m)" = $here ] || { echo "the baseline is of $here, this is $(uname -m): nothing compared"; exit 0; }
# Any difference but an added function gives a status other than 0. Enumerators at the end are additions
# as well; abidiff leaves them out by itself.
abidiff --headers-dir2 "$headers" --drop-private-types --exported-interfaces-only --no-added-syms \
    "$baseline" "$lib" || {
    echo "The interface of $lib is not that of $baseline any more (see above). Before the first release"
    echo "make abi-baseline records a deliberate change; after it nothing may change or go."
    exit 1
}
