#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whole steps of this library, PyTorch + diffusers and OpenVINO, side by side in one run.

    python tests/bench/peer_table.py --make-venv DIR     # installs the peers from PyPI, then runs in there
    python tests/bench/peer_table.py --quick             # the whole table in about a quarter of an hour
    python tests/bench/peer_table.py --rows unet,vq --rounds 9 --modes all

Every competitor is a process of its own with the same weights, inputs and threads. In inference they take
turns, round by round; training steps need the memory for themselves and take turns by process. A result
that differs from PyTorch's f32 eager one by more than rounding explains is left out. Prints Markdown;
--json keeps every number."""
import argparse
import datetime
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from types import SimpleNamespace

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PACKAGES = ["torch", "diffusers", "openvino", "numpy", "pillow", "safetensors", "accelerate"]
MODES = {  # of PyTorch; the first f32 one is the reference
    "f32": ["eager", "channels_last", "compile", "channels_last+compile"],
    "bf16": ["autocast", "pure", "channels_last+autocast", "channels_last+pure", "compile+autocast",
             "channels_last+compile+autocast", "channels_last+compile+pure"],
}
QUICK = {"f32": ["eager", "channels_last", "channels_last+compile"],
         "bf16": ["channels_last+autocast", "channels_last+pure", "channels_last+compile+pure"]}

TRAIN_MODES = {"f32": ["eager", "channels_last", "channels_last+compile", "checkpointing"],
               "bf16": ["autocast", "channels_last+autocast", "channels_last+compile+autocast",
                        "checkpointing+autocast"]}
TRAIN_QUICK = {"f32": ["channels_last"], "bf16": ["channels_last+autocast"]}


def choose_modes(text, everything, quick):
    if text in ("all", "quick"):
        return everything if text == "all" else quick
    return {p: [m for m in modes if m in text.split(",")] for p, modes in everything.items()}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="unet,vq,train,cold,memory", help="which parts of the table")
    parser.add_argument("--peers", default="mdldm,torch,openvino")
    parser.add_argument("--precision", default="f32,bf16,int8")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=3, help="timed training steps of each process")
    parser.add_argument("--modes", default="quick", help="modes of PyTorch: all; quick, those that were fastest "
                        "in a run of all; or a list, eager,channels_last+autocast say")
    parser.add_argument("--quick", action="store_true", help="rounds and limits for a quarter of an hour")
    parser.add_argument("--preset", default="ldm-256")
    parser.add_argument("--batches", default="1,4", help="of the UNet step")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--cpu-time", action="store_true", help="processor time: for --threads 1 on a busy machine")
    parser.add_argument("--limit", type=float, default=900, help="seconds a competitor may take to get ready")
    parser.add_argument("--need-mib", type=float, default=4096, help="memory that must be free for one more")
    parser.add_argument("--cache", help="folder for compiled code and converted models, to be used again")
    parser.add_argument("--int8-model", help="what mdldm-quantize wrote; without it one is made if it can be")
    parser.add_argument("--json", help="file for every number")
    parser.add_argument("--make-venv", metavar="DIR", help="make a virtual environment with the peers, run in it")
    return parser.parse_args()


def make_environment(folder):
    """Runs this command again inside a virtual environment that has the peers."""
    python = os.path.join(folder, "bin", "python")
    if not os.path.exists(python):
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    position = sys.argv.index("--make-venv")
    os.execv(python, [python, sys.argv[0], *sys.argv[1:position], *sys.argv[position + 2:]])


def prepare(args, folder):
    """Model, inputs and pictures that all competitors share."""
    import numpy
    import peer_mdldm
    setting = SimpleNamespace(folder=folder, model=folder + "/model", cache=args.cache or folder + "/cache",
                              preset=args.preset, threads=args.threads, cpu_time=args.cpu_time, need_mib=args.need_mib,
                              resolution=64 if args.preset == "tiny" else 256)
    os.makedirs(setting.cache, exist_ok=True)
    if args.cache:  # what was converted from a model goes with it
        setting.model = os.path.abspath(args.cache) + f"/model-{args.preset}"
    if not os.path.exists(setting.model):
        peer_mdldm.make_model(setting.model, args.preset, setting.resolution, 8)
    library = peer_mdldm.Library(1)
    model = library.make("mdldm_model_load", setting.model.encode())
    channels, factor = library.fact(model, "latent_channels"), library.fact(model, "latent_factor")
    random, n, side = numpy.random.default_rng(1), 4, setting.resolution // factor
    most = max(n, *(int(b) for b in args.batches.split(",")))
    arrays = dict(pixels=random.uniform(-1, 1, (most, 3, setting.resolution, setting.resolution)),
                  latents=random.standard_normal((most, channels, side, side)),
                  noise=random.standard_normal((most, channels, side, side)))
    for name, array in arrays.items():
        numpy.save(f"{folder}/{name}.npy", array.astype(numpy.float32))
    numpy.save(folder + "/timesteps.npy", numpy.full(most, 500, numpy.int64))
    numpy.save(folder + "/labels.npy", numpy.arange(most, dtype=numpy.int64) % 8)
    subprocess.run([ROOT + "/build/bin/mdldm-simulate", "--output_dir", folder + "/images", "--persons", "2",
                    "--images_per_person", "8", "--resolution", str(setting.resolution), "--quiet"], check=True)
    return setting


def quantized_model(args, setting):
    program = ROOT + "/build/bin/mdldm-quantize"
    if args.int8_model or "int8" not in args.precision.split(",") or not os.path.exists(program):
        return args.int8_model
    target = setting.model + "-int8"
    if not os.path.exists(target):
        subprocess.run([program, "--model_path", setting.model, "--calibration", setting.folder + "/images",
                        "--output", target], check=True, stdout=sys.stderr)
    return target


def machine():
    with open("/proc/cpuinfo") as info:
        name = next((line.split(":")[1].strip() for line in info if line.startswith("model name")), platform.machine())
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True)
    return dict(processor=name, commit=commit.stdout.strip(), load=os.getloadavg(),
                date=datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"))


def versions():
    from importlib.metadata import PackageNotFoundError, version
    found = {}
    for package in ("torch", "diffusers", "openvino"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            pass
    return found


def main():
    args = arguments()
    if args.make_venv:
        make_environment(os.path.abspath(args.make_venv))
    if args.quick:
        args.rounds, args.steps, args.modes = 3, 1, "quick"
        args.limit = min(args.limit, 200)
    sys.path.insert(0, HERE)
    import peer_report
    import peer_rows
    facts = dict(machine(), versions=versions(), preset=args.preset, threads=args.threads,
                 command=" ".join(["python", "tests/bench/peer_table.py", *sys.argv[1:]]))
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # what there is gets printed
    folder, results = tempfile.mkdtemp(prefix="mdldm-peers-"), []
    try:
        setting = prepare(args, folder)
        setting.int8_model = quantized_model(args, setting)
        setting.modes = choose_modes(args.modes, MODES, QUICK)
        setting.train_modes = choose_modes(args.modes, TRAIN_MODES, TRAIN_QUICK)
        peer_rows.run(args, setting, results)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        facts["load_after"] = os.getloadavg()
        print(peer_report.markdown(facts, results), flush=True)
        if args.json:
            with open(args.json, "w") as file:
                json.dump(dict(facts=facts, results=results), file, indent=1, default=lambda c: c.record())


if __name__ == "__main__":
    main()
