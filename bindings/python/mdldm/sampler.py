# SPDX-License-Identifier: MIT
"""The sampler: from noise to latents, step by step or all at once."""
import ctypes

import numpy

from . import _arrays
from ._handle import Handle
from ._library import lib
from .context import current
from .options import Options, takes_options


class Sampler(Handle):
    """Denoises latents of one model by one scheduler."""

    _free = lib.mdldm_sampler_free

    @takes_options("sample")
    def __init__(self, model, context=None, **options):
        """A sampler of the model."""
        context = context or current()
        pointer = ctypes.c_void_p()
        with Options(context, options, "sample") as handle:
            context.call("sampler_create", model.pointer, handle.pointer, ctypes.byref(pointer))
        super().__init__(pointer)
        self.model = model

    def __len__(self):
        """Number of denoise steps."""
        return lib.mdldm_sampler_steps(self.pointer)

    @property
    def timesteps(self):
        """The timestep of each step; fractional where the scheduler interpolates."""
        return [lib.mdldm_sampler_timestep(self.pointer, i) for i in range(len(self))]

    def noise(self, count, height, width, first_index=0, context=None):
        """Starting noise [count, c, height, width] of latents: image k depends on the seed and k alone."""
        latent = numpy.empty((count, self.model.latent_channels, height, width), numpy.float32)
        (context or current()).call("sampler_noise", self.pointer, count, height, width, first_index,
                                    _arrays.address(latent), latent.size)
        return latent

    def step(self, latent, step_index, labels=None, first_index=0, context=None):
        """One denoise step of latents [n, c, h, w]; returns the new ones. Steps run in order, 0 starts anew."""
        latent = _arrays.floats(latent, "latent", self.model.latent_channels).copy()
        n, _, h, w = latent.shape
        labels = self.model.labels(labels, n)
        (context or current()).call("denoise_step", self.pointer, _arrays.address(latent), n, h, w,
                                    _arrays.address(labels), first_index, step_index)
        return latent

    def scheduler_step(self, model_output, latent, step_index, first_index=0, noise=None, context=None):
        """The scheduler's half of a step, with a model output of the caller's."""
        latent = _arrays.floats(latent, "latent").copy()
        model_output = _arrays.floats(model_output, "model_output", latent.shape[1])
        noise = None if noise is None else _arrays.floats(noise, "noise", latent.shape[1])
        for name, array in (("model_output", model_output), ("noise", noise)):
            if array is not None and array.shape != latent.shape:
                raise ValueError(f"{name}: the shape is {list(array.shape)}; {list(latent.shape)} would be right")
        n, _, h, w = latent.shape
        (context or current()).call("scheduler_step", self.pointer, _arrays.address(model_output),
                                    _arrays.address(latent), n, h, w, first_index, step_index,
                                    _arrays.address(noise))
        return latent

    def generate(self, count, height, width, labels=None, first_index=0, out=None, context=None):
        """Noise, all steps, decode: pixels [count, 3, height, width]."""
        if out is None:
            out = numpy.empty((count, 3, height, width), numpy.float32)
        labels = self.model.labels(labels, count)
        (context or current()).call("generate", self.pointer, count, height, width, _arrays.address(labels),
                                    first_index, _arrays.address(out), out.size)
        return out
