#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The library exports exactly what lib/symbols-in-versions lists, each under the version node of its
# release, and all of it is declared in the public header; plug-ins export their entry point alone.
set -eu
cd "$(dirname "$0")/../.."
lib=${MDLDM_LIB:-lib/libmdldm.so.0}
exported=$(nm -D --defined-only "$lib" | awk '$2 ~ /[TDBRV]/ {sub(/@.*/, "", $3); print $3}' | sort)
listed=$(awk '!/^#/ && NF {print $1}' lib/symbols-in-versions | sort)
diff <(echo "$listed") <(echo "$exported") || {
    echo "lib/symbols-in-versions and $lib differ (< listed, > exported)"
    exit 1
}
# A symbol stands under the node of the release that brought it, so that a program which needs it does not
# start with an older library.
nodes=$(nm -D --defined-only "$lib" | awk '$2 ~ /[TDBRV]/ {sub(/@+MDLDM_/, " ", $3); print $3}' | sort)
wanted=$(awk '!/^#/ && NF {sub(/\.[0-9]+$/, "", $2); print $1, $2}' lib/symbols-in-versions | sort)
diff <(echo "$wanted") <(echo "$nodes") || {
    echo "lib/libmdldm.map puts a symbol under another release than lib/symbols-in-versions (<)"
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
