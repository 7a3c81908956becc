#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of the Python package, inside a real interpreter: python3 tests/bindings/test_python.py"""
import gc
import inspect
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import types
import unittest

import numpy

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "bindings", "python"))

import mdldm  # noqa: E402
from mdldm import _errors, _prototypes  # noqa: E402
from mdldm.options import OPTIONS, in_scopes  # noqa: E402

TINY = {"preset": "tiny", "resolution": 32, "num_classes": 2, "class_names": ["ID_1", "ID_2"], "seed": 3}


def walkers(count, size=32, seed=0):
    """Stripes whose slope tells two persons apart."""
    rng = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[0:size, 0:size]
    images, labels = [], []
    for i in range(count):
        wave = numpy.sin((x + (y if i % 2 else -y)) * 0.4 + rng.uniform(0, 6)) * 100 + 128
        images.append(numpy.repeat(wave[:, :, None], 3, 2).astype(numpy.uint8))
        labels.append(f"ID_{1 + i % 2}")
    return images, labels


class Table(unittest.TestCase):
    def test_every_export_is_declared_and_nothing_else(self):
        with open(os.path.join(ROOT, "lib", "symbols-in-versions"), encoding="utf-8") as file:
            exported = {line.split()[0][len("mdldm_"):] for line in file if line.startswith("mdldm_")}
        self.assertEqual(set(_prototypes.PROTOTYPES), exported)

    def test_prototypes_agree_with_the_header(self):
        with open(os.path.join(ROOT, "include", "mdldm", "mdldm.h"), encoding="utf-8") as file:
            header = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
        found = re.findall(r"MDLDM_API\s+(.*?)\bmdldm_(\w+)\((.*?)\);", header, flags=re.S)
        self.assertEqual(len(found), len(_prototypes.PROTOTYPES))
        for _, name, arguments in found:
            count = 0 if arguments.strip() == "void" else arguments.count(",") + 1
            self.assertEqual(len(_prototypes.PROTOTYPES[name][1]), count, name)

    def test_statuses_have_their_exceptions(self):
        from mdldm._library import lib, text
        for status, error in _errors.BY_STATUS.items():
            self.assertEqual(text(lib.mdldm_status_name(status)), error.name)
        self.assertEqual(len(_errors.BY_STATUS), 11)

    def test_signatures_come_from_the_table(self):
        parameters = inspect.signature(mdldm.Model.generate).parameters
        for option in in_scopes("sample"):
            self.assertEqual(parameters[option.key].default, option.default)
            self.assertIs(parameters[option.key].annotation, option.type)
            self.assertIn(option.help, mdldm.Model.generate.__doc__)
        self.assertNotIn("learning_rate", parameters)


class Options(unittest.TestCase):
    def test_unknown_option_suggests_the_nearest(self):
        with self.assertRaisesRegex(mdldm.InvalidArgument, "did you mean num_classes"):
            mdldm.Model.create(num_clases=2)

    def test_option_of_another_call(self):
        with self.assertRaisesRegex(TypeError, "learning_rate.*belongs to train"):
            mdldm.Model.create(learning_rate=1e-3)

    def test_values_out_of_range_and_of_wrong_type(self):
        with self.assertRaisesRegex(mdldm.InvalidArgument, "resolution"):
            mdldm.Model.create(resolution=-1)
        with self.assertRaises(mdldm.InvalidArgument):
            mdldm.Model.create(resolution="large")
        with self.assertRaises(TypeError):
            mdldm.Model.create(resolution=object())
        with self.assertRaises(OverflowError):
            mdldm.Model.create(seed=2**70)

    def test_numpy_numbers_are_numbers(self):
        mdldm.Model.create(**{**TINY, "resolution": numpy.int32(32), "label_dropout": numpy.float32(0.25)}).close()


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
        self.assertLess(numpy.abs(pixels - expected).max(), 1e-6)  # observed: 6e-8
        self.assertTrue((mdldm.to_images(pixels) == self.images).all())
        self.assertTrue((self.model.encode(self.images) == self.model.encode(pixels)).all())

    def test_encode_quantize_decode(self):
        latent = self.model.encode(self.images)
        quantized, codes = self.model.quantize(latent)
        self.assertEqual(codes.shape, latent.shape[:1] + latent.shape[2:])
        self.assertTrue((self.model.decode(latent) == self.model.decode_codes(codes)).all())
        self.assertLess(numpy.abs(self.model.decode(quantized) - self.model.decode(latent)).max(), 1e-5)

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
        self.assertLess(numpy.abs(whole[2] - single[0]).max(), 1e-4)
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

    def test_other_arrays(self):
        class Other:  # what a tensor of another package offers
            def __init__(self, array):
                self.array = array

            def __dlpack__(self, **options):
                return self.array.__dlpack__(**options)

            def __dlpack_device__(self):
                return self.array.__dlpack_device__()
        z = self.model.encode(self.images)
        self.assertTrue((self.model.decode(Other(z)) == self.model.decode(z)).all())

    def test_pictures_show_in_a_notebook(self):
        pictures = self.model.generate(2, "ID_1", num_inference_steps=2)
        self.assertEqual(pictures._repr_png_()[:4], b"\x89PNG")
        self.assertEqual(mdldm.sheet(pictures).shape, (32, 64, 3))


