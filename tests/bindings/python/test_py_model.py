# SPDX-License-Identifier: MIT
"""Models: arrays in and out, images, saving."""
import os
import tempfile
import unittest

import numpy

from support import TINY, mdldm, walkers


class Models(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = mdldm.Model.create(**TINY)
        cls.images = numpy.stack(walkers(3)[0])

    def test_facts(self):
        self.assertEqual(self.model.class_names, ["ID_1", "ID_2"])
        self.assertEqual(self.model.unet_config["_class_name"], "UNet2DModel")
        self.assertIs(self.model.has_unet, True)
        with self.assertRaises(AttributeError):
            self.model.colour

    def test_images_and_pixels_are_the_same_input(self):
        pixels = mdldm.to_pixels(self.images)
        expected = self.images.astype(numpy.float32).transpose(0, 3, 1, 2) / 127.5 - 1
        self.assertLess(numpy.abs(pixels - expected).max(), 2.4e-7)  # observed: 6e-8
        self.assertTrue((mdldm.to_images(pixels) == self.images).all())
        self.assertTrue((self.model.encode(self.images) == self.model.encode(pixels)).all())

    def test_encode_quantize_decode(self):
        latent = self.model.encode(self.images)
        quantized, codes = self.model.quantize(latent)
        self.assertEqual(codes.shape, latent.shape[:1] + latent.shape[2:])
        self.assertTrue((self.model.decode(latent) == self.model.decode_codes(codes)).all())
        self.assertTrue((self.model.decode(quantized) == self.model.decode(latent)).all())

    def test_shapes_are_refused_with_what_would_be_right(self):
        with self.assertRaisesRegex(ValueError, r"\[n, 3, h, w\]"):
            self.model.encode(numpy.zeros((2, 4, 32, 32), numpy.float32))
        with self.assertRaisesRegex(ValueError, r"uint8 \[n, h, w, 3\]"):
            self.model.encode(numpy.zeros((32, 32), numpy.uint8))
        with self.assertRaises(mdldm.InvalidArgument):
            self.model.encode(numpy.zeros((1, 3, 33, 32), numpy.float32))
        with self.assertRaises(TypeError):
            self.model.decode(numpy.zeros((1, 3, 8, 8), complex))

    def test_strided_and_double_arrays(self):
        z = self.model.encode(self.images)
        double = numpy.asfortranarray(z.astype(numpy.float64))
        self.assertTrue((self.model.decode(double) == self.model.decode(z)).all())

    def test_labels_by_name_number_list(self):
        z = self.model.encode(self.images)
        by_name = self.model.predict(z, 7, ["ID_1", "ID_2", "ID_1"])
        self.assertTrue((by_name == self.model.predict(z, numpy.full(3, 7), numpy.array([0, 1, 0]))).all())
        self.assertFalse((by_name == self.model.predict(z, 7, "ID_1")).all())
        with self.assertRaisesRegex(mdldm.NotFound, "ID_1, ID_2"):
            self.model.predict(z, 7, "ID_9")
        with self.assertRaisesRegex(ValueError, r"\[3\] would be right"):
            self.model.predict(z, 7, [0, 1])

    def test_generated_images_do_not_depend_on_the_batch(self):
        settings = dict(scheduler="ddim", num_inference_steps=3, seed=11, pixels=True)
        whole = self.model.generate(3, "ID_2", batch_size=3, **settings)
        single = self.model.generate(1, "ID_2", first_index=2, **settings)
        self.assertLess(numpy.abs(whole[2] - single[0]).max(), 2.2e-5)  # observed: 5.7e-6
        self.assertTrue((whole == self.model.generate(3, "ID_2", batch_size=3, **settings)).all())

    def test_steps_by_hand_make_the_generated_image(self):
        with mdldm.Sampler(self.model, scheduler="ddpm", num_inference_steps=3, seed=4) as sampler:
            latent = sampler.noise(2, 8, 8)
            for i in range(len(sampler)):
                latent = sampler.step(latent, i, "ID_1")
            by_hand = self.model.decode(latent)
            self.assertEqual(len(sampler.timesteps), 3)
        with mdldm.Sampler(self.model, scheduler="ddpm", num_inference_steps=3, seed=4) as sampler:
            self.assertTrue((by_hand == sampler.generate(2, 32, 32, "ID_1")).all())

    def test_save_and_load(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "mödel")
            self.model.save(path)
            again = mdldm.Model.load(path)
            self.assertTrue((again.encode(self.images) == self.model.encode(self.images)).all())
            with self.assertRaises(mdldm.NotFound) as caught:
                mdldm.Model.load(os.path.join(folder, "none"))
            self.assertIsInstance(caught.exception, LookupError)
            self.assertIn("none", str(caught.exception))

    def test_closed_handles_say_so(self):
        model = mdldm.Model.create(**TINY)
        model.close()
        model.close()
        with self.assertRaisesRegex(ValueError, "closed"):
            model.encode(self.images)

    def test_pictures_show_in_a_notebook(self):
        pictures = self.model.generate(2, "ID_1", num_inference_steps=2)
        self.assertEqual(pictures._repr_png_()[:4], b"\x89PNG")
        self.assertEqual(mdldm.sheet(pictures).shape, (32, 64, 3))

    def test_the_unet_in_eight_bits(self):
        eight = self.model.quantize_unet(timestep_groups=2, calibration_images=1, calibration_steps=2)
        self.assertEqual((self.model.timestep_groups, eight.timestep_groups), (0, 2))
        self.assertLess(eight.weight_bytes, 0.6 * self.model.weight_bytes)
        z = self.model.encode(self.images)
        whole, part = self.model.predict(z, 500, "ID_1"), eight.predict(z, 500, "ID_1")
        self.assertLess(numpy.abs(whole - part).max() / numpy.abs(whole).max(), 0.1)  # observed: 0.03
        with self.assertRaises(mdldm.InvalidArgument):
            eight.quantize_unet()

    def test_winograd_can_be_left_out(self):
        z = self.model.encode(self.images)
        with mdldm.Context(winograd=False):
            direct = self.model.predict(z, 5, "ID_1")
        error = numpy.abs(direct - self.model.predict(z, 5, "ID_1")).max() / numpy.abs(direct).max()
        self.assertLess(error, 6e-6)  # observed: 1.6e-6

    def test_what_shows_in_a_notebook(self):
        pictures = self.model.generate(2, "ID_1", num_inference_steps=2)
        for shown in (pictures, pictures[0], mdldm.sheet(pictures), mdldm.to_images(self.model.encode(self.images))):
            self.assertEqual(shown._repr_png_()[:4], b"\x89PNG")
        self.assertIsNone(pictures[0, 0, 0]._repr_png_())  # a colour is no picture
        self.assertIn("UNet2DModel", repr(self.model))
