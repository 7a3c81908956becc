# SPDX-License-Identifier: MIT
"""docs/API.md from the comments of the public header.
   api_md.py HEADER SYMBOLS-IN-VERSIONS > API.md"""
import re
import sys

sys.dont_write_bytecode = True
import public_header  # noqa: E402


CODE = re.compile(
    r"""( \bmdldm_\w+\b | \bMDLDM_\w+\b | \bNULL\b      # names of ours
    | (?<!\w)_?[a-z]+_[a-z_]+\b(?:\.json)?                         # and of options, keys, parameters
    | \b(?:INVALID_ARGUMENT|OUT_OF_MEMORY|NOT_FOUND)\b
    | "[^"\n]*" | (?<![\w*])\*\w+                      # strings; *out
    | (?<!\w)\w*\[[^\]\n]*\](?:\[[^\]\n]*\])* )              # shapes""", re.X)


def markdown(text):
    """Comment text as Markdown: what is code as code, what Markdown would eat escaped."""
    pieces = []
    for i, piece in enumerate(CODE.split(text)):
        if i % 2:
            pieces.append(f"`{piece}`")
        else:
            pieces.append(re.sub(r"([*_])", r"\\\1", piece.replace("<", "&lt;")))
    return "".join(pieces)


def declaration(code):
    """Without MDLDM_API, and with the lines under it moved left by as much."""
    code = re.sub(r"^ {20,}", lambda m: m.group(0)[len("MDLDM_API "):], code, flags=re.M)
    return code.replace("MDLDM_API ", "")


def read_since(path):
    with open(path, encoding="utf-8") as file:
        return dict(line.split() for line in file if line.strip() and not line.startswith("#"))


def print_section(section, since):
    print(f"\n## {section.title}")
    if section.note:
        print(f"\n{markdown(section.note)}")
    for group in section.groups:
        if not group.code:
            print(f"\n{markdown(group.comment)}")
            continue
        anchors = "".join(f'<a id="{name}"></a>' for name in group.names)
        print(f"\n{anchors}\n```c\n{declaration(group.code)}\n```")
        if group.comment:
            print(f"\n{markdown(group.comment)}")
        releases = {since[name] for name in group.names if name in since}
        if releases and "Since" not in group.comment:
            print(f"\nSince {min(releases)}.")


def main():
    top, sections = public_header.read(sys.argv[1])
    since = read_since(sys.argv[2])
    top = top.split("\n", 2)[2]  # without the licence line
    title, _, rest = top.partition("\n")
    print(f"<!-- Made from include/mdldm/mdldm.h by `make docs`. -->\n# {title.partition(' - ')[0]}: the C interface")
    print("\n" + markdown(title.partition(" - ")[2][:1].upper() + title.partition(" - ")[2][1:]))
    print(markdown(rest))
    print("\n## Contents\n")
    for section in sections:
        names = [name for group in section.groups for name in group.names]
        links = ", ".join(f"[`{name}`](#{name})" for name in names)
        print(f"- **{section.title}**: {links}")
    for section in sections:
        print_section(section, since)


main()
