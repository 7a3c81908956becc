# SPDX-License-Identifier: MIT
"""A hundred rounds of everything without growth."""
import ctypes
import gc
import os
import tempfile
import unittest

import numpy

from support import mdldm, walkers

# Of 100 rounds: less than a page a round. Observed: 20 to 88 KiB. A leak grows in every stretch of rounds, what the
# allocators keep does not: the least of three stretches counts.
LIMIT = 336 << 10


def resident():
    """Bytes in memory, after the allocator gave back what it keeps for later."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Memory(unittest.TestCase):
    def one_round(self, vq_folder):
        """Create, a step of both stages, generate, save nothing, free."""
        images, labels = walkers(4, size=16)
        context = mdldm.Context(threads=1)
        data = mdldm.Dataset.from_arrays(images, labels, resolution=16, context=context)
        settings = dict(context=context, max_train_steps=9, train_batch_size=1, validation_fraction=0)
        vq = mdldm.Model.create(preset="tiny", resolution=16, components="autoencoder", context=context)
        first = mdldm.Trainer("autoencoder", vq, data, kmeans_start=False, **settings)
        first.step()
        model = mdldm.Model.create(preset="tiny", resolution=16, vae_path=vq_folder, num_classes=2,
                                   class_names=data.class_names, context=context)
        second = mdldm.Trainer("diffusion", model, data, **settings)
        second.step()
        second.update_model()
        self.assertEqual(model.generate(1, "ID_1", num_inference_steps=2, context=context).shape, (1, 16, 16, 3))
        with self.assertRaises(mdldm.InvalidArgument):
            model.encode(numpy.zeros((1, 3, 15, 16), numpy.float32), context)
        for handle in (second, first, model, vq, data, context):
            handle.close()

    def test_a_hundred_rounds_do_not_grow(self):
        with tempfile.TemporaryDirectory() as folder:
            mdldm.Model.create(preset="tiny", resolution=16, components="autoencoder").save(folder + "/vq")
            for _ in range(20):
                self.one_round(folder + "/vq")
            grown, settled = [], resident()
            while len(grown) < 3 and LIMIT <= min(grown, default=LIMIT):
                for _ in range(100):
                    self.one_round(folder + "/vq")
                grown.append(resident() - settled)
                settled += grown[-1]
            if os.environ.get("MDLDM_TEST_VERBOSE"):
                print(f"grown by {[g // 1024 for g in grown]} KiB in stretches of 100 rounds")
            self.assertLess(min(grown), LIMIT)


if __name__ == "__main__":
    unittest.main()
