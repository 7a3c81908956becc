# SPDX-License-Identifier: MIT
"""bindings/python/mdldm/_keywords.py from the option table, as the Python package reads it from the library: the
keyword arguments of each call, for type checkers.
   MDLDM_LIBRARY=... PYTHONPATH=bindings/python python3 docs/gen/python_keywords.py > _keywords.py"""
from mdldm.options import in_scopes

CALLS = {"ModelKeywords": ("model",), "DatasetKeywords": ("dataset",), "SampleKeywords": ("sample",),
         "TrainKeywords": ("train", "vq", "diffusion"), "QuantizeKeywords": ("quantize",),
         "SpectrogramKeywords": ("spectrogram",), "GaitKeywords": ("gait",),
         "LatentsKeywords": ("latents",), "EvaluateKeywords": ("evaluate",)}
TYPES = {int: "SupportsIndex", float: "SupportsFloat", bool: "bool", str: "Text"}

print('''# SPDX-License-Identifier: MIT
# Made from the library's option table (src/api/options.def) by `make docs`.
"""The keyword arguments of each call, for type checkers. None leaves the default."""
from __future__ import annotations

import os
from typing import Literal, Optional, Sequence, SupportsFloat, SupportsIndex, TypedDict, Union

Text = Union[str, "os.PathLike[str]", Sequence[str]]''')
for name, scopes in CALLS.items():
    print(f'\n\nclass {name}(TypedDict, total=False):\n    """Options of scope {", ".join(scopes)}."""\n')
    for option in in_scopes(*scopes):
        kind = TYPES[option.type]
        if option.choices:
            kind = "Literal[" + ", ".join(f'"{choice}"' for choice in option.choices) + "]"
        line = f"    {option.key}: Optional[{kind}]"
        print(line if len(line) <= 118 else line.replace("Literal[", "Literal[\n        "))
