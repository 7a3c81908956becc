# SPDX-License-Identifier: MIT
"""Training of both stages, from Python and from the command line."""
import os
import subprocess
import sys
import tempfile
import unittest

import numpy

from support import ROOT, mdldm, walkers


class Training(unittest.TestCase):
    def test_both_stages_learn_and_generate(self):
        images, labels = walkers(16)
        settings = dict(train_batch_size=4, learning_rate=2e-3, lr_warmup_steps=0, validation_fraction=0.25,
                        validation_gap=0)
        with mdldm.Dataset.from_arrays(images, labels, resolution=32) as data, \
                tempfile.TemporaryDirectory() as folder:
            vq = mdldm.Model.create(preset="tiny", resolution=32, components="autoencoder")
            trainer = mdldm.Trainer("autoencoder", vq, data, max_train_steps=30, **settings)
            losses = [metrics["loss"] for metrics in trainer]
            self.assertLess(numpy.mean(losses[-5:]), 0.8 * numpy.mean(losses[:5]))
            self.assertIn("val_psnr", trainer.validate())
            trainer.update_model()
            vq.save(folder + "/vq")
            model = mdldm.Model.create(preset="tiny", resolution=32, vae_path=folder + "/vq", num_classes=2,
                                       class_names=data.class_names)
            trainer = mdldm.Trainer("diffusion", model, data, max_train_steps=20, output_dir=folder + "/out",
                                    **settings)
            self.assertEqual(len(trainer), 20)
            last = trainer.fit(progress=False)
            self.assertLess(last["loss"], 2.0)
            trainer.checkpoint()
            self.assertTrue(os.path.isdir(folder + "/out/checkpoint-20"))
            with self.assertRaises(KeyError):
                trainer.metric("happiness")
            self.assertEqual(model.generate(2, "ID_2", num_inference_steps=3).shape, (2, 32, 32, 3))

    def test_command_line(self):
        images, labels = walkers(8)
        with tempfile.TemporaryDirectory() as folder:
            for i, (image, label) in enumerate(zip(images, labels)):
                os.makedirs(f"{folder}/data/{label}", exist_ok=True)
                mdldm.write_image(f"{folder}/data/{label}/{i}.png", image)
            environment = {**os.environ, "PYTHONPATH": os.path.join(ROOT, "bindings", "python")}

            def train(*more):
                return subprocess.run([sys.executable, "-m", "mdldm.train", "--train_data_dir", folder + "/data",
                                       "--preset", "tiny", "--resolution", "32", "--train-batch-size", "4",
                                       "--max_train_steps", "3", "--threads", "1", "--validation_gap", "0",
                                       "--ddpm_num_inference_steps", "2", "--quiet", *more],
                                      env=environment, capture_output=True, text=True, check=False)
            done = train("--stage", "autoencoder", "--output_dir", folder + "/vq")
            self.assertEqual((done.returncode, done.stderr, done.stdout), (0, "", ""))
            done = train("--vae_path", folder + "/vq", "--output_dir", folder + "/model")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(mdldm.Model.load(folder + "/model").class_names, ["ID_1", "ID_2"])
            with open(folder + "/model/training_log.jsonl", encoding="utf-8") as file:
                self.assertEqual(len(file.readlines()), 4)
            done = train("--output_dir", folder + "/model2")
            self.assertEqual(done.returncode, 2)
            self.assertIn("--vae_path is missing", done.stderr)
            done = train("--vae_path", folder + "/none", "--output_dir", folder + "/model2")
            self.assertEqual(done.returncode, 1)
            self.assertIn("none", done.stderr)
