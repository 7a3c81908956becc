# SPDX-License-Identifier: MIT
"""Models: diffusers pipeline directories."""
import ctypes
import json

import numpy

from . import _arrays, _errors
from ._handle import Handle
from ._library import encode_path, lib, text
from .context import current
from .images import Pictures, to_images, to_pixels
from .options import Options, takes_options
from .sampler import Sampler

_INTEGERS = ("latent_channels", "latent_factor", "image_channels", "sample_size", "resolution", "num_classes",
             "num_codes", "has_autoencoder", "has_unet", "parameters", "autoencoder_parameters",
             "unet_parameters", "num_train_timesteps", "weight_bytes", "timestep_groups")
_TEXTS = ("autoencoder_class", "unet_class", "scheduler_class", "prediction_type")
_CONFIGS = ("autoencoder_config", "unet_config", "scheduler_config")


class Model(Handle):
    """An autoencoder, a UNet and a scheduler, or some of them. May be used by several contexts at once while
    nobody trains it. Facts (``latent_channels``, ``num_classes``, ``scaling_factor``, ``unet_config``, ...)
    are attributes."""

    _free = lib.mdldm_model_free

    @classmethod
    def load(cls, path, context=None):
        """Loads a pipeline directory (model_index.json), or one component (config.json)."""
        pointer = ctypes.c_void_p()
        (context or current()).call("model_load", encode_path(path), ctypes.byref(pointer))
        return cls(pointer)

    @classmethod
    @takes_options("model")
    def create(cls, context=None, **options):
        """A new model with random weights."""
        context = context or current()
        pointer = ctypes.c_void_p()
        with Options(context, options, "model") as handle:
            context.call("model_create", handle.pointer, ctypes.byref(pointer))
        return cls(pointer)

    def save(self, path, context=None):
        """Writes a diffusers pipeline directory; an earlier one stays whole until the new one is complete."""
        (context or current()).call("model_save", self.pointer, encode_path(path))

    def __getattr__(self, key):
        if key in _INTEGERS:
            value = ctypes.c_int64()
            current().call("model_get_int", self.pointer, key.encode(), ctypes.byref(value))
            return bool(value.value) if key.startswith("has_") else value.value
        if key == "scaling_factor":
            value = ctypes.c_double()
            current().call("model_get_double", self.pointer, key.encode(), ctypes.byref(value))
            return value.value
        if key in _TEXTS or key in _CONFIGS:
            value = ctypes.c_char_p()
            current().call("model_get_string", self.pointer, key.encode(), ctypes.byref(value))
            return json.loads(value.value) if key in _CONFIGS else text(value.value)
        raise AttributeError(f"a Model has no attribute '{key}'")

    def __dir__(self):
        return [*super().__dir__(), *_INTEGERS, *_TEXTS, *_CONFIGS, "scaling_factor"]

    def __repr__(self):
        if self.closed:
            return "<mdldm.Model, closed>"
        parts = [self.autoencoder_class] if self.has_autoencoder else []
        parts += [self.unet_class] if self.has_unet else []
        return f"<mdldm.Model {' + '.join(parts)}, {self.parameters} parameters, {self.num_classes} classes>"

    @property
    def class_names(self):
        """Names by label; None for one that has none."""
        return [text(lib.mdldm_model_class_name(self.pointer, i)) for i in range(self.num_classes)]

    def label(self, name):
        """The label of a class name; a number stands for itself."""
        if not isinstance(name, str):
            return int(name)
        names = self.class_names
        if name not in names:
            raise _errors.NotFound(f"no class is named '{name}'; there are {', '.join(map(str, names))}")
        return names.index(name)

    def tensors(self, component):
        """[(name, shape)] of "autoencoder" or "unet"."""
        p, key, shape, result = self.pointer, component.encode(), (ctypes.c_int64 * 4)(), []
        for i in range(lib.mdldm_model_tensor_count(p, key)):
            rank = lib.mdldm_model_tensor_shape(p, key, i, shape)
            result.append((text(lib.mdldm_model_tensor_name(p, key, i)), tuple(shape[:rank])))
        return result

    def cost(self, what, height, width, context=None):
        """(multiply-accumulates of one image, bytes of activations) of "encode", "decode" or "predict"."""
        macs, size = ctypes.c_int64(), ctypes.c_int64()
        (context or current()).call("model_cost", self.pointer, what.encode(), height, width,
                                    ctypes.byref(macs), ctypes.byref(size))
        return macs.value, size.value

    def encode(self, images, context=None):
        """Images (uint8 [n, h, w, 3]) or pixels -> latents [n, c, h/f, w/f], scaled, not quantised."""
        context = context or current()
        pixels = to_pixels(images, context)
        n, _, h, w = pixels.shape
        f = self.latent_factor
        latent = numpy.empty((n, self.latent_channels, h // f, w // f), numpy.float32)
        context.call("encode", self.pointer, _arrays.address(pixels), n, h, w, _arrays.address(latent),
                     latent.size)
        return latent

    def quantize(self, latent, context=None):
        """latents -> (nearest codebook vectors, their numbers [n, h, w])."""
        latent = _arrays.floats(latent, "latent", self.latent_channels)
        n, _, h, w = latent.shape
        quantized, codes = numpy.empty_like(latent), numpy.empty((n, h, w), numpy.int32)
        (context or current()).call("quantize", self.pointer, _arrays.address(latent), n, h, w,
                                    _arrays.address(quantized), quantized.size, _arrays.address(codes),
                                    codes.size)
        return quantized, codes

    @takes_options("quantize")
    def quantize_unet(self, dataset=None, context=None, **options):
        """A copy of the model whose UNet computes its large layers in eight bits. Ranges are measured on
        denoising trajectories, and on noised images of the data set where one is given."""
        context = context or current()
        pointer = ctypes.c_void_p()
        with Options(context, options, "quantize") as handle:
            context.call("model_quantize", self.pointer, None if dataset is None else dataset.pointer,
                         handle.pointer, ctypes.byref(pointer))
        return Model(pointer)

    def predict(self, latent, timesteps, labels=None, context=None):
        """One UNet evaluation: timesteps and labels are [n], or one for all; a label may be a class name."""
        latent = _arrays.floats(latent, "latent", self.latent_channels)
        n, _, h, w = latent.shape
        timesteps = _arrays.integers(timesteps, n, numpy.int64, "timesteps")
        labels = self.labels(labels, n)
        output = numpy.empty_like(latent)
        (context or current()).call("predict", self.pointer, _arrays.address(latent), n, h, w,
                                    _arrays.address(timesteps), _arrays.address(labels),
                                    _arrays.address(output), output.size)
        return output

    def decode(self, latent, context=None):
        """latents -> pixels float32 [n, 3, h, w]; quantises first when the model has a codebook."""
        latent = _arrays.floats(latent, "latent", self.latent_channels)
        n, _, h, w = latent.shape
        pixels = numpy.empty((n, 3, h * self.latent_factor, w * self.latent_factor), numpy.float32)
        (context or current()).call("decode", self.pointer, _arrays.address(latent), n, h, w,
                                    _arrays.address(pixels), pixels.size)
        return pixels

    def decode_codes(self, codes, context=None):
        """codes [n, h, w] -> pixels."""
        codes = numpy.ascontiguousarray(_arrays.as_array(codes), dtype=numpy.int32)
        if codes.ndim != 3:
            raise ValueError(f"codes: the shape is {list(codes.shape)}; [n, h, w] would be right")
        n, h, w = codes.shape
        pixels = numpy.empty((n, 3, h * self.latent_factor, w * self.latent_factor), numpy.float32)
        (context or current()).call("decode_codes", self.pointer, _arrays.address(codes), n, h, w,
                                    _arrays.address(pixels), pixels.size)
        return pixels

    def labels(self, labels, count):
        """Labels or class names, one or [count], as an int64 array; None stays None."""
        if labels is None:
            return None
        if isinstance(labels, str):
            labels = self.label(labels)
        elif isinstance(labels, (list, tuple)):
            labels = [self.label(one) for one in labels]
        return _arrays.integers(labels, count, numpy.int64, "labels")

    @takes_options("sample")
    def generate(self, count=1, labels=None, height=None, width=None, first_index=0, batch_size=4,
                 pixels=False, context=None, **options):
        """New images: uint8 [count, height, width, 3], or with pixels=True float32 [count, 3, height, width].

        labels: a class name or number for all, or one for each image. Image k depends on the seed and
        first_index + k alone, whatever batch_size is."""
        context = context or current()
        labels = self.labels(labels, count)
        height, width = height or self.resolution, width or self.resolution
        result = numpy.empty((count, 3, height, width), numpy.float32)
        with Sampler(self, context=context, **options) as sampler:
            for start in range(0, count, batch_size):
                part = slice(start, min(count, start + batch_size))
                sampler.generate(part.stop - start, height, width, None if labels is None else labels[part],
                                 first_index + start, out=result[part], context=context)
        return result if pixels else to_images(result, context).view(Pictures)
