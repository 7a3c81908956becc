# SPDX-License-Identifier: MIT
"""A hundred rounds without growth."""
import gc
import os
import unittest

from support import mdldm, walkers


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
