# SPDX-License-Identifier: MIT
"""The library's table of options: the one place that keyword arguments, their checks and their help come
from. Nothing about single options is written down in Python."""
import ctypes
import inspect
import os
from dataclasses import dataclass

from ._constants import OptionScope, OptionType
from ._handle import Handle
from ._library import lib, text

SCOPES = {scope.name.lower(): int(scope) for scope in OptionScope}
_TYPES = {OptionType.INT: int, OptionType.DOUBLE: float, OptionType.STRING: str, OptionType.FLAG: bool}


@dataclass(frozen=True)
class Option:
    """An entry of the table."""

    key: str
    type: type
    scopes: int
    default: object
    choices: tuple
    minimum: float
    maximum: float
    unit: str
    help: str
    since: str

    def describe(self):
        """The help line: range or choices, unit, default."""
        limits = ""
        if self.choices:
            limits = " (" + ", ".join(self.choices) + ")"
        elif self.type in (int, float) and (self.minimum, self.maximum) != (0.0, 0.0):
            limits = f" ({self.minimum:g}..{self.maximum:g}{' ' + self.unit if self.unit else ''})"
        elif self.unit:
            limits = f" ({self.unit})"
        return f"{self.key}: {self.type.__name__} = {self.default!r}{limits}. {self.help}"


def _read():
    table = {}
    for i in range(lib.mdldm_option_count()):
        kind = _TYPES[lib.mdldm_option_type_of(i)]
        default = text(lib.mdldm_option_default(i))
        choices = text(lib.mdldm_option_choices(i))
        table[text(lib.mdldm_option_key(i))] = Option(
            key=text(lib.mdldm_option_key(i)), type=kind, scopes=lib.mdldm_option_scopes(i),
            default=bool(int(default)) if kind is bool else kind(default),
            choices=tuple(choices.split("|")) if choices else (), minimum=lib.mdldm_option_min(i),
            maximum=lib.mdldm_option_max(i), unit=text(lib.mdldm_option_unit(i)),
            help=text(lib.mdldm_option_help(i)), since=text(lib.mdldm_option_since(i)))
    return table


#: key -> Option, in the table's order
OPTIONS = _read()


def in_scopes(*names):
    """The options that a call of these scopes reads."""
    bits = sum(SCOPES[name] for name in names)
    return [option for option in OPTIONS.values() if option.scopes & bits]


class Options(Handle):
    """Options set on the library's side, which checks them."""

    _free = lib.mdldm_options_free

    def __init__(self, context, values, *scopes):
        pointer = ctypes.c_void_p()
        context.call("options_create", ctypes.byref(pointer))
        super().__init__(pointer)
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

    def set(self, key, value):
        name = key.encode()
        if isinstance(value, (list, tuple)):
            value = "/".join(str(part) for part in value)
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if isinstance(value, str):
            self.context.call("options_set_string", self.pointer, name, value.encode())
        elif isinstance(value, (bool, int)) or hasattr(value, "__index__"):
            number = value.__index__()
            if not -2**63 <= number < 2**63:
                raise OverflowError(f"option '{key}': {number} does not fit in 64 bits")
            self.context.call("options_set_int", self.pointer, name, number)
        elif hasattr(value, "__float__"):
            self.context.call("options_set_double", self.pointer, name, float(value))
        else:
            raise TypeError(f"option '{key}': {type(value).__name__} is neither a number nor a text")


def takes_options(*scopes):
    """Decorator: **options of these scopes become part of the function's signature and docstring."""
    def decorate(function):
        listed = in_scopes(*scopes)
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        names = {p.name for p in own}
        own += [inspect.Parameter(o.key, inspect.Parameter.KEYWORD_ONLY, default=o.default, annotation=o.type)
                for o in listed if o.key not in names]
        function.__signature__ = signature.replace(parameters=own)
        lines = "\n".join("    " + option.describe() for option in listed if option.key not in names)
        function.__doc__ = inspect.cleandoc(function.__doc__) + "\n\nOptions:\n" + lines
        return function
    return decorate
