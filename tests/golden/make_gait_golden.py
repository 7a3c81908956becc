# SPDX-License-Identifier: MIT
"""Gait measures by NumPy, from their definitions in docs/GAIT_MEASURES.md and by other ways than the library's: the
torso path by the full table of jumps, the step's sinusoid by lstsq, percentiles by interpolation. Writes
data/gait/golden.safetensors: per case db [rows, columns], setup (as text in the facts), values and curves.

The spectrograms are drawn, not simulated: a torso line, limbs that swing once a step, exponential noise."""
import json
import pathlib

import numpy as np
from safetensors.numpy import save_file

FOLDER = pathlib.Path(__file__).resolve().parent / "data" / "gait"
NAMES = ("torso_doppler torso_std torso_bob envelope_upper envelope_lower upper_peak lower_peak bandwidth "
         "bandwidth_torso offset step_frequency step_strength step_depth spectral_entropy torso_to_limb strength_std "
         "occupancy contrast").split()


def walker(rng, rows, columns, steps, noise_db):
    """db [rows, columns] of a walker with so many steps in the picture."""
    t, r = (np.arange(columns) + 0.5) / columns, np.arange(rows)[:, None] / rows
    torso = 0.62 + 0.03 * t + 0.02 * np.cos(2 * np.pi * steps * t + 0.4)
    limb = torso - 0.18 - 0.16 * np.sin(2 * np.pi * steps * t) + 0.02 * rng.standard_normal(columns)
    power = np.exp(-((r - torso) / 0.02) ** 2)
    between = (r < torso) & (r > limb) | (r > torso) & (r < torso + 0.12 + 0.06 * np.sin(2 * np.pi * steps * t + 1))
    power = power + 0.01 * between
    power = power * rng.exponential(size=power.shape)
    return 10 * np.log10(power + 10 ** (noise_db / 10) * rng.exponential(size=power.shape)) - 7


def quantile(x, q):
    x = x[np.isfinite(x)]
    return np.quantile(x, q) if len(x) else np.nan


def step_fit(curve, t, frequency):
    """(share of the variance about the trend, amplitude) of the sinusoid fitted beside a constant and a trend."""
    ok = np.isfinite(curve)
    if ok.sum() < 8:
        return 0.0, np.nan
    t, y = t[ok], curve[ok]
    trend = np.stack([np.ones_like(t), t], 1)
    wave = np.stack([np.cos(2 * np.pi * frequency * t), np.sin(2 * np.pi * frequency * t)], 1)
    rest = y - trend @ np.linalg.lstsq(trend, y, rcond=None)[0]
    both = np.concatenate([trend, wave], 1)
    x = np.linalg.lstsq(both, y, rcond=None)[0]
    return 1 - np.sum((y - both @ x) ** 2) / np.sum(rest ** 2), np.hypot(x[2], x[3])


