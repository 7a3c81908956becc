# SPDX-License-Identifier: MIT
"""Spectrograms, decibels and colour maps against NumPy."""
import unittest

import numpy

from support import mdldm
from test_py_arrays import Recorder


class Radar(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        rng = numpy.random.default_rng(5)
        cls.rate = 1000.0
        t = numpy.arange(2000) / cls.rate
        cls.iq = (numpy.exp(2j * numpy.pi * 125 * t) + 0.1 * rng.standard_normal((2000, 2)).view(complex)[:, 0])
        cls.iq = cls.iq.astype(numpy.complex64)

    def test_spectrogram_is_numpys_transform(self):
        db = mdldm.spectrogram(self.iq, self.rate, win_length=64, hop_length=16, n_fft=128)
        window = 0.5 - 0.5 * numpy.cos(2 * numpy.pi * numpy.arange(64) / 64)
        frames = numpy.stack([self.iq[i:i + 64] * window for i in range(0, 2000 - 63, 16)], axis=1)
        spectrum = numpy.fft.fftshift(numpy.fft.fft(frames, 128, axis=0), axes=0)[::-1]
        expected = 20 * numpy.log10(numpy.abs(spectrum) / window.sum())
        self.assertEqual(db.shape, expected.shape)
        self.assertLess(numpy.abs(db - expected).max(), 4e-3)  # observed: 1.2e-3
        frequency, time = mdldm.spectrogram_axes(2000, self.rate, win_length=64, hop_length=16, n_fft=128)
        self.assertEqual((len(frequency), len(time)), db.shape)
        self.assertAlmostEqual(frequency[db.mean(axis=1).argmax()], 125.0)
        self.assertAlmostEqual(time[1] - time[0], 0.016)
        pairs = self.iq.view(numpy.float32).reshape(-1, 2)
        self.assertTrue((mdldm.spectrogram(pairs, self.rate, win_length=64, hop_length=16, n_fft=128) == db).all())

    def test_samples_are_not_copied(self):
        context = Recorder()
        mdldm.spectrogram(self.iq, self.rate, context, win_length=64)
        self.assertTrue(context.passed("spectrogram", self.iq))
        for bad in (self.iq.real, self.iq[:, None], numpy.zeros((4, 3))):
            with self.assertRaisesRegex(ValueError, "would be right"):
                mdldm.spectrogram(bad, self.rate)
        with self.assertRaisesRegex(mdldm.InvalidArgument, "win_length|window|samples"):
            mdldm.spectrogram(self.iq[:10], self.rate)

    def test_decibels_and_back(self):
        db = mdldm.spectrogram(self.iq, self.rate, win_length=64)
        floor, ceiling = mdldm.db_range(db, 40)
        self.assertEqual((ceiling, floor), (db.max(), db.max() - 40))
        clipped = numpy.clip(db, floor, ceiling)
        for there, back, low in ((mdldm.db_to_unit, mdldm.unit_to_db, 0), (mdldm.db_to_pixels, mdldm.pixels_to_db, -1)):
            values = there(db, floor, ceiling)
            expected = low + (clipped - floor) / (ceiling - floor) * (1 - low)
            self.assertLess(numpy.abs(values - expected).max(), 6e-7)  # observed: 1.8e-7
            self.assertLess(numpy.abs(back(values, floor, ceiling) - clipped).max(), 8e-6)  # observed: 1.9e-6

    def test_colours_and_back(self):
        self.assertEqual(set(mdldm.colormaps()), {"jet", "viridis", "parula-like", "turbo", "grey"})
        values = numpy.random.default_rng(2).uniform(-40, 0, (30, 20)).astype(numpy.float32)
        for name in mdldm.colormaps():
            rgb = mdldm.colormap(values, -40, 0, name)
            self.assertEqual(rgb.shape, (30, 20, 3))
            inverse = mdldm.colormap_invert(rgb, -40, 0, name)
            self.assertLessEqual(numpy.abs(inverse.values - values).max(), 40 / 128)  # two colours: some stand twice
            self.assertEqual((inverse.mean_residual, inverse.max_residual), (0, 0))
        wrong = mdldm.colormap_invert(mdldm.colormap(values, -40, 0, "viridis"), -40, 0, "jet")
        self.assertGreater(wrong.mean_residual, 20)
        self.assertAlmostEqual(float(wrong.residuals.max()), wrong.max_residual, places=3)
        with self.assertRaises(mdldm.MdldmError):
            mdldm.colormap(values, -40, 0, "rainbow")
        with self.assertRaisesRegex(ValueError, "would be right"):
            mdldm.colormap_invert(values, -40, 0)

    def test_resize(self):
        ramp = numpy.repeat(numpy.arange(8, dtype=numpy.float32)[:, None], 6, axis=1)
        self.assertTrue((mdldm.matrix_resize(ramp, 8, 6) == ramp).all())
        self.assertTrue((mdldm.matrix_resize(ramp, 8, 3) == ramp[:, :3]).all())
        with self.assertRaisesRegex(ValueError, "would be right"):
            mdldm.matrix_resize(ramp[0], 2, 2)


if __name__ == "__main__":
    unittest.main()
