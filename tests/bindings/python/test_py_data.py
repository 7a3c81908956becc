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
        folder = data.folder
        data.close()
        self.assertFalse(os.path.exists(folder))

    def test_numbers_as_labels_keep_their_order(self):
        images, _ = walkers(12)
        data = mdldm.Dataset.from_arrays(images, range(12), resolution=32)
        self.assertEqual(list(data.labels), list(range(12)))

    def test_folder_and_zip_hold_the_same(self):
        images, labels = walkers(4)
        with tempfile.TemporaryDirectory() as folder, \
                mdldm.Dataset.from_arrays(images, labels, resolution=32) as data:
            path = shutil.make_archive(folder + "/walkers", "zip", data.folder)
            zipped = mdldm.Dataset.from_zip(path, resolution=32)
            again = mdldm.Dataset.from_folder(data.folder, resolution=32)
            for other in (zipped, again):
                self.assertEqual((other.names, other.class_names), (data.names, data.class_names))
                self.assertTrue((other.labels == data.labels).all())
                for i in range(4):
                    self.assertTrue((other.read(i) == data.read(i)).all())
                    self.assertTrue((other.image(i) == mdldm.to_images(data.read(i))[0]).all())

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
        self.assertEqual(asked, [(("somebody/gait", None), {"split": "train", "cache_dir": None})])
        self.assertEqual((data.class_names, list(data.labels)), (["ID_1", "ID_2"], [0, 0, 1, 1]))
