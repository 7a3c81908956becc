# SPDX-License-Identifier: MIT
"""Training of both stages."""
import ctypes
import math

from ._constants import Stage
from ._handle import Handle
from ._library import lib, text
from .context import current
from .options import Options, takes_options

_STAGES = {"autoencoder": Stage.AUTOENCODER, "diffusion": Stage.DIFFUSION, 1: Stage.AUTOENCODER, 2: Stage.DIFFUSION}


class Trainer(Handle):
    """Trains the autoencoder on pixels (stage "autoencoder") or the UNet on its latents (stage
    "diffusion"). Iterating takes the steps that are left and gives each one's metrics."""

    _free = lib.mdldm_trainer_free

    @takes_options("train", "vq", "diffusion")
    def __init__(self, stage, model, dataset, context=None, **options):
        """A trainer of the model on the data set."""
        if stage not in _STAGES:
            raise ValueError(f"stage {stage!r}: 'autoencoder' (1) or 'diffusion' (2) would be right")
        self.context = context or current()
        pointer = ctypes.c_void_p()
        with Options(self.context, options, "train", "vq" if _STAGES[stage] is Stage.AUTOENCODER else "diffusion") as handle:
            self.context.call("trainer_create", _STAGES[stage], model.pointer, dataset.pointer, handle.pointer,
                              ctypes.byref(pointer))
        super().__init__(pointer)
        self.model, self.dataset = model, dataset

    def step(self):
        """One optimiser step; returns the metrics. After an interrupt the step did not happen."""
        self.context.call("trainer_step", self.pointer)
        return self.metrics

    def __iter__(self):
        while self.global_step < self.total_steps:
            yield self.step()

    def __len__(self):
        return max(0, self.total_steps - self.global_step)

    def fit(self, progress=True):
        """Takes all steps that are left, with a tqdm bar where tqdm is, and updates the model. Returns the
        last metrics."""
        steps = iter(self)
        if progress:
            try:
                from tqdm.auto import tqdm
                steps = tqdm(steps, total=self.total_steps, initial=self.global_step)
            except ImportError:
                pass
        metrics = {}
        for metrics in steps:
            if hasattr(steps, "set_postfix") and "loss" in metrics:
                steps.set_postfix(loss=metrics["loss"])
        self.update_model()
        return metrics

    @property
    def metrics(self):
        """Of the last step, and of the last validation (val_*)."""
        p = self.pointer
        return {text(lib.mdldm_trainer_metric_name(p, i)): lib.mdldm_trainer_metric_value(p, i)
                for i in range(lib.mdldm_trainer_metric_count(p))}

    def metric(self, name):
        value = lib.mdldm_trainer_metric(self.pointer, name.encode())
        if math.isnan(value) and name not in self.metrics:
            raise KeyError(f"no metric '{name}'; there are {', '.join(self.metrics)}")
        return value

    global_step = property(lambda self: lib.mdldm_trainer_global_step(self.pointer))
    total_steps = property(lambda self: lib.mdldm_trainer_total_steps(self.pointer))
    epoch = property(lambda self: lib.mdldm_trainer_epoch(self.pointer))
    steps_per_epoch = property(lambda self: lib.mdldm_trainer_steps_per_epoch(self.pointer))

    def validate(self):
        """Measures on the held-out images; returns the metrics."""
        self.context.call("trainer_validate", self.pointer)
        return self.metrics

    def checkpoint(self):
        """Writes <output_dir>/checkpoint-<step>, atomically."""
        self.context.call("trainer_checkpoint", self.pointer)

    def update_model(self):
        """Copies the trained weights (EMA when it is on) into the model."""
        self.context.call("trainer_update_model", self.pointer)
