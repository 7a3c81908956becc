#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""torch tensors in and out of the Python package, its numbers against diffusers; see run.sh beside it."""
import os
import pathlib
import sys
import tempfile

import numpy as np
import torch
from diffusers import DDIMScheduler, LDMPipeline, UNet2DModel, VQModel
from diffusers.utils import logging

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/golden"))
sys.path.insert(0, str(ROOT / "bindings/python"))
os.environ.setdefault("MDLDM_BACKEND_DIR", str(ROOT / "build/backends"))
import mdldm  # noqa: E402
from golden_common import randomise  # noqa: E402

TOLERANCE = 6e-6  # of the largest value. Observed: 1.6e-6
failures = []


def report(what, got, want, tolerance=TOLERANCE):
    got, want = torch.as_tensor(got).double(), torch.as_tensor(want).double()
    error = float("inf") if got.shape != want.shape else ((got - want).abs().max() / want.abs().max()).item()
    print(f"  {what}: largest difference {error:.1e} (tolerance {tolerance:.0e}){'' if error <= tolerance else '  FAILED'}")
    if not error <= tolerance:
        failures.append(what)


def expect(what, good):
    print(f"  {what}: {'yes' if good else 'no  FAILED'}")
    if not good:
        failures.append(what)


class Recorder(mdldm.Context):
    """Notes the addresses that calls get."""

    seen = ()

    def call(self, name, *arguments):
        self.seen = [a for a in arguments if isinstance(a, int)]
        super().call(name, *arguments)


def pipeline(folder):
    vq = VQModel(down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
                 block_out_channels=(8, 16), norm_num_groups=4, num_vq_embeddings=32, sample_size=16,
                 scaling_factor=0.9)
    unet = UNet2DModel(sample_size=8, block_out_channels=(16, 32), layers_per_block=2, norm_num_groups=8,
                       down_block_types=("DownBlock2D", "AttnDownBlock2D"),
                       up_block_types=("AttnUpBlock2D", "UpBlock2D"), num_class_embeds=4)
    randomise(vq, 90).eval()
    randomise(unet, 91).eval()
    scheduler = DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False)
    LDMPipeline(vqvae=vq, unet=unet, scheduler=scheduler).save_pretrained(folder)
    return vq, unet, scheduler


def check_tensors(model, latent):
    print("tensors")
    context = Recorder()
    expected = model.decode(latent.numpy())
    for what, tensor, copied in (("a tensor", latent, False),
                                 ("a tensor that needs a gradient", latent.clone().requires_grad_(), False),
                                 ("a tensor of doubles", latent.double(), True),
                                 ("a tensor in channels_last", latent.to(memory_format=torch.channels_last), True)):
        result = model.decode(tensor, context)
        expect(f"{what} goes in {'converted' if copied else 'without a copy'}",
               (tensor.data_ptr() in context.seen) != copied and (result == expected).all())
    half = latent.to(torch.bfloat16)
    expect("bfloat16 is widened", (model.decode(half) == model.decode(half.float())).all())
    out = torch.empty(expected.shape)
    expect("a tensor as output", model.decode(latent, context, out=out) is out and out.data_ptr() in context.seen
           and (out.numpy() == expected).all())
    pictures = (torch.rand((2, 16, 16, 3)) * 255).to(torch.uint8)
    expect("uint8 pictures", (model.encode(pictures) == model.encode(pictures.numpy())).all())
    expect("labels and timesteps", (model.predict(latent, torch.tensor([3, 5, 7]), torch.tensor([0, 1, 2])) ==
                                    model.predict(latent.numpy(), [3, 5, 7], [0, 1, 2])).all())
    shared = torch.from_numpy(model.decode(latent))
    expect("results become tensors without a copy", shared.shape == expected.shape)
    with mdldm.Sampler(model, num_inference_steps=torch.tensor(4), guidance_scale=torch.tensor(1.0)) as sampler:
        expect("options from tensors", len(sampler) == 4)


@torch.no_grad()
def check_numbers(model, vq, unet, scheduler, latent):
    print("numbers against diffusers")
    scale = vq.config.scaling_factor
    pixels = torch.rand((3, 3, 16, 16), generator=torch.Generator().manual_seed(1)) * 2 - 1
    code = vq.encode(pixels).latents
    report("encode", model.encode(pixels), code * scale)
    expect("codes", (model.quantize(code * scale)[1].reshape(-1) == vq.quantize(code)[2][2].numpy()).all())
    report("decode", model.decode(code * scale), vq.decode(code).sample)
    labels = torch.tensor([0, 2, 3])
    for t in (0, 500, 999):
        report(f"predict at {t}", model.predict(latent, t, labels), unet(latent, t, class_labels=labels).sample)
    scheduler.set_timesteps(10)
    theirs, mixed, ours = latent, latent, latent.numpy()
    with mdldm.Sampler(model, scheduler="ddim", num_inference_steps=10) as sampler:
        for step, t in enumerate(scheduler.timesteps):
            theirs = scheduler.step(unet(theirs, t, class_labels=labels).sample, t, theirs).prev_sample
            prediction = torch.from_numpy(model.predict(mixed, t, labels))
            mixed = scheduler.step(prediction, t, mixed).prev_sample
            ours = sampler.step(ours, step, labels)
    report("ten steps, ours", ours, theirs)
    report("ten steps, our UNet in diffusers' scheduler", mixed, theirs)


@torch.no_grad()
def check_saved(work):
    print("trained in Python, loaded by diffusers")
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (8, 32, 32, 3), np.uint8)
    with mdldm.Dataset.from_arrays(torch.from_numpy(images), ["a", "b"] * 4, resolution=32) as data:
        vq = mdldm.Model.create(preset="tiny", resolution=32, components="autoencoder")
        mdldm.Trainer("autoencoder", vq, data, max_train_steps=3, train_batch_size=4).fit(progress=False)
        vq.save(work / "vq")
        model = mdldm.Model.create(preset="tiny", resolution=32, vae_path=work / "vq", num_classes=2)
        mdldm.Trainer("diffusion", model, data, max_train_steps=3, train_batch_size=4).fit(progress=False)
        model.save(work / "model")
    peer = VQModel.from_pretrained(work / "model/vqvae").eval()
    unet = UNet2DModel.from_pretrained(work / "model/unet").eval()
    pixels = torch.from_numpy(mdldm.to_pixels(images[:2]))
    latent = peer.encode(pixels).latents * peer.config.scaling_factor
    report("encode", model.encode(pixels), latent)
    report("predict", model.predict(latent, 300, [0, 1]), unet(latent, 300, class_labels=torch.tensor([0, 1])).sample)


def main():
    logging.disable_progress_bar()
    with tempfile.TemporaryDirectory(prefix="mdldm-interop-") as folder, mdldm.Context(threads=1):
        work = pathlib.Path(folder)
        vq, unet, scheduler = pipeline(work / "peer")
        model = mdldm.Model.load(work / "peer")
        latent = torch.randn((3, 3, 8, 8), generator=torch.Generator().manual_seed(2))
        check_tensors(model, latent)
        check_numbers(model, vq, unet, scheduler, latent)
        check_saved(work)
    if failures:
        sys.exit(f"{len(failures)} checks failed: {', '.join(failures)}")
    print("the Python package agrees with diffusers")


if __name__ == "__main__":
    main()
