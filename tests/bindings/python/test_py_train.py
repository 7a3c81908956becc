# SPDX-License-Identifier: MIT
"""Training of both stages, from Python and from the command line."""
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import numpy

from support import INSTALLED, PACKAGE, mdldm, walkers


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

    def test_fit_writes_checkpoints(self):
        images, labels = walkers(8)
        with mdldm.Dataset.from_arrays(images, labels, resolution=32) as data, \
                tempfile.TemporaryDirectory() as folder:
            vq = mdldm.Model.create(preset="tiny", resolution=32, components="autoencoder")
            before = vq.encode(images[0])
            mdldm.Trainer("autoencoder", vq, data, max_train_steps=4, checkpointing_steps=2, train_batch_size=2,
                          output_dir=folder, validation_gap=0, lr_warmup_steps=0).fit()
            self.assertEqual(sorted(os.listdir(folder)), ["checkpoint-2", "checkpoint-4"])
            self.assertFalse((vq.encode(images[0]) == before).all())


class CommandLine(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        for i, (image, label) in enumerate(zip(*walkers(8))):
            os.makedirs(f"{self.folder}/data/{label}", exist_ok=True)
            mdldm.write_image(f"{self.folder}/data/{label}/{i}.png", image)

    def command(self, *more, data=("--train_data_dir", "data")):
        return [sys.executable, "-m", "mdldm.train", *data, "--preset", "tiny", "--resolution", "32",
                "--train-batch-size", "4", "--max_train_steps", "3", "--threads", "1", "--validation_gap", "0",
                "--ddpm_num_inference_steps", "2", *more]

    def environment(self, **more):
        path = os.pathsep.join([self.folder] + ([] if INSTALLED else [PACKAGE]))
        return {**os.environ, "PYTHONPATH": path, **more}

    def train(self, *more, **how):
        return subprocess.run(self.command("--quiet", *more, **how), env=self.environment(), cwd=self.folder,
                              capture_output=True, text=True, check=False)

    def vq(self):
        model = mdldm.Model.create(preset="tiny", resolution=32, components="autoencoder")
        model.save(self.folder + "/vq")

    def test_the_flags_of_the_scripts_it_replaces(self):
        """Those of diffusers' train_unconditional.py, all at once."""
        self.vq()
        done = self.train("--vae_path", "vq", "--output_dir", "out", "--overwrite_output_dir", "--center_crop",
                          "--random_flip", "--eval_batch_size", "2", "--dataloader_num_workers", "1",
                          "--num_epochs", "1", "--save_images_epochs", "1", "--save_model_epochs", "1",
                          "--gradient_accumulation_steps", "1", "--learning_rate", "1e-4", "--lr_scheduler", "cosine",
                          "--lr_warmup_steps", "1", "--adam_beta1", "0.95", "--adam_beta2", "0.999",
                          "--adam_weight_decay", "1e-6", "--adam_epsilon", "1e-8", "--use_ema", "--ema_inv_gamma",
                          "1.0", "--ema_power", "0.75", "--ema_max_decay", "0.9999", "--logger", "tensorboard",
                          "--logging_dir", "logs", "--local_rank", "-1", "--mixed_precision", "no",
                          "--prediction_type", "epsilon", "--ddpm_num_steps", "100", "--ddpm_beta_schedule",
                          "linear", "--checkpointing_steps", "2", "--checkpoints_total_limit", "1",
                          "--cache_dir", "cache", "--enable_xformers_memory_efficient_attention")
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        self.assertEqual(done.stderr.count("no effect here"), 4)
        self.assertEqual(done.stderr.count("--cache_dir has an effect with --dataset_name only"), 1)
        self.assertEqual(len(done.stderr.splitlines()), 5)
        self.assertTrue(os.path.isdir(self.folder + "/out/checkpoint-2"))
        self.assertEqual(mdldm.Model.load(self.folder + "/out").num_train_timesteps, 100)

    def test_what_is_not_here_is_refused_in_a_sentence(self):
        """Values and flags of that script that this one cannot honour; the rest is in the test before."""
        self.vq()
        for flags, word in ((("--mixed_precision", "fp16"), "mixed_precision is fp16: one of no|bf16 is expected"),
                            (("--lr_scheduler", "piecewise_constant"), "lr_scheduler is piecewise_constant"),
                            (("--ddpm_beta_schedule", "sigmoid"), "ddpm_beta_schedule is sigmoid"),
                            (("--model_config_name_or_path", "google/ddpm-cifar10-32"), "google/ddpm-cifar10-32"),
                            (("--preserve_input_precision",), "8 bits a channel"),
                            (("--checkpoints_total_limit", "many"), "checkpoints_total_limit"),
                            (("--dataset_name", "somebody/gait"), "exclude each other")):
            done = self.train("--vae_path", "vq", "--output_dir", "out", *flags)
            self.assertIn(done.returncode, (1, 2), flags)
            self.assertIn(word, done.stderr)
            self.assertNotIn("Traceback", done.stderr)

    def test_data_set_by_name_and_upload(self):
        """Both packages are played by stand-ins with their interface: there is no network in a test."""
        self.vq()
        with open(self.folder + "/datasets.py", "w", encoding="utf-8") as file:
            file.write("""import mdldm, numpy
class Image: pass
class ClassLabel: names = ["ID_1", "ID_2"]
class Table(list):
    features = {"image": Image(), "label": ClassLabel()}
    def select_columns(self, columns): return self
def load_dataset(name, config, split, cache_dir):
    assert (name, config, split, cache_dir) == ("somebody/gait", "raw", "train", "kept")
    return Table({"image": numpy.full((32, 32, 3), 30 * i, numpy.uint8), "label": i % 2} for i in range(8))
""")
        with open(self.folder + "/huggingface_hub.py", "w", encoding="utf-8") as file:
            file.write("""import os, types
class HfApi:
    def __init__(self, token): assert token == "secret"
    def create_repo(self, name, private, exist_ok):
        assert private and exist_ok
        return types.SimpleNamespace(repo_id="me/" + name)
    def upload_folder(self, repo_id, folder_path, ignore_patterns):
        assert os.path.exists(folder_path + "/model_index.json") and "checkpoint-*" in ignore_patterns
        open("uploaded", "w").write(repo_id)
""")
        done = self.train("--vae_path", "vq", "--output_dir", "out", "--dataset_config_name", "raw", "--cache_dir",
                          "kept", "--push_to_hub", "--hub_token", "secret", "--hub_private_repo",
                          data=("--dataset_name", "somebody/gait"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(mdldm.Model.load(self.folder + "/out").class_names, ["ID_1", "ID_2"])
        with open(self.folder + "/uploaded", encoding="utf-8") as file:
            self.assertEqual(file.read(), "me/out")

    def test_without_the_package_datasets(self):
        self.vq()  # which is read first, for what pictures it takes
        with open(self.folder + "/datasets.py", "w", encoding="utf-8") as file:
            file.write("raise ImportError('not here')\n")
        done = self.train("--vae_path", "vq", "--output_dir", "out", data=("--dataset_name", "somebody/gait"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("pip install datasets", done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def test_preprocessing_is_that_of_the_program(self):
        done = self.train("--processed_data_dir", "p", "--preprocess_only", data=("--raw_data_dir", "data"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        grey = self.train("--processed_data_dir", "g", "--preprocess_only", "--image_mode", "L", "--colormap", "jet",
                          data=("--raw_data_dir", "data"))
        self.assertEqual((grey.returncode, grey.stderr), (0, ""))
        with open(f"{self.folder}/p/ID_1/0.png", "rb") as colours, open(f"{self.folder}/g/ID_1/0.png", "rb") as same:
            self.assertEqual(colours.read(), same.read())  # the map is undone once, in training
        raw, done = (mdldm.Dataset.open(f"{self.folder}/{name}", resolution=32) for name in ("data", "p"))
        self.assertEqual(raw.names, done.names)
        for i in range(len(raw)):
            self.assertTrue((raw.image(i) == done.image(i)).all())
        inside = self.train("--processed_data_dir", "data/p", "--preprocess_only", data=("--raw_data_dir", "data"))
        self.assertEqual(inside.returncode, 1)
        self.assertIn("name a folder outside it", inside.stderr)

    def test_stage_2_reads_pictures_as_its_autoencoder_did(self):
        grey = ("--image_mode", "L", "--colormap", "jet", "--db_floor", "-40", "--db_ceiling", "0")
        done = self.train("--stage", "autoencoder", "--output_dir", "vq", *grey)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        vq = mdldm.Model.load(self.folder + "/vq")
        self.assertEqual(vq.picture_options, {"image_mode": "L", "colormap": "jet", "db_floor": -40, "db_ceiling": 0})
        weights = []
        for name, more in (("said", grey), ("taken", ())):
            done = self.train("--vae_path", "vq", "--output_dir", name, *more)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            with open(f"{self.folder}/{name}/unet/diffusion_pytorch_model.safetensors", "rb") as file:
                weights.append(file.read())
        self.assertEqual(*weights)
        self.assertEqual(mdldm.Model.load(self.folder + "/taken").colormap, "jet")
        done = self.train("--vae_path", "vq", "--output_dir", "other", "--image_mode", "RGB")
        self.assertEqual(done.returncode, 1)
        self.assertIn("image_mode L is expected", done.stderr)
        self.assertEqual(mdldm.Model.create(preset="tiny", components="autoencoder").picture_options, {})

    def test_ctrl_c_saves_and_resumes(self):
        """Stopped and resumed, the model is that of the run that was never stopped."""
        self.vq()
        long = ("--vae_path", "vq", "--max_train_steps", "40", "--checkpointing_steps", "0", "--save_images_epochs", "0",
                "--save_model_epochs", "0", "--validation_epochs", "0")
        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
        try:
            process = subprocess.Popen(self.command("--output_dir", "cut", "--quiet", *long), cwd=self.folder,
                                       env=self.environment(), stderr=subprocess.PIPE, text=True)
        finally:
            signal.signal(signal.SIGINT, before)
        log = self.folder + "/cut/training_log.jsonl"
        while process.poll() is None and not (os.path.exists(log) and os.path.getsize(log)):
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1]
        self.assertEqual(process.returncode, 130, said)
        self.assertIn("--resume_from_checkpoint latest", said)
        self.assertEqual(self.train("--output_dir", "cut", "--resume_from_checkpoint", "latest", *long).returncode, 0)
        self.assertEqual(self.train("--output_dir", "whole", *long).returncode, 0)
        weights = []
        for name in ("cut", "whole"):
            with open(f"{self.folder}/{name}/unet/diffusion_pytorch_model.safetensors", "rb") as file:
                weights.append(file.read())
        self.assertEqual(*weights)

    def test_both_stages(self):
        folder, train = self.folder, self.train
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
