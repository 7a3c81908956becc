# SPDX-License-Identifier: MIT
"""The enumerations of include/mdldm/mdldm.h; a test compares each value with the header's."""
import enum


class Status(enum.IntEnum):
    """What a call returns; each but OK has its exception in _errors."""

    OK = 0
    ERROR_INVALID_ARGUMENT = 1
    ERROR_OUT_OF_MEMORY = 2
    ERROR_IO = 3
    ERROR_FORMAT = 4
    ERROR_UNSUPPORTED = 5
    ERROR_NOT_FOUND = 6
    ERROR_UNAVAILABLE = 7
    ERROR_CANCELLED = 8
    ERROR_NUMERIC = 9
    ERROR_CAPACITY = 10
    ERROR_INTERNAL = 11


class OptionType(enum.IntEnum):
    INT = 0
    DOUBLE = 1
    STRING = 2
    FLAG = 3


class OptionScope(enum.IntFlag):
    """Which calls read an option."""

    MODEL = 1
    DATASET = 2
    TRAIN = 4
    VQ = 8
    DIFFUSION = 16
    SAMPLE = 32
    QUANTIZE = 64
    SPECTROGRAM = 128
    GAIT = 256
    LATENTS = 1024
    EVALUATE = 2048


class Stage(enum.IntEnum):
    AUTOENCODER = 1
    DIFFUSION = 2


class Test(enum.IntEnum):
    KOLMOGOROV_SMIRNOV = 0
    WASSERSTEIN = 1


class Correction(enum.IntEnum):
    HOLM = 0
    BENJAMINI_HOCHBERG = 1


class Interval(enum.IntEnum):
    T = 0
    PERCENTILE = 1
    BCA = 2
