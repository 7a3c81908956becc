# SPDX-License-Identifier: MIT
"""One exception for each status of the library; each is also the built-in kind a Python caller would expect."""
from __future__ import annotations

from typing import Dict, Type

from ._constants import Status


class MdldmError(Exception):
    """A call of the library failed. ``status`` is its number; the text is the library's sentence."""

    status: Status = Status.OK


class InvalidArgument(MdldmError, ValueError):
    status = Status.ERROR_INVALID_ARGUMENT


class OutOfMemory(MdldmError, MemoryError):
    status = Status.ERROR_OUT_OF_MEMORY


class InputOutputError(MdldmError, OSError):
    status = Status.ERROR_IO


class FormatError(MdldmError, ValueError):
    status = Status.ERROR_FORMAT


class Unsupported(MdldmError, NotImplementedError):
    status = Status.ERROR_UNSUPPORTED


class NotFound(MdldmError, LookupError):
    status = Status.ERROR_NOT_FOUND


class Unavailable(MdldmError, RuntimeError):
    status = Status.ERROR_UNAVAILABLE


class Cancelled(MdldmError):
    status = Status.ERROR_CANCELLED


class NumericError(MdldmError, ArithmeticError):
    status = Status.ERROR_NUMERIC


class CapacityError(MdldmError, ValueError):
    status = Status.ERROR_CAPACITY


class InternalError(MdldmError, RuntimeError):
    status = Status.ERROR_INTERNAL


BY_STATUS: Dict[int, Type[MdldmError]] = {
    c.status: c for c in (InvalidArgument, OutOfMemory, InputOutputError, FormatError, Unsupported, NotFound,
                          Unavailable, Cancelled, NumericError, CapacityError, InternalError)}
