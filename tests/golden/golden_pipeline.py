# SPDX-License-Identifier: MIT
"""A whole LDMPipeline directory (VQModel, UNet2DModel, DDIMScheduler) and the images that it makes from
given noise."""
import torch
from diffusers import DDIMScheduler, LDMPipeline, UNet2DModel, VQModel

from golden_autoencoder import choose_codebook
from golden_common import DATA, randomise, relative, round_weights, save_case

STEPS = 4


def generate(pipeline, noise):
    """LDMPipeline.__call__ from its noise on, without its clamp: latents and pixels."""
    scheduler = pipeline.scheduler
    scheduler.set_timesteps(STEPS)
    latent = noise * scheduler.init_noise_sigma
    outputs, latents = [], []
    for t in scheduler.timesteps:
        outputs.append(pipeline.unet(scheduler.scale_model_input(latent, t), t).sample)
        latent = scheduler.step(outputs[-1], t, latent, eta=0.0).prev_sample
        latents.append(latent)
    pixels = pipeline.vqvae.decode(latent / pipeline.vqvae.config.scaling_factor).sample
    return torch.stack(latents), pixels


@torch.no_grad()
def make():
    torch.manual_seed(41)
    vqvae = VQModel(down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
                    block_out_channels=(4, 4, 8), norm_num_groups=2, num_vq_embeddings=8, sample_size=16,
                    scaling_factor=1.3)
    unet = UNet2DModel(sample_size=4, block_out_channels=(4, 8), layers_per_block=1, norm_num_groups=4,
                       down_block_types=("DownBlock2D", "AttnDownBlock2D"),
                       up_block_types=("AttnUpBlock2D", "UpBlock2D"))
    scheduler = DDIMScheduler(beta_start=0.0015, beta_end=0.0195, beta_schedule="scaled_linear",
                              clip_sample=False)
    for seed, model in ((42, vqvae), (43, unet)):
        randomise(model, seed).eval()
        round_weights(model, torch.bfloat16)
    pipeline = LDMPipeline(vqvae=vqvae, unet=unet, scheduler=scheduler)
    pipeline.set_progress_bar_config(disable=True)
    noise = torch.randn((2, 3, 4, 4), generator=torch.Generator().manual_seed(44))
    latents, _ = generate(pipeline, noise)
    book, margin = choose_codebook(latents[-1] / vqvae.config.scaling_factor, 8, 45)
    vqvae.quantize.embedding.weight.copy_(book.bfloat16().float())
    latents, pixels = generate(pipeline, noise)
    # The pipeline itself draws its noise from a generator: the same images, up to its clamp.
    drawn = torch.randn((2, 3, 4, 4), generator=torch.Generator().manual_seed(46))
    images = torch.from_numpy(pipeline(2, torch.Generator().manual_seed(46), num_inference_steps=STEPS,
                                       output_type="np", return_dict=False)[0]).permute(0, 3, 1, 2)
    assert torch.allclose(images, (generate(pipeline, drawn)[1] / 2 + 0.5).clamp(0, 1), atol=1e-6)
    exact = LDMPipeline(vqvae=vqvae.double(), unet=unet.double(), scheduler=scheduler)
    exact_latents, exact_pixels = generate(exact, noise.double())
    facts = {"drift.latents": relative(latents, exact_latents), "drift.pixels": relative(pixels, exact_pixels),
             "margin": margin, "steps": STEPS}
    folder = DATA / "pipeline"
    pipeline.to(torch.bfloat16).save_pretrained(folder)
    save_case(folder, {"noise": noise, "latents": latents, "pixels": pixels}, facts)