class Callbacks(unittest.TestCase):
    def setUp(self):
        self.model = mdldm.Model.create(**TINY)

    def test_progress_counts_and_can_stop(self):
        seen = []
        context = mdldm.Context(progress=lambda *a: seen.append(a))
        self.model.generate(1, "ID_1", num_inference_steps=5, context=context)
        self.assertIn(("denoise", 5, 5), seen)
        context.progress = lambda stage, done, total: done >= 2
        with self.assertRaises(mdldm.Cancelled):
            self.model.generate(1, "ID_1", num_inference_steps=5, context=context)
        context.progress = None
        self.model.generate(1, "ID_1", num_inference_steps=2, context=context)

    def test_what_a_callback_raises_comes_out(self):
        class Mine(Exception):
            pass

        def fail(stage, done, total):
            raise Mine(done)
        context = mdldm.Context(progress=fail)
        with self.assertRaises(Mine):
            self.model.generate(1, "ID_1", num_inference_steps=5, context=context)

        def fail_log(level, line):
            raise Mine(line)
        context = mdldm.Context(log=fail_log)
        with self.assertRaises(Mine):
            context.backend = "auto"  # says which one it took
        context.log = None
        self.model.generate(1, "ID_1", num_inference_steps=2, context=context)

    def test_two_threads_two_contexts_one_model(self):
        expected = self.model.generate(1, "ID_1", num_inference_steps=4, seed=1)
        results, errors = {}, []

        def work(name):
            try:
                results[name] = self.model.generate(1, "ID_1", num_inference_steps=4, seed=1,
                                                    context=mdldm.Context(threads=1))
            except Exception as error:
                errors.append(error)
        threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])
        for image in results.values():
            self.assertTrue((image == expected).all())

    def test_the_interpreter_goes_on_during_a_call(self):
        context, beats = mdldm.Context(threads=1, backend="reference"), []
        thread = threading.Thread(target=lambda: self.model.generate(1, "ID_1", num_inference_steps=8,
                                                                     context=context))
        thread.start()
        while thread.is_alive():
            beats.append(time.monotonic())
            time.sleep(0.001)
        thread.join()
        self.assertGreater(len(beats), 10)

    def test_a_context_at_work_refuses_a_second_thread(self):
        context = mdldm.Context(threads=1)
        started = threading.Event()
        context.progress = lambda *_: started.set() or time.sleep(0.05) or 0
        thread = threading.Thread(target=lambda: self.model.generate(1, "ID_1", num_inference_steps=4,
                                                                     context=context))
        thread.start()
        started.wait(20)
        with self.assertRaisesRegex(RuntimeError, "one context for each thread"):
            self.model.encode(numpy.zeros((1, 3, 32, 32), numpy.float32), context=context)
        thread.join()


