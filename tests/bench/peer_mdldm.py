# SPDX-License-Identifier: MIT
"""This library as one of the competitors, through ctypes."""
import ctypes
import os

import numpy

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


class Library:
    def __init__(self, threads, precision="f32"):
        self.lib = ctypes.CDLL(os.path.join(ROOT, "lib", "libmdldm.so.0"))
        self.lib.mdldm_context_error.restype = ctypes.c_char_p
        self.lib.mdldm_trainer_metric.restype = ctypes.c_double
        self.ctx = ctypes.c_void_p()
        self.lib.mdldm_context_create(ctypes.byref(self.ctx))
        self.call("mdldm_context_set_threads", ctypes.c_int32(threads))
        self.call("mdldm_context_use_backend", b"cpu")
        # Eight bits are a property of the model; what is not in them is in bf16.
        self.call("mdldm_context_set_precision", b"f32" if precision == "f32" else b"bf16")

    def call(self, name, *args):
        if getattr(self.lib, name)(self.ctx, *args) != 0:
            raise RuntimeError(self.lib.mdldm_context_error(self.ctx).decode())

    def options(self, **values):
        handle = ctypes.c_void_p()
        self.call("mdldm_options_create", ctypes.byref(handle))
        for key, value in values.items():
            self.call("mdldm_options_parse", handle, key.encode(), str(value).encode())
        return handle

    def make(self, function, *args):
        handle = ctypes.c_void_p()
        self.call(function, *args, ctypes.byref(handle))
        return handle

    def fact(self, model, key):
        value = ctypes.c_int64()
        self.call("mdldm_model_get_int", model, key.encode(), ctypes.byref(value))
        return value.value

    def number(self, model, key):
        value = ctypes.c_double()
        self.call("mdldm_model_get_double", model, key.encode(), ctypes.byref(value))
        return value.value


def make_model(folder, preset, resolution, classes):
    """A model directory with random weights, made by the library."""
    library = Library(1)
    options = library.options(preset=preset, resolution=resolution, num_classes=classes, seed=1)
    model = library.make("mdldm_model_create", options)
    library.call("mdldm_model_save", model, folder.encode())
    facts = {key: library.fact(model, key) for key in ("latent_channels", "latent_factor", "num_classes")}
    library.lib.mdldm_model_free(model)
    return facts


class Inference:
    def __init__(self, config, inputs):
        self.config, self.inputs = config, inputs
        self.library = Library(config["threads"], config["precision"])
        self.model = self.library.make("mdldm_model_load", config["model"].encode())
        self.scale = numpy.float32(self.library.number(self.model, "scaling_factor"))
        self.factor = self.library.fact(self.model, "latent_factor")
        self.arrays = {}

    def first(self, batch):
        arrays = {key: numpy.ascontiguousarray(value) for key, value in self.inputs(batch).items()}
        arrays["latents"] = arrays["latents"].copy()
        if self.config["job"] == "decode":
            arrays["latents"] *= self.scale  # this boundary is in diffusion space
        job = self.config["job"]
        shape = arrays["pixels" if job == "decode" else "latents"].shape
        arrays["output"] = numpy.zeros(shape, numpy.float32)
        self.arrays[batch] = arrays
        self.run(batch)
        return arrays["output"] / self.scale if job == "encode" else arrays["output"]

    def run(self, batch):
        a, job = self.arrays[batch], self.config["job"]
        n, size = ctypes.c_int64(batch), ctypes.c_size_t(a["output"].size)
        height, width = (ctypes.c_int64(k) for k in a["pixels" if job == "encode" else "latents"].shape[2:])
        if job == "unet":
            self.library.call("mdldm_predict", self.model, pointer(a["latents"]), n, height, width,
                              pointer(a["timesteps"]), pointer(a["labels"]), pointer(a["output"]), size)
        elif job == "encode":
            self.library.call("mdldm_encode", self.model, pointer(a["pixels"]), n, height, width,
                              pointer(a["output"]), size)
        else:
            self.library.call("mdldm_decode", self.model, pointer(a["latents"]), n, height, width,
                              pointer(a["output"]), size)


class Training:
    """A trainer on the driver's pictures; it draws timesteps and noise by itself."""

    def __init__(self, config, inputs):
        self.library = Library(config["threads"])
        self.config = config

    def first(self, batch):
        config, library = self.config, self.library
        options = library.options(
            resolution=config["resolution"], train_batch_size=batch, learning_rate=1e-4, lr_warmup_steps=0,
            validation_fraction=0, kmeans_start=0, restart_dead_codes=0, max_train_steps=1000000, seed=1,
            eval_batch_size=batch, mixed_precision="bf16" if config["precision"] == "bf16" else "no",
            **({"gradient_checkpointing": 1} if config["mode"] == "checkpointing" else {}))
        model = library.make("mdldm_model_load", config["model"].encode())
        data = library.make("mdldm_dataset_open", os.path.join(config["folder"], "images").encode(), options)
        stage = ctypes.c_int(1 if config["job"] == "train_vq" else 2)
        self.trainer = library.make("mdldm_trainer_create", stage, model, data, options)
        self.run(batch)
        return {}

    def run(self, batch):
        self.library.call("mdldm_trainer_step", self.trainer)


def make(config, inputs):
    return (Training if config["job"].startswith("train") else Inference)(config, inputs)
