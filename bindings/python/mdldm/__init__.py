# SPDX-License-Identifier: MIT
"""Latent diffusion for micro-Doppler spectrograms.

    import mdldm
    model = mdldm.Model.load("model")
    images = model.generate(16, labels="ID_1", scheduler="dpmsolver++", num_inference_steps=20)

Arrays are NumPy's: pixels float32 [n, 3, h, w] in [-1, 1], images uint8 [n, h, w, 3], latents float32
[n, c, h, w]. Each thread has a context of its own; ``with mdldm.Context(threads=2, precision="bf16"):`` sets
another one. Errors are exceptions with the library's sentence; Ctrl-C stops a call between two kernels."""
from ._errors import (CapacityError, Cancelled, FormatError, InputOutputError, InternalError, InvalidArgument,
                      MdldmError, NotFound, NumericError, OutOfMemory, Unavailable, Unsupported)
from ._library import version
from .context import Context, current
from .dataset import Dataset
from .gait import Gait, GaitMeasure, gait_measure, gait_measure_dataset, gait_measure_pixels, gait_measures
from .images import Pictures, read_image, sheet, to_images, to_pixels, write_image
from .model import Model
from .options import OPTIONS, Option
from .radar import (Inverse, colormap, colormap_invert, colormaps, db_range, db_to_pixels, db_to_unit,
                    matrix_resize, pixels_to_db, spectrogram, spectrogram_axes, unit_to_db)
from .report import Report, evaluate, latent_report
from .sampler import Sampler
from .trainer import Trainer

__version__ = version()
__all__ = ["Cancelled", "CapacityError", "Context", "Dataset", "FormatError", "Gait", "GaitMeasure", "InputOutputError",
           "InternalError", "InvalidArgument", "Inverse", "MdldmError", "Model", "NotFound", "NumericError", "OPTIONS",
           "Option", "OutOfMemory", "Pictures", "Report", "Sampler", "Trainer", "Unavailable", "Unsupported", "colormap",
           "colormap_invert", "colormaps", "current", "db_range", "db_to_pixels", "db_to_unit", "evaluate",
           "gait_measure", "gait_measure_dataset", "gait_measure_pixels", "gait_measures", "latent_report",
           "matrix_resize", "pixels_to_db", "read_image", "sheet", "spectrogram", "spectrogram_axes", "to_images", "to_pixels", "unit_to_db", "version",
           "write_image"]
