# SPDX-License-Identifier: MIT
"""The rows of the table: who competes in each."""
import peer_fresh
from peer_run import Competitor, alone, say, together


def precisions(args):
    return [p for p in ("f32", "bf16") if p in args.precision.split(",")]


def inference(args, setting, job, batches, title):
    """f32 first: its eager mode is what every other output is compared with."""
    reference, results = None, []
    for precision in ("f32", "bf16"):
        group, peers = [], args.peers.split(",")
        modes = setting.modes[precision] if "torch" in peers and precision in precisions(args) else []
        if precision == "f32":
            modes = ["eager"] + [m for m in modes if m != "eager"]
        if args.quick and job != "unet":  # each compilation takes minutes
            modes = [m for m in modes if "compile" not in m]
        group += [Competitor(setting, job, precision, "torch", mode,
                             batches[:1] if args.quick and "compile" in mode else batches) for mode in modes]
        reference = reference or group[0]
        if precision in precisions(args):
            if "mdldm" in peers:
                group.append(Competitor(setting, job, precision, "mdldm", precision, batches))
            if "openvino" in peers:
                group.append(Competitor(setting, job, precision, "openvino", precision, batches))
        if precision == "bf16" and "mdldm" in peers and setting.int8_model and job == "unet":
            group.append(Competitor(setting, job, "int8", "mdldm", "int8", batches, setting.int8_model))
        say(f"{title}, {precision}")
        together(group, args.rounds, args.limit)
        for c in group:
            c.judge(reference)
        results += [dict(title=title, precision=c.precision, batches=c.batches, competitor=c) for c in group]
    return results


def training(args, setting, job, title):
    reference, results = None, []
    for precision in precisions(args):
        group, peers = [], args.peers.split(",")
        if "torch" in peers:
            group += [Competitor(setting, job, precision, "torch", mode, [2])
                      for mode in setting.train_modes[precision]]
        if "mdldm" in peers:
            group += [Competitor(setting, job, precision, "mdldm", mode, [2])
                      for mode in ([precision, "checkpointing"] if args.modes == "all" else [precision])]
        say(f"{title}, {precision}")
        alone(group, 1 if args.quick else max(1, args.rounds // 3), args.steps, args.limit)
        reference = reference or next((c for c in group if c.side == "torch" and c.error is None), None)
        for c in group:
            if reference is not None:
                c.judge(reference)
        results += [dict(title=title, precision=precision, batches=[2], competitor=c) for c in group]
    return results


def cold(args, setting):
    """Model directory to a PNG after 20 DDIM steps, every time a new process; files in the page cache."""
    runs, steps = {}, 20
    for _ in range(1 if args.quick else max(1, args.rounds // 2)):
        for precision in precisions(args):
            if "mdldm" in args.peers:
                runs.setdefault(("mdldm", precision), []).append(
                    peer_fresh.measure(peer_fresh.ours(setting, steps, precision, setting.model)))
            if "torch" in args.peers:
                runs.setdefault(("torch", precision), []).append(
                    peer_fresh.measure(peer_fresh.theirs(setting, steps, precision)))
        if "mdldm" in args.peers and setting.int8_model:
            runs.setdefault(("mdldm", "int8"), []).append(
                peer_fresh.measure(peer_fresh.ours(setting, steps, "int8", setting.int8_model)))
        say("cold: " + ", ".join(f"{side} {precision} {r[-1][0]:.1f} s" for (side, precision), r in runs.items()))
    return [dict(title="cold process to first image, 20 steps", side=side, precision=precision, runs=r)
            for (side, precision), r in runs.items()]


def memory(args, setting):
    """Peak resident memory of a process that evaluates the UNet at batch 1, twice."""
    results = []
    for precision in precisions(args) + (["int8"] if setting.int8_model else []):
        if "mdldm" in args.peers:
            model = setting.int8_model if precision == "int8" else setting.model
            results.append(("mdldm", precision, "", peer_fresh.first_step(setting, precision, model)))
        for side, mode in (("torch", "eager" if precision == "f32" else "pure"), ("openvino", precision)):
            if side in args.peers and precision != "int8":
                c = Competitor(setting, "unet", precision, side, mode, [1])
                together([c], 1, args.limit)
                results.append((side, precision, mode, c.memory))
    return [dict(title="peak memory of inference, batch 1", side=side, precision=precision, mode=mode, peak_mib=mib)
            for side, precision, mode, mib in results]


def run(args, setting, results):
    """Adds to results row by row, so that a run cut short keeps what it has."""
    batches = [int(b) for b in args.batches.split(",")]
    jobs = [("unet", lambda: inference(args, setting, "unet", batches, "UNet step")),
            ("vq", lambda: inference(args, setting, "encode", [1], "VQ encode")),
            ("vq", lambda: inference(args, setting, "decode", [1], "VQ decode")),
            ("train", lambda: training(args, setting, "train_unet", "UNet training step")),
            ("train", lambda: training(args, setting, "train_vq", "VQ-VAE training step")),
            ("cold", lambda: cold(args, setting)), ("memory", lambda: memory(args, setting))]
    for row, job in jobs:
        if row in args.rows.split(","):
            try:
                results += job()
            except Exception as error:  # the other rows still count
                say(f"{row}: {type(error).__name__}: {error}")
