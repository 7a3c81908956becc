# SPDX-License-Identifier: MIT
"""Callbacks and threads."""
import threading
import time
import unittest

import numpy

from support import TINY, mdldm


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
