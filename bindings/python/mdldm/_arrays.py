# SPDX-License-Identifier: MIT
"""Arrays in and out. What is contiguous and of the right type is passed as it is, without a copy."""
from __future__ import annotations

from typing import Any, Optional, Sequence

import numpy
from numpy.typing import NDArray

Floats = NDArray[numpy.float32]
Bytes = NDArray[numpy.uint8]
Integers = NDArray[numpy.int64]
Codes = NDArray[numpy.int32]


def as_array(value: Any) -> NDArray[Any]:
    """NumPy's view of an array, a torch tensor, a PIL image, or anything with __array__ or DLPack."""
    if hasattr(value, "detach"):  # torch: drop the graph, come from another device
        value = value.detach().cpu()
        if str(value.dtype) == "torch.bfloat16":  # NumPy has no such type
            value = value.float()
    if not hasattr(value, "__array__") and hasattr(value, "__dlpack__"):
        value = numpy.from_dlpack(value)
    return numpy.asarray(value)


def floats(value: Any, what: str, channels: Optional[int] = None) -> Floats:
    """[n, c, h, w] float32, contiguous; one item without its batch axis is taken as well."""
    array = as_array(value)
    if array.dtype.kind not in "fiu" or array.dtype == numpy.uint8:
        raise TypeError(f"{what}: the type is {array.dtype}; float32 [n, c, h, w] would be right")
    if array.ndim == 3:
        array = array[None]
    if array.ndim != 4 or (channels is not None and array.shape[1] != channels):
        right = f"[n, {channels if channels is not None else 'c'}, h, w]"
        raise ValueError(f"{what}: the shape is {list(array.shape)}; {right} would be right")
    return numpy.ascontiguousarray(array, dtype=numpy.float32)


def integers(value: Any, count: int, what: str) -> Integers:
    """[count] integers; a single number stands for all."""
    array = as_array(value)
    if array.dtype.kind not in "iub":
        raise TypeError(f"{what}: the type is {array.dtype}; integers would be right")
    if array.ndim == 0:
        array = numpy.full(count, array)
    if array.shape != (count,):
        raise ValueError(f"{what}: the shape is {list(array.shape)}; [{count}] would be right, one for each item")
    return numpy.ascontiguousarray(array, dtype=numpy.int64)


def output(out: Any, shape: Sequence[int], what: str = "out") -> Floats:
    """A new array, or the caller's: the library writes into it, so it must be just as it would be made here."""
    if out is None:
        return numpy.empty(tuple(shape), numpy.float32)
    array = as_array(out)
    if array.dtype != numpy.float32 or array.shape != tuple(shape) or not array.flags.c_contiguous:
        kind = "contiguous" if array.flags.c_contiguous else "strided"
        raise ValueError(f"{what}: {kind} {array.dtype} {list(array.shape)}; contiguous float32 {list(shape)} "
                         "would be right")
    if not array.flags.writeable:
        raise ValueError(f"{what}: the array cannot be written to")
    return array


def address(array: Optional[NDArray[Any]]) -> Optional[int]:
    """Of its first element, None for None. The array must live until the call is over."""
    return None if array is None else array.ctypes.data


def is_images(array: NDArray[Any]) -> bool:
    """8-bit colours, not pixels."""
    return array.dtype == numpy.uint8
