# SPDX-License-Identifier: MIT
"""The few calls of libmdldm.so.0 that the interoperability check needs, through ctypes."""
import ctypes
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t, c_void_p

import numpy as np


class Error(Exception):
    """A call that did not return MDLDM_OK: its sentence."""


def floats(array):
    array = np.ascontiguousarray(array, dtype=np.float32)
    return array, array.ctypes.data_as(POINTER(c_float))


def integers(values):
    return None if values is None else (c_int64 * len(values))(*[int(v) for v in values])


class Library:
    """A context on one backend, and handles as plain addresses."""

    def __init__(self, path, backend):
        self.lib = ctypes.CDLL(path)
        self.lib.mdldm_context_error.restype = c_char_p
        self.lib.mdldm_context_error.argtypes = [c_void_p]
        self.lib.mdldm_context_backend.restype = c_char_p
        self.ctx = c_void_p()
        self.call("context_create", byref(self.ctx), context=False)
        self.call("context_use_backend", backend.encode())

    def call(self, name, *arguments, context=True):
        function = getattr(self.lib, "mdldm_" + name)
        if function(*([self.ctx] if context else []), *arguments):
            raise Error(f"{name}: {self.lib.mdldm_context_error(self.ctx).decode()}")

    def load(self, folder):
        model = c_void_p()
        self.call("model_load", str(folder).encode(), byref(model))
        return model

    def save(self, model, folder):
        self.call("model_save", model, str(folder).encode())

    def free_model(self, model):
        self.lib.mdldm_model_free(model)

    def fact(self, model, key):
        value = c_int64()
        self.call("model_get_int", model, key.encode(), byref(value))
        return value.value

    def encode(self, model, pixels):
        n, _, height, width = pixels.shape
        factor, channels = self.fact(model, "latent_factor"), self.fact(model, "latent_channels")
        out = np.empty((n, channels, height // factor, width // factor), np.float32)
        pixels, address = floats(pixels)
        self.call("encode", model, address, c_int64(n), c_int64(height), c_int64(width), floats(out)[1],
                  c_size_t(out.size))
        return out

    def codes(self, model, latent):
        n, _, h, w = latent.shape
        codes = np.empty((n, h, w), np.int32)
        latent, address = floats(latent)
        self.call("quantize", model, address, c_int64(n), c_int64(h), c_int64(w), None, c_size_t(0),
                  codes.ctypes.data_as(POINTER(c_int32)), c_size_t(codes.size))
        return codes

    def decode(self, model, latent):
        n, _, h, w = latent.shape
        factor = self.fact(model, "latent_factor")
        out = np.empty((n, self.fact(model, "image_channels"), h * factor, w * factor), np.float32)
        latent, address = floats(latent)
        self.call("decode", model, address, c_int64(n), c_int64(h), c_int64(w), floats(out)[1],
                  c_size_t(out.size))
        return out

    def predict(self, model, latent, timesteps, labels):
        n, _, h, w = latent.shape
        out = np.empty_like(latent, dtype=np.float32)
        latent, address = floats(latent)
        self.call("predict", model, address, c_int64(n), c_int64(h), c_int64(w), integers(timesteps),
                  integers(labels), floats(out)[1], c_size_t(out.size))
        return out

    def sample(self, model, latent, labels, noises, **settings):
        """Denoises latent with the settings (options of mdldm_sampler_create); noises[k] is the noise
        of step k, or noises is None for a scheduler that draws none."""
        options, sampler = c_void_p(), c_void_p()
        self.call("options_create", byref(options))
        for key, value in settings.items():
            self.call("options_parse", options, key.encode(), str(value).encode())
        self.call("sampler_create", model, options, byref(sampler))
        n, _, h, w = latent.shape
        latent, address = floats(np.array(latent, np.float32))
        shape = (c_int64(n), c_int64(h), c_int64(w))
        self.lib.mdldm_sampler_steps.restype, self.lib.mdldm_sampler_timestep.restype = c_int64, c_double
        for k in range(self.lib.mdldm_sampler_steps(sampler)):
            if noises is None:
                self.call("denoise_step", sampler, address, *shape, integers(labels), c_int64(0), c_int64(k))
                continue
            t = int(self.lib.mdldm_sampler_timestep(sampler, c_int64(k)))
            output, output_address = floats(self.predict(model, latent, [t] * n, labels))
            noise, noise_address = floats(noises[k])
            self.call("scheduler_step", sampler, output_address, address, *shape, c_int64(0), c_int64(k),
                      noise_address)
        self.lib.mdldm_sampler_free(sampler)
        self.lib.mdldm_options_free(options)
        return latent
