#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# docs/API.md and docs/OPTIONS.md are what `make docs` makes of the header and the option table now, and
# every public name and option is in them.
set -eu
cd "$(dirname "$0")/../.."
lib=${MDLDM_LIB:-lib/libmdldm.so.0}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 docs/gen/api_md.py include/mdldm/mdldm.h lib/symbols-in-versions >"$work/API.md"
python3 docs/gen/options_md.py "$lib" include/mdldm/mdldm.h >"$work/OPTIONS.md"
for page in API.md OPTIONS.md; do
    diff -u "docs/$page" "$work/$page" | head -n 20
    cmp -s "docs/$page" "$work/$page" || { echo "docs/$page is not up to date: make docs"; exit 1; }
done
diff <(awk '!/^#/ && NF {print $1}' lib/symbols-in-versions | sort) \
    <(grep -o '<a id="mdldm_[a-z0-9_]*">' docs/API.md | cut -d '"' -f 2 | sort) |
    grep '^<' && { echo "these functions are not in docs/API.md"; exit 1; }
diff <(sed -n 's/^OPTION("\([a-z0-9_]*\)".*/\1/p' src/api/options.def | sort) \
    <(sed -n 's/^| `\([a-z0-9_]*\)` |.*/\1/p' docs/OPTIONS.md | sort) ||
    { echo "docs/OPTIONS.md has not each option once"; exit 1; }
