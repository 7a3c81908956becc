# SPDX-License-Identifier: MIT
"""Gait measures through Python: shapes, names, pictures and data sets."""
import unittest

import numpy

from support import mdldm


class GaitMeasures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        rows, t = numpy.arange(64)[:, None], (numpy.arange(96) + 0.5) / 96
        cls.db = numpy.stack([numpy.where(rows == 40, 0, numpy.where((rows > 20 - 8 * numpy.sin(2 * numpy.pi * f * t))
                                                                     & (rows < 40), -20, -60)) for f in (4.5, 6)])

    def test_matrices(self):
        gait = mdldm.gait_measure(self.db, picture_duration=2, doppler_high=320, doppler_low=-320)
        self.assertEqual(list(gait.values), [measure.name for measure in mdldm.gait_measures()])
        self.assertEqual({measure.unit for measure in mdldm.gait_measures()}, {"doppler", "frequency", "dB", ""})
        self.assertLess(numpy.abs(gait.values["step_frequency"] - [2.25, 3]).max(), 4e-3)  # observed: 1e-3
        self.assertTrue(numpy.allclose(gait.values["torso_doppler"], 320 - 405, atol=0.2))  # observed: 0.1, limbs
        for curve in (gait.upper, gait.lower, gait.torso):
            self.assertEqual(curve.shape, (2, 96))
        self.assertTrue((gait.upper > gait.lower).all())
        single = mdldm.gait_measure(self.db[1], picture_duration=2, doppler_high=320, doppler_low=-320)
        self.assertTrue((single.upper[0] == gait.upper[1]).all())

    def test_pictures(self):
        gait = mdldm.gait_measure(self.db)
        images = mdldm.colormap(self.db, -60, 0, "jet")
        colours = mdldm.gait_measure_pixels(images, colormap="jet", db_floor=-60, db_ceiling=0)
        grey = mdldm.gait_measure_pixels(self.db[:, None] / numpy.float32(30) + 1, db_floor=-60, db_ceiling=0)
        for name, values in gait.values.items():
            self.assertTrue(numpy.allclose(grey.values[name], values, atol=1e-4, equal_nan=True), name)
            self.assertTrue(numpy.allclose(colours.values[name], values, atol=0.5, equal_nan=True), name)

    def test_data_sets(self):
        data = mdldm.Dataset.from_db(self.db[:, :, :64], resolution=64, image_mode="L", db_floor=-60, db_ceiling=0)
        values = mdldm.gait_measure_dataset(data)
        self.assertEqual(values["step_frequency"].shape, (2,))
        self.assertLess(numpy.abs(values["step_frequency"] - [3, 4]).max(), 0.01)  # observed: 3e-3

    def test_refusals(self):
        with self.assertRaisesRegex(ValueError, "would be right"):
            mdldm.gait_measure(self.db[0, 0])
        with self.assertRaisesRegex(mdldm.InvalidArgument, "7 rows"):
            mdldm.gait_measure(self.db[0, :7])
        with self.assertRaisesRegex(TypeError, "learning_rate.*belongs to train"):
            mdldm.gait_measure(self.db, learning_rate=1)


if __name__ == "__main__":
    unittest.main()
