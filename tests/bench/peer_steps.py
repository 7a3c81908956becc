#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Steps of this library and of PyTorch + diffusers, side by side in one run, on one preset.

    python tests/bench/peer_steps.py --preset small --resolution 256 --batch 4 [--rounds 7]

Needs torch, diffusers, numpy and a built tree. Both get the same configuration, threads and batch; the
two take turns, so that a noisy machine hits both. Printed: medians, spread (min..max) and the ratio."""
import argparse
import ctypes
import json
import os
import statistics
import subprocess
import tempfile
import time

import numpy
import torch
from diffusers import UNet2DModel, VQModel

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Library:
    def __init__(self, threads):
        self.lib = ctypes.CDLL(os.path.join(ROOT, "lib", "libmdldm.so.0"))
        self.lib.mdldm_context_error.restype = ctypes.c_char_p
        self.ctx = ctypes.c_void_p()
        self.lib.mdldm_context_create(ctypes.byref(self.ctx))
        self.call("mdldm_context_set_threads", ctypes.c_int32(threads))
        self.call("mdldm_context_use_backend", b"cpu")

    def call(self, name, *args):
        if getattr(self.lib, name)(self.ctx, *args) != 0:
            raise RuntimeError(self.lib.mdldm_context_error(self.ctx).decode())

    def options(self, **values):
        handle = ctypes.c_void_p()
        self.call("mdldm_options_create", ctypes.byref(handle))
        for key, value in values.items():
            self.call("mdldm_options_parse", handle, key.encode(), str(value).encode())
        return handle

    def make(self, function, *args):
        handle = ctypes.c_void_p()
        self.call(function, *args, ctypes.byref(handle))
        return handle


def turns(rounds, **functions):
    """Median, min and max seconds of each, one call of each a round after one warm-up."""
    times = {name: [] for name in functions}
    for turn in range(rounds + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if turn > 0:
                times[name].append(time.perf_counter() - start)
    return {name: (statistics.median(t), min(t), max(t)) for name, t in times.items()}


def report(title, times):
    ours = times.pop("mdldm")
    print(f"{title:34} mdldm {ours[0]:.3f} s ({ours[1]:.3f}..{ours[2]:.3f})", end="")
    for name, t in times.items():
        print(f"   {name} {t[0]:.3f} s ({t[1]:.3f}..{t[2]:.3f}), {t[0] / ours[0]:.2f}x", end="")
    print(flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--preset", default="small")
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    library = Library(args.threads)
    common = dict(preset=args.preset, resolution=args.resolution, train_batch_size=args.batch, seed=1,
                  learning_rate=1e-4, lr_warmup_steps=0, validation_fraction=0, kmeans_start=0,
                  restart_dead_codes=0, max_train_steps=1000000)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([os.path.join(ROOT, "build", "bin", "mdldm-simulate"), "--output_dir", folder + "/data",
                        "--persons", "2", "--images_per_person", "8", "--resolution", str(args.resolution),
                        "--quiet"], check=True)
        options = library.options(**common, num_classes=2)
        data = library.make("mdldm_dataset_open", (folder + "/data").encode(), options)
        model = library.make("mdldm_model_create", options)
        library.call("mdldm_model_save", model, (folder + "/model").encode())
        vq = VQModel.from_pretrained(folder + "/model/vqvae")
        unet = UNet2DModel.from_pretrained(folder + "/model/unet")
        factor = 2 ** (len(vq.config.block_out_channels) - 1)
        side, channels, n = args.resolution // factor, vq.config.latent_channels, args.batch
        pixels = torch.randn(n, 3, args.resolution, args.resolution).clamp(-1, 1)
        latents, noise = torch.randn(n, channels, side, side), torch.randn(n, channels, side, side)
        labels, t = torch.zeros(n, dtype=torch.long), torch.full((n,), 500, dtype=torch.long)

        def vq_step(optimizer, autocast):
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                h = vq.encode(pixels).latents
                quantized, loss, _ = vq.quantize(h)
                decoded = vq.decoder(vq.post_quant_conv(quantized))
            difference = decoded.float() - pixels
            (difference.abs().mean() + difference.square().mean() + loss).backward()
            torch.nn.utils.clip_grad_norm_(vq.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

        def unet_step(optimizer, autocast):
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                predicted = unet(latents, t, class_labels=labels).sample
            torch.nn.functional.mse_loss(predicted.float(), noise).backward()
            torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

        print(json.dumps({"preset": args.preset, "resolution": args.resolution, "batch": n,
                          "threads": args.threads, "torch": torch.__version__}))
        for stage, peer, step in ((1, vq, vq_step), (2, unet, unet_step)):
            optimizer = torch.optim.AdamW(peer.parameters(), lr=1e-4)
            for precision in ("no", "bf16"):
                trainer = library.make("mdldm_trainer_create", ctypes.c_int(stage), model, data,
                                       library.options(**common, mixed_precision=precision))
                result = turns(args.rounds, mdldm=lambda: library.call("mdldm_trainer_step", trainer),
                               torch=lambda: step(optimizer, precision == "bf16"))
                report(f"train stage {stage}, precision {precision}", result)
                library.lib.mdldm_trainer_free(trainer)
        array = latents.numpy().copy()
        output = numpy.zeros_like(array)
        times, classes = numpy.full(n, 500, numpy.int64), numpy.zeros(n, numpy.int64)
        pointer = lambda a: a.ctypes.data_as(ctypes.c_void_p)
        for precision in ("f32", "bf16"):
            library.call("mdldm_context_set_precision", precision.encode())

            def ours():
                library.call("mdldm_predict", model, pointer(array), ctypes.c_int64(n), ctypes.c_int64(side),
                             ctypes.c_int64(side), pointer(times), pointer(classes), pointer(output),
                             ctypes.c_size_t(output.size))

            def theirs():
                with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                    unet(latents, t, class_labels=labels)

            report(f"denoise step, precision {precision}", turns(args.rounds, mdldm=ours, torch=theirs))


if __name__ == "__main__":
    main()
