#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The Python package's tests in the machine's own Python with Debian's NumPy (PYTHON names another one).
set -u
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-/usr/bin/python3}
out=$("$python" -W error::ResourceWarning -m unittest discover -s "$here/python" 2>&1)
status=$?
printf '%s\n' "$out"
ran=$(printf '%s\n' "$out" | sed -n 's/^Ran \([0-9]*\) test.*/\1/p')
bad=$(printf '%s\n' "$out" | grep -cE '^(ERROR|FAIL): ')
[ "${ran:-0}" -gt 0 ] || bad=1 ran=1
echo "$((ran - bad)) passed, $bad failed"
exit $status
