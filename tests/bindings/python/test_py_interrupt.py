# SPDX-License-Identifier: MIT
"""Ctrl-C during a call."""
import os
import signal
import threading
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
