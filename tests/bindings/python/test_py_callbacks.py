# SPDX-License-Identifier: MIT
"""Callbacks and threads."""
import contextlib
import os
import sys
import tempfile
import threading
import time
import types
import unittest
import unittest.mock

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
        seen.clear()
        context.progress = lambda stage, done, total: seen.append(done) or done < 2 or context.cancel()
        with self.assertRaises(mdldm.Cancelled):
            self.model.generate(1, "ID_1", num_inference_steps=5, context=context)
        self.assertEqual(max(seen), 2)
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
            context.use_backend("auto")  # says which one it took
        context.log = None
        self.model.generate(1, "ID_1", num_inference_steps=2, context=context)

    def test_a_model_that_a_callback_refuses_is_freed(self):
        """The call itself has gone well by then; what it made must not stay behind."""
        freed, kind = [], type("Kind", (mdldm.Model,), {})
        kind._free = staticmethod(lambda pointer: freed.append(pointer) or mdldm.Model._free(pointer))

        with tempfile.TemporaryDirectory() as folder:
            self.model.save(folder + "/m")
            context = mdldm.Context()
            make = context.call

            def call(name, *arguments):
                make(name, *arguments)
                raise LookupError("late")
            context.call = call
            with self.assertRaisesRegex(LookupError, "late"):
                kind.load(folder + "/m", context)
        self.assertEqual(len(freed), 1)

    def test_a_callback_may_ask_for_facts(self):
        seen = []
        context = mdldm.Context(progress=lambda *_: seen.append((self.model.num_classes, self.model.class_names)))
        with context:
            self.model.generate(1, "ID_1", num_inference_steps=2)
        self.assertIn((2, ["ID_1", "ID_2"]), seen)

    def test_a_bar_where_tqdm_is(self):
        moves = []

        class Tqdm:  # its interface, recorded
            def __init__(self, total, initial, desc):
                self.n = initial
                moves.append((desc, total))

            def update(self, n):
                self.n += n
                moves.append(self.n)
                return True  # as the real one sometimes does

            def close(self):
                moves.append("closed")
        module = types.ModuleType("tqdm.auto")
        module.tqdm = Tqdm
        with unittest.mock.patch.dict(sys.modules, {"tqdm": types.ModuleType("tqdm"), "tqdm.auto": module}):
            self.model.generate(3, "ID_1", num_inference_steps=2, batch_size=2, progress=True)
            self.assertEqual((moves[0], moves[-2:]), (("generate", 6), [6, "closed"]))
            self.assertEqual(sorted(m for m in moves[1:-1]), moves[1:-1])
            moves.clear()
            with mdldm.Context(progress=True):
                self.model.generate(1, "ID_1", num_inference_steps=2)
            self.assertIn(("denoise", 2), moves)
        with unittest.mock.patch.dict(sys.modules, {"tqdm": None, "tqdm.auto": None}):
            self.model.generate(1, "ID_1", num_inference_steps=2, progress=True)

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
        started, go_on = threading.Event(), threading.Event()
        context = mdldm.Context(threads=1, progress=lambda *_: (started.set(), go_on.wait(20)))
        thread = threading.Thread(target=lambda: self.model.generate(1, "ID_1", num_inference_steps=2,
                                                                     context=context))
        thread.start()
        self.assertTrue(started.wait(20))
        with self.assertRaisesRegex(RuntimeError, "one context for each thread"):
            self.model.encode(numpy.zeros((1, 3, 32, 32), numpy.float32), context=context)
        go_on.set()
        thread.join()

    def test_closing_waits_for_the_call(self):
        """A handle that another thread closes during a call is freed behind it."""
        model, started, go_on = mdldm.Model.create(**TINY), threading.Event(), threading.Event()
        context = mdldm.Context(threads=1, progress=lambda *_: (started.set(), go_on.wait(20)))
        sampler, results = mdldm.Sampler(model, context=context, num_inference_steps=3), []
        thread = threading.Thread(target=lambda: results.append(sampler.generate(1, 32, 32, "ID_1", context=context)))
        thread.start()
        self.assertTrue(started.wait(20))
        for handle in (sampler, context):
            handle.close()
            self.assertTrue(handle.closed)
            self.assertTrue(handle._finalizer.alive)
        with self.assertRaisesRegex(ValueError, "closed"):
            len(sampler)
        go_on.set()
        thread.join()
        self.assertTrue(numpy.isfinite(results[0]).all())
        self.assertFalse(sampler._finalizer.alive or context._finalizer.alive)

    def test_a_forked_child_leaves_the_handles_alone(self):
        images = [numpy.zeros((size, size, 3), numpy.uint8) for size in (32, 33)]
        data = mdldm.Dataset.from_arrays(images, resolution=32)
        self.model.generate(1, "ID_1", num_inference_steps=2)
        pid = os.fork()
        if pid == 0:
            code = 1
            with contextlib.suppress(BaseException):
                data.close()
                self.model.close()
                code = 0
            os._exit(code)
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        self.assertTrue(os.path.isdir(data.folder))
        self.assertEqual(self.model.generate(1, "ID_1", num_inference_steps=2).shape, (1, 32, 32, 3))
