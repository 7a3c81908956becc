# SPDX-License-Identifier: MIT
"""PNG files of every colour type, depth and interlacing, JPEG files of every sampling, and what PIL makes
of them; sizes that Pillow resizes in either order of passes. Writes data/image_kinds/golden.safetensors:
KIND.file (the bytes of the file), KIND.rgb [h, w, 3], resize_HxW_R [h', w', 3], crop_HxW_R, metrics.psnr_ssim.

The PNG writer is our own: PIL writes neither Adam7 nor most of the depths."""
import io
import pathlib
import struct
import zlib

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision import transforms

FOLDER = pathlib.Path(__file__).resolve().parent / "data" / "image_kinds"
HEIGHT, WIDTH = 11, 13
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pack_row(row, depth):
    """One row of samples as PNG stores it: big-endian, packed from the high bits down."""
    if depth >= 8:
        return row.astype(">u2" if depth == 16 else "u1").tobytes()
    bits = "".join(format(int(v), f"0{depth}b") for v in row.ravel())
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))


def png(samples, colour, depth, interlaced, extra=b""):
    """samples [h, w, channels]; filter 0 throughout."""
    height, width = samples.shape[:2]
    passes = ADAM7 if interlaced else [(0, 0, 1, 1)]
    rows = b""
    for top, left, down, right in passes:
        part = samples[top::down, left::right]
        if part.size:
            rows += b"".join(b"\0" + pack_row(row, depth) for row in part)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows, 9)) +
            chunk(b"IEND", b""))


def as_rgb(data):
    with Image.open(io.BytesIO(data)) as image:
        if image.mode.startswith("I;16"):  # PIL clips here: our rule is the high byte, as for colour
            return np.repeat((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)[..., None], 3, -1)
        return np.asarray(image.convert("RGB"))


def png_kinds(random):
    for colour, depths in {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}.items():
        for depth in depths:
            for interlaced in (False, True):
                top = min(2 ** depth, 200) if colour == 3 else 2 ** depth
                samples = random.integers(0, top, (HEIGHT, WIDTH, CHANNELS[colour]))
                extra = b""
                if colour == 3:
                    extra = chunk(b"PLTE", random.integers(0, 256, top * 3, dtype=np.uint8).tobytes())
                    if depth in (2, 8):
                        extra += chunk(b"tRNS", bytes([0, 128]))
                if colour == 2 and depth == 8:
                    extra = chunk(b"gAMA", struct.pack(">I", 45455)) + chunk(b"tRNS", struct.pack(">HHH", 1, 2, 3))
                yield f"png_{colour}_{depth}{'_adam7' if interlaced else ''}", png(samples, colour, depth,
                                                                                   interlaced, extra)


def jpeg_kinds(random):
    y, x = np.mgrid[0:17, 0:22]
    waves = np.stack([127 + 100 * np.sin(x / (2.0 + c) + y / 3.0) for c in range(3)], -1)
    picture = np.clip(waves + random.normal(0, 12, waves.shape), 0, 255).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: to be ignored
    for name, image, options in (
            ("jpeg_444", Image.fromarray(picture), {"subsampling": 0}),
            ("jpeg_422", Image.fromarray(picture), {"subsampling": 1}),
            ("jpeg_420", Image.fromarray(picture), {"subsampling": 2, "exif": exif}),
            ("jpeg_progressive", Image.fromarray(picture), {"progressive": True, "quality": 60}),
            ("jpeg_grey", Image.fromarray(picture[..., 0]), {}),
            ("jpeg_cmyk", Image.fromarray(picture).convert("CMYK"), {})):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", **options)
        yield name, buffer.getvalue()


def noise(height, width):
    """What the C test makes as well: the high bits of a multiplicative hash of the running index."""
    index = np.arange(height * width * 3, dtype=np.uint64) + 1
    return ((index * 2654435761 % 2 ** 32) >> 24).astype(np.uint8).reshape(height, width, 3)


# height, width, resolution: reduced, enlarged, one side kept; tall ones go down first in Pillow.
SIZES = [(37, 53, 16), (53, 37, 16), (9, 11, 16), (16, 40, 16), (40, 16, 16), (129, 64, 8), (200, 31, 8), (64, 129, 8),
         (33, 32, 32), (1, 1, 8), (3, 40, 8), (100, 75, 9)]


def ssim(a, b, data_range):
    """Wang et al. 2004 by direct summation over every 11 x 11 window, in double."""
    offsets = np.arange(11) - 5
    window = np.exp(-(offsets[:, None] ** 2 + offsets[None, :] ** 2) / (2 * 1.5 ** 2))
    window /= window.sum()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    values = []
    for c in range(a.shape[2]):
        for y in range(a.shape[0] - 10):
            for x in range(a.shape[1] - 10):
                p, q = (v[y:y + 11, x:x + 11, c].astype(np.float64) for v in (a, b))
                mp, mq = (window * p).sum(), (window * q).sum()
                vp, vq = (window * (p - mp) ** 2).sum(), (window * (q - mq) ** 2).sum()
                cov = (window * (p - mp) * (q - mq)).sum()
                values.append((2 * mp * mq + c1) * (2 * cov + c2) / ((mp ** 2 + mq ** 2 + c1) * (vp + vq + c2)))
    return np.mean(values)


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(77)
    tensors = {}
    for name, data in list(png_kinds(random)) + list(jpeg_kinds(random)):
        tensors[f"{name}.file"] = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        if name != "jpeg_cmyk":  # refused
            tensors[f"{name}.rgb"] = torch.from_numpy(as_rgb(data).copy())
    for height, width, resolution in SIZES:
        image = Image.fromarray(noise(height, width))
        resized = transforms.Resize(resolution, interpolation=transforms.InterpolationMode.BILINEAR)(image)
        tensors[f"resize_{height}x{width}_{resolution}"] = torch.from_numpy(np.array(resized))
        if resolution < 10:
            cropped = transforms.CenterCrop(resolution)(resized)
            tensors[f"crop_{height}x{width}_{resolution}"] = torch.from_numpy(np.array(cropped))
    normalise = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5], [0.5])])
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
    tensors["pixel_table"] = normalise(ramp).reshape(256)
    a = noise(19, 23).astype(np.float32) / np.float32(127.5) - np.float32(1)
    b = (a * np.float32(0.8) + np.roll(a, 1, 1) * np.float32(0.2)).astype(np.float32)
    mse = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)
    tensors["metrics.psnr_ssim"] = torch.tensor([10 * np.log10(4 / mse), ssim(a, b, 2.0)], dtype=torch.float32)
    save_file(tensors, FOLDER / "golden.safetensors", metadata={"pillow": Image.__version__})


if __name__ == "__main__":
    main()
