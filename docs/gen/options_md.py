# SPDX-License-Identifier: MIT
"""docs/OPTIONS.md from the option table, as the library itself lists it.
   options_md.py LIBRARY HEADER > OPTIONS.md"""
import ctypes
import pathlib
import re
import sys

TEXTS = ("key", "default", "choices", "unit", "help", "since")
NUMBERS = ("min", "max")
TYPES = ("int", "double", "string", "flag")
# An option stands once, under the first heading whose scope it has; scopes not named here come last.
HEADINGS = {"DATASET": "Data", "MODEL": "New models", "TRAIN": "Training, both stages",
            "VQ": "Stage 1: the autoencoder", "DIFFUSION": "Stage 2: diffusion", "SAMPLE": "Sampling",
            "QUANTIZE": "Quantising", "SPECTROGRAM": "Spectrograms", "GAIT": "Gait measures",
            "LATENTS": "Latent report", "EVALUATE": "Evaluation"}


def read_scopes(header):
    """{name: (bit, which calls read it)} from mdldm_option_scope."""
    with open(header, encoding="utf-8") as file:
        found = re.findall(r"MDLDM_SCOPE_(\w+) = (\d+),? +/\* (.*?) \*/", file.read())
    return {name: (int(bit), calls) for name, bit, calls in found}


def read_table(path):
    lib = ctypes.CDLL(str(pathlib.Path(path).resolve()))
    for name in TEXTS + NUMBERS:
        function = getattr(lib, f"mdldm_option_{name}")
        function.restype = ctypes.c_char_p if name in TEXTS else ctypes.c_double
    rows = []
    for i in range(lib.mdldm_option_count()):
        row = {name: getattr(lib, f"mdldm_option_{name}")(i) for name in TEXTS + NUMBERS}
        row.update((name, row[name].decode()) for name in TEXTS)
        row["type"] = TYPES[lib.mdldm_option_type_of(i)]
        row["scopes"] = lib.mdldm_option_scopes(i)
        rows.append(row)
    return rows


def allowed(row):
    if row["choices"]:
        return ", ".join(f"`{choice}`" for choice in row["choices"].split("|"))
    if row["type"] in ("int", "double") and (row["min"] or row["max"]):
        return f"{row['min']:.9g} to {row['max']:.9g}"
    return "0, 1" if row["type"] == "flag" else ""


def cell(text):
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def main():
    rows = read_table(sys.argv[1])
    scopes = read_scopes(sys.argv[2])
    print("<!-- Made from the library's option table (src/api/options.def) by `make docs`. -->\n# Options\n")
    print("One table serves the library's calls, the programs' flags (`--key value`), Python's keyword arguments and")
    print("MATLAB's name-value pairs. In C: `mdldm_options_set_int`, `_double`, `_string` or, from text,")
    print("`mdldm_options_parse`. Keys are taken with underscores or dashes; an unknown key is an error that names the")
    print("nearest one. A flag is an int, 0 or 1.\n")
    print("| scope | read by |\n|---|---|")
    for name, (_, calls) in scopes.items():
        calls = re.sub(r"(mdldm_[a-z_]+)", r"`\1`", calls)
        print(f"| {name} | {calls} |")
    done = set()
    for name in [*filter(scopes.get, HEADINGS), *(name for name in scopes if name not in HEADINGS)]:
        print(f"\n## {HEADINGS.get(name, name.capitalize())}\n\n"
              "| option | type | default | allowed | unit | what it does | scopes | since |\n"
              "|---|---|---|---|---|---|---|---|")
        for row in rows:
            if not row["scopes"] & scopes[name][0] or row["key"] in done:
                continue
            done.add(row["key"])
            readers = ", ".join(scope for scope, (bit, _) in scopes.items() if row["scopes"] & bit)
            default = f"`{row['default']}`" if row["default"] else ""
            print(f"| `{row['key']}` | {row['type']} | {default} | {allowed(row)} | {cell(row['unit'])} | "
                  f"{cell(row['help'])} | {readers} | {row['since']} |")
    left = [row["key"] for row in rows if row["key"] not in done]
    if left:
        sys.exit(f"options of no scope that {sys.argv[2]} has: {', '.join(left)}")


main()
