# SPDX-License-Identifier: MIT
"""UNet2DModel: outputs at several timesteps and labels, and all gradients of one training step."""
import copy

import torch
from diffusers import DDPMScheduler, UNet2DModel

from golden_common import (DATA, flat, gradient_error, gradients, randomise, relative, round_weights,
                           save_case, save_model)

B32, B16, F16 = torch.float32, torch.bfloat16, torch.float16
CASES = {
    # UNet2DModel's own block types at a fiftieth of the width; class labels
    "unet_default": dict(
        config=dict(sample_size=8, block_out_channels=(4, 8, 8, 8), norm_num_groups=4,
                    layers_per_block=1, num_class_embeds=5),
        shape=(3, 3, 8, 8), timesteps=[0, 437, 999], labels=[4, 0, 2], dtype=B16, seed=31,
        prediction="epsilon"),
    # Fourier features, scale and shift, resnets that resample; no norm in the middle attention
    "unet_fourier": dict(
        config=dict(sample_size=8, block_out_channels=(8, 8), norm_num_groups=4, layers_per_block=1,
                    down_block_types=("AttnDownBlock2D", "DownBlock2D"),
                    up_block_types=("UpBlock2D", "AttnUpBlock2D"), time_embedding_type="fourier",
                    resnet_time_scale_shift="scale_shift", downsample_type="resnet",
                    upsample_type="resnet", attention_head_dim=None),
        shape=(2, 3, 8, 8), timesteps=[2, 61], labels=None, dtype=F16, seed=32, prediction="epsilon"),
    # the same embedding for time and class, v-prediction, centred input, its own norm in the middle,
    # per-image weights of the loss, scaled middle; blocks not mirrored
    "unet_class_timestep": dict(
        config=dict(sample_size=8, block_out_channels=(4, 4, 8), norm_num_groups=4, layers_per_block=1,
                    down_block_types=("AttnDownBlock2D", "ResnetDownsampleBlock2D", "DownBlock2D"),
                    up_block_types=("AttnUpBlock2D", "ResnetUpsampleBlock2D", "UpBlock2D"),
                    resnet_time_scale_shift="scale_shift", downsample_type="resnet",
                    upsample_type="resnet", attention_head_dim=4, attn_norm_num_groups=2,
                    class_embed_type="timestep", center_input_sample=True,
                    mid_block_scale_factor=1.5),
        shape=(3, 3, 8, 12), timesteps=[5, 250, 990], labels=[3, 0, 7], dtype=B16, seed=33,
        prediction="v_prediction", weights=[1.0, 0.25, 2.5]),
    # no attention at all; the other order and shift of the sinusoids, asymmetric padding, another
    # epsilon, scaled middle, more channels in than out, oblong, an odd size in the middle
    "unet_plain": dict(
        config=dict(sample_size=(6, 10), in_channels=4, out_channels=2, block_out_channels=(6, 9),
                    norm_num_groups=3, layers_per_block=1, down_block_types=("DownBlock2D",) * 2,
                    up_block_types=("UpBlock2D",) * 2, add_attention=False, flip_sin_to_cos=False,
                    freq_shift=1, downsample_padding=0, mid_block_scale_factor=2, norm_eps=1e-3,
                    time_embedding_dim=20),
        shape=(2, 4, 6, 10), timesteps=[17, 801], labels=None, dtype=B32, seed=34, prediction=None,
        shards="32KB"),
    # one level, an odd size, no middle, dropout (idle in evaluation), four classes; two heads of three
    # do not fill the eight channels
    "unet_one_level": dict(
        config=dict(block_out_channels=(8,), norm_num_groups=2, layers_per_block=2,
                    down_block_types=("AttnDownBlock2D",), up_block_types=("AttnUpBlock2D",),
                    attention_head_dim=3, dropout=0.1, num_class_embeds=4, mid_block_type=None),
        shape=(1, 3, 7, 5), timesteps=[333], labels=[3], dtype=F16, seed=35, prediction="sample"),
}


def loss_of(output, target, weights):
    """1/n sum_n weight[n] * mean((output - target)^2)."""
    per_image = ((output - target) ** 2).mean(dim=(1, 2, 3))
    return (weights * per_image).mean()


def run(model, sample, timesteps, labels, target, weights):
    model.zero_grad()
    output = model(sample, timesteps, class_labels=labels).sample
    loss = loss_of(output, target, weights)
    loss.backward()
    return dict(output=output, losses=loss.detach()[None]), gradients(model)


def make_unet(name, case):
    torch.manual_seed(case["seed"])
    model = randomise(UNet2DModel(**case["config"]), case["seed"]).eval()
    round_weights(model, case["dtype"])
    if model.config.class_embed_type == "timestep":  # diffusers leaves this projection in float32
        model.class_embedding.register_forward_pre_hook(
            lambda module, inputs: (inputs[0].to(module.linear_1.weight.dtype),))
    generator = torch.Generator().manual_seed(case["seed"])
    shape, n = case["shape"], case["shape"][0]
    timesteps = torch.tensor(case["timesteps"])
    labels = None if case["labels"] is None else torch.tensor(case["labels"])
    weights = torch.tensor(case.get("weights", [1.0] * n))
    tensors = {"timesteps": timesteps, "weights": weights}
    if labels is not None:
        tensors["labels"] = labels
    if case["prediction"]:  # the training step of a diffusion model
        clean, noise = torch.randn(shape, generator=generator), torch.randn(shape, generator=generator)
        scheduler = DDPMScheduler(beta_schedule="linear" if n > 2 else "scaled_linear")
        sample = scheduler.add_noise(clean, noise, timesteps)
        target = {"epsilon": noise, "sample": clean,
                  "v_prediction": scheduler.get_velocity(clean, noise, timesteps)}[case["prediction"]]
        tensors.update(clean=clean, noise=noise)
    else:
        sample = torch.randn(shape, generator=generator)
        target = torch.randn((n, case["config"]["out_channels"], *shape[2:]), generator=generator)
    tensors.update(sample=sample, target=target)
    out, grads = run(model, sample, timesteps, labels, target, weights)
    exact, exact_grads = run(copy.deepcopy(model).double(), sample.double(), timesteps, labels,
                             target.double(), weights.double())
    facts = {"drift.output": max(relative(a, b) for a, b in zip(out["output"], exact["output"])),
             "drift.grad": gradient_error(grads, exact_grads),
             "prediction": case["prediction"] or "", "beta_schedule": "linear" if n > 2 else "scaled_linear"}
    with torch.no_grad():
        low = copy.deepcopy(model).bfloat16()(sample.bfloat16(), timesteps, class_labels=labels).sample
    facts["bf16.output"] = max(relative(a, b) for a, b in zip(low, exact["output"]))
    folder = DATA / name
    save_model(model, folder, case["dtype"], shard_size=case.get("shards"))
    save_case(folder, {**tensors, **out, **flat(grads)}, facts)


def make():
    for name, case in CASES.items():
        make_unet(name, case)
