# SPDX-License-Identifier: MIT
"""Distances between feature sets and between samples, by scipy, prdc and statsmodels, and the formulae of
torch-fidelity and clean-fid for the Frechet and kernel distances; the pyramid of mdldm_spectrogram_features by
PyWavelets and scipy.stats. Writes data/metrics/golden.safetensors: the inputs (float32, float64) and under NAME.out
what they must give.

The peers' square root of the product of covariances loses half the digits where these have no full rank, so the
Frechet distance is also computed in 60 digits by mpmath for the small sets."""
import json
import pathlib

import mpmath
import numpy as np
import pywt
import scipy.linalg
import scipy.stats as st
from prdc import compute_prdc
from safetensors.numpy import save_file
from statsmodels.stats.multitest import multipletests

FOLDER = pathlib.Path(__file__).resolve().parent / "data" / "metrics"
GRID = 256


def frechet_peer(a, b):
    """clean-fid and the original TTUR: scipy.linalg.sqrtm."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    ca, cb = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(ca @ cb)
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(ca) + np.trace(cb) - 2 * np.trace(root).real)


def frechet_exact(a, b):
    """By the eigenvalues of Ca^(1/2) Cb Ca^(1/2) in 60 digits."""
    mpmath.mp.dps = 60
    def cov(x):
        x = mpmath.matrix(x.astype(np.float64).tolist())
        mean = [mpmath.fsum(x[:, k]) / x.rows for k in range(x.cols)]
        c = mpmath.matrix([[x[i, k] - mean[k] for k in range(x.cols)] for i in range(x.rows)])
        return mean, c.T * c / (x.rows - 1)
    (ma, ca), (mb, cb) = cov(a), cov(b)
    values, vectors = mpmath.eigsy(ca)
    half = vectors * mpmath.diag([mpmath.sqrt(max(v, 0)) for v in values]) * vectors.T
    inner = mpmath.eigsy(half * cb * half, eigvals_only=True)
    trace = sum(ca[i, i] + cb[i, i] for i in range(ca.rows))
    return float(sum((p - q) ** 2 for p, q in zip(ma, mb)) + trace - 2 * sum(mpmath.sqrt(max(v, 0)) for v in inner))


def kernel_peer(a, b):
    """torch-fidelity's polynomial_mmd of whole sets, degree 3, gamma 1 / d, coef0 1, unbiased."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    d = a.shape[1]
    kaa, kbb, kab = ((x @ y.T / d + 1) ** 3 for x, y in ((a, a), (b, b), (a, b)))
    m, n = len(a), len(b)
    return float((kaa.sum() - np.trace(kaa)) / (m * (m - 1)) + (kbb.sum() - np.trace(kbb)) / (n * (n - 1))
                 - 2 * kab.mean())


def shape(x):
    x = np.asarray(x, np.float64).ravel()
    if x.var() <= 1e-12:
        return [x.mean(), 0.0, 0.0, 0.0]
    return [x.mean(), x.std(), np.arcsinh(st.skew(x)), np.arcsinh(st.kurtosis(x))]


def correlation(x, lags):
    """x [rows][GRID]."""
    x = x - x.mean(1, keepdims=True)
    squares = (x ** 2).sum()
    if squares <= 1e-12 * x.size:
        return [0.0] * len(lags)
    return [(x[:, :-l] * x[:, l:]).sum() / squares * GRID / (GRID - l) for l in lags]


def grid(plane):
    """Averages over cells of a 256 x 256 grid, by the overlap of intervals."""
    def overlaps(size):
        lo, hi = np.arange(GRID)[:, None] / GRID, np.arange(1, GRID + 1)[:, None] / GRID
        a, b = np.arange(size)[None] / size, np.arange(1, size + 1)[None] / size
        return np.clip(np.minimum(hi, b) - np.maximum(lo, a), 0, None) * GRID
    return overlaps(plane.shape[0]) @ plane @ overlaps(plane.shape[1]).T


