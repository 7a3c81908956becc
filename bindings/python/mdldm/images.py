# SPDX-License-Identifier: MIT
"""Images and pixels. Pixels are float32 [n, 3, h, w] in [-1, 1]; images are uint8 [n, h, w, 3]."""
from __future__ import annotations

import ctypes
import os
import tempfile
from typing import Any, Optional, Union

import numpy

from . import _arrays
from ._arrays import Floats
from ._library import encode_path
from .context import Context, current

Path = Union[str, "os.PathLike[str]"]


class Pictures(numpy.ndarray):  # type: ignore[type-arg]
    """uint8 [n, h, w, 3], [h, w, 3], or grey [n, h, w], [h, w] that a notebook shows as a picture; otherwise an
    array like any other."""

    def _repr_png_(self) -> Optional[bytes]:
        if self.dtype != numpy.uint8 or self.size == 0 or not 2 <= self.ndim <= 4 or self.size < 4:
            return None
        plain = numpy.asarray(self)
        many = plain.ndim == 4 or (plain.ndim == 3 and plain.shape[2] != 3)
        if plain.ndim == 4 and plain.shape[3] != 3:
            return None
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "sheet.png")
            write_image(path, sheet(plain) if many else plain)
            with open(path, "rb") as file:
                return file.read()


def to_pixels(images: Any, context: Optional[Context] = None, channels: Optional[int] = None) -> Floats:
    """uint8 [n, h, w, 3] or [h, w, 3], or a PIL image -> pixels; with channels=1 uint8 [n, h, w] or [h, w]. Pixels
    are passed through."""
    array = _arrays.as_array(images)
    if not _arrays.is_images(array):
        return _arrays.floats(array, "pixels", channels or 3)
    colours = () if channels == 1 else (3,)
    if array.ndim == 2 + len(colours):
        array = array[None]
    if array.ndim != 3 + len(colours) or array.shape[3:] != colours:
        right = "[n, h, w, 3]" if colours else "[n, h, w]"
        raise ValueError(f"images: the shape is {list(array.shape)}; uint8 {right} would be right")
    array = numpy.ascontiguousarray(array)
    n, h, w = array.shape[:3]
    pixels = numpy.empty((n, 3 if colours else 1, h, w), numpy.float32)
    (context or current()).call("rgb8_to_pixels" if colours else "grey8_to_pixels", _arrays.address(array), n, h, w,
                                _arrays.address(pixels), pixels.size)
    return pixels


def to_images(pixels: Any, context: Optional[Context] = None) -> Pictures:
    """pixels [n, 3, h, w] -> uint8 [n, h, w, 3]; [n, 1, h, w] -> grey, uint8 [n, h, w]. Clamped."""
    array = _arrays.floats(pixels, "pixels")
    n, channels, h, w = array.shape
    if channels not in (1, 3):
        raise ValueError(f"pixels: the shape is {list(array.shape)}; [n, 3, h, w] or [n, 1, h, w] would be right")
    images = numpy.empty((n, h, w, 3) if channels == 3 else (n, h, w), numpy.uint8)
    (context or current()).call("pixels_to_rgb8" if channels == 3 else "pixels_to_grey8", _arrays.address(array), n, h,
                                w, _arrays.address(images), images.size)
    return images.view(Pictures)


def read_image(path: Path, grey: bool = False, context: Optional[Context] = None) -> Pictures:
    """A PNG or JPEG file as uint8 [h, w, 3], or with grey=True as [h, w]."""
    context = context or current()
    h, w = ctypes.c_int64(), ctypes.c_int64()
    name, call = encode_path(path), "image_read_grey8" if grey else "image_read"
    context.call(call, name, None, 0, ctypes.byref(h), ctypes.byref(w))
    image = numpy.empty((h.value, w.value) if grey else (h.value, w.value, 3), numpy.uint8)
    context.call(call, name, _arrays.address(image), image.size, ctypes.byref(h), ctypes.byref(w))
    return image.view(Pictures)


def write_image(path: Path, image: Any, context: Optional[Context] = None) -> None:
    """uint8 [h, w, 3], or grey [h, w], to a PNG file."""
    array = _arrays.as_array(image)
    if array.dtype != numpy.uint8 or array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,)):
        raise ValueError(f"image: {array.dtype} {list(array.shape)}; uint8 [h, w, 3] or [h, w] would be right")
    array = numpy.ascontiguousarray(array)
    (context or current()).call("image_write_grey8" if array.ndim == 2 else "image_write", encode_path(path),
                                _arrays.address(array), array.shape[0], array.shape[1])


def sheet(images: Any, columns: Optional[int] = None) -> Pictures:
    """Images [n, h, w, 3] or [n, h, w] (or pixels) side by side in one: what a notebook shows."""
    array = _arrays.as_array(images)
    if not _arrays.is_images(array):
        array = to_images(array)
    if array.ndim not in (3, 4) or array.shape[0] == 0:
        raise ValueError(f"images: the shape is {list(array.shape)}; [n, h, w, 3] or [n, h, w] would be right")
    n, h, w = array.shape[:3]
    columns = columns or min(n, 8)
    rows = -(-n // columns)
    grid = numpy.zeros((rows * h, columns * w, *array.shape[3:]), numpy.uint8)
    for i, image in enumerate(array):
        y, x = i // columns * h, i % columns * w
        grid[y:y + h, x:x + w] = image
    return grid.view(Pictures)