class Interrupts(unittest.TestCase):
    def test_ctrl_c_stops_a_long_call_and_the_context_lives(self):
        model, context = mdldm.Model.create(**TINY), mdldm.Context(threads=1, backend="reference")
        timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
        timer.start()
        with self.assertRaises(KeyboardInterrupt):
            model.generate(4, "ID_1", num_inference_steps=1000, context=context)
        self.assertTrue(numpy.isfinite(model.encode(numpy.zeros((1, 3, 32, 32), numpy.float32), context)).all())

    def test_ctrl_c_in_training_leaves_the_step_undone(self):
        images, labels = walkers(8)
        data = mdldm.Dataset.from_arrays(images, labels, resolution=32)
        model = mdldm.Model.create(preset="tiny", resolution=32, components="autoencoder")
        context = mdldm.Context(threads=1, backend="reference")
        trainer = mdldm.Trainer("autoencoder", model, data, context=context, max_train_steps=100000,
                                train_batch_size=2, lr_warmup_steps=0, kmeans_start=False, validation_fraction=0)
        trainer.step()
        timer = threading.Timer(0.4, lambda: os.kill(os.getpid(), signal.SIGINT))
        timer.start()
        with self.assertRaises(KeyboardInterrupt):
            for _ in trainer:
                pass
        step = trainer.global_step
        trainer.step()
        self.assertEqual(trainer.global_step, step + 1)

    def test_somebody_elses_wakeup_descriptor_is_kept(self):
        read, write = os.pipe()
        os.set_blocking(write, False)
        before = signal.set_wakeup_fd(write)
        try:
            model = mdldm.Model.create(**TINY)
            model.generate(1, "ID_1", num_inference_steps=2)
            self.assertEqual(signal.set_wakeup_fd(write), write)
        finally:
            signal.set_wakeup_fd(before)
            os.close(read)
            os.close(write)


class Data(unittest.TestCase):
    def test_arrays_become_a_data_set(self):
        images, labels = walkers(6)
        data = mdldm.Dataset.from_arrays(images, labels, resolution=32)
        self.assertEqual((len(data), data.class_names), (6, ["ID_1", "ID_2"]))
        self.assertEqual(list(data.labels), [0, 0, 0, 1, 1, 1])
        first = mdldm.to_images(data.read(0, 32))[0]
        self.assertTrue((first == images[0]).all())
        with self.assertRaises(IndexError):
            data.read(6, 32)
        folder = data.folder
        data.close()
        self.assertFalse(os.path.exists(folder))

    def test_numbers_as_labels_keep_their_order(self):
        images, _ = walkers(12)
        data = mdldm.Dataset.from_arrays(images, range(12), resolution=32)
        self.assertEqual(list(data.labels), list(range(12)))

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
        self.assertEqual(asked, [(("somebody/gait", None), {"split": "train"})])
        self.assertEqual((data.class_names, list(data.labels)), (["ID_1", "ID_2"], [0, 0, 1, 1]))


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


class Memory(unittest.TestCase):
    def test_a_hundred_rounds_do_not_grow(self):
        def resident():
            with open("/proc/self/statm", encoding="ascii") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        images, labels = walkers(4)

        def one_round():
            context = mdldm.Context(threads=1)
            data = mdldm.Dataset.from_arrays(images, labels, resolution=16, context=context)
            model = mdldm.Model.create(preset="tiny", resolution=16, components="autoencoder", context=context)
            trainer = mdldm.Trainer("autoencoder", model, data, context=context, max_train_steps=9,
                                    train_batch_size=1, kmeans_start=False, validation_fraction=0)
            trainer.step()
            model.encode(images[0][:16, :16], context=context)
            for handle in (trainer, model, data, context):
                handle.close()
        for _ in range(20):
            one_round()
        gc.collect()
        before = resident()
        for _ in range(100):
            one_round()
        gc.collect()
        self.assertLess(resident() - before, 8 << 20)  # a leaked model alone is 1.6 MB a round


if __name__ == "__main__":
    unittest.main(verbosity=1)
