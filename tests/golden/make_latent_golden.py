# SPDX-License-Identifier: MIT
"""Numbers of latents by NumPy, SciPy and scikit-learn, from their definitions in docs/LATENT_REPORT.md. Writes
data/latents/golden.safetensors: per case z [n, channels, h, w] and what is made of it."""
import pathlib

import numpy as np
from safetensors.numpy import save_file
from scipy.stats import kurtosis
from sklearn.linear_model import Ridge

FOLDER = pathlib.Path(__file__).resolve().parent / "data" / "latents"
LAGS = (1, 2, 4, 8)


def field(rng, n, channels, h, w, time, doppler):
    """Autoregressive along both sides, on a mean map, channels mixed; one has heavy tails."""
    z = rng.standard_normal((n, channels, h, w))
    for c in range(1, w):
        z[..., c] = time * z[..., c - 1] + np.sqrt(1 - time ** 2) * z[..., c]
    for r in range(1, h):
        z[:, :, r] = doppler * z[:, :, r - 1] + np.sqrt(1 - doppler ** 2) * z[:, :, r]
    z[:, -1] = z[:, -1] ** 3
    z[:, 0] += 0.5 * z[:, -1]
    return (z + np.sin(np.arange(h))[:, None] * np.arange(1, channels + 1)[:, None, None]).astype(np.float32)


def radial(power):
    """power over its mean by rounded radius, share above a quarter cycle."""
    h, w = power.shape
    side = min(h, w)
    radius = np.hypot(np.fft.fftfreq(h)[:, None], np.fft.fftfreq(w))
    bins = np.floor(radius * side + 0.5).astype(int)
    return (np.array([power[bins == b].mean() for b in range(side // 2 + 1)]) / power.mean(),
            power[radius > 0.25].sum() / power.sum())


def denoising(power):
    share = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))[50:1000:100]
    a, b = share[:, None], 1 - share[:, None]
    p = power.ravel()
    return (a * p / (a * p + b)).mean(1)


def probe(rest):
    n, channels, h, w = rest.shape
    if n < 5 or min(h, w) < 5:
        return np.full(channels, np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(rest.astype(np.float64), (5, 5), axis=(2, 3))
    windows = windows.transpose(0, 2, 3, 1, 4, 5).reshape(n, (h - 4) * (w - 4), channels, 25)
    test = np.arange(n) % 5 == 4

    def places(keep):
        part = windows[keep].reshape(-1, channels, 25)
        count = min(len(part), 20000)
        part = part[np.arange(count) * len(part) // count]
        return np.delete(part, 12, axis=2).reshape(count, -1), part[:, :, 12]

    x, y = places(~test)
    model = Ridge(alpha=1e-3 * (x ** 2).sum() / x.shape[1], fit_intercept=False, solver="cholesky").fit(x, y)
    x, y = places(test)
    return 1 - ((y - model.predict(x).reshape(y.shape)) ** 2).sum(0) / (y ** 2).sum(0)


def numbers(z):
    z = z.astype(np.float64)
    n, channels, h, w = z.shape
    rest = (z - z.mean(0)).astype(np.float32)
    d = rest.astype(np.float64)
    flat = z.transpose(1, 0, 2, 3).reshape(channels, -1)
    fixed = 1 - z.var(0, ddof=1).mean((1, 2)) / flat.var(1)
    auto = np.full((channels, 2, 4), np.nan)
    for k, lag in enumerate(LAGS):
        if lag < w:
            auto[:, 0, k] = (d[..., lag:] * d[..., :-lag]).mean((0, 2, 3)) / (d ** 2).mean((0, 2, 3))
        if lag < h:
            auto[:, 1, k] = (d[:, :, lag:] * d[:, :, :-lag]).mean((0, 2, 3)) / (d ** 2).mean((0, 2, 3))
    power = (np.abs(np.fft.fft2(d)) ** 2).sum(0) / (n - 1) / (h * w)
    rings = [radial(p) for p in power]
    j = np.arange(1, len(rings[0][0]))
    variances, directions = np.linalg.eigh(np.cov(d.transpose(1, 0, 2, 3).reshape(channels, -1), ddof=0) * n / (n - 1))
    turned = np.einsum("kc,nkij->ncij", directions, d)
    linear = [denoising(p) for p in (np.abs(np.fft.fft2(turned)) ** 2).sum(0) / (n - 1) / (h * w)]
    return {
        "moments": np.stack([flat.mean(1), flat.std(1), kurtosis(flat, axis=1), fixed], 1),
        "correlation": np.corrcoef(flat), "auto": auto, "power": power,
        "radial": np.stack([r for r, _ in rings]), "high": np.array([s for _, s in rings]),
        "slope": np.array([np.polyfit(np.log(j), np.log(r[1:]), 1)[0] for r, _ in rings]),
        "principal": variances[::-1], "denoising": np.stack(linear[::-1]), "probe": probe(rest),
    }


def many():
    """80 fields of more places than the probe looks at, by a formula, so that they need not be kept."""
    state = np.zeros(80 * 25 * 25, np.uint32)
    x = 1
    for i in range(len(state)):
        x = (x * 1664525 + 1013904223) % 2 ** 32
        state[i] = x >> 16
    u = (state / 65536 - 0.5).reshape(80, 1, 25, 25)
    return (u[..., :-1, :-1] + u[..., 1:, :-1] + u[..., :-1, 1:]).astype(np.float32)


def cases():
    rng = np.random.default_rng(11)
    return {"smooth": field(rng, 9, 3, 12, 14, 0.8, 0.6), "odd": field(rng, 6, 2, 9, 7, 0.3, 0.9),
            "small": field(rng, 3, 2, 4, 4, 0.5, 0.5)}


def main():
    out = {}
    for name, z in cases().items():
        out[f"{name}.z"] = z
        found = numbers(z)
        out.update((f"{name}.{key}", value.astype(np.float32)) for key, value in found.items())
        print(name, {key: found[key].round(3).tolist() for key in ("moments", "slope", "high", "probe")})
    out["many.probe"] = probe(many() - many().mean(0, dtype=np.float64).astype(np.float32)).astype(np.float32)
    FOLDER.mkdir(parents=True, exist_ok=True)
    save_file({k: np.ascontiguousarray(v) for k, v in out.items()}, FOLDER / "golden.safetensors",
              metadata={"facts": "{}"})
    (FOLDER / "golden.safetensors").chmod(0o644)


if __name__ == "__main__":
    main()
