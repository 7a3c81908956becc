# SPDX-License-Identifier: MIT
"""The library's table of options: the one place that keyword arguments, their checks and their help come
from. Nothing about single options is written down in Python."""
from __future__ import annotations

import inspect
import os
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Tuple, Type, TypeVar, Union

import numpy

from ._constants import OptionScope, OptionType
from ._handle import Handle
from ._library import lib, text
from .context import Context

SCOPES: Dict[str, int] = {str(scope.name).lower(): int(scope) for scope in OptionScope}
_TYPES: Dict[int, type] = {OptionType.INT: int, OptionType.DOUBLE: float, OptionType.STRING: str,
                           OptionType.FLAG: bool}
_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Option:
    """An entry of the table."""

    key: str
    type: Type[Union[int, float, str, bool]]
    scopes: int
    default: Union[int, float, str, bool]
    choices: Tuple[str, ...]
    minimum: float
    maximum: float
    unit: str
    help: str
    since: str

    def describe(self) -> str:
        """The help line: range or choices, unit, default."""
        limits = ""
        if self.choices:
            limits = " (" + ", ".join(self.choices) + ")"
        elif self.type in (int, float) and (self.minimum, self.maximum) != (0.0, 0.0):
            limits = f" ({self.minimum:g}..{self.maximum:g}{' ' + self.unit if self.unit else ''})"
        elif self.unit:
            limits = f" ({self.unit})"
        return f"{self.key}: {self.type.__name__} = {self.default!r}{limits}. {self.help}"


def _read() -> Dict[str, Option]:
    table = {}
    for i in range(lib.mdldm_option_count()):
        kind = _TYPES[lib.mdldm_option_type_of(i)]
        key, default, choices, unit, line, since = (
            text(getattr(lib, "mdldm_option_" + part)(i)) or ""
            for part in ("key", "default", "choices", "unit", "help", "since"))
        table[key] = Option(
            key=key, type=kind, scopes=lib.mdldm_option_scopes(i),
            default=bool(int(default)) if kind is bool else kind(default),
            choices=tuple(choices.split("|")) if choices else (), minimum=lib.mdldm_option_min(i),
            maximum=lib.mdldm_option_max(i), unit=unit, help=line, since=since)
    return table


#: key -> Option, in the table's order
OPTIONS: Dict[str, Option] = _read()


def in_scopes(*names: str) -> List[Option]:
    """The options that a call of these scopes reads."""
    bits = sum(SCOPES[name] for name in names)
    return [option for option in OPTIONS.values() if option.scopes & bits]


class Options(Handle):
    """Options set on the library's side, which checks them."""

    _free = lib.mdldm_options_free

    def __init__(self, context: Context, values: Mapping[str, Any], *scopes: str) -> None:
        super().__init__(context.make(Options, "options_create"))
        self.context = context
        bits = sum(SCOPES[name] for name in scopes)
        for key, value in values.items():
            if value is not None:
                self.set(key, value)
                option = OPTIONS[key.replace("-", "_")]
                if not option.scopes & bits:
                    belongs = [name for name, bit in SCOPES.items() if option.scopes & bit]
                    raise TypeError(f"option '{key}' is not read here ({', '.join(scopes)}); it belongs to "
                                    f"{', '.join(belongs)}")

    def set(self, key: str, value: Any) -> None:
        """A number, a text, a path, or a list of names."""
        name = key.encode()
        if isinstance(value, (list, tuple)):
            parts = [str(part) for part in value]
            if any("/" in part for part in parts):
                raise ValueError(f"option '{key}': {parts!r}; a '/' separates names and cannot be part of one")
            value = "/".join(parts)
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if isinstance(value, (str, bytes)):
            data = value.encode() if isinstance(value, str) else value
            if b"\0" in data:
                raise ValueError(f"option '{key}': a text cannot hold a NUL byte: {value!r}")
            self.context.call("options_set_string", self, name, data)
            return
        if isinstance(value, numpy.bool_):
            value = bool(value)
        try:
            number = value.__index__()
        except (AttributeError, TypeError):  # a tensor of floats has the method and refuses
            if not hasattr(value, "__float__"):
                raise TypeError(f"option '{key}': {type(value).__name__} is neither a number nor a text") from None
            self.context.call("options_set_double", self, name, float(value))
            return
        if not -2**63 <= number < 2**63:
            raise OverflowError(f"option '{key}': {number} does not fit in 64 bits")
        self.context.call("options_set_int", self, name, number)


def takes_options(*scopes: str) -> Callable[[_Function], _Function]:
    """Decorator: **options of these scopes become part of the function's signature and docstring."""
    def decorate(function: _Function) -> _Function:
        listed = in_scopes(*scopes)
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        names = {p.name for p in own}
        own += [inspect.Parameter(o.key, inspect.Parameter.KEYWORD_ONLY, default=o.default, annotation=o.type)
                for o in listed if o.key not in names]
        setattr(function, "__signature__", signature.replace(parameters=own))
        kinds = {key: kind for key, kind in function.__annotations__.items() if key != "options"}
        function.__annotations__ = {**kinds, **{o.key: o.type for o in listed if o.key not in names}}
        lines = "\n".join("    " + option.describe() for option in listed if option.key not in names)
        function.__doc__ = inspect.cleandoc(function.__doc__ or "") + "\n\nOptions:\n" + lines
        return function
    return decorate
