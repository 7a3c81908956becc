# SPDX-License-Identifier: MIT
"""From radar samples to pictures, and back: spectrogram, decibels, colour maps. Matrices are [rows, columns]:
rows are Doppler frequencies, the highest first, columns are time."""
from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, List, NamedTuple, Optional, Tuple

import numpy
from numpy.typing import NDArray

from . import _arrays
from ._arrays import Bytes, Floats
from ._library import lib, text
from .context import Context, current
from .options import Options, takes_options

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._keywords import SpectrogramKeywords

Doubles = NDArray[numpy.float64]


class Inverse(NamedTuple):
    """What colormap_invert gives."""

    values: Floats
    residuals: Floats
    mean_residual: float
    max_residual: float


def _samples(iq: Any) -> Floats:
    """complex [count], or [count, 2] of I and Q -> float32 [count, 2]; complex64 without a copy."""
    array = _arrays.as_array(iq)
    if array.dtype.kind == "c" and array.ndim == 1:
        array = numpy.ascontiguousarray(array, dtype=numpy.complex64).view(numpy.float32).reshape(-1, 2)
    if array.dtype.kind not in "fiu" or array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(f"iq: {array.dtype} {list(array.shape)}; complex [count] or float [count, 2] would be right")
    return numpy.ascontiguousarray(array, dtype=numpy.float32)


@takes_options("spectrogram")
def spectrogram(iq: Any, sample_rate: float, context: Optional[Context] = None,
                **options: Unpack[SpectrogramKeywords]) -> Floats:
    """Short-time Fourier transform of radar samples at sample_rate (in Hz) -> dB [rows, columns]."""
    context = context or current()
    samples = _samples(iq)
    rows, columns = ctypes.c_int64(), ctypes.c_int64()
    with Options(context, options, "spectrogram") as handle:
        context.call("spectrogram", _arrays.address(samples), len(samples), sample_rate, handle, None, 0,
                     ctypes.byref(rows), ctypes.byref(columns))
        db = numpy.empty((rows.value, columns.value), numpy.float32)
        context.call("spectrogram", _arrays.address(samples), len(samples), sample_rate, handle,
                     _arrays.address(db), db.size, None, None)
    return db


@takes_options("spectrogram")
def spectrogram_axes(count: int, sample_rate: float, context: Optional[Context] = None,
                     **options: Unpack[SpectrogramKeywords]) -> Tuple[Doubles, Doubles]:
    """(frequency of each row in Hz, time of each column in s) of a spectrogram of count samples."""
    context = context or current()
    rows, columns = ctypes.c_int64(), ctypes.c_int64()
    with Options(context, options, "spectrogram") as handle:
        context.call("spectrogram", None, count, sample_rate, handle, None, 0, ctypes.byref(rows),
                     ctypes.byref(columns))
        frequency, time = numpy.empty(rows.value), numpy.empty(columns.value)
        context.call("spectrogram_axes", count, sample_rate, handle, _arrays.address(frequency), frequency.size,
                     _arrays.address(time), time.size)
    return frequency, time


def _matrix(value: Any, what: str) -> Floats:
    array = _arrays.as_array(value)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{what}: the type is {array.dtype}; float32 would be right")
    return numpy.ascontiguousarray(array, dtype=numpy.float32)


def matrix_resize(matrix: Any, rows: int, columns: int, context: Optional[Context] = None) -> Floats:
    """[r, c] -> [rows, columns]: bilinear where it grows, a filter as wide as the reduction where it shrinks."""
    array = _matrix(matrix, "matrix")
    if array.ndim != 2:
        raise ValueError(f"matrix: the shape is {list(array.shape)}; [rows, columns] would be right")
    out = numpy.empty((rows, columns), numpy.float32)
    (context or current()).call("matrix_resize", _arrays.address(array), array.shape[0], array.shape[1], rows,
                                columns, _arrays.address(out), out.size)
    return out


def db_range(db: Any, dynamic_range: float, context: Optional[Context] = None) -> Tuple[float, float]:
    """(floor, ceiling) of a picture in dB: the largest value, and dynamic_range below."""
    array = _matrix(db, "db")
    floor, ceiling = ctypes.c_double(), ctypes.c_double()
    (context or current()).call("db_range", _arrays.address(array), array.size, dynamic_range, ctypes.byref(floor),
                                ctypes.byref(ceiling))
    return floor.value, ceiling.value


def _scale(name: str, value: Any, floor_db: float, ceiling_db: float, context: Optional[Context]) -> Floats:
    array = _matrix(value, name.split("_to_", maxsplit=1)[0])
    out = numpy.empty(array.shape, numpy.float32)
    (context or current()).call(name, _arrays.address(array), array.size, floor_db, ceiling_db,
                                _arrays.address(out), out.size)
    return out


def db_to_unit(db: Any, floor_db: float, ceiling_db: float, context: Optional[Context] = None) -> Floats:
    """dB -> [0, 1], clamped."""
    return _scale("db_to_unit", db, floor_db, ceiling_db, context)


def unit_to_db(unit: Any, floor_db: float, ceiling_db: float, context: Optional[Context] = None) -> Floats:
    """[0, 1] -> dB."""
    return _scale("unit_to_db", unit, floor_db, ceiling_db, context)


def db_to_pixels(db: Any, floor_db: float, ceiling_db: float, context: Optional[Context] = None) -> Floats:
    """dB -> pixels in [-1, 1], clamped: what models take."""
    return _scale("db_to_pixels", db, floor_db, ceiling_db, context)


def pixels_to_db(pixels: Any, floor_db: float, ceiling_db: float, context: Optional[Context] = None) -> Floats:
    """Pixels in [-1, 1] -> dB."""
    return _scale("pixels_to_db", pixels, floor_db, ceiling_db, context)


def colormaps() -> List[str]:
    """The names of the colour maps."""
    return [text(lib.mdldm_colormap_name(i)) or "" for i in range(lib.mdldm_colormap_count())]


def colormap(values: Any, low: float, high: float, name: str = "jet",
             context: Optional[Context] = None) -> Bytes:
    """values of any shape, clamped to [low, high] -> uint8 of that shape with 3 colours behind."""
    array = _matrix(values, "values")
    rgb = numpy.empty(array.shape + (3,), numpy.uint8)
    (context or current()).call("colormap_apply", name.encode(), _arrays.address(array), array.size, low, high,
                                _arrays.address(rgb), rgb.size)
    return rgb


def colormap_invert(rgb: Any, low: float, high: float, name: str = "jet",
                    context: Optional[Context] = None) -> Inverse:
    """uint8 [..., 3] -> the values of a colour map, by its nearest point, and each colour's distance from it."""
    array = _arrays.as_array(rgb)
    if array.dtype != numpy.uint8 or array.ndim < 1 or array.shape[-1] != 3:
        raise ValueError(f"rgb: {array.dtype} {list(array.shape)}; uint8 [..., 3] would be right")
    array = numpy.ascontiguousarray(array)
    values, residuals = (numpy.empty(array.shape[:-1], numpy.float32) for _ in range(2))
    mean, largest = ctypes.c_double(), ctypes.c_double()
    (context or current()).call("colormap_invert", name.encode(), _arrays.address(array), values.size, low, high,
                                _arrays.address(values), values.size, _arrays.address(residuals), residuals.size,
                                ctypes.byref(mean), ctypes.byref(largest))
    return Inverse(values, residuals, mean.value, largest.value)
