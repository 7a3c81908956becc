# SPDX-License-Identifier: MIT
"""VQModel and AutoencoderKL: encode, codes, quantised latents, decode, and all gradients of one
training step."""
import copy

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, VQModel

from golden_common import (DATA, flat, gradient_error, gradients, randomise, relative, round_weights,
                           save_case, save_model)

VQ_CASES = {
    # mid attention, no other; the legacy order of the two quantiser terms
    "vq_plain": dict(
        config=dict(down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
                    block_out_channels=(8, 12), layers_per_block=1, latent_channels=3, sample_size=16,
                    num_vq_embeddings=10, norm_num_groups=4),
        shape=(2, 3, 12, 12), dtype=torch.bfloat16, seed=11,
        loss=dict(l1=1.0, l2=1.0, commitment=1.0, codebook=0.25)),
    # attention in the blocks, none in the middle, a codebook of another width, oblong images, half
    # precision file in the old spelling; beta on the commitment term
    "vq_attention": dict(
        config=dict(down_block_types=("DownEncoderBlock2D", "AttnDownEncoderBlock2D", "AttnDownEncoderBlock2D"),
                    up_block_types=("AttnUpDecoderBlock2D", "UpDecoderBlock2D", "AttnUpDecoderBlock2D"),
                    block_out_channels=(4, 4, 8), layers_per_block=2, latent_channels=3, sample_size=32,
                    num_vq_embeddings=12, norm_num_groups=2, vq_embed_dim=4, scaling_factor=0.7,
                    mid_block_add_attention=False, lookup_from_codebook=True),
        shape=(2, 3, 16, 24), dtype=torch.float16, old_attention=True, seed=12,
        loss=dict(l1=0.5, l2=2.0, commitment=0.25, codebook=1.0)),
    # one level (nothing is halved), grey images of an odd size
    "vq_one_level": dict(
        config=dict(in_channels=1, out_channels=1, down_block_types=("DownEncoderBlock2D",),
                    up_block_types=("UpDecoderBlock2D",), block_out_channels=(6,), layers_per_block=1,
                    latent_channels=2, sample_size=7, num_vq_embeddings=5, norm_num_groups=3),
        shape=(1, 1, 7, 5), dtype=torch.float32, seed=13,
        loss=dict(l1=0.0, l2=1.0, commitment=0.25, codebook=1.0)),
}

KL_CASES = {
    "kl_default": dict(
        config=dict(down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
                    block_out_channels=(4, 8), layers_per_block=1, latent_channels=4, sample_size=16,
                    norm_num_groups=4),
        shape=(2, 3, 12, 16), dtype=torch.bfloat16, seed=21),
    "kl_no_quant_conv": dict(
        config=dict(down_block_types=("AttnDownEncoderBlock2D", "DownEncoderBlock2D"),
                    up_block_types=("UpDecoderBlock2D", "AttnUpDecoderBlock2D"), block_out_channels=(4, 8),
                    layers_per_block=1, latent_channels=2, sample_size=16, norm_num_groups=2,
                    use_quant_conv=False, use_post_quant_conv=False, mid_block_add_attention=False,
                    scaling_factor=0.5, shift_factor=0.25),
        shape=(1, 3, 8, 16), dtype=torch.float32, seed=22),
}


def choose_codebook(latents, codes, seed):
    """Codes near the latents, chosen so that no latent lies near the border of two cells: float
    rounding, and bfloat16's as far as possible, must not change an assignment."""
    generator = torch.Generator().manual_seed(seed)
    z = latents.permute(0, 2, 3, 1).reshape(-1, latents.shape[1]).double()
    best, best_margin = None, -1.0
    for _ in range(20000):
        pick = torch.randint(0, z.shape[0], (codes,), generator=generator)
        book = z[pick] + 0.6 * z.std() * torch.randn(codes, z.shape[1], generator=generator)
        book = book.float()
        distance = torch.cdist(z, book.double())
        nearest = distance.topk(2, largest=False)
        used = nearest.indices[:, 0].unique().numel()
        margin = float((nearest.values[:, 1] - nearest.values[:, 0]).min() / z.std())
        if margin > best_margin and used >= min(5, codes - 1):
            best, best_margin = book, margin
    return best, best_margin


def vq_run(model, pixels, loss):
    """One training step: L = l1*mean|x-r| + l2*mean(x-r)^2 + commitment*mean(sg(e)-z)^2
    + codebook*mean(e-sg(z))^2, which is VQModel's own loss for (1, 0.25)."""
    model.zero_grad()
    latent = model.encode(pixels).latents
    straight, peer_loss, (_, _, codes) = model.quantize(latent)
    codes = codes.reshape(latent.shape[0], *latent.shape[2:])
    quantized = model.quantize.embedding(codes).permute(0, 3, 1, 2)
    decoded = model.decoder(model.post_quant_conv(straight))
    commitment = F.mse_loss(latent, quantized.detach())
    codebook = F.mse_loss(quantized, latent.detach())
    legacy = commitment + 0.25 * codebook
    assert abs((peer_loss - legacy).item()) <= 1e-5 * legacy.item(), "not the loss of VectorQuantizer"
    l1, l2 = (pixels - decoded).abs().mean(), F.mse_loss(decoded, pixels)
    total = (loss["l1"] * l1 + loss["l2"] * l2 + loss["commitment"] * commitment +
             loss["codebook"] * codebook)
    total.backward()
    with torch.no_grad():
        whole = model.decode(latent).sample
        assert torch.equal(whole, decoded.detach())
    return dict(latent=latent, codes=codes, quantized=quantized, decoded=decoded,
                losses=torch.stack([l1, l2, commitment, total]).detach()), gradients(model)


