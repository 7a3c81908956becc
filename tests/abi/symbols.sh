#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The library exports exactly what lib/symbols-in-versions lists, and all of it is declared in the
# public header; plug-ins export their entry point alone.
set -eu
cd "$(dirname "$0")/../.."
lib=${MDLDM_LIB:-lib/libmdldm.so.0}
exported=$(nm -D --defined-only "$lib" | awk '$2 ~ /[TDBRV]/ {sub(/@.*/, "", $3); print $3}' | sort)
listed=$(awk '!/^#/ && NF {print $1}' lib/symbols-in-versions | sort)
diff <(echo "$listed") <(echo "$exported") || {
    echo "lib/symbols-in-versions and $lib differ (< listed, > exported)"
    exit 1
}
declared=$(grep -o 'mdldm_[a-z0-9_]*(' include/mdldm/mdldm.h | tr -d '(' | sort -u)
for s in $exported; do
    grep -qx "$s" <<<"$declared" || { echo "$s is exported but not in mdldm.h"; exit 1; }
done
for plugin in "${MDLDM_BACKEND_DIR:-build/backends}"/*.so; do
    [ -e "$plugin" ] || continue
    names=$(nm -D --defined-only "$plugin" | awk '{print $3}')
    [ "$names" = mdldm_backend_entry ] || { echo "$plugin exports: $names"; exit 1; }
done
for s in $declared; do
    case "$s" in *_fn) continue ;; esac # callback types
    grep -qx "$s" <<<"$exported" || { echo "$s is declared in mdldm.h but not exported"; exit 1; }
done
