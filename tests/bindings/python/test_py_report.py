# SPDX-License-Identifier: MIT
"""The latent report through Python, against NumPy on the latents that encode gives."""
import unittest

import numpy

from support import TINY, mdldm, walkers


class LatentReport(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        images, labels = walkers(20)
        cls.model = mdldm.Model.create(**TINY)
        cls.data = mdldm.Dataset.from_arrays(images, labels, resolution=32)
        cls.report = mdldm.latent_report(cls.model, cls.data, latent_pairs=2, latent_steps=2)

    def test_numbers(self):
        pixels = numpy.stack([self.data.read(i) for i in range(len(self.data))]).reshape(len(self.data), 3, 32, 32)
        latents = self.model.encode(pixels).astype(numpy.float64)
        data = self.report.data
        self.assertEqual(data["latent"], list(latents.shape[1:]))
        self.assertEqual(self.report["images"], len(self.data))
        self.assertAlmostEqual(self.report["scale.deviation"], latents.std(), delta=1e-6 * latents.std())
        flat = latents.transpose(1, 0, 2, 3).reshape(latents.shape[1], -1)
        self.assertLess(numpy.abs(numpy.array(data["correlation"]) - numpy.corrcoef(flat)).max(), 1e-6)
        power = (numpy.abs(numpy.fft.fft2(latents - latents.mean(0))) ** 2).sum(0)
        radius = numpy.hypot(*numpy.meshgrid(*[numpy.fft.fftfreq(s) for s in power.shape[1:]], indexing="ij"))
        share = (power[:, radius > 0.25].sum(1) / power.sum((1, 2))).mean()
        self.assertAlmostEqual(self.report["spectrum.high_share"], share, delta=1e-6)
        self.assertEqual(sum(data["codebook"]["counts"]), latents[:, 0].size)

    def test_paths_and_texts(self):
        self.assertEqual(self.report.length("channels"), self.report.data["latent"][0])
        self.assertTrue(numpy.isnan(self.report["channels.99.mean"]))
        self.assertEqual(self.report.warnings, self.report.data["warnings"])
        self.assertIn("a scaling_factor of", " ".join(self.report.warnings))  # nobody has trained it
        self.assertEqual(self.report.text("warnings.0"), self.report.warnings[0])
        self.assertIsNone(self.report.text("images"))

    def test_evaluation(self):
        rng = numpy.random.default_rng(0)
        db = rng.normal(-30, 4, (8, 32, 32)).astype(numpy.float32)
        labels, names = [0, 0, 0, 0, 1, 1, 1, 1], ["A", "B"]
        sets = [mdldm.Dataset.from_db(values, labels, names, resolution=32, image_mode="L", db_floor=-60,
                                      db_ceiling=0)
                for values in (db, db + 0.6)]
        report = mdldm.evaluate(*sets, pairs=True)
        self.assertAlmostEqual(report["values.psnr"], 40.0, places=3)  # 0.6 of 60 dB
        self.assertEqual(report["tables.images.B.real"], 4)
        self.assertEqual([s["key"] for s in report.data["sections"]], ["sets", "distances_fixed", "pairs", "gait"])
        self.assertIn("<h1>", report.html)
        self.assertIsNone(self.report.html)

    def test_refusals(self):
        with self.assertRaisesRegex(TypeError, "belongs to gait"):
            mdldm.latent_report(self.model, self.data, step_low=1)
        grey = mdldm.Dataset.from_db(numpy.zeros((3, 32, 32), numpy.float32), resolution=32, image_mode="L",
                                     db_floor=-40)
        with self.assertRaisesRegex(mdldm.InvalidArgument, "takes 3 channels and the data set has 1"):
            mdldm.latent_report(self.model, grey)


if __name__ == "__main__":
    unittest.main()
