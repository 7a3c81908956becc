# SPDX-License-Identifier: MIT
"""Spectrograms by scipy.signal, colour maps by matplotlib, float resizing by Pillow. Writes
data/signal/golden.safetensors: iq [count, 2] and per case db, frequency, time; NAME.colours [256, 3] of viridis,
turbo and gray; matrix.HxW, resized.HxW; luma.rgb [h, w, 3], luma.grey [h, w], luma.resized [16, 16], its
grey resized and cropped.

db is computed from scipy's complex STFT in double, rows turned so that the highest frequency is first."""
import json
import pathlib

import numpy as np
import scipy.signal as sig
from matplotlib import colormaps
from PIL import Image
from safetensors.numpy import save_file

FOLDER = pathlib.Path(__file__).resolve().parent / "data" / "signal"
RATE, COUNT = 1000.0, 700
# name: (scipy's window, win_length, hop_length, n_fft, clutter removal, cut-off in Hz, relative to the peak)
CASES = {
    "hann": ("hann", 64, 16, 64, "none", 0, False),
    "hamming": ("hamming", 50, 20, 60, "mean", 0, False),
    "blackman": ("blackman", 75, 33, 75, "mti", 0, False),
    "kaiser": (("kaiser", 8.6), 64, 24, 128, "highpass", 40.0, True),
    "rectangular": ("boxcar", 45, 45, 45, "highpass", 3.75, False),
}


def samples():
    """A swinging scatterer, a steady one, strong clutter and a little noise."""
    rng = np.random.default_rng(4)
    t = np.arange(COUNT) / RATE
    iq = 0.8 * np.exp(2j * np.pi * (120 * t + 20 * np.sin(2 * np.pi * 1.5 * t)))
    iq += 0.05 * np.exp(-2j * np.pi * 210 * t) + (3 - 2j)
    iq += 1e-3 * (rng.standard_normal(COUNT) + 1j * rng.standard_normal(COUNT))
    return np.stack([iq.real, iq.imag], 1).astype(np.float32)


def without_clutter(x, kind, cutoff):
    if kind == "mean":
        return x - x.mean()
    if kind == "mti":
        return sig.lfilter([1, -1], 1, x, zi=[-x[0]])[0]
    if kind == "highpass":
        sos = sig.butter(4, cutoff, "highpass", fs=RATE, output="sos")
        return sig.sosfilt(sos, x, zi=sig.sosfilt_zi(sos) * x[0])[0]
    return x


def main():
    iq = samples()
    x = iq[:, 0].astype(np.float64) + 1j * iq[:, 1]
    out = {"iq": iq}
    for name, (window, length, hop, n_fft, clutter, cutoff, peak) in CASES.items():
        moving = without_clutter(x, clutter, cutoff)
        f, t, z = sig.stft(moving, RATE, window, length, length - hop, n_fft, detrend=False, return_onesided=False,
                           boundary=None, padded=False, scaling="spectrum")
        order = np.argsort(-f)
        db = 10 * np.log10(np.maximum(np.abs(z[order]) ** 2, 1e-20))
        out[f"{name}.db"] = (db - db.max() if peak else db).astype(np.float32)
        out[f"{name}.frequency"], out[f"{name}.time"] = f[order].astype(np.float32), t.astype(np.float32)
    for name in ("viridis", "turbo", "gray"):
        out[f"{name}.colours"] = np.rint(255 * colormaps[name](np.arange(256))[:, :3]).astype(np.int32)
    rng = np.random.default_rng(5)
    for (h, w), (oh, ow) in (((30, 41), (16, 16)), ((9, 8), (20, 24)), ((25, 12), (25, 30))):
        matrix = rng.uniform(-60, 0, (h, w)).astype(np.float32)
        out[f"matrix.{h}x{w}"] = matrix
        out[f"resized.{oh}x{ow}"] = np.asarray(Image.fromarray(matrix).resize((ow, oh), Image.BILINEAR))
    rgb = rng.integers(0, 256, (20, 33, 3), dtype=np.uint8)
    grey = Image.fromarray(rgb).convert("L")
    out["luma.rgb"], out["luma.grey"] = rgb, np.asarray(grey)
    out["luma.resized"] = np.asarray(grey.resize((26, 16), Image.BILINEAR))[:, 5:21]
    FOLDER.mkdir(parents=True, exist_ok=True)
    save_file({k: np.ascontiguousarray(v) for k, v in out.items()}, FOLDER / "golden.safetensors",
              metadata={"facts": json.dumps({"rate": RATE})})


if __name__ == "__main__":
    main()
