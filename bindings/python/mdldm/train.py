# SPDX-License-Identifier: MIT
"""python -m mdldm.train: both stages from the command line, data sets of the Hugging Face hub included.

The flags are those of the library's option table, so they are the words of mdldm-train. Stage 1 is
``python -m mdldm.train --stage autoencoder``."""
from __future__ import annotations

import argparse
import os
import sys
from typing import Any, Dict, List, Optional

from . import _errors
from ._progress import say as write_line
from ._run import Run
from .context import Context
from .dataset import Dataset
from .images import write_image
from .model import Model
from .options import in_scopes
from .trainer import Trainer

#: Options that this program sets itself, from the data and the stage.
_OWN = {"components", "num_classes", "class_names"}
#: Flags of the scripts this replaces that have nothing to do here; they are taken and named.
_WITHOUT_EFFECT = {"logger": str, "logging_dir": str, "local_rank": int,
                   "enable_xformers_memory_efficient_attention": bool}
#: Flags that say more about another one.
_NEEDS = {"dataset_config_name": "dataset_name", "cache_dir": "dataset_name", "hub_model_id": "push_to_hub",
          "hub_token": "push_to_hub", "hub_private_repo": "push_to_hub"}


def make_parser() -> argparse.ArgumentParser:
    """Flags of this program, then the table's."""
    parser = argparse.ArgumentParser(prog="python -m mdldm.train", description=(__doc__ or "").split("\n")[0],
                                     formatter_class=argparse.RawTextHelpFormatter)
    data = parser.add_argument_group("data")
    data.add_argument("--dataset_name", help="data set of the Hugging Face hub, or a folder or file that the package\n"
                                             "'datasets' understands; it must be installed")
    data.add_argument("--dataset_config_name", help="its configuration")
    data.add_argument("--cache_dir", help="where 'datasets' keeps what it downloads")
    data.add_argument("--train_data_dir", help="folder of images; its sub-folders are the persons")
    data.add_argument("--train_data_files", help="the same as a .zip file")
    data.add_argument("--raw_data_dir", help="preprocess this folder into processed_data_dir first, then train on that")
    data.add_argument("--processed_data_dir", help="where the preprocessed images go")
    data.add_argument("--preprocess_only", action="store_true", help="stop after preprocessing")
    parser.add_argument("--stage", choices=("autoencoder", "diffusion"), default="diffusion")
    parser.add_argument("--threads", type=int, default=0, help="compute threads; 0: one a processor")
    parser.add_argument("--backend", default="auto", help="auto, reference, cpu, cuda, cuda:1")
    parser.add_argument("--winograd", type=int, choices=(0, 1), default=1, help="0: direct convolutions only")
    parser.add_argument("--validation_epochs", type=int, default=10,
                        help="measure on the held-out images every so many epochs; 0: only at the end")
    parser.add_argument("--quiet", action="store_true", help="no progress and no notes, errors only")
    hub = parser.add_argument_group("upload (takes the package 'huggingface_hub')")
    hub.add_argument("--push_to_hub", action="store_true", help="upload the finished model")
    hub.add_argument("--hub_model_id", help="repository; default: the name of output_dir")
    hub.add_argument("--hub_token", help="default: that of the login")
    hub.add_argument("--hub_private_repo", action="store_true")
    parser.add_argument("--preserve_input_precision", action="store_true", help=argparse.SUPPRESS)
    for name, kind in _WITHOUT_EFFECT.items():
        how: Dict[str, Any] = {"action": "store_true"} if kind is bool else {"type": kind}
        parser.add_argument("--" + name, default=None, help=argparse.SUPPRESS, **how)
    options = parser.add_argument_group("options of the library")
    for option in in_scopes("model", "dataset", "train", "vq", "diffusion"):
        if option.key in _OWN:
            continue
        names = sorted({"--" + option.key, "--" + option.key.replace("_", "-")}, reverse=True)
        text = option.describe().replace("%", "%%")
        if option.type is bool:
            options.add_argument(*names, action="store_true", default=None, help=text)
        else:
            options.add_argument(*names, type=option.type, default=None, metavar=option.unit.upper() or "X", help=text)
    return parser


def _chosen(args: argparse.Namespace, *scopes: str) -> Dict[str, Any]:
    """What was said on the command line, of these scopes."""
    values = {option.key: getattr(args, option.key, None) for option in in_scopes(*scopes)}
    return {key: value for key, value in values.items() if value is not None}


def preprocess(raw: str, processed: str, context: Optional[Context] = None, **options: Any) -> int:
    """Every image of raw as an RGB PNG of one size in processed, the folders kept. Returns how many. Pictures keep
    their colours here: training on one channel takes them away, once."""
    os.makedirs(processed, exist_ok=True)
    inner, outer = os.path.realpath(processed), os.path.realpath(raw)
    if os.path.commonpath((inner, outer)) == outer:
        raise ValueError(f"processed_data_dir {processed} lies in raw_data_dir {raw}: name a folder outside it")
    options.update(image_mode="RGB", colormap="none")
    with Dataset.open(raw, context=context, **options) as data:
        previous = ""
        for i, name in enumerate(data.names):
            path = os.path.join(processed, os.path.splitext(name)[0] + ".png")
            if path == previous:  # a.jpg beside a.png
                path = os.path.join(processed, name + ".png")
            os.makedirs(os.path.dirname(path), exist_ok=True)
            write_image(path, data.image(i, context), context)
            previous = path
        return len(data)


