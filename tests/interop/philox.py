# SPDX-License-Identifier: MIT
"""The library's random numbers (src/util/rng.h) in numpy, so that torch can be fed the same ones."""
import numpy as np

TRAIN_NOISE, TIMESTEP, LABEL_DROP = 6, 7, 8


def block(seed, stream, item, sub, index):
    """Philox4x32-10: four words for each counter in index."""
    mask = np.uint64(0xFFFFFFFF)
    c = [np.asarray(index, np.uint64), np.full(len(index), sub, np.uint64),
         np.full(len(index), item & 0xFFFFFFFF, np.uint64), np.full(len(index), item >> 32, np.uint64)]
    k0, k1 = seed & 0xFFFFFFFF, (seed >> 32) ^ (stream << 24)
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(p1 >> np.uint64(32)) ^ c[1] ^ np.uint64(k0), p1 & mask,
             (p0 >> np.uint64(32)) ^ c[3] ^ np.uint64(k1), p0 & mask]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack(c, -1).reshape(-1)


def words(seed, stream, item, count):
    return block(seed, stream, item, 0, np.arange((count + 3) // 4))[:count]


def uniform(seed, stream, item, count):
    return (words(seed, stream, item, count).astype(np.float64) + 0.5) * 2.0 ** -32


def normal(seed, stream, item, count):
    pairs = uniform(seed, stream, item, (count + 3) // 4 * 4).reshape(-1, 2)
    radius, angle = np.sqrt(-2 * np.log(pairs[:, 0])), 2 * np.pi * pairs[:, 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1).reshape(-1)[:count].astype(np.float32)


def below(seed, stream, item, bound):
    threshold = (2 ** 32 - bound) % bound
    for word in words(seed, stream, item, 64):
        product = int(word) * bound
        if (product & 0xFFFFFFFF) >= threshold:
            return product >> 32
    raise AssertionError("64 rejections in a row")