def plane_features(plane, full):
    p = grid(plane.astype(np.float64))
    out = shape(p)
    for level, (across, along, both) in enumerate(reversed(pywt.wavedec2(p, "haar", level=6)[1:])):
        # pywt: details of rows (along Doppler), of columns (along time), of both; orthonormal, hence 2^(level+1)
        for band in (along, across, both):
            band = band / 2 ** (level + 1)
            s = shape(band)
            out += [np.abs(band).mean()] + s[1:] if full else [s[1]]
    bins = p.reshape(16, GRID // 16, GRID).mean(1)
    out += list(bins.mean(1))
    if full:
        out += list(bins.std(1))
        column = p.mean(0)
        out += shape(column)[1:]
        out += correlation(p, (1, 2, 4, 8, 16, 32, 64)) + correlation(p.T, (1, 2, 4, 8, 16, 32))
        out += correlation(column[None], (4, 8, 16, 24, 32, 48, 64, 96))
    return out


def picture_features(picture):
    """[c, h, w]"""
    if len(picture) == 1:
        return plane_features(picture[0], True)
    r, g, b = picture.astype(np.float64)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    return plane_features(y, True) + plane_features((b - y) / 1.772, False) + plane_features((r - y) / 1.402, False)


def main():
    rng = np.random.default_rng(6)
    out, facts = {}, {}
    mixing = rng.standard_normal((12, 12)) * np.linspace(2, 0.05, 12)
    sets = {
        "tall": (rng.standard_normal((90, 12)) @ mixing, rng.standard_normal((61, 12)) @ mixing * 1.1 + 0.3),
        "flat": (rng.standard_normal((7, 40)), 0.5 * rng.standard_normal((11, 40)) + 0.2),
        "mixed": (rng.standard_normal((9, 12)) + 1, rng.standard_normal((70, 12)) @ mixing),
    }
    for name, (a, b) in sets.items():
        a, b = a.astype(np.float32), b.astype(np.float32)
        out[f"{name}.a"], out[f"{name}.b"] = a, b
        facts[f"{name}.frechet"], facts[f"{name}.frechet_peer"] = frechet_exact(a, b), frechet_peer(a, b)
        least = min(len(a), len(b))
        facts[f"{name}.kernel"], facts[f"{name}.kernel_whole"] = kernel_peer(a[:least], b[:least]), kernel_peer(a, b)
        for k in (1, 3, 5):
            for key, value in compute_prdc(a, b, k).items():
                facts[f"{name}.{key}.{k}"] = float(value)
    a, b = rng.normal(0, 1, 40), rng.normal(0.4, 1.3, 31)
    a[:5], b[:5] = np.round(a[:5], 1), np.round(a[:5], 1)  # ties
    small_a, small_b = a[5:11].copy(), b[6:11].copy()
    samples = {"sample": (a, b), "small": (small_a, small_b), "equal": (a[:25], b[:25] + 1.5),
               "far": (a, b + 3), "large": (rng.normal(0, 1, 12000), rng.normal(0.03, 1, 15000)),
               "large_near": (rng.normal(0, 1, 12000), rng.normal(0.0, 1, 15000))}
    for name, (p, q) in samples.items():
        p, q = p.astype(np.float32).astype(np.float64), q.astype(np.float32).astype(np.float64)
        if len(p) > 1000:  # kept as seeds of a formula the test knows: a van der Corput sequence, shifted
            p = np.array([van_der_corput(i + 1, 2) for i in range(12000)])
            q = np.array([van_der_corput(i + 1, 3) for i in range(15000)]) * 1.02 ** (name == "large")
            q = q + (0.003 if name == "large_near" else 0.0)
        else:
            out[f"{name}.a"], out[f"{name}.b"] = p.astype(np.float32), q.astype(np.float32)
        test = st.ks_2samp(p, q)
        facts[f"{name}.ks"], facts[f"{name}.ks_p"] = float(test.statistic), float(test.pvalue)
        facts[f"{name}.wasserstein"] = float(st.wasserstein_distance(p, q))
    p, q = small_a.astype(np.float32).astype(np.float64), small_b.astype(np.float32).astype(np.float64)
    facts["small.permutation_p"] = float(st.permutation_test((p, q), st.wasserstein_distance, n_resamples=np.inf,
                                                             alternative="greater").pvalue)
    p, q = (x.astype(np.float32).astype(np.float64) for x in (a, b))
    facts["sample.permutation_p"] = float(st.permutation_test(
        (p, q), st.wasserstein_distance, n_resamples=99999, alternative="greater",
        rng=np.random.default_rng(1)).pvalue)
    facts["kstwo"] = {f"{n}:{d}": float(st.kstwo.sf(d, n)) for n, d in ((150, 0.05), (1000, 0.01), (1000, 0.04),
                                                                       (5000, 0.02), (5000, 0.03), (100000, 0.01))}
    p_values = rng.uniform(0, 1, 12) ** 3
    p_values[3] = p_values[7]
    out["p"] = p_values.astype(np.float32)
    exact = out["p"].astype(np.float64)
    facts["holm"] = list(map(float, multipletests(exact, method="holm")[1]))
    facts["bh"] = list(map(float, st.false_discovery_control(exact)))
    skewed_a = rng.exponential(1, 23).astype(np.float32)
    skewed_b = rng.lognormal(0, 0.8, 31).astype(np.float32)
    out["skewed.a"], out["skewed.b"] = skewed_a, skewed_b
    x, y = skewed_a.astype(np.float64), skewed_b.astype(np.float64)
    for level in (0.9, 0.99):
        ci = st.ttest_1samp(x, 0).confidence_interval(level)
        facts[f"t1.{level}"] = [float(ci.low), float(ci.high)]
        ci = st.ttest_ind(x, y, equal_var=False).confidence_interval(level)
        facts[f"t2.{level}"] = [float(ci.low), float(ci.high)]
        for method in ("percentile", "BCa"):
            for key, data, statistic in (("1", (x,), np.mean),
                                         ("2", (x, y), lambda u, v, axis=-1: u.mean(axis) - v.mean(axis))):
                ci = st.bootstrap(data, statistic, n_resamples=200000, batch=10000, confidence_level=level,
                                  method=method, vectorized=True, rng=np.random.default_rng(2)).confidence_interval
                facts[f"{method.lower()}{key}.{level}"] = [float(ci.low), float(ci.high)]
    for name, size in (("square", (1, 64, 64)), ("odd", (1, 37, 50)), ("colour", (3, 24, 300)), ("wide", (1, 300, 270))):
        picture = pattern(size)
        out[f"{name}.features"] = np.array(picture_features(picture), np.float32)
    FOLDER.mkdir(parents=True, exist_ok=True)
    flat = {}
    for key, value in facts.items():
        if isinstance(value, list):
            flat.update({f"{key}.{i}": v for i, v in enumerate(value)})
        elif isinstance(value, dict):
            flat.update({f"{key}.{i}": v for i, v in enumerate(value.values())})
        else:
            flat[key] = value
    save_file({k: np.ascontiguousarray(v) for k, v in out.items()}, FOLDER / "golden.safetensors",
              metadata={"facts": json.dumps(flat)})


def van_der_corput(i, base):
    value, scale = 0.0, 1.0
    while i:
        scale /= base
        value += scale * (i % base)
        i //= base
    return value


def pattern(size):
    """A picture the test makes by the same integers: [c, h, w] in [-1, 1]."""
    i = np.arange(int(np.prod(size)), dtype=np.uint32)
    x = (i * np.uint32(2654435761)) >> np.uint32(24)
    wave = ((i % size[2]).astype(np.int64) * 7 + (i // size[2]).astype(np.int64) * 3) % 97
    return ((x.astype(np.float32) + wave.astype(np.float32)) / np.float32(256) - np.float32(0.75)).reshape(size)


if __name__ == "__main__":
    main()
