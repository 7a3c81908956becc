# SPDX-License-Identifier: MIT
"""Models: diffusers pipeline directories."""
from __future__ import annotations

import contextlib
import ctypes
import json
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple, Union

import numpy

from . import _arrays, _errors
from ._arrays import Codes, Floats, Integers
from ._handle import Handle
from ._library import encode_path, lib, text
from ._progress import Bar
from .context import Context, Progress, current, for_facts
from .images import Path, to_images, to_pixels
from .options import Options, takes_options
from .sampler import Sampler

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._keywords import ModelKeywords, QuantizeKeywords, SampleKeywords
    from .dataset import Dataset


class Model(Handle):
    """An autoencoder, a UNet and a scheduler, or some of them. May be used by several contexts at once while
    nobody trains it."""

    # The library's facts, by its own keys.
    latent_channels: int
    latent_factor: int
    image_channels: int
    sample_size: int
    resolution: int
    num_classes: int
    num_codes: int
    has_autoencoder: bool
    has_unet: bool
    parameters: int
    autoencoder_parameters: int
    unet_parameters: int
    num_train_timesteps: int
    weight_bytes: int
    timestep_groups: int
    scaling_factor: float
    db_floor: float
    db_ceiling: float
    autoencoder_class: str
    unet_class: str
    scheduler_class: str
    prediction_type: str
    colormap: str
    autoencoder_config: Dict[str, Any]
    unet_config: Dict[str, Any]
    scheduler_config: Dict[str, Any]

    _free = lib.mdldm_model_free

    @classmethod
    def load(cls, path: Path, context: Optional[Context] = None) -> "Model":
        """Loads a pipeline directory (model_index.json), or one component (config.json)."""
        return cls((context or current()).make(cls, "model_load", encode_path(path)))

    @classmethod
    @takes_options("model")
    def create(cls, context: Optional[Context] = None, **options: Unpack[ModelKeywords]) -> "Model":
        """A new model with random weights."""
        context = context or current()
        with Options(context, options, "model") as handle:
            return cls(context.make(cls, "model_create", handle))

    def save(self, path: Path, context: Optional[Context] = None) -> None:
        """Writes a diffusers pipeline directory; an earlier one stays whole until the new one is complete."""
        (context or current()).call("model_save", self, encode_path(path))

    def __getattr__(self, key: str) -> Any:
        kind = _FACTS.get(key)
        if kind in ("int", "bool"):
            number = ctypes.c_int64()
            for_facts().call("model_get_int", self, key.encode(), ctypes.byref(number))
            return bool(number.value) if kind == "bool" else number.value
        if kind == "float":
            real = ctypes.c_double()
            for_facts().call("model_get_double", self, key.encode(), ctypes.byref(real))
            return real.value
        if kind is not None:
            with self._held():  # the text lives as long as the model
                value = ctypes.c_char_p()
                for_facts().call("model_get_string", self, key.encode(), ctypes.byref(value))
                return text(value.value) if kind == "str" else json.loads(value.value or b"{}")
        raise AttributeError(f"a Model has no attribute '{key}'")

    def __dir__(self) -> List[str]:
        return [*super().__dir__(), *_FACTS]

    def __repr__(self) -> str:
        if self.closed:
            return "<mdldm.Model, closed>"
        parts = [self.autoencoder_class] if self.has_autoencoder else []
        parts += [self.unet_class] if self.has_unet else []
        return f"<mdldm.Model {' + '.join(parts)}, {self.parameters} parameters, {self.num_classes} classes>"

    @property
    def class_names(self) -> List[Optional[str]]:
        """Names by label; None for one that has none."""
        return [text(self._ask("model_class_name", i)) for i in range(self.num_classes)]

    @property
    def picture_options(self) -> Dict[str, Any]:
        """Options with which ``Dataset.open`` reads pictures as this model takes them: of one of one channel
        image_mode, and the colour map and the range in dB that it was trained with."""
        if not self.has_autoencoder or self.image_channels != 1:
            return {}
        options: Dict[str, Any] = {"image_mode": "L", "colormap": self.colormap}
        with contextlib.suppress(_errors.NotFound):  # it need not know its range
            options.update(db_floor=self.db_floor, db_ceiling=self.db_ceiling)
        return options

    def label(self, name: Union[str, int]) -> int:
        """The label of a class name; a number stands for itself."""
        if not isinstance(name, str):
            return int(name)
        names = self.class_names
        if name not in names:
            raise _errors.NotFound(f"no class is named '{name}'; there are {', '.join(map(str, names)) or 'none'}")
        return names.index(name)

    def tensors(self, component: str) -> List[Tuple[str, Tuple[int, ...]]]:
        """[(name, shape)] of "autoencoder" or "unet"."""
        key, shape, result = component.encode(), (ctypes.c_int64 * 4)(), []
        for i in range(self._ask("model_tensor_count", key)):
            rank = self._ask("model_tensor_shape", key, i, shape)
            result.append((text(self._ask("model_tensor_name", key, i)) or "", tuple(shape[:rank])))
        return result

    def cost(self, what: str, height: int, width: int, context: Optional[Context] = None) -> Tuple[int, int]:
        """(multiply-accumulates of one image, bytes of activations) of "encode", "decode" or "predict"."""
        macs, size = ctypes.c_int64(), ctypes.c_int64()
        (context or current()).call("model_cost", self, what.encode(), height, width, ctypes.byref(macs),
                                    ctypes.byref(size))
        return macs.value, size.value

    def encode(self, images: Any, context: Optional[Context] = None, out: Any = None) -> Floats:
        """Images (uint8 [n, h, w, 3]; [n, h, w] for one channel) or pixels -> latents [n, c, h/f, w/f], scaled,
        not quantised."""
        context = context or current()
        pixels = to_pixels(images, context, self.image_channels)
        n, _, h, w = pixels.shape
        f = self.latent_factor
        latent = _arrays.output(out, (n, self.latent_channels, h // f, w // f))
        context.call("encode", self, _arrays.address(pixels), n, h, w, _arrays.address(latent), latent.size)
        return latent if out is None else out

    def quantize(self, latent: Any, context: Optional[Context] = None) -> Tuple[Floats, Codes]:
        """latents -> (nearest codebook vectors, their numbers [n, h, w])."""
        latent = _arrays.floats(latent, "latent", self.latent_channels)
        n, _, h, w = latent.shape
        quantized, codes = numpy.empty(latent.shape, numpy.float32), numpy.empty((n, h, w), numpy.int32)
        (context or current()).call("quantize", self, _arrays.address(latent), n, h, w,
                                    _arrays.address(quantized), quantized.size, _arrays.address(codes),
                                    codes.size)
        return quantized, codes

    def predict(self, latent: Any, timesteps: Any, labels: Any = None, context: Optional[Context] = None,
                out: Any = None) -> Floats:
        """One UNet evaluation: timesteps and labels are [n], or one for all; a label may be a class name."""
        latent = _arrays.floats(latent, "latent", self.latent_channels)
        n, _, h, w = latent.shape
        timesteps = _arrays.integers(timesteps, n, "timesteps")
        labels = self.labels(labels, n)
        output = _arrays.output(out, latent.shape)
        (context or current()).call("predict", self, _arrays.address(latent), n, h, w,
                                    _arrays.address(timesteps), _arrays.address(labels),
                                    _arrays.address(output), output.size)
        return output if out is None else out

    def decode(self, latent: Any, context: Optional[Context] = None, out: Any = None) -> Floats:
        """latents -> pixels float32 [n, 3, h, w]; quantises first when the model has a codebook."""
        latent = _arrays.floats(latent, "latent", self.latent_channels)
        n, _, h, w = latent.shape
        pixels = _arrays.output(out, (n, self.image_channels, h * self.latent_factor, w * self.latent_factor))
        (context or current()).call("decode", self, _arrays.address(latent), n, h, w, _arrays.address(pixels),
                                    pixels.size)
        return pixels if out is None else out

    def decode_codes(self, codes: Any, context: Optional[Context] = None, out: Any = None) -> Floats:
        """codes [n, h, w] -> pixels."""
        codes = numpy.ascontiguousarray(_arrays.as_array(codes), dtype=numpy.int32)
        if codes.ndim != 3:
            raise ValueError(f"codes: the shape is {list(codes.shape)}; [n, h, w] would be right")
        n, h, w = codes.shape
        pixels = _arrays.output(out, (n, self.image_channels, h * self.latent_factor, w * self.latent_factor))
        (context or current()).call("decode_codes", self, _arrays.address(codes), n, h, w,
                                    _arrays.address(pixels), pixels.size)
        return pixels if out is None else out

    def labels(self, labels: Any, count: int) -> Optional[Integers]:
        """Labels or class names, one or [count], as an int64 array; None stays None."""
        if labels is None:
            return None
        if isinstance(labels, str):
            labels = self.label(labels)
        elif isinstance(labels, (list, tuple)):
            labels = [self.label(one) for one in labels]
        return _arrays.integers(labels, count, "labels")

    @takes_options("sample")
    def generate(self, count: int = 1, labels: Any = None, height: Optional[int] = None,
                 width: Optional[int] = None, first_index: int = 0, batch_size: int = 4, pixels: bool = False,
                 progress: Union[Progress, bool, None] = None, context: Optional[Context] = None,
                 **options: Unpack[SampleKeywords]) -> Any:
        """New images: uint8 [count, height, width, 3], or with pixels=True float32 [count, 3, height, width]. Of a
        model of one channel uint8 [count, height, width] or float32 [count, 1, height, width]; pixels_to_db makes dB
        of the latter.

        labels: a class name or number for all, or one for each image. Image k depends on the seed and
        first_index + k alone, whatever batch_size is. progress=True shows a tqdm bar."""
        context = context or current()
        labels = self.labels(labels, count)
        height, width = height or self.resolution, width or self.resolution
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; 1 or more would be right")
        result = numpy.empty((count, self.image_channels, height, width), numpy.float32)
        with Sampler(self, context=context, **options) as sampler, \
                Bar(count * len(sampler) if progress is True else 0, stage="generate") as bar:
            start = size = 0

            def move(stage: str, done: int, total: int) -> None:
                if stage == "denoise" and total > 0:
                    bar.move((start * total + size * done) * len(sampler) // total)

            with context.reporting(move if progress is True else progress or None):
                for start in range(0, count, batch_size):
                    size = min(batch_size, count - start)
                    part = slice(start, start + size)
                    sampler.generate(size, height, width, None if labels is None else labels[part],
                                     first_index + start, out=result[part], context=context)
        return result if pixels else to_images(result, context)

    @takes_options("quantize")
    def quantize_unet(self, dataset: Optional[Dataset] = None, context: Optional[Context] = None,
                      **options: Unpack[QuantizeKeywords]) -> "Model":
        """A copy of the model whose UNet computes its large layers in eight bits. Ranges are measured on
        denoising trajectories, and on noised images of the data set where one is given."""
        context = context or current()
        with Options(context, options, "quantize") as handle:
            return Model(context.make(Model, "model_quantize", self, dataset, handle))


_FACTS: Dict[str, str] = dict(Model.__annotations__)
