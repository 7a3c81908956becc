# SPDX-License-Identifier: MIT
"""Images of every kind and what torchvision makes of them: Resize (bilinear, antialiased), CenterCrop,
ToTensor, Normalize(0.5), on PIL images converted to RGB, as the usual training scripts do it."""
import numpy as np
import torch
from PIL import Image
from torchvision import transforms

from golden_common import DATA, save_case

FOLDER = DATA / "images"
RESOLUTION = 16


def pictures():
    """Smooth waves with some noise: neighbouring pixels differ, and an error of one pixel shows."""
    random = np.random.default_rng(51)

    def waves(height, width, channels):
        y, x = np.mgrid[0:height, 0:width]
        planes = [127 + 100 * np.sin(x / (2.0 + c) + c) * np.cos(y / (3.0 - 0.4 * c)) for c in range(channels)]
        noisy = np.stack(planes, -1) + random.normal(0, 9, (height, width, channels))
        return np.clip(noisy, 0, 255).astype(np.uint8)

    yield "rgb.png", Image.fromarray(waves(30, 41, 3))
    yield "grey.png", Image.fromarray(waves(24, 17, 1)[:, :, 0])
    yield "rgba.png", Image.fromarray(waves(19, 26, 4), "RGBA")
    yield "palette.png", Image.fromarray(waves(33, 33, 3)).quantize(24)
    yield "small.png", Image.fromarray(waves(9, 11, 3))  # enlarged
    yield "same.png", Image.fromarray(waves(16, 16, 3))  # untouched
    yield "colour.jpg", Image.fromarray(waves(40, 34, 3))
    yield "grey.jpg", Image.fromarray(waves(21, 38, 1)[:, :, 0])


def make():
    FOLDER.mkdir(parents=True, exist_ok=True)
    tensors = {}
    transform = transforms.Compose([
        transforms.Resize(RESOLUTION, interpolation=transforms.InterpolationMode.BILINEAR),
        transforms.CenterCrop(RESOLUTION), transforms.ToTensor(), transforms.Normalize([0.5], [0.5])])
    for name, image in pictures():
        path = FOLDER / name
        image.save(path, **({"quality": 90} if name.endswith("jpg") else {"optimize": True}))
        with Image.open(path) as opened:
            rgb = opened.convert("RGB")
        tensors[f"{name}.rgb"] = torch.from_numpy(np.array(rgb))  # [h, w, 3]
        tensors[f"{name}.resized"] = transform(rgb)           # [3, r, r]
    save_case(FOLDER, tensors, {"resolution": RESOLUTION})