def measure(db, duration, high, low, step_low, step_high, threshold=0.25, percentile=0.975, torso_width=0.06):
    v = db.astype(np.float64)
    v = np.where(np.isneginf(v), v[np.isfinite(v)].min(), v)
    rows, columns = v.shape
    quiet = v[np.argsort(v.mean(1), kind="stable")[:rows // 8]]
    q50, q90, q995 = np.quantile(quiet, [0.5, 0.9, 0.995])
    level, peak = max(q50 + 2.15 * (q90 - q50), q995), v.max()
    above = np.maximum(v - level, 0)
    power = np.where(v > level, np.maximum(10 ** ((v - peak) / 10) - np.mean(10 ** ((quiet - peak) / 10)), 0), 0)

    # envelopes: the cumulative echo is linear within a cell
    upper, lower = np.full(columns, np.nan), np.full(columns, np.nan)
    for c in range(columns):
        cells = np.flatnonzero(above[:, c])
        if len(cells):
            cumulative = np.concatenate([[0], np.cumsum(above[cells, c])])
            for out, q in ((upper, 1 - percentile), (lower, percentile)):
                k = np.searchsorted(cumulative, q * cumulative[-1]) - 1
                out[c] = cells[k] + (q * cumulative[-1] - cumulative[k]) / (cumulative[k + 1] - cumulative[k])

    # torso: every jump from every row
    r = np.arange(rows)
    cost = 0.04 * columns * (peak - level) / rows * np.abs(r[:, None] - r)
    score, back = above[:, 0], []
    for c in range(1, columns):
        total = score - cost
        back.append(total.argmax(1))
        score = total.max(1) + above[:, c]
    path = [score.argmax()]
    for b in back[::-1]:
        path.append(b[path[-1]])
    reach = max(1, int(np.floor(torso_width * rows / 4 + 0.5)))
    torso = np.full(columns, np.nan)
    for c, at in enumerate(path[::-1]):
        near = (np.abs(r - at) <= reach) * power[:, c]
        if near.sum() > 0:
            torso[c] = np.sum(near * (r + 0.5)) / near.sum()

    inside = np.abs(r[:, None] + 0.5 - torso) <= 0.5 * torso_width * rows
    outside = ~inside & np.isfinite(torso)
    share = power / np.maximum(power.sum(0), 1e-300)
    entropy = -np.sum(share * np.log(np.where(share > 0, share, 1)), 0)[power.sum(0) > 0] / np.log(rows)
    echo = above[above > 0]
    curves = high + (low - high) * np.stack([upper, lower, torso]) / rows

    # step frequency
    t = ((np.arange(columns) + 0.5) / columns - 0.5) * duration
    grid = step_low + 0.05 / duration * np.arange(int((step_high - step_low) * duration / 0.05 + 1e-9) + 1)

    def joint(f):
        return -np.mean([np.log(1 - step_fit(c, t, f)[0]) for c in curves])

    spectrum = np.array([joint(f) for f in grid])
    inner = np.flatnonzero((spectrum[1:-1] >= spectrum[:-2]) & (spectrum[1:-1] > spectrum[2:])) + 1
    frequency, strength = np.nan, 0.0
    if len(inner):
        k = inner[spectrum[inner].argmax()]
        a, b, c = spectrum[k - 1:k + 2]
        frequency = grid[k] + 0.5 * (a - c) / (a - 2 * b + c) * 0.05 / duration
        strength = 1 - np.exp(-joint(frequency))
    seen = strength >= threshold
    top, bottom = quantile(curves[0], 0.95), quantile(curves[1], 0.05)
    mean = np.nanmean(curves, 1)
    values = {
        "torso_doppler": mean[2], "torso_std": np.nanstd(curves[2]),
        "torso_bob": step_fit(curves[2], t, frequency)[1] if seen else np.nan,
        "envelope_upper": mean[0], "envelope_lower": mean[1], "upper_peak": top, "lower_peak": bottom,
        "bandwidth": top - bottom, "bandwidth_torso": quantile(curves[0], 0.05) - quantile(curves[1], 0.95),
        "offset": (top + bottom) / 2 - mean[2], "step_frequency": frequency if seen else np.nan,
        "step_strength": strength, "step_depth": step_fit(curves[0], t, frequency)[1] if seen else np.nan,
        "spectral_entropy": entropy.mean(),
        "torso_to_limb": 10 * np.log10(power[inside].sum() / power[outside].sum()),
        "strength_std": echo.std() / echo.mean(), "occupancy": len(echo) / v.size, "contrast": peak - level}
    return np.array([values[n] for n in NAMES]), curves


def cases():
    """name: (db, options of scope gait, what measure takes)."""
    rng = np.random.default_rng(6)
    plain = walker(rng, 40, 64, 4.2, -38)
    clipped = np.maximum(walker(rng, 32, 44, 3.3, -45), -40)
    silent = walker(rng, 34, 50, 3.7, -30)
    silent[:, 20:25] = -np.inf
    still = walker(rng, 24, 40, 0.4, -30)
    return {
        "hertz": (plain, {"picture_duration": 2.5, "doppler_high": 900, "doppler_low": -300}, (2.5, 900, -300, 1.2, 3.5)),
        "pictures": (clipped, {"zero_doppler": 0.75}, (1.0, 24, -8, 2, 10)),
        "gap": (silent, {"picture_duration": 2, "step_low": 1, "step_high": 4, "envelope_percentile": 0.95,
                         "torso_width": 0.1}, (2.0, 17, -17, 1, 4, 0.25, 0.95, 0.1)),
        "no_step": (still, {"step_threshold": 0.6}, (1.0, 12, -12, 2, 10, 0.6)),
    }


def main():
    out = {}
    for name, (db, options, setup) in cases().items():
        db = db.astype(np.float32)
        values, curves = measure(db, *setup)
        out[f"{name}.db"], out[f"{name}.values"] = db, values.astype(np.float32)
        out[f"{name}.curves"] = curves.astype(np.float32)
        print(name, options, dict(zip(NAMES, values.round(3))))
    FOLDER.mkdir(parents=True, exist_ok=True)
    save_file({k: np.ascontiguousarray(v) for k, v in out.items()}, FOLDER / "golden.safetensors",
              metadata={"facts": json.dumps({})})


if __name__ == "__main__":
    main()
