# SPDX-License-Identifier: MIT
"""The same seed gives bitwise the same image from Python and from C."""
import os
import subprocess
import tempfile
import unittest

from support import ROOT, TINY, mdldm


class SameImage(unittest.TestCase):
    def test_a_seed_means_the_same_image(self):
        program = os.path.join(os.environ.get("MDLDM_BIN", os.path.join(ROOT, "build", "bin")), "mdldm-generate")
        model = mdldm.Model.create(**TINY)
        with tempfile.TemporaryDirectory() as folder:
            model.save(folder + "/model")
            settings = {"scheduler": "dpmsolver++", "num_inference_steps": 4, "guidance_scale": 1.5, "seed": 17}
            flags = [word for key, value in settings.items() for word in ("--" + key, str(value))]
            subprocess.run([program, "--model_path", folder + "/model", "--output_dir", folder + "/c", "--num_images",
                            "3", "--batch_size", "2", "--threads", "1", "--quiet", *flags], check=True)
            model = mdldm.Model.load(folder + "/model")
            for label, name in enumerate(model.class_names):
                # The program draws image i of class l as image l * 10^6 + i of the seed. Kernels may add up in another
                # order for another batch size, so that is the same too.
                images = model.generate(3, name, first_index=label * 1000000, batch_size=2, **settings)
                for i in range(3):
                    theirs = mdldm.read_image(f"{folder}/c/{name}_{i:04d}_seed17.png")
                    self.assertTrue((theirs == images[i]).all())
                self.assertFalse((images[0] == images[1]).all())


if __name__ == "__main__":
    unittest.main()