def make_vq(name, case):
    torch.manual_seed(case["seed"])
    model = randomise(VQModel(**case["config"]), case["seed"]).eval()
    dtype = case["dtype"]
    round_weights(model, dtype)
    pixels = (torch.rand(case["shape"], generator=torch.Generator().manual_seed(case["seed"])) * 2 - 1)
    with torch.no_grad():
        book, margin = choose_codebook(model.encode(pixels).latents, case["config"]["num_vq_embeddings"],
                                       case["seed"])
        model.quantize.embedding.weight.copy_(book.to(dtype).float())
    out, grads = vq_run(model, pixels, case["loss"])
    exact, exact_grads = vq_run(copy.deepcopy(model).double(), pixels.double(), case["loss"])
    assert torch.equal(out["codes"], exact["codes"])
    if case["loss"]["l1"]:  # the sign in L1's gradient must not hang on rounding
        assert float((exact["decoded"].detach() - pixels).abs().min()) > 1e-6
    with torch.no_grad():
        codes = torch.randint(0, case["config"]["num_vq_embeddings"], out["codes"].shape,
                              generator=torch.Generator().manual_seed(case["seed"] + 1))
        shape = (*codes.shape, model.quantize.embedding.weight.shape[1])
        out["other_codes"] = codes
        if model.config.lookup_from_codebook:
            out["other_decoded"] = model.decode(codes, force_not_quantize=True, shape=shape).sample
        else:
            entries = model.quantize.get_codebook_entry(codes, shape)
            out["other_decoded"] = model.decode(entries, force_not_quantize=True).sample
        low = copy.deepcopy(model).bfloat16()
        low_latent = low.encode(pixels.bfloat16()).latents
        low_decoded = low.decode(exact["quantized"].bfloat16(), force_not_quantize=True,
                                 shape=None).sample if not model.config.lookup_from_codebook else None
    facts = {f"drift.{key}": relative(out[key], exact[key]) for key in ("latent", "decoded")}
    facts["drift.grad"] = gradient_error(grads, exact_grads)
    facts["bf16.latent"] = relative(low_latent, exact["latent"])
    if low_decoded is not None:
        facts["bf16.decoded"] = relative(low_decoded, exact["decoded"])
    facts["margin"] = margin
    facts.update({f"loss.{key}": value for key, value in case["loss"].items()})
    folder = DATA / name
    save_model(model, folder, dtype, old_attention=case.get("old_attention", False))
    save_case(folder, {"pixels": pixels, **out, **flat(grads)}, facts)


def kl_run(model, pixels, latent, moments_target):
    """Both halves under squared errors; the reparametrisation between them is not ours to train."""
    model.zero_grad()
    moments = model._encode(pixels)
    decoded = model.decode(latent).sample
    total = F.mse_loss(moments, moments_target) + F.mse_loss(decoded, pixels)
    total.backward()
    return dict(moments=moments, mean=moments.chunk(2, 1)[0], decoded=decoded,
                losses=total.detach()[None]), gradients(model)


def make_kl(name, case):
    torch.manual_seed(case["seed"])
    model = randomise(AutoencoderKL(**case["config"]), case["seed"]).eval()
    round_weights(model, case["dtype"])
    generator = torch.Generator().manual_seed(case["seed"])
    pixels = torch.rand(case["shape"], generator=generator) * 2 - 1
    with torch.no_grad():
        shape = model._encode(pixels).shape
    latent = torch.randn((shape[0], shape[1] // 2, *shape[2:]), generator=generator)
    target = torch.randn(shape, generator=generator)
    out, grads = kl_run(model, pixels, latent, target)
    exact, exact_grads = kl_run(copy.deepcopy(model).double(), pixels.double(), latent.double(),
                                target.double())
    with torch.no_grad():
        assert torch.equal(model.encode(pixels).latent_dist.mode(), out["mean"])
        low = copy.deepcopy(model).bfloat16()
        facts = {"bf16.moments": relative(low._encode(pixels.bfloat16()), exact["moments"]),
                 "bf16.decoded": relative(low.decode(latent.bfloat16()).sample, exact["decoded"])}
    facts.update({f"drift.{key}": relative(out[key], exact[key]) for key in ("moments", "decoded")})
    facts["drift.grad"] = gradient_error(grads, exact_grads)
    folder = DATA / name
    save_model(model, folder, case["dtype"])
    save_case(folder, {"pixels": pixels, "latent": latent, "moments_target": target, **out, **flat(grads)}, facts)


def make():
    for name, case in VQ_CASES.items():
        make_vq(name, case)
    for name, case in KL_CASES.items():
        make_kl(name, case)
