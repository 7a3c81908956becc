# SPDX-License-Identifier: MIT
"""One exception for each status of the library; each is also the built-in kind a Python caller would expect."""


class MdldmError(Exception):
    """A call of the library failed. ``status`` is its number, ``name`` its name; the text is the library's
    sentence."""

    status = 0
    name = "MDLDM_OK"


class InvalidArgument(MdldmError, ValueError):
    status, name = 1, "MDLDM_ERROR_INVALID_ARGUMENT"


class OutOfMemory(MdldmError, MemoryError):
    status, name = 2, "MDLDM_ERROR_OUT_OF_MEMORY"


class InputOutputError(MdldmError, OSError):
    status, name = 3, "MDLDM_ERROR_IO"


class FormatError(MdldmError, ValueError):
    status, name = 4, "MDLDM_ERROR_FORMAT"


class Unsupported(MdldmError, NotImplementedError):
    status, name = 5, "MDLDM_ERROR_UNSUPPORTED"


class NotFound(MdldmError, LookupError):
    status, name = 6, "MDLDM_ERROR_NOT_FOUND"


class Unavailable(MdldmError, RuntimeError):
    status, name = 7, "MDLDM_ERROR_UNAVAILABLE"


class Cancelled(MdldmError):
    status, name = 8, "MDLDM_ERROR_CANCELLED"


class NumericError(MdldmError, ArithmeticError):
    status, name = 9, "MDLDM_ERROR_NUMERIC"


class CapacityError(MdldmError, ValueError):
    status, name = 10, "MDLDM_ERROR_CAPACITY"


class InternalError(MdldmError, RuntimeError):
    status, name = 11, "MDLDM_ERROR_INTERNAL"


BY_STATUS = {c.status: c for c in (InvalidArgument, OutOfMemory, InputOutputError, FormatError, Unsupported,
                                   NotFound, Unavailable, Cancelled, NumericError, CapacityError, InternalError)}
