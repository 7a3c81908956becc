# SPDX-License-Identifier: MIT
"""A diffusers program as a user would write it: model directory to one PNG. Prints when each step ended.

    python peer_cold.py MODEL OUTPUT.png STEPS THREADS f32|bf16"""
import sys

import torch
from diffusers import DDIMScheduler, UNet2DModel, VQModel
from PIL import Image

model, output, steps, threads, precision = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
torch.set_num_threads(threads)
dtype = torch.bfloat16 if precision == "bf16" else torch.float32
unet = UNet2DModel.from_pretrained(model + "/unet", torch_dtype=dtype).to(memory_format=torch.channels_last)
vq = VQModel.from_pretrained(model + "/vqvae", torch_dtype=dtype).to(memory_format=torch.channels_last)
scheduler = DDIMScheduler.from_pretrained(model + "/scheduler")
scheduler.set_timesteps(steps)
side = unet.config.sample_size
generator = torch.Generator().manual_seed(1)
latent = torch.randn(1, unet.config.in_channels, side, side, generator=generator)
label = torch.zeros(1, dtype=torch.long) if unet.config.num_class_embeds else None
with torch.no_grad():
    for number, t in enumerate(scheduler.timesteps):
        predicted = unet(latent.to(dtype), t, class_labels=label).sample.float()
        latent = scheduler.step(predicted, t, latent).prev_sample
        print("step", number + 1, flush=True)
    pixels = vq.decode(latent.to(dtype) / vq.config.scaling_factor).sample.float()
pixels = ((pixels[0].permute(1, 2, 0) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
Image.fromarray(pixels.numpy()).save(output)
