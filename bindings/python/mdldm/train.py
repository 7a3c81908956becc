# SPDX-License-Identifier: MIT
"""python -m mdldm.train: stage 2 from the command line, a data set of the Hugging Face hub included.

The flags are those of the library's option table, so they are the words of mdldm-train. Stage 1 is
``python -m mdldm.train --stage autoencoder``."""
import argparse
import contextlib
import json
import os
import sys

from . import _errors
from .context import Context
from .dataset import Dataset
from .images import sheet, to_images, write_image
from .model import Model
from .options import in_scopes
from .trainer import Trainer


def make_parser():
    parser = argparse.ArgumentParser(prog="python -m mdldm.train", description=__doc__.split("\n", maxsplit=1)[0],
                                     formatter_class=argparse.RawTextHelpFormatter)
    data = parser.add_argument_group("data")
    data.add_argument("--dataset_name", help="data set of the Hugging Face hub (takes the package 'datasets')")
    data.add_argument("--dataset_config_name", help="its configuration")
    data.add_argument("--train_data_dir", help="folder of images; its sub-folders are the persons")
    data.add_argument("--train_data_files", help="the same as a .zip file")
    parser.add_argument("--stage", choices=("autoencoder", "diffusion"), default="diffusion")
    parser.add_argument("--threads", type=int, default=0, help="compute threads; 0: one a processor")
    parser.add_argument("--backend", default="auto", help="auto, reference, cpu, cuda, cuda:1")
    parser.add_argument("--validation_epochs", type=int, default=10,
                        help="measure on the held-out images every so many epochs; 0: only at the end")
    parser.add_argument("--quiet", action="store_true")
    options = parser.add_argument_group("options of the library")
    for option in in_scopes("model", "dataset", "train", "vq", "diffusion"):
        names = sorted({"--" + option.key, "--" + option.key.replace("_", "-")}, reverse=True)
        text = option.describe().replace("%", "%%")
        if option.type is bool:
            options.add_argument(*names, action="store_true", default=None, help=text)
        else:
            options.add_argument(*names, type=option.type, default=None, metavar=option.unit.upper() or "X", help=text)
    return parser


def _chosen(args, *scopes):
    """What was said on the command line, of these scopes."""
    values = {option.key: getattr(args, option.key) for option in in_scopes(*scopes)}
    return {key: value for key, value in values.items() if value is not None}


def _open_data(args, parser, context):
    given = [name for name in ("dataset_name", "train_data_dir", "train_data_files") if getattr(args, name)]
    if len(given) != 1:
        parser.error("one of --dataset_name, --train_data_dir and --train_data_files is needed: what to train on")
    options = _chosen(args, "dataset")
    if args.dataset_name:
        return Dataset.from_hub(args.dataset_name, args.dataset_config_name, context=context, **options)
    return Dataset.open(args.train_data_dir or args.train_data_files, context=context, **options)


def _make_model(args, parser, data, context):
    options = _chosen(args, "model")
    if args.stage == "autoencoder":
        options["components"] = "autoencoder"
    else:
        if not args.vae_path:
            parser.error("--vae_path is missing: the autoencoder of stage 1")
        names = [] if args.unconditional else data.class_names
        if names:
            options.update(num_classes=len(names), class_names=names)
    return Model.create(context=context, **options)


