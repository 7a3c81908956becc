# SPDX-License-Identifier: MIT
"""Training of both stages."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Dict, Iterator, Optional, Union

from ._constants import Stage
from ._handle import Handle
from ._library import lib, text
from ._progress import Bar
from .context import Context, current
from .dataset import Dataset
from .model import Model
from .options import OPTIONS, Options, takes_options

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._keywords import TrainKeywords

_STAGES: Dict[Any, Stage] = {"autoencoder": Stage.AUTOENCODER, "diffusion": Stage.DIFFUSION,
                             1: Stage.AUTOENCODER, 2: Stage.DIFFUSION}


class Trainer(Handle):
    """Trains the autoencoder on pixels (stage "autoencoder") or the UNet on its latents (stage
    "diffusion"). Iterating takes the steps that are left and gives each one's metrics."""

    _free = lib.mdldm_trainer_free

    @takes_options("train", "vq", "diffusion")
    def __init__(self, stage: Union[str, int], model: Model, dataset: Dataset,
                 context: Optional[Context] = None, **options: Unpack[TrainKeywords]) -> None:
        """A trainer of the model on the data set."""
        if stage not in _STAGES:
            raise ValueError(f"stage {stage!r}: 'autoencoder' (1) or 'diffusion' (2) would be right")
        self.context = context or current()
        kind = _STAGES[stage]
        with Options(self.context, options, "train", "vq" if kind is Stage.AUTOENCODER else "diffusion") as handle:
            super().__init__(self.context.make(Trainer, "trainer_create", int(kind), model, dataset, handle))
        self.stage, self.model, self.dataset = kind, model, dataset
        self._options = {key.replace("-", "_"): value for key, value in options.items() if value is not None}

    def option(self, key: str) -> Any:
        """The value in force: as given, or the table's default."""
        return self._options.get(key, OPTIONS[key].default)

    def step(self) -> Dict[str, float]:
        """One optimiser step; returns the metrics. After an interrupt the step did not happen."""
        self.context.call("trainer_step", self)
        return self.metrics

    def __iter__(self) -> Iterator[Dict[str, float]]:
        while self.global_step < self.total_steps:
            yield self.step()

    def __len__(self) -> int:
        return max(0, self.total_steps - self.global_step)

    def fit(self, progress: bool = True) -> Dict[str, float]:
        """Takes all steps that are left, with a tqdm bar where tqdm is, writes checkpoints as
        checkpointing_steps and output_dir say, and updates the model. Returns the last metrics."""
        every = self.option("checkpointing_steps") if self.option("output_dir") else 0
        metrics: Dict[str, float] = {}
        with Bar(self.total_steps if progress else 0, self.global_step, "train") as bar:
            for metrics in self:
                bar.move(self.global_step, **{k: v for k, v in metrics.items() if k == "loss"})
                if every > 0 and self.global_step % every == 0:
                    self.checkpoint()
        self.update_model()
        return metrics

    @property
    def metrics(self) -> Dict[str, float]:
        """Of the last step, and of the last validation (val_*)."""
        with self._held() as p:
            return {text(lib.mdldm_trainer_metric_name(p, i)) or "": lib.mdldm_trainer_metric_value(p, i)
                    for i in range(lib.mdldm_trainer_metric_count(p))}

    def metric(self, name: str) -> float:
        """One of them by name."""
        value: float = self._ask("trainer_metric", name.encode())
        if math.isnan(value) and name not in self.metrics:
            raise KeyError(f"no metric '{name}'; there are {', '.join(self.metrics)}")
        return value

    @property
    def global_step(self) -> int:
        """Optimiser steps taken."""
        return int(self._ask("trainer_global_step"))

    @property
    def total_steps(self) -> int:
        """Optimiser steps in all."""
        return int(self._ask("trainer_total_steps"))

    @property
    def epoch(self) -> int:
        """Passes over the data that are complete."""
        return int(self._ask("trainer_epoch"))

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps of one pass over the data."""
        return int(self._ask("trainer_steps_per_epoch"))

    def validate(self) -> Dict[str, float]:
        """Measures on the held-out images; returns the metrics."""
        self.context.call("trainer_validate", self)
        return self.metrics

    def checkpoint(self) -> None:
        """Writes <output_dir>/checkpoint-<step>, atomically."""
        self.context.call("trainer_checkpoint", self)

    def update_model(self) -> None:
        """Copies the trained weights (EMA when it is on) into the model."""
        self.context.call("trainer_update_model", self)
