# SPDX-License-Identifier: MIT
"""A training run as mdldm-train makes it: steps, checkpoints, and what falls due when an epoch ends."""
from __future__ import annotations

import json
import os
from typing import Callable, Dict

from ._constants import Stage
from ._progress import Bar
from .images import Pictures, sheet, to_images, write_image
from .trainer import Trainer

Say = Callable[[str], object]


class Run:
    """Writes into the trainer's output_dir: checkpoints, samples/, training_log.jsonl, and the model."""

    def __init__(self, trainer: Trainer, validation_epochs: int, say: Say) -> None:
        self.trainer, self.validation_epochs, self.say = trainer, validation_epochs, say
        self.folder = trainer.option("output_dir")
        os.makedirs(os.path.join(self.folder, "samples"), exist_ok=True)
        self.log = os.path.join(self.folder, "training_log.jsonl")
        if trainer.global_step == 0:  # not resumed: another run's record ends here
            open(self.log, "w", encoding="utf-8").close()

    def go(self, progress: bool) -> None:
        """All steps that are left, then validation, samples and the model."""
        trainer, every = self.trainer, self.trainer.option("checkpointing_steps")
        with Bar(trainer.total_steps if progress else 0, trainer.global_step, "train") as bar:
            for metrics in trainer:
                step = trainer.global_step
                self._note(metrics, False)
                bar.move(step, **{k: v for k, v in metrics.items() if k.startswith("loss")})
                if every > 0 and step % every == 0:
                    trainer.checkpoint()
                if step % trainer.steps_per_epoch == 0 and step < trainer.total_steps:
                    self._end_epoch(step // trainer.steps_per_epoch)
        self._validate()
        self._results(trainer.option("save_images_epochs") > 0, True)

    def _end_epoch(self, epoch: int) -> None:
        due = [every > 0 and epoch % every == 0 for every in (
            self.validation_epochs, self.trainer.option("save_images_epochs"),
            self.trainer.option("save_model_epochs"))]
        if due[0]:
            self._validate()
        self._results(due[1], due[2])

    def _note(self, metrics: Dict[str, float], validation: bool) -> None:
        """A line of training_log.jsonl: what a plot of the run needs."""
        part = {k: v for k, v in metrics.items() if k.startswith("val_") == validation}
        with open(self.log, "a", encoding="utf-8") as file:
            file.write(json.dumps({"step": self.trainer.global_step, "epoch": self.trainer.epoch, **part}) + "\n")

    def _validate(self) -> None:
        metrics = {k: v for k, v in self.trainer.validate().items() if k.startswith("val_")}
        if metrics:
            self._note(metrics, True)
            self.say(f"step {self.trainer.global_step}  " + "  ".join(f"{k} {v:.4g}" for k, v in metrics.items()))

    def _results(self, samples: bool, model: bool) -> None:
        """The weights of now, EMA where it is on, go into the model; then samples and model are written."""
        trainer = self.trainer
        if samples or model:
            trainer.update_model()
        if model:
            trainer.model.save(self.folder, trainer.context)
        if samples:
            path = os.path.join(self.folder, "samples", f"step_{trainer.global_step:06d}.png")
            write_image(path, self._pictures(), trainer.context)

    def _pictures(self) -> Pictures:
        trainer = self.trainer
        model, data, context = trainer.model, trainer.dataset, trainer.context
        if trainer.stage is Stage.AUTOENCODER:
            columns = min(8, len(data))  # the last item is one of a held-out block
            pixels = [data.read(i * (len(data) - 1) // max(1, columns - 1), context)[None] for i in range(columns)]
            again = [model.decode(model.encode(one, context), context) for one in pixels]
            return sheet([to_images(one, context)[0] for one in pixels + again], columns)
        rows = max(1, model.num_classes)
        columns = min(8, max(1, trainer.option("eval_batch_size") // rows))
        labels = [i // columns for i in range(rows * columns)] if model.num_classes else None
        images = model.generate(rows * columns, labels, context=context, scheduler="ddpm",
                                num_inference_steps=trainer.option("ddpm_num_inference_steps"),
                                seed=trainer.option("seed"))
        return sheet(images, columns)