def _data_path(args: argparse.Namespace, parser: argparse.ArgumentParser, context: Context) -> Optional[str]:
    """The folder or zip to train on; None when it is the hub, or when there is nothing left to do."""
    if args.raw_data_dir:
        if not args.processed_data_dir:
            parser.error("--raw_data_dir needs --processed_data_dir: where the PNGs shall go")
        preprocess(args.raw_data_dir, args.processed_data_dir, context, **_chosen(args, "dataset"))
    elif args.preprocess_only:
        parser.error("--preprocess_only needs --raw_data_dir and --processed_data_dir")
    given = [value for value in (args.dataset_name, args.train_data_dir, args.train_data_files) if value]
    if len(given) > 1:
        parser.error("--dataset_name, --train_data_dir and --train_data_files exclude each other")
    if not given and not args.processed_data_dir:
        parser.error("--dataset_name, --train_data_dir or --train_data_files is missing: what to train on")
    return None if args.dataset_name else args.train_data_dir or args.train_data_files or args.processed_data_dir


def _open_data(args: argparse.Namespace, path: Optional[str], context: Context) -> Dataset:
    options = _chosen(args, "dataset")
    if args.stage == "diffusion" and options.get("image_mode") != "RGB":  # as the autoencoder was trained
        with Model.load(args.vae_path, context) as autoencoder:
            options = {**autoencoder.picture_options, **options}
    if path is None:
        return Dataset.from_hub(args.dataset_name, args.dataset_config_name, cache_dir=args.cache_dir,
                                context=context, **options)
    return Dataset.open(path, context=context, **options)


def _make_model(args: argparse.Namespace, data: Dataset, context: Context) -> Model:
    options = _chosen(args, "model")
    names = [] if args.unconditional else data.class_names
    if args.stage == "autoencoder":
        options["components"] = "autoencoder"
    elif names:
        options.update(num_classes=len(names), class_names=names)
    return Model.create(context=context, **options)


def _upload(args: argparse.Namespace) -> str:
    from huggingface_hub import HfApi
    api = HfApi(token=args.hub_token)
    name = args.hub_model_id or os.path.basename(os.path.abspath(args.output_dir))
    repository = api.create_repo(name, private=args.hub_private_repo, exist_ok=True).repo_id
    api.upload_folder(repo_id=repository, folder_path=args.output_dir, ignore_patterns=["checkpoint-*", "samples/*"])
    return str(repository)


def _check(args: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    if args.preserve_input_precision:
        parser.error("--preserve_input_precision: pictures are read with 8 bits a channel; for more give matrices in dB "
                     "to mdldm.Dataset.from_db, or train without the flag")
    if not args.preprocess_only and not args.output_dir:
        parser.error("--output_dir is missing: where checkpoints and the model shall go")
    if not args.preprocess_only and args.stage == "diffusion" and not args.vae_path:
        parser.error("--vae_path is missing: the autoencoder of stage 1")
    for name in _WITHOUT_EFFECT:
        if getattr(args, name) is not None:
            sys.stderr.write(f"{parser.prog}: note: --{name} has no effect here; output_dir/training_log.jsonl has "
                             "every step's metrics\n" if name.startswith("logg") else
                             f"{parser.prog}: note: --{name} has no effect here\n")
    for name, needed in _NEEDS.items():
        if getattr(args, name) and not getattr(args, needed):
            sys.stderr.write(f"{parser.prog}: note: --{name} has an effect with --{needed} only\n")
    if args.push_to_hub:
        try:
            import huggingface_hub  # noqa: F401
        except ImportError:
            parser.error("--push_to_hub takes the package 'huggingface_hub': pip install huggingface_hub")


def main(arguments: Optional[List[str]] = None) -> None:
    """The program. Ctrl-C leaves a checkpoint and exit status 130."""
    parser = make_parser()
    args = parser.parse_args(arguments)
    _check(args, parser)

    def say(line: str) -> None:
        if not args.quiet:
            write_line(line)

    try:
        context = Context(threads=args.threads, backend=args.backend, winograd=bool(args.winograd),
                          log=lambda level, line: say(line) if level <= 1 else None)
        path = _data_path(args, parser, context)
        if args.preprocess_only:
            say(f"the images are in {args.processed_data_dir}")
            return
        data = _open_data(args, path, context)
        model = _make_model(args, data, context)
        stage = "vq" if args.stage == "autoencoder" else "diffusion"
        trainer = Trainer(args.stage, model, data, context=context, **_chosen(args, "train", stage))
        run = Run(trainer, args.validation_epochs, say)
    except (_errors.MdldmError, ImportError, OSError, ValueError, TypeError) as error:
        sys.exit(f"{parser.prog}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    say(f"{len(data)} images of {len(data.class_names)} persons; {trainer.total_steps} steps on {context.backend}")
    try:
        run.go(not args.quiet)
    except KeyboardInterrupt:
        trainer.checkpoint()
        sys.stderr.write(f"\n{parser.prog}: stopped after step {trainer.global_step} of {trainer.total_steps}; its "
                         "checkpoint is saved\nto go on: the same command with --resume_from_checkpoint latest\n")
        sys.exit(130)
    except (_errors.MdldmError, OSError) as error:
        sys.exit(f"{parser.prog}: {error}")
    if args.push_to_hub:
        say(f"uploaded to {_upload(args)}")
    say(f"the model is in {args.output_dir}")


if __name__ == "__main__":
    main()
