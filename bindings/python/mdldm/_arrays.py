# SPDX-License-Identifier: MIT
"""Arrays in and out. What is contiguous and of the right type is passed as it is, without a copy."""
import numpy


def as_array(value, dtype=None):
    """NumPy's view of an array, a torch tensor, a PIL image, or anything with __array__ or DLPack."""
    if hasattr(value, "detach"):  # torch: drop the graph, come from another device
        value = value.detach().cpu()
    if not hasattr(value, "__array__") and hasattr(value, "__dlpack__"):
        value = numpy.from_dlpack(value)
    array = numpy.asarray(value)
    return array if dtype is None else array.astype(dtype, copy=False)


def floats(value, what, channels=None):
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


def integers(value, count, dtype, what):
    """[count] integers; a single number stands for all."""
    array = as_array(value)
    if array.dtype.kind not in "iub":
        raise TypeError(f"{what}: the type is {array.dtype}; integers would be right")
    if array.ndim == 0:
        array = numpy.full(count, array)
    if array.shape != (count,):
        raise ValueError(f"{what}: the shape is {list(array.shape)}; [{count}] would be right, one for each item")
    return numpy.ascontiguousarray(array, dtype=dtype)


def address(array):
    """Of its first element, None for None. The array must live until the call is over."""
    return None if array is None else array.ctypes.data


def is_images(array):
    return array.dtype == numpy.uint8
