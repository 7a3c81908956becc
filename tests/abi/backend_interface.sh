#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The plug-in interface cannot change under one version number: lib/backend-interface records, for
# each MDLDM_BACKEND_ABI, the hash of mdldm_backend.h without comments and white space.
# backend_interface.sh --update records the present one after a deliberate change.
#   MDLDM_HEADERS: another folder of headers than the tree's
set -eu
cd "$(dirname "$0")/../.."
header=${MDLDM_HEADERS:-include/mdldm}/mdldm_backend.h
version=$(sed -n 's/^#define MDLDM_BACKEND_ABI \([0-9]*\)u$/\1/p' "$header")
hash=$(gcc -fpreprocessed -dD -E -P "$header" 2>/dev/null | tr -d ' \t\n' | sha256sum | cut -d ' ' -f 1)
if [ "${1:-}" = --update ]; then
    { grep -v "^$version " lib/backend-interface 2>/dev/null || true; echo "$version $hash"; } > lib/backend-interface.new
    mv lib/backend-interface.new lib/backend-interface
    exit 0
fi
recorded=$(awk -v v="$version" '$1 == v {print $2}' lib/backend-interface)
[ "$recorded" = "$hash" ] || {
    echo "mdldm_backend.h differs from what lib/backend-interface records for version $version:"
    echo "raise MDLDM_BACKEND_ABI, or before a release run tests/abi/backend_interface.sh --update"
    exit 1
}
