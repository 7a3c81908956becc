# SPDX-License-Identifier: MIT
"""C source of a library with the functions of a header and nothing behind them: what abidiff sees of it is
what the header promises, and it compiles in a moment.
   stub_library.py HEADER > stub.c"""
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "docs/gen"))
import public_header  # noqa: E402

print("#include <mdldm/mdldm.h>")
for f in public_header.functions(sys.argv[1]):
    print(f"{f.result} {f.name}({f.parameters})\n{{\n    __builtin_trap();\n}}")
