# SPDX-License-Identifier: MIT
"""What a radar person reads from the spectrograms of walkers: Doppler envelopes, torso line, step frequency."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional

import numpy
from numpy.typing import NDArray

from . import _arrays
from ._library import lib, text
from .context import Context, current
from .dataset import Dataset
from .images import to_pixels
from .options import Options, takes_options

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._keywords import GaitKeywords

Doubles = NDArray[numpy.float64]


class GaitMeasure(NamedTuple):
    """One of gait_measures()."""

    name: str
    #: "doppler" (Hz, m/s or rows), "frequency" (Hz or cycles per picture), "dB" or ""
    unit: str
    help: str


class Gait(NamedTuple):
    """What the spectrograms of a call gave; NaN where there is nothing to measure."""

    #: name -> [n]
    values: Dict[str, Doubles]
    #: upper envelope, lower envelope and torso line over time, [n, columns] each
    upper: Doubles
    lower: Doubles
    torso: Doubles


def gait_measures() -> List[GaitMeasure]:
    """The measures, in the order of Gait.values."""
    parts = (lib.mdldm_gait_measure_name, lib.mdldm_gait_measure_unit, lib.mdldm_gait_measure_help)
    return [GaitMeasure(*(text(part(i)) or "" for part in parts)) for i in range(lib.mdldm_gait_measure_count())]


def _by_name(values: Doubles) -> Dict[str, Doubles]:
    return {measure.name: values[:, i].copy() for i, measure in enumerate(gait_measures())}


def _measure(context: Context, call: str, handle: Options, array: NDArray[Any]) -> Gait:
    n, columns = array.shape[0], array.shape[-1]
    values, curves = numpy.empty((n, lib.mdldm_gait_measure_count())), numpy.empty((n, 3, columns))
    context.call(call, _arrays.address(array), *array.shape, handle, _arrays.address(values), values.size,
                 _arrays.address(curves), curves.size)
    return Gait(_by_name(values), *(curves[:, k] for k in range(3)))


@takes_options("gait")
def gait_measure(db: Any, context: Optional[Context] = None, **options: Unpack[GaitKeywords]) -> Gait:
    """Matrices in dB, float32 [n, rows, columns] or [rows, columns], the highest Doppler first."""
    array = _arrays.as_array(db)
    if array.dtype.kind not in "fiu" or array.ndim not in (2, 3):
        raise ValueError(f"db: {array.dtype} {list(array.shape)}; float32 [n, rows, columns] would be right")
    array = numpy.ascontiguousarray(array if array.ndim == 3 else array[None], dtype=numpy.float32)
    context = context or current()
    with Options(context, options, "gait") as handle:
        return _measure(context, "gait_measure", handle, array)


@takes_options("gait")
def gait_measure_pixels(images: Any, context: Optional[Context] = None, **options: Unpack[GaitKeywords]) -> Gait:
    """Images uint8 [n, h, w, 3], or pixels [n, 3, h, w] or [n, 1, h, w]; colormap="jet" (say) undoes its colours."""
    array = _arrays.as_array(images)
    context = context or current()
    pixels = _arrays.floats(array, "images") if array.dtype != numpy.uint8 else to_pixels(array, context)
    with Options(context, options, "gait") as handle:
        return _measure(context, "gait_measure_pixels", handle, pixels)


@takes_options("gait")
def gait_measure_dataset(dataset: Dataset, context: Optional[Context] = None,
                         **options: Unpack[GaitKeywords]) -> Dict[str, Doubles]:
    """name -> [len(dataset)] of all images of a data set."""
    context = context or current()
    values = numpy.empty((len(dataset), lib.mdldm_gait_measure_count()))
    with Options(context, options, "gait") as handle:
        context.call("gait_measure_dataset", dataset, handle, _arrays.address(values), values.size)
    return _by_name(values)
