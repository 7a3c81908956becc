# SPDX-License-Identifier: MIT
"""What every golden case needs: seeded weights far from the default initialisation, comparison in
float32, float64 and bfloat16, and the file that the C tests read."""
import json
import math
import pathlib

import torch
from safetensors.torch import load_file, save_file

DATA = pathlib.Path(__file__).resolve().parent / "data"


def randomise(model, seed, gain=1.1):
    """Every parameter random (torch's defaults leave zeros and ones), scaled so that activations stay
    of order one: weights N(0, gain^2 / fan_in), norm gains 1 + 0.3 N, biases 0.2 N, tables N."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if name == "time_proj.weight":
                parameter.copy_(16 * noise)  # the scale that UNet2DModel gives it
            elif parameter.ndim == 1 and name.endswith("weight"):
                parameter.copy_(1 + 0.3 * noise)
            elif parameter.ndim == 1:
                parameter.copy_(0.2 * noise)
            elif "embedding.weight" in name:
                parameter.copy_(noise)
            else:
                fan_in = math.prod(parameter.shape[1:])
                parameter.copy_(noise * gain / math.sqrt(fan_in))
    return model


def round_weights(model, dtype):
    """Rounds all weights to what dtype can hold, so that a file of that type is exact."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.to(dtype).float())


OLD_SPELLING = {"to_q.": "query.", "to_k.": "key.", "to_v.": "value.", "to_out.0.": "proj_attn."}


def save_model(model, folder, dtype=torch.float32, shard_size=None, old_attention=False):
    """save_pretrained, then the weights rewritten as dtype and, on demand, under the attention names
    that diffusers wrote before 0.18."""
    folder.mkdir(parents=True, exist_ok=True)
    if shard_size:
        model.save_pretrained(folder, max_shard_size=shard_size)
    else:
        model.save_pretrained(folder)
    for path in folder.glob("*.safetensors"):
        tensors = {}
        for name, tensor in load_file(path).items():
            if old_attention and "attentions" in name:
                for new, old in OLD_SPELLING.items():
                    name = name.replace(new, old)
            tensors[name] = tensor.to(dtype).contiguous()
        save_file(tensors, path, metadata={"format": "pt"})
        path.chmod(0o644)


def relative(value, reference):
    """max|a-b| / max|b|."""
    value, reference = value.detach().double(), reference.detach().double()
    return float((value - reference).abs().max() / reference.abs().max())


def gradients(model):
    return {name: parameter.grad.detach().clone()
            for name, parameter in model.named_parameters() if parameter.grad is not None}


def flat(grads):
    """All gradients one after another in the byte order of their names: the names themselves would
    take as much room as the numbers."""
    return {"grad": torch.cat([grads[name].flatten() for name in sorted(grads)])}


def gradient_error(grads, reference):
    """The largest difference of all gradients, relative to the largest gradient: some (to_k.bias,
    biases before one-channel groups) are mathematically zero."""
    largest = max(float(tensor.abs().max()) for tensor in reference.values())
    return max(float((grads[name].double() - tensor.double()).abs().max())
               for name, tensor in reference.items()) / largest


def save_case(folder, tensors, facts):
    """golden.safetensors: float32, int32 and uint8 tensors; facts (the peer's own drift, loss weights) as
    JSON in its metadata."""
    folder.mkdir(parents=True, exist_ok=True)
    out = {}
    for name, tensor in tensors.items():
        tensor = tensor.detach()
        if tensor.dtype != torch.uint8:
            tensor = tensor.float() if tensor.is_floating_point() else tensor.to(torch.int32)
        if tensor.is_floating_point():
            assert torch.isfinite(tensor).all(), name
        out[name] = tensor.contiguous().clone()
    # One key: safetensors writes several in random order.
    save_file(out, folder / "golden.safetensors", metadata={"facts": json.dumps(facts, sort_keys=True)})
    (folder / "golden.safetensors").chmod(0o644)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder.name:28s} {size / 1024:7.1f} KiB  " +
          "  ".join(f"{key} {value:.1e}" for key, value in sorted(facts.items())
                    if key.startswith(("drift", "bf16"))))
