# SPDX-License-Identifier: MIT
"""The code of the package's README and of docs/BINDINGS.md runs as it stands, but for fewer training steps."""
import contextlib
import io
import os
import re
import subprocess
import tempfile
import unittest

from support import ROOT, mdldm


class Readme(unittest.TestCase):
    def run_blocks(self, path, heading=""):
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            text = file.read()
        text = text[text.index(heading):].partition("\n## MATLAB")[0]
        blocks = re.findall(r"```python\n(.*?)```", text, flags=re.S)
        self.assertTrue(blocks)
        names = {}
        for block in blocks:
            exec(compile(re.sub(r"max_train_steps=\d+", "max_train_steps=3", block), path, "exec"), names)
        return names

    def setUp(self):
        folder, before = tempfile.TemporaryDirectory(), os.getcwd()
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.chdir, before)
        os.chdir(folder.name)
        program = os.path.join(os.environ.get("MDLDM_BIN", os.path.join(ROOT, "build", "bin")), "mdldm-simulate")
        subprocess.run([program, "--output_dir", "recordings", "--persons", "2", "--images_per_person", "12",
                        "--resolution", "64", "--quiet"], check=True)

    def test_readme(self):
        names = self.run_blocks("bindings/python/README.md")
        self.assertEqual(names["images"].shape, (4, 64, 64, 3))
        self.assertEqual(mdldm.read_image("sheet.png").shape, (64, 512, 3))
        self.assertEqual(names["values"].shape, (64, 64))

    def test_bindings_chapter(self):
        mdldm.Model.create(preset="tiny", resolution=64, num_classes=2, class_names=["ID_1", "ID_2"]).save("model")
        with contextlib.redirect_stdout(io.StringIO()) as said:
            names = self.run_blocks("docs/BINDINGS.md", "\n## Python\n")
        self.assertEqual(said.getvalue(), "no class is named 'nobody'; there are ID_1, ID_2\n")
        self.assertTrue((mdldm.read_image("person0_3.png") == names["images"][3]).all())


if __name__ == "__main__":
    unittest.main()
