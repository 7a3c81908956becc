# SPDX-License-Identifier: MIT
"""Arrays at the boundary: what goes in without a copy, and what an output must be."""
import unittest

import numpy

from support import TINY, mdldm, walkers


class Recorder(mdldm.Context):
    """Notes the arguments of each call."""

    def __init__(self):
        self.calls = []
        super().__init__(threads=1)

    def call(self, name, *arguments):
        self.calls.append((name, arguments))
        super().call(name, *arguments)

    def passed(self, name, array):
        """Whether the last call of that name got this very array."""
        arguments = next(a for n, a in reversed(self.calls) if n == name)
        return array.ctypes.data in [a for a in arguments if isinstance(a, int)]


class Other:
    """What a tensor of another package offers: DLPack and nothing else."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class Arrays(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = mdldm.Model.create(**TINY)
        cls.images = numpy.stack(walkers(2)[0])
        cls.pixels = mdldm.to_pixels(cls.images)
        cls.latent = cls.model.encode(cls.pixels)

    def test_contiguous_inputs_are_not_copied(self):
        context, model = Recorder(), self.model
        labels, steps = numpy.array([0, 1]), numpy.array([5, 7])
        codes = model.quantize(self.latent, context)[1]
        self.assertTrue(context.passed("quantize", self.latent))
        model.encode(self.pixels, context)
        self.assertTrue(context.passed("encode", self.pixels))
        mdldm.to_pixels(self.images, context)
        self.assertTrue(context.passed("rgb8_to_pixels", self.images))
        model.decode(self.latent, context)
        self.assertTrue(context.passed("decode", self.latent))
        model.decode_codes(codes, context)
        self.assertTrue(context.passed("decode_codes", codes))
        model.predict(self.latent, steps, labels, context)
        for array in (self.latent, steps, labels):
            self.assertTrue(context.passed("predict", array))
        mdldm.to_images(self.pixels, context)
        self.assertTrue(context.passed("pixels_to_rgb8", self.pixels))
        self.assertTrue((model.decode(Other(self.latent), context) == model.decode(self.latent)).all())
        self.assertTrue(context.passed("decode", self.latent))
        one = self.latent[1]  # without its batch axis
        model.decode(one, context)
        self.assertTrue(context.passed("decode", one))

    def test_strided_inputs_are_copied(self):
        context = Recorder()
        turned = numpy.ascontiguousarray(self.latent.transpose(0, 1, 3, 2)).transpose(0, 1, 3, 2)
        result = self.model.decode(turned, context)
        self.assertFalse(context.passed("decode", turned))
        self.assertTrue((result == self.model.decode(self.latent)).all())

    def test_outputs_of_the_callers(self):
        context, model = Recorder(), self.model
        out = numpy.empty_like(self.latent)
        self.assertIs(model.encode(self.pixels, context, out=out), out)
        self.assertTrue(context.passed("encode", out))
        self.assertTrue((out == self.latent).all())
        self.assertIs(model.predict(self.latent, 5, "ID_1", context, out=out), out)
        self.assertTrue((out == model.predict(self.latent, 5, "ID_1")).all())
        pixels = numpy.empty_like(self.pixels)
        self.assertIs(model.decode(self.latent, out=pixels), pixels)
        with mdldm.Sampler(model, num_inference_steps=2) as sampler:
            self.assertIs(sampler.generate(2, 32, 32, "ID_1", out=pixels), pixels)
            self.assertIs(sampler.noise(2, 8, 8, out=out), out)

    def test_outputs_that_will_not_do(self):
        shape = self.latent.shape
        locked = numpy.empty(shape, numpy.float32)
        locked.flags.writeable = False
        for out, sentence in ((numpy.empty(shape), "float64"), (numpy.empty(shape[1:], numpy.float32), "would be right"),
                              (numpy.empty(shape, numpy.float32).T, "would be right"),
                              (numpy.empty(shape, numpy.float32, order="F"), "strided"), (locked, "written")):
            with self.assertRaisesRegex(ValueError, sentence):
                self.model.encode(self.pixels, out=out)
        with mdldm.Sampler(self.model, num_inference_steps=2) as sampler:
            with self.assertRaisesRegex(ValueError, "would be right"):
                sampler.generate(1, 32, 32, "ID_1", out=numpy.empty((1, 3, 32, 16), numpy.float32))

    def test_an_empty_batch(self):
        with self.assertRaises(mdldm.InvalidArgument):
            self.model.encode(self.pixels[:0])


if __name__ == "__main__":
    unittest.main()
