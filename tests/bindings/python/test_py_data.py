# SPDX-License-Identifier: MIT
"""Data sets from arrays and from the hub."""
import os
import shutil
import sys
import tempfile
import types
import unittest

import numpy

from support import mdldm, walkers


class Data(unittest.TestCase):
    def test_arrays_become_a_data_set(self):
        images, labels = walkers(6)
        data = mdldm.Dataset.from_arrays(images, labels, resolution=32)
        self.assertEqual((len(data), data.class_names), (6, ["ID_1", "ID_2"]))
        self.assertEqual(list(data.labels), [0, 0, 0, 1, 1, 1])
        first = mdldm.to_images(data.read(0))[0]
        self.assertTrue((first == images[0]).all())
        with self.assertRaises(IndexError):
            data.read(6)
        self.assertIsNone(data.folder)  # one size: all in memory
        small = images[:5] + [images[5][:24, :24]]
        data = mdldm.Dataset.from_arrays(small, labels, resolution=24)
        self.assertEqual((len(data), data.class_names), (6, ["ID_1", "ID_2"]))
        self.assertTrue((data.image(5) == small[5]).all())
        folder = data.folder
        data.close()
        self.assertFalse(os.path.exists(folder))

    def test_memory_and_folder_are_the_same_data_set(self):
        images, _ = walkers(6)
        labels = ["ID_10", "ID_9", "ID_10", "ID_1", "ID_9", "ID_1"]  # natural order: 1, 9, 10
        data = mdldm.Dataset.from_arrays(images, labels, resolution=16)
        with tempfile.TemporaryDirectory() as folder:
            for i, (image, label) in enumerate(zip(images, labels)):
                os.makedirs(f"{folder}/{label}", exist_ok=True)
                mdldm.write_image(f"{folder}/{label}/{i}.png", image)
            files = mdldm.Dataset.from_folder(folder, resolution=16)
            self.assertEqual((data.class_names, list(data.labels)), (files.class_names, list(files.labels)))
            self.assertEqual([os.path.splitext(name)[0] for name in files.names], data.names)
            for i in range(6):
                self.assertTrue((data.read(i) == files.read(i)).all())

    def test_matrices_in_decibels(self):
        """In and out of a model of one channel, whose pixels have a meaning in dB."""
        rng = numpy.random.default_rng(4)
        db = rng.uniform(-70, -10, (6, 32, 32)).astype(numpy.float32)
        data = mdldm.Dataset.from_db(db, ["b", "a"] * 3, resolution=32, image_mode="L", db_floor=-60, db_ceiling=-10)
        self.assertEqual((data.channels, data.db_range, data.class_names), (1, (-60, -10), ["a", "b"]))
        self.assertEqual(data.names[0], "a/1")
        expected = numpy.clip(db[1], -60, -10)
        self.assertLess(numpy.abs(mdldm.pixels_to_db(data.read(0)[0], -60, -10) - expected).max(), 4e-6)  # observed: 1e-6
        vq = mdldm.Model.create(preset="tiny", resolution=32, image_mode="L", components="autoencoder")
        self.assertEqual(vq.image_channels, 1)
        with self.assertRaises(mdldm.NotFound):
            vq.db_floor
        mdldm.Trainer("autoencoder", vq, data, max_train_steps=2, train_batch_size=2).fit(progress=False)
        self.assertEqual((vq.db_floor, vq.db_ceiling), (-60, -10))
        pixels = mdldm.db_to_pixels(db[:, None], vq.db_floor, vq.db_ceiling)
        again = vq.decode(vq.encode(pixels))
        self.assertEqual(again.shape, (6, 1, 32, 32))
        grey = mdldm.to_images(again)
        self.assertEqual(grey.shape, (6, 32, 32))
        self.assertTrue((vq.encode(grey) == vq.encode(mdldm.to_pixels(grey, channels=1))).all())
        with tempfile.TemporaryDirectory() as folder:
            vq.save(folder + "/vq")
            model = mdldm.Model.create(preset="tiny", resolution=32, vae_path=folder + "/vq")
            self.assertEqual(model.generate(2, num_inference_steps=2).shape, (2, 32, 32))
            mdldm.write_image(folder + "/grey.png", grey[0])
            self.assertTrue((mdldm.read_image(folder + "/grey.png", grey=True) == grey[0]).all())
            self.assertEqual(mdldm.read_image(folder + "/grey.png").shape, (32, 32, 3))
        for shown in (grey, grey[0], mdldm.sheet(grey)):
            self.assertEqual(shown._repr_png_()[:4], b"\x89PNG")
        with self.assertRaisesRegex(ValueError, "would be right"):
            mdldm.Dataset.from_db(db[0])
        with self.assertRaises(mdldm.NumericError):
            mdldm.Dataset.from_db(numpy.full((1, 32, 32), numpy.nan), resolution=32, image_mode="L")

    def test_numbers_as_labels_keep_their_order(self):
        images, _ = walkers(12)
        data = mdldm.Dataset.from_arrays(images, range(12), resolution=32)
        self.assertEqual(list(data.labels), list(range(12)))

    def test_folder_and_zip_hold_the_same(self):
        with tempfile.TemporaryDirectory() as folder:
            for i, (image, label) in enumerate(zip(*walkers(4))):
                os.makedirs(f"{folder}/data/{label}", exist_ok=True)
                mdldm.write_image(f"{folder}/data/{label}/{i}.png", image)
            data = mdldm.Dataset.from_folder(folder + "/data", resolution=32)
            zipped = mdldm.Dataset.from_zip(shutil.make_archive(folder + "/z", "zip", folder + "/data"), resolution=32)
            self.assertEqual((zipped.names, zipped.class_names), (data.names, data.class_names))
            self.assertTrue((zipped.labels == data.labels).all())
            for i in range(4):
                self.assertTrue((zipped.read(i) == data.read(i)).all())
                self.assertTrue((zipped.image(i) == mdldm.to_images(data.read(i))[0]).all())

    def test_pixels_and_grey_images_are_taken(self):
        images, labels = walkers(2)
        pixels = mdldm.to_pixels(numpy.stack(images))
        by_pixels = mdldm.Dataset.from_arrays(pixels, labels, resolution=32)
        grey = mdldm.Dataset.from_arrays([image[:, :, 0] for image in images], labels, resolution=32)
        for i in range(2):
            self.assertTrue((by_pixels.image(i) == images[i]).all())
            self.assertTrue((grey.image(i) == images[i]).all())

    def test_bad_labels(self):
        images, labels = walkers(2)
        with self.assertRaisesRegex(ValueError, "2 images, but 1 labels"):
            mdldm.Dataset.from_arrays(images, labels[:1], resolution=32)
        with self.assertRaisesRegex(ValueError, "cannot be a folder's"):
            mdldm.Dataset.from_arrays(images, ["a/b", "c"], resolution=32)
        with self.assertRaisesRegex(ValueError, "'d' is not among"):
            mdldm.Dataset.from_arrays(images, ["c", "d"], ["b", "c"], resolution=32)

    def test_hub_says_what_is_missing(self):
        sys.modules["datasets"] = None
        try:
            with self.assertRaisesRegex(ImportError, "pip install datasets"):
                mdldm.Dataset.from_hub("somebody/gait")
        finally:
            del sys.modules["datasets"]

    def test_hub_through_the_package(self):
        """The package is played by a stand-in with its interface: there is no network in a test."""
        class Image:
            pass

        class ClassLabel:
            names = ["ID_1", "ID_2"]

        class Table(list):
            features = {"picture": Image(), "who": ClassLabel()}

            def select_columns(self, columns):
                asked.append(columns)
                return self
        images, _ = walkers(4)
        asked = []
        module = types.ModuleType("datasets")
        module.Image, module.ClassLabel = Image, ClassLabel
        module.load_dataset = lambda *a, **k: asked.append((a, k)) or Table(
            {"picture": image, "who": i % 2} for i, image in enumerate(images))
        sys.modules["datasets"] = module
        try:
            data = mdldm.Dataset.from_hub("somebody/gait", resolution=32)
        finally:
            del sys.modules["datasets"]
        self.assertEqual(asked, [(("somebody/gait", None), {"split": "train", "cache_dir": None}), ["picture", "who"]])
        self.assertEqual((data.class_names, list(data.labels)), (["ID_1", "ID_2"], [0, 0, 1, 1]))
