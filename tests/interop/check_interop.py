#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Models trained by our programs give the same images in diffusers, and models saved by diffusers give
the same images here. Prints the largest pixel difference of each comparison; see run.sh beside it."""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from ctypes import c_int32

import numpy as np
import torch
from diffusers import (AutoencoderKL, DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler,
                       EulerDiscreteScheduler, FlowMatchEulerDiscreteScheduler,
                       FlowMatchHeunDiscreteScheduler, LDMPipeline, LMSDiscreteScheduler, PNDMScheduler, UNet2DModel,
                       VQModel)
from diffusers.utils import logging

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/golden"))
from golden_common import randomise, round_weights, save_model  # noqa: E402
import check_training  # noqa: E402
from library import Library  # noqa: E402

# Of pixels in [-1, 1], and of the largest latent; an 8-bit step is 8e-3. Observed: 3.9e-6 (AVX2; AVX-512 2.7e-6,
# SSE 3.1e-6, reference 2.5e-6); decoding at full size 7.1e-6.
TOLERANCE, FULL_SIZE = 1.5e-5, 2.8e-5
FLOW_FLAGS = ("--prediction_type", "flow_prediction", "--weighting_scheme", "logit_normal", "--flow_shift", 2)
FLOW = (FlowMatchEulerDiscreteScheduler, FlowMatchHeunDiscreteScheduler)
failures = []


def report(what, got, want, tolerance=TOLERANCE):
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    difference = np.inf
    if got.shape == want.shape:
        difference = np.abs(got - want).max() / max(1.0, np.abs(want).max())
    good = difference <= tolerance
    print(f"  {what}: largest difference {difference:.1e} (tolerance {tolerance:.1e}){'' if good else '  FAILED'}")
    if not good:
        failures.append(what)


def report_equal(what, got, want):
    different = int((np.asarray(got) != np.asarray(want)).sum())
    print(f"  {what}: {different} different{'  FAILED' if different else ''}")
    if different:
        failures.append(what)


def run_program(name, *arguments):
    command = [str(ROOT / "build/bin" / name), *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")


def noise_of(shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def denoise(unet, scheduler, latent, steps, labels, ddpm, guidance=1.0):
    """The plain diffusers loop; DDPM's noise of step k comes from a generator seeded with k. With guidance
    the last row of the class embedding is the unconditional one."""
    scheduler.set_timesteps(steps)
    flow = isinstance(scheduler, FLOW)  # neither scales what the model sees
    latent = latent * (1.0 if flow else scheduler.init_noise_sigma)
    noises = []
    for k, t in enumerate(scheduler.timesteps):
        seen = latent if flow else scheduler.scale_model_input(latent, t)
        output = unet(seen, t, class_labels=labels).sample
        if guidance != 1.0:
            nobody = torch.full_like(labels, unet.config.num_class_embeds - 1)
            free = unet(seen, t, class_labels=nobody).sample
            output = free + guidance * (output - free)
        if ddpm:
            noises.append(noise_of(latent.shape, k).numpy())
            latent = scheduler.step(output, t, latent, generator=torch.Generator().manual_seed(k)).prev_sample
        else:
            latent = scheduler.step(output, t, latent).prev_sample
    return latent, noises


@torch.no_grad()
def compare_autoencoder(lib, model, peer, resolution, tolerance=TOLERANCE):
    scale, shift = peer.config.scaling_factor, getattr(peer.config, "shift_factor", None) or 0.0
    pixels = torch.rand((2, peer.config.in_channels, resolution, resolution),
                        generator=torch.Generator().manual_seed(7)) * 2 - 1
    if isinstance(peer, VQModel):
        latent = peer.encode(pixels).latents
        codes = peer.quantize(latent)[2][2].reshape(latent.shape[0], *latent.shape[2:])
    else:
        latent = peer.encode(pixels).latent_dist.mode()
    scaled = ((latent - shift) * scale).numpy()
    report("encode", lib.encode(model, pixels.numpy()), scaled, tolerance)
    if isinstance(peer, VQModel):
        report_equal("codes", lib.codes(model, scaled), codes)
    report("decode", lib.decode(model, scaled), peer.decode(latent).sample.numpy(), tolerance)


@torch.no_grad()
def compare_unet(lib, model, peer, side, classes):
    n = 3
    latent = noise_of((n, peer.config.in_channels, side, side), 8)
    timesteps, labels = [1, 500, 999], [k % classes for k in range(n)] if classes else None
    want = peer(latent, torch.tensor(timesteps),
                class_labels=None if labels is None else torch.tensor(labels)).sample
    report("predict", lib.predict(model, latent.numpy(), timesteps, labels), want.numpy())


@torch.no_grad()
def compare_images(lib, model, unet, autoencoder, scheduler_folder, side, classes, every=False, flow=False):
    """From the same noise to the same images, by DDIM and DDPM, or by every scheduler that the stored config
    may be given to."""
    latent = noise_of((2, unet.config.in_channels, side, side), 9)
    labels = [k % classes for k in range(2)] if classes else None
    tensor_labels = None if labels is None else torch.tensor(labels)
    scale, shift = autoencoder.config.scaling_factor, getattr(autoencoder.config, "shift_factor", None) or 0.0
    kinds = [("ddim", DDIMScheduler), ("ddpm", DDPMScheduler)]
    if every:
        kinds += [("dpmsolver++", DPMSolverMultistepScheduler), ("euler", EulerDiscreteScheduler),
                  ("lms", LMSDiscreteScheduler), ("pndm", PNDMScheduler)]
    if flow:
        kinds = [("flow_euler", FLOW[0]), ("flow_heun", FLOW[1])]
    for name, kind in kinds:
        scheduler = kind.from_pretrained(scheduler_folder)
        want, noises = denoise(unet, scheduler, latent, 10, tensor_labels, name == "ddpm")
        start = latent.numpy() * (1.0 if flow else float(scheduler.init_noise_sigma))
        got = lib.sample(model, start, labels, noises or None, scheduler=name, num_inference_steps=10)
        report(f"{name} latents", got, want.numpy())
        images = autoencoder.decode(want / scale + shift).sample
        report(f"{name} images", lib.decode(model, got), images.numpy())


def ours_to_diffusers(lib, work, flags):
    print("trained here, loaded by diffusers")
    data, stage1 = work / "data", work / "vq"
    run_program("mdldm-simulate", "--output_dir", data, "--persons", 2, "--images_per_person", 12,
                "--resolution", 64, *flags)
    common = (*flags, "--train_data_dir", data, "--resolution", 64, "--train_batch_size", 4, "--lr_warmup_steps", 2,
              "--checkpointing_steps", 0, "--save_images_epochs", 0, "--save_model_epochs", 0, "--seed", 5)
    run_program("mdldm-train-vqvae", *common, "--output_dir", stage1, "--preset", "tiny",
                "--max_train_steps", 30, "--learning_rate", "1e-3")
    for name, extra in (("conditional", ()), ("unconditional", ("--unconditional",)), ("flow", FLOW_FLAGS)):
        folder = work / name
        run_program("mdldm-train", *common, "--output_dir", folder, "--vae_path", stage1, "--preset", "tiny",
                    "--max_train_steps", 20, "--use_ema", *extra)
        print(f" {name}")
        vqvae = VQModel.from_pretrained(folder / "vqvae").eval()
        unet = UNet2DModel.from_pretrained(folder / "unet").eval()
        model = lib.load(folder)
        classes, side = lib.fact(model, "num_classes"), lib.fact(model, "sample_size")
        compare_autoencoder(lib, model, vqvae, 64)
        compare_unet(lib, model, unet, side, classes)
        compare_images(lib, model, unet, vqvae, folder / "scheduler", side, classes, flow=name == "flow")
        if name == "flow":
            LDMPipeline.from_pretrained(folder)
        elif classes:
            noise, labels = noise_of((2, unet.config.in_channels, side, side), 11), [1, 0]
            want, _ = denoise(unet, DDIMScheduler.from_pretrained(folder / "scheduler"), noise, 10,
                              torch.tensor(labels), False, guidance=2.5)
            got = lib.sample(model, noise.numpy(), labels, None, scheduler="ddim", num_inference_steps=10,
                             guidance_scale=2.5)
            report("guided latents", got, want.numpy())
        else:
            pipeline = LDMPipeline.from_pretrained(folder)
            pipeline.set_progress_bar_config(disable=True)
            pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
            images = pipeline(2, torch.Generator().manual_seed(10), num_inference_steps=5, output_type="np",
                              return_dict=False)[0]
            noise = noise_of((2, unet.config.in_channels, side, side), 10).numpy()
            latent = lib.sample(model, noise, None, None, scheduler="ddim", num_inference_steps=5)
            pixels = (lib.decode(model, latent) / 2 + 0.5).clip(0, 1).transpose(0, 2, 3, 1)
            report("LDMPipeline's own images", pixels, images)
        lib.free_model(model)


def one_channel_to_diffusers(lib, work, flags):
    """Models of one channel: the pictures of ours_to_diffusers with their colours undone."""
    print("trained here on one channel, loaded by diffusers")
    stage1, folder = work / "vq1", work / "grey"
    common = (*flags, "--train_data_dir", work / "data", "--resolution", 64, "--train_batch_size", 4,
              "--lr_warmup_steps", 2, "--checkpointing_steps", 0, "--save_images_epochs", 0, "--save_model_epochs", 0,
              "--image_mode", "L", "--colormap", "jet", "--db_floor", -38, "--db_ceiling", 0)
    run_program("mdldm-train-vqvae", *common, "--output_dir", stage1, "--preset", "tiny", "--max_train_steps", 10,
                "--learning_rate", "1e-3")
    run_program("mdldm-train", *common, "--output_dir", folder, "--vae_path", stage1, "--preset", "tiny",
                "--max_train_steps", 5)
    vqvae = VQModel.from_pretrained(folder / "vqvae").eval()
    unet = UNet2DModel.from_pretrained(folder / "unet").eval()
    model = lib.load(folder)
    report_equal("channels", np.array([lib.fact(model, "image_channels")]), torch.tensor([vqvae.config.in_channels]))
    compare_autoencoder(lib, model, vqvae, 64)
    compare_images(lib, model, unet, vqvae, folder / "scheduler", lib.fact(model, "sample_size"), 2)
    lib.free_model(model)


def tiny_vq():
    return VQModel(down_block_types=("DownEncoderBlock2D", "AttnDownEncoderBlock2D"),
                   up_block_types=("AttnUpDecoderBlock2D", "UpDecoderBlock2D"), block_out_channels=(8, 16),
                   norm_num_groups=4, num_vq_embeddings=32, sample_size=16, scaling_factor=0.9)


def tiny_kl():
    return AutoencoderKL(down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
                         block_out_channels=(8, 16), norm_num_groups=4, sample_size=16, latent_channels=3)


def tiny_unet(classes):
    return UNet2DModel(sample_size=8, block_out_channels=(16, 32), layers_per_block=2, norm_num_groups=8,
                       down_block_types=("DownBlock2D", "AttnDownBlock2D"),
                       up_block_types=("AttnUpBlock2D", "UpBlock2D"), num_class_embeds=classes)


def diffusers_to_ours(lib, work):
    print("saved by diffusers, loaded here")
    cases = {
        "F32 pipeline": dict(dtype=torch.float32),
        "BF16 weights": dict(dtype=torch.bfloat16),
        "F16 weights": dict(dtype=torch.float16),
        "sharded": dict(dtype=torch.float32, shard_size="100KB"),
        "old attention names": dict(dtype=torch.float32, old_attention=True),
        "AutoencoderKL, classes": dict(dtype=torch.float32, kl=True, classes=4),
    }
    for number, (name, how) in enumerate(cases.items()):
        print(f" {name}")
        folder = work / f"peer-{number}"
        kl, classes = how.pop("kl", False), how.pop("classes", None)
        autoencoder, unet = tiny_kl() if kl else tiny_vq(), tiny_unet(classes)
        for seed, part in ((60 + number, autoencoder), (70 + number, unet)):
            randomise(part, seed).eval()
            round_weights(part, how["dtype"])
        scheduler = DDPMScheduler(beta_schedule="scaled_linear", clip_sample=False)
        component = "vae" if kl else "vqvae"
        if kl:  # no pipeline class of diffusers joins these two
            folder.mkdir()
            index = {"_class_name": "LDMPipeline", "_diffusers_version": "0.42.1",
                     component: ["diffusers", type(autoencoder).__name__],
                     "unet": ["diffusers", "UNet2DModel"], "scheduler": ["diffusers", "DDPMScheduler"]}
            (folder / "model_index.json").write_text(json.dumps(index, indent=2))
            scheduler.save_pretrained(folder / "scheduler")
        else:
            LDMPipeline(vqvae=autoencoder, unet=unet, scheduler=scheduler).save_pretrained(folder)
            shutil.rmtree(folder / component)
            shutil.rmtree(folder / "unet")
        save_model(autoencoder, folder / component, **how)
        save_model(unet, folder / "unet", **how)
        model = lib.load(folder)
        compare_autoencoder(lib, model, autoencoder, 16)
        compare_unet(lib, model, unet, 8, classes)
        compare_images(lib, model, unet, autoencoder, folder / "scheduler", 8, classes, every=number == 0)
        # Saved again by us: diffusers reads the very same weights.
        again = work / f"again-{number}"
        lib.save(model, again)
        lib.free_model(model)
        for part, kind, folder_name in ((autoencoder, type(autoencoder), component), (unet, UNet2DModel, "unet")):
            state = kind.from_pretrained(again / folder_name).state_dict()
            different = [key for key, value in part.state_dict().items()
                         if not torch.equal(state[key].float(), value)]
            report_equal(f"tensors of {folder_name} after our save", len(different), 0)


@torch.no_grad()
def full_size(lib, work):
    """The largest preset's own shapes: kernels choose other paths there than for tiny models."""
    print("the ldm-256 architecture, random weights by diffusers")
    vqvae = VQModel(down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
                    block_out_channels=(128, 256, 512), layers_per_block=2, sample_size=256,
                    num_vq_embeddings=8192, scaling_factor=0.9)
    unet = UNet2DModel(sample_size=64)
    for seed, part, folder in ((81, vqvae, work / "full-vq"), (82, unet, work / "full-unet")):
        randomise(part, seed, gain=1.0).eval()
        if part is vqvae:  # codes among the latents, not far outside of them
            latent = part.encode(torch.rand((1, 3, 64, 64)) * 2 - 1).latents
            part.quantize.embedding.weight.mul_(latent.std()).add_(latent.mean())
        part.save_pretrained(folder)
        model = lib.load(folder)
        if part is vqvae:
            compare_autoencoder(lib, model, part, 256, FULL_SIZE)
        else:
            compare_unet(lib, model, part, 64, None)
        lib.free_model(model)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", default="auto", help="backend of the library (default: auto)")
    parser.add_argument("--threads", type=int, default=0, help="compute threads (default: all processors)")
    parser.add_argument("--keep", action="store_true", help="keep the working folder and name it")
    parser.add_argument("--full-size", action="store_true", help="also the largest preset's shapes (some GB)")
    arguments = parser.parse_args()
    logging.disable_progress_bar()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    os.environ.setdefault("MDLDM_BACKEND_DIR", str(ROOT / "build/backends"))
    lib = Library(str(ROOT / "lib/libmdldm.so.0"), arguments.backend)
    lib.call("context_set_threads", c_int32(arguments.threads))
    print(f"backend {lib.lib.mdldm_context_backend(lib.ctx).decode()}")
    work = pathlib.Path(tempfile.mkdtemp(prefix="mdldm-interop-"))
    try:
        diffusers_to_ours(lib, work)
        ours_to_diffusers(lib, work, ("--backend", arguments.backend, "--threads", arguments.threads))
        one_channel_to_diffusers(lib, work, ("--backend", arguments.backend, "--threads", arguments.threads))
        check_training.check(lib, work, report)
        if arguments.full_size:
            full_size(lib, work)
            check_training.check(lib, work, report, preset="small", resolution=128)
    finally:
        if arguments.keep:
            print(f"kept {work}")
        else:
            shutil.rmtree(work)
    if failures:
        sys.exit(f"{len(failures)} comparisons failed: {', '.join(failures)}")
    print("all comparisons within their tolerance")


if __name__ == "__main__":
    main()