class Run:
    """The loop: steps, checkpoints, and what falls due when an epoch ends."""

    def __init__(self, args, trainer, context):
        self.args, self.trainer, self.context = args, trainer, context
        self.folder = args.output_dir
        os.makedirs(os.path.join(self.folder, "samples"), exist_ok=True)
        mode = "a" if trainer.global_step > 0 else "w"
        self.record = open(os.path.join(self.folder, "training_log.jsonl"), mode, encoding="utf-8")

    def option(self, key):
        value = getattr(self.args, key)
        return next(o.default for o in in_scopes("train") if o.key == key) if value is None else value

    def note(self, metrics, validation):
        part = {k: v for k, v in metrics.items() if k.startswith("val_") == validation}
        self.record.write(json.dumps({"step": self.trainer.global_step, "epoch": self.trainer.epoch, **part}) + "\n")
        self.record.flush()

    def validate(self, say):
        metrics = self.trainer.validate()
        self.note(metrics, True)
        say(f"step {self.trainer.global_step}  " +
            "  ".join(f"{k} {v:.4g}" for k, v in metrics.items() if k.startswith("val_")))

    def results(self, samples, model):
        if samples or model:
            self.trainer.update_model()
        if model:
            self.trainer.model.save(self.folder, context=self.context)
        if samples:
            path = os.path.join(self.folder, "samples", f"step_{self.trainer.global_step:06d}.png")
            write_image(path, self.pictures(), context=self.context)

    def pictures(self):
        model, data = self.trainer.model, self.trainer.dataset
        if self.args.stage == "autoencoder":
            picks = [data.read(i * len(data) // 8, model.resolution, self.context)[None] for i in range(8)]
            again = [model.decode(model.encode(one, self.context), self.context) for one in picks]
            return sheet([to_images(one, self.context)[0] for one in picks + again], columns=8)
        labels = None if model.num_classes == 0 else [i % model.num_classes for i in range(8)]
        return sheet(model.generate(8, labels, context=self.context, scheduler="ddpm",
                                    num_inference_steps=self.option_of_diffusion(), seed=self.args.seed or 0))

    def option_of_diffusion(self):
        return self.args.ddpm_num_inference_steps or next(
            o.default for o in in_scopes("diffusion") if o.key == "ddpm_num_inference_steps")

    def go(self, say, progress):
        trainer, every = self.trainer, self.option("checkpointing_steps")
        for metrics in progress(trainer):
            self.note(metrics, False)
            step = trainer.global_step
            if every > 0 and step % every == 0:
                trainer.checkpoint()
            if step % trainer.steps_per_epoch == 0 and step < trainer.total_steps:
                epoch = step // trainer.steps_per_epoch
                if self.args.validation_epochs > 0 and epoch % self.args.validation_epochs == 0:
                    self.validate(say)
                due = [n > 0 and epoch % n == 0 for n in (self.option("save_images_epochs"),
                                                          self.option("save_model_epochs"))]
                self.results(*due)
        self.validate(say)
        self.results(self.option("save_images_epochs") > 0, True)


def _progress(quiet):
    if not quiet:
        with contextlib.suppress(ImportError):
            from tqdm import tqdm
            return lambda trainer: tqdm(trainer, total=trainer.total_steps, initial=trainer.global_step), tqdm.write
    return iter, (lambda line: None) if quiet else print


def main(arguments=None):
    parser = make_parser()
    args = parser.parse_args(arguments)
    if not args.output_dir:
        parser.error("--output_dir is missing: where checkpoints and the model shall go")
    progress, say = _progress(args.quiet)
    try:
        context = Context(threads=args.threads, backend=args.backend,
                          log=None if args.quiet else lambda level, line: level <= 1 and say(line))
        data = _open_data(args, parser, context)
        model = _make_model(args, parser, data, context)
        stage = "vq" if args.stage == "autoencoder" else "diffusion"
        trainer = Trainer(args.stage, model, data, context=context, **_chosen(args, "train", stage))
        run = Run(args, trainer, context)
    except (_errors.MdldmError, ImportError, OSError) as error:
        sys.exit(f"{parser.prog}: {error}")
    say(f"{len(data)} images of {len(data.class_names)} persons; {trainer.total_steps} steps on {context.backend}")
    try:
        run.go(say, progress)
    except KeyboardInterrupt:
        trainer.checkpoint()
        sys.stderr.write(f"\nstopped after step {trainer.global_step} of {trainer.total_steps}; its checkpoint is "
                         f"saved\nto go on: the same command with --resume_from_checkpoint latest\n")
        sys.exit(130)
    except _errors.MdldmError as error:
        sys.exit(f"{parser.prog}: {error}")
    say(f"the model is in {args.output_dir}")


if __name__ == "__main__":
    main()
