#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# No include runs against the arrows of docs/ARCHITECTURE.md (lines "FOLDER -> FOLDER ..." in its
# block marked "arrows"), and file names are unique in the tree.
set -eu
cd "$(dirname "$0")/../.."
table=$(awk '/^```arrows/ {on = 1; next} /^```/ {on = 0} on' docs/ARCHITECTURE.md)
[ -n "$table" ] || { echo "no arrows in docs/ARCHITECTURE.md"; exit 1; }
bad=0
while read -r file; do
    folder=$(dirname "$file")
    row=$(awk -v f="$folder" '$1 == f' <<<"$table")
    if [ -z "$row" ]; then
        echo "$file: folder $folder has no line in docs/ARCHITECTURE.md"
        bad=1
        continue
    fi
    while read -r include; do
        target=
        for base in "$folder" include src .; do # as the compiler looks
            if [ -e "$base/$include" ]; then
                target=$(realpath --relative-to=. "$(dirname "$base/$include")")
                break
            fi
        done
        if [ -z "$target" ]; then
            echo "$file: includes $include, which is nowhere"
            bad=1
            continue
        fi
        [ "$target" = "$folder" ] && continue
        tr ' ' '\n' <<<"$row" | tail -n +3 | grep -qx "$target" || {
            echo "$file: $include runs against the arrows ($folder may not use $target)"
            bad=1
        }
    done < <(sed -n 's/^#include "\(.*\)"/\1/p' "$file")
done < <(find src backends examples -name '*.[ch]')
twice=$(git ls-files 2>/dev/null | grep -E '^(src|backends|examples)/.*\.[ch]$' | xargs -n 1 basename | sort | uniq -d)
[ -z "$twice" ] || { echo "file names used twice: $twice"; bad=1; }
exit $bad
