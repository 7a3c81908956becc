# SPDX-License-Identifier: MIT
"""Notes where the source tree is, so that an installed package finds the library built there when none is
installed. MDLDM_PORTABLE=1 leaves the note out: for a wheel or a Debian package that goes elsewhere."""
import os

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildPy(build_py):
    def run(self):
        super().run()
        here = os.path.dirname(os.path.abspath(__file__))
        tree = os.path.dirname(os.path.dirname(here))
        note = os.path.join(self.build_lib, "mdldm", "source_tree")
        if os.path.exists(note):
            os.remove(note)
        if self.editable_mode or os.environ.get("MDLDM_PORTABLE"):
            return
        if os.path.exists(os.path.join(tree, "include", "mdldm", "mdldm.h")):
            with open(note, "w", encoding="utf-8") as file:
                file.write(tree)

    def get_outputs(self, include_bytecode=1):
        note = os.path.join(self.build_lib, "mdldm", "source_tree")
        return super().get_outputs(include_bytecode) + ([note] if os.path.exists(note) else [])


setup(cmdclass={"build_py": BuildPy})
