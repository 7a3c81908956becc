# SPDX-License-Identifier: MIT
"""Ctrl-C during a call."""
import os
import signal
import threading
import time
import unittest

import numpy

from support import TINY, mdldm, walkers


class Interrupts(unittest.TestCase):
    def setUp(self):
        """A shell starts its background jobs with SIGINT ignored, and Python then leaves it so."""
        self.addCleanup(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, signal.default_int_handler))

    def test_ctrl_c_stops_a_long_call_and_the_context_lives(self):
        model, context = mdldm.Model.create(**TINY), mdldm.Context(threads=1, backend="reference")
        timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
        timer.start()
        with self.assertRaises(KeyboardInterrupt):
            model.generate(4, "ID_1", num_inference_steps=1000, context=context)
        self.assertTrue(numpy.isfinite(model.encode(numpy.zeros((1, 3, 32, 32), numpy.float32), context)).all())

    def trainer(self, **settings):
        images, labels = walkers(8)
        data = mdldm.Dataset.from_arrays(images, labels, resolution=32)
        model = mdldm.Model.create(preset="tiny", resolution=32, components="autoencoder")
        context = mdldm.Context(threads=1, backend="reference")
        return mdldm.Trainer("autoencoder", model, data, context=context, max_train_steps=6, train_batch_size=2,
                             lr_warmup_steps=0, kmeans_start=False, validation_fraction=0, **settings)

    def test_ctrl_c_in_training_leaves_no_trace(self):
        """Steps that are cut off somewhere are taken again; weights and losses are those of a run without."""
        whole, cut = self.trainer(), self.trainer()
        expected = [metrics["loss"] for metrics in whole]
        losses, interrupts, delay = [], 0, 0.02
        while len(cut):
            timer = threading.Timer(delay, lambda: os.kill(os.getpid(), signal.SIGINT))
            try:
                timer.start()
                losses.append(cut.step()["loss"])
                timer.cancel()
                timer.join()
                time.sleep(0.01)  # one that came late is raised here, not in the next test
            except KeyboardInterrupt:
                interrupts += 1
                delay = delay * 1.5 if interrupts < 6 else 60  # in other places, in the end nowhere
                del losses[cut.global_step:]
                losses += [cut.metrics["loss"]] if len(losses) < cut.global_step else []
        self.assertGreaterEqual(interrupts, 3)
        self.assertEqual(losses, expected)
        images = numpy.stack(walkers(2)[0])
        for trainer in (whole, cut):
            trainer.update_model()
        self.assertTrue((whole.model.encode(images) == cut.model.encode(images)).all())

    def test_ctrl_c_in_a_callback(self):
        """Wherever in Python it arrives, it comes out of the call."""
        model = mdldm.Model.create(**TINY)
        context = mdldm.Context(threads=1, progress=lambda *_: os.kill(os.getpid(), signal.SIGINT))
        with self.assertRaises(KeyboardInterrupt):
            model.generate(1, "ID_1", num_inference_steps=3, context=context)
        context.progress = None
        self.assertEqual(model.generate(1, "ID_1", num_inference_steps=2, context=context).shape, (1, 32, 32, 3))

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
