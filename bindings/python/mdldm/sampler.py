# SPDX-License-Identifier: MIT
"""The sampler: from noise to latents, step by step or all at once."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Optional

from . import _arrays
from ._arrays import Floats
from ._handle import Handle
from ._library import lib
from .context import Context, current
from .options import Options, takes_options

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._keywords import SampleKeywords
    from .model import Model


class Sampler(Handle):
    """Denoises latents of one model by one scheduler."""

    _free = lib.mdldm_sampler_free

    @takes_options("sample")
    def __init__(self, model: Model, context: Optional[Context] = None, **options: Unpack[SampleKeywords]) -> None:
        """A sampler of the model."""
        context = context or current()
        with Options(context, options, "sample") as handle:
            super().__init__(context.make(Sampler, "sampler_create", model, handle))
        self.model = model

    def __len__(self) -> int:
        """Number of denoise steps."""
        return int(self._ask("sampler_steps"))

    @property
    def timesteps(self) -> List[float]:
        """The timestep of each step; fractional where the scheduler interpolates."""
        return [self._ask("sampler_timestep", i) for i in range(len(self))]

    def noise(self, count: int, height: int, width: int, first_index: int = 0, out: Any = None,
              context: Optional[Context] = None) -> Floats:
        """Starting noise [count, c, height, width] of latents: image k depends on the seed and k alone."""
        latent = _arrays.output(out, (count, self.model.latent_channels, height, width))
        (context or current()).call("sampler_noise", self, count, height, width, first_index,
                                    _arrays.address(latent), latent.size)
        return latent if out is None else out

    def step(self, latent: Any, step_index: int, labels: Any = None, first_index: int = 0,
             context: Optional[Context] = None) -> Floats:
        """One denoise step of latents [n, c, h, w]; returns the new ones. Steps run in order, 0 starts anew."""
        new: Floats = _arrays.floats(latent, "latent", self.model.latent_channels).copy()
        n, _, h, w = new.shape
        labels = self.model.labels(labels, n)
        (context or current()).call("denoise_step", self, _arrays.address(new), n, h, w,
                                    _arrays.address(labels), first_index, step_index)
        return new

    def scheduler_step(self, model_output: Any, latent: Any, step_index: int, first_index: int = 0,
                       noise: Any = None, context: Optional[Context] = None) -> Floats:
        """The scheduler's half of a step, with a model output of the caller's."""
        new: Floats = _arrays.floats(latent, "latent").copy()
        model_output = _arrays.floats(model_output, "model_output", new.shape[1])
        noise = None if noise is None else _arrays.floats(noise, "noise", new.shape[1])
        for name, array in (("model_output", model_output), ("noise", noise)):
            if array is not None and array.shape != new.shape:
                raise ValueError(f"{name}: the shape is {list(array.shape)}; {list(new.shape)} would be right")
        n, _, h, w = new.shape
        (context or current()).call("scheduler_step", self, _arrays.address(model_output),
                                    _arrays.address(new), n, h, w, first_index, step_index,
                                    _arrays.address(noise))
        return new

    def generate(self, count: int, height: int, width: int, labels: Any = None, first_index: int = 0,
                 out: Any = None, context: Optional[Context] = None) -> Floats:
        """Noise, all steps, decode: pixels [count, channels, height, width]."""
        pixels = _arrays.output(out, (count, self.model.image_channels, height, width))
        labels = self.model.labels(labels, count)
        (context or current()).call("generate", self, count, height, width, _arrays.address(labels),
                                    first_index, _arrays.address(pixels), pixels.size)
        return pixels if out is None else out
