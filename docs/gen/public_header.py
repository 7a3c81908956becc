# SPDX-License-Identifier: MIT
"""Reads include/mdldm/mdldm.h as it is written: banners make sections, a comment belongs to the
declarations under it up to the next blank line."""
import re
from dataclasses import dataclass, field

BANNER = re.compile(r"/\* -{20,}\n \* (.*?)\n \* -{20,} \*/", re.S)
FUNCTION = re.compile(r"^MDLDM_API\s+(.+?)\b(mdldm_\w+)\((.*)\);$", re.S)


@dataclass
class Group:
    """A comment (its text, without stars) and the declarations it speaks of."""
    comment: str
    code: str
    names: list = field(default_factory=list)


@dataclass
class Section:
    title: str
    note: str  # what the banner says beyond its title
    groups: list = field(default_factory=list)


@dataclass
class Function:
    result: str
    name: str
    parameters: str


def plain(comment):
    """The text of a C comment, its lines kept."""
    lines = comment.strip().removeprefix("/*").removesuffix("*/").split("\n")
    return "\n".join(re.sub(r"^ \*( |$)", "", line).rstrip() for line in lines).strip()


def declared_names(code):
    names = re.findall(r"^MDLDM_API\s+.+?\b(mdldm_\w+)\(", code, re.M | re.S)
    names += re.findall(r"^typedef struct (mdldm_\w+) ", code, re.M)
    names += re.findall(r"^typedef enum (mdldm_\w+) ", code, re.M)
    names += re.findall(r"\(\*(mdldm_\w+_fn)\)", code)
    names += re.findall(r"^#define (MDLDM_\w+)", code, re.M)
    return names


def blocks(text):
    """Splits the body of a section into groups."""
    for block in re.split(r"\n\s*\n", text.strip()):
        # A comment that begins a line begins a group; one behind a declaration stays with it.
        parts = re.split(r"^(?=/\*)", block, flags=re.M)
        for part in filter(None, (p.strip() for p in parts)):
            match = re.match(r"/\*.*?\*/", part, re.S)
            comment = plain(match.group(0)) if match else ""
            code = part[match.end():].strip() if match else part
            yield Group(comment, code, declared_names(code))


def read(path):
    """(text of the top comment, [Section])"""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    top = plain(re.match(r"/\*.*?\*/", text, re.S).group(0))
    body = text[text.index("#define MDLDM_VERSION_MAJOR"):text.rindex("#ifdef __cplusplus")]
    banners = list(BANNER.finditer(body))
    head = body[:body.index("#if defined")]
    sections = [Section("Version", "", list(blocks(head)))]
    for i, banner in enumerate(banners):
        text = re.sub(r"^ ?\* ?", "", banner.group(1), flags=re.M)
        title, _, more = (" ".join(part.split()) for part in text.partition("\n\n"))
        end = banners[i + 1].start() if i + 1 < len(banners) else len(body)
        head, _, note = title.partition(": " if ": " in title else ". ")
        note = note and note[0].upper() + note[1:].rstrip(".") + "."
        sections.append(Section(head.rstrip("."), f"{note} {more}".strip(), list(blocks(body[banner.end():end]))))
    return top, sections


def functions(path):
    """[Function] in the order of the header."""
    with open(path, encoding="utf-8") as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
    found = re.findall(r"^MDLDM_API\s[^;]*;", text, re.M)
    result = []
    for declaration in found:
        match = FUNCTION.match(declaration)
        if match is None:
            raise ValueError(f"{path}: not understood: {declaration}")
        one_line = [" ".join(part.split()) for part in match.groups()]
        result.append(Function(*one_line))
    return result
