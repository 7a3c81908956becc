#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tensor names and shapes of our models against diffusers'.

Builds each preset, and variants that between them touch every config key, in both libraries and
compares the sorted lists of (name, shape). Needs torch and diffusers.

usage: compare_names.py [lib/libmdldm.so]
"""
import ctypes
import json
import os
import sys
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
from diffusers import AutoencoderKL, UNet2DModel, VQModel
from diffusers.utils import logging

logging.set_verbosity_error()
CLASSES = {"VQModel": VQModel, "AutoencoderKL": AutoencoderKL, "UNet2DModel": UNet2DModel}
lib = ctypes.CDLL(sys.argv[1] if len(sys.argv) > 1 else "lib/libmdldm.so")
for name in ("mdldm_context_error", "mdldm_model_tensor_name"):
    getattr(lib, name).restype = ctypes.c_char_p
lib.mdldm_model_tensor_count.restype = ctypes.c_int64
for name in ("mdldm_model_tensor_name", "mdldm_model_tensor_shape"):
    getattr(lib, name).argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64] + (
        [ctypes.POINTER(ctypes.c_int64)] if name.endswith("shape") else [])
lib.mdldm_model_tensor_count.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
lib.mdldm_context_error.argtypes = [ctypes.c_void_p]
lib.mdldm_model_free.argtypes = [ctypes.c_void_p]

context = ctypes.c_void_p()
assert lib.mdldm_context_create(ctypes.byref(context)) == 0


def check(status):
    if status != 0:
        raise RuntimeError(lib.mdldm_context_error(context).decode())


def create(**options):
    handle, model = ctypes.c_void_p(), ctypes.c_void_p()
    check(lib.mdldm_options_create(context, ctypes.byref(handle)))
    for key, value in options.items():
        check(lib.mdldm_options_parse(context, handle, key.encode(), str(value).encode()))
    check(lib.mdldm_model_create(context, handle, ctypes.byref(model)))
    lib.mdldm_options_free(handle)
    return model


def tensors(model, component):
    out = {}
    for i in range(lib.mdldm_model_tensor_count(model, component)):
        shape = (ctypes.c_int64 * 4)()
        rank = lib.mdldm_model_tensor_shape(model, component, i, shape)
        out[lib.mdldm_model_tensor_name(model, component, i).decode()] = tuple(shape[:rank])
    return out


def config_of(model, key):
    value = ctypes.c_char_p()
    check(lib.mdldm_model_get_string(context, model, key.encode(), ctypes.byref(value)))
    return json.loads(value.value)


def theirs(config):
    with torch.device("meta"):
        model = CLASSES[config["_class_name"]].from_config(config)
    return {name: tuple(t.shape) for name, t in model.state_dict().items()}


failures = 0


def compare(title, ours, other):
    global failures
    count = sum(int(torch.Size(s).numel()) for s in ours.values())
    different = sorted(set(ours.items()) ^ set(other.items()))
    print(f"{'ok  ' if not different else 'FAIL'} {title}: {len(ours)} tensors, {count / 1e6:.3f} M parameters")
    for name, shape in different[:10]:
        print(f"     {'ours' if ours.get(name) == shape else 'theirs'}: {name} {shape}")
    failures += bool(different)


VQ = dict(_class_name="VQModel", down_block_types=["DownEncoderBlock2D"] * 2, up_block_types=["UpDecoderBlock2D"] * 2,
          block_out_channels=[32, 64], norm_num_groups=8)
KL = dict(VQ, _class_name="AutoencoderKL")
UNET = dict(_class_name="UNet2DModel", block_out_channels=[32, 64], norm_num_groups=8,
            down_block_types=["DownBlock2D", "AttnDownBlock2D"], up_block_types=["AttnUpBlock2D", "UpBlock2D"])
DEEP = dict(UNET, block_out_channels=[32, 64, 96], down_block_types=["AttnDownBlock2D"] * 2 + ["DownBlock2D"],
            up_block_types=["UpBlock2D"] + ["AttnUpBlock2D"] * 2)
VARIANTS = [
    dict(_class_name="VQModel"), dict(_class_name="AutoencoderKL"), dict(_class_name="UNet2DModel"),
    dict(VQ, layers_per_block=2, latent_channels=4, num_vq_embeddings=100, vq_embed_dim=6),
    dict(VQ, down_block_types=["AttnDownEncoderBlock2D", "DownEncoderBlock2D"],
         up_block_types=["UpDecoderBlock2D", "AttnUpDecoderBlock2D"]),
    dict(VQ, mid_block_add_attention=False, in_channels=1, out_channels=2, lookup_from_codebook=True),
    dict(KL), dict(KL, use_quant_conv=False), dict(KL, use_post_quant_conv=False, shift_factor=0.1),
    dict(UNET), dict(UNET, layers_per_block=1, attention_head_dim=None, in_channels=4, out_channels=8),
    dict(UNET, num_class_embeds=9), dict(UNET, class_embed_type="timestep"),
    dict(UNET, class_embed_type="timestep", num_class_embeds=3),
    dict(UNET, time_embedding_type="fourier"), dict(UNET, time_embedding_dim=48, dropout=0.1),
    dict(UNET, resnet_time_scale_shift="scale_shift"),
    dict(UNET, resnet_time_scale_shift="scale_shift", attn_norm_num_groups=4),
    dict(UNET, mid_block_type=None), dict(UNET, add_attention=False), dict(UNET, attention_head_dim=24),
    dict(DEEP), dict(DEEP, downsample_type="resnet"), dict(DEEP, upsample_type="resnet"),
    dict(DEEP, downsample_type="resnet", upsample_type="resnet", downsample_padding=0),
    dict(DEEP, down_block_types=["ResnetDownsampleBlock2D", "UNetResAttnDownBlock2D", "UNetResDownBlock2D"],
         up_block_types=["UpBlock2D", "ResnetUpsampleBlock2D", "AttnUpBlock2D"]),
    dict(DEEP, center_input_sample=True, flip_sin_to_cos=False, freq_shift=1, mid_block_scale_factor=2.0),
]

for preset in ("ldm-256", "small", "tiny"):
    for classes in (0, 8):
        model = create(preset=preset, num_classes=classes, resolution=256 if preset == "ldm-256" else 64)
        for component in ("autoencoder", "unet"):
            config = config_of(model, component + "_config")
            compare(f"{preset}, {classes} classes, {component}", tensors(model, component.encode()), theirs(config))
        lib.mdldm_model_free(model)
for variant in VARIANTS:
    unet = variant["_class_name"] == "UNet2DModel"
    component = "unet" if unet else "autoencoder"
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(variant, file)
        file.flush()
        model = create(preset="tiny", components=component, model_config_name_or_path=file.name, resolution=64)
    title = ", ".join(f"{k}={v}" for k, v in variant.items() if UNET.get(k, VQ.get(k)) != v or k == "_class_name")
    compare(title, tensors(model, component.encode()), theirs(variant))
    lib.mdldm_model_free(model)
print("all equal" if not failures else f"{failures} differ")
sys.exit(failures != 0)
