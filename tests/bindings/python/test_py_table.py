# SPDX-License-Identifier: MIT
"""The tables: prototypes, constants and options against the header and the library."""
import contextlib
import inspect
import io
import os
import re
import runpy
import unittest

import numpy

from support import ROOT, TINY, mdldm
from mdldm import _constants, _errors, _prototypes
from mdldm.options import in_scopes


class Table(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(os.path.join(ROOT, "include", "mdldm", "mdldm.h"), encoding="utf-8") as file:
            cls.header = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)

    def test_every_export_is_declared_and_nothing_else(self):
        with open(os.path.join(ROOT, "lib", "symbols-in-versions"), encoding="utf-8") as file:
            exported = {line.split()[0][len("mdldm_"):] for line in file if line.startswith("mdldm_")}
        self.assertEqual(set(_prototypes.PROTOTYPES), exported)

    def test_prototypes_agree_with_the_header(self):
        """Result and each argument, by the kind of its C type."""
        kinds = {"const char *": {"text"}, "int32_t": {"i32"}, "int64_t": {"i64"}, "float": {"f32"},
                 "double": {"f64"}, "size_t": {"size"}, "mdldm_status": {"status", "i32"}, "void": {"void"},
                 "uint64_t": {"u64"}, "mdldm_stage": {"i32"}, "mdldm_test": {"i32"}, "mdldm_correction": {"i32"},
                 "mdldm_interval": {"i32"}, "void *": {"array"}, "mdldm_resize_fn": {"resize"},
                 "mdldm_log_fn": {"log"}, "mdldm_progress_fn": {"progress"}, "const char **": {"text*"},
                 "int64_t *": {"i64*", "array"}, "double *": {"f64*", "array"}, "const int64_t *": {"array"}}
        for number in ("float", "uint8_t", "int32_t", "double"):
            kinds[f"const {number} *"] = {"array"}
            kinds.setdefault(f"{number} *", {"array"})
        for handle in re.findall(r"typedef struct (mdldm_\w+) \w+;", self.header):
            kinds[f"{handle} *"] = kinds[f"const {handle} *"] = {"handle"}
            kinds[f"{handle} **"] = {"out"}
        found = re.findall(r"(?m)^MDLDM_API\s+([^#(]*?)\bmdldm_(\w+)\(([^#]*?)\);", self.header)
        self.assertEqual(len(found), len(_prototypes.PROTOTYPES))
        for result, name, arguments in found:
            types = [" ".join(result.split())]
            for argument in ([] if arguments.strip() == "void" else arguments.split(",")):
                types.append(re.sub(r"\s*\b\w+$", "", " ".join(argument.split())))
            declared = [_prototypes.PROTOTYPES[name][0], *_prototypes.PROTOTYPES[name][1]]
            self.assertEqual(len(declared), len(types), name)
            for c_type, python_type in zip(types, declared):
                self.assertIn(python_type, [_prototypes._TYPES[k] for k in kinds[c_type]], f"{name}: {c_type}")

    def test_keyword_types_are_up_to_date(self):
        with contextlib.redirect_stdout(io.StringIO()) as made:
            runpy.run_path(os.path.join(ROOT, "docs", "gen", "python_keywords.py"))
        with open(os.path.join(os.path.dirname(mdldm.__file__), "_keywords.py"), encoding="utf-8") as file:
            self.assertEqual(file.read(), made.getvalue(), "make docs writes it anew")

    def test_constants_are_the_headers(self):
        """Each value of each enumeration, and none besides."""
        values = {}
        for body in re.findall(r"typedef enum mdldm_\w+ {(.*?)}", self.header, flags=re.S):
            values.update((name, int(value)) for name, value in re.findall(r"MDLDM_(\w+) = (\d+)", body))
        ours = {}
        for enumeration, prefix in ((_constants.Status, ""), (_constants.OptionType, "OPTION_"),
                                    (_constants.OptionScope, "SCOPE_"), (_constants.Stage, "STAGE_"),
                                    (_constants.Test, "TEST_"), (_constants.Correction, "CORRECTION_"),
                                    (_constants.Interval, "INTERVAL_")):
            ours.update((prefix + name, int(value)) for name, value in enumeration.__members__.items())
        self.assertEqual(ours, values)

    def test_statuses_have_their_exceptions(self):
        from mdldm._library import lib, text
        for status, error in _errors.BY_STATUS.items():
            self.assertIs(error.status, _constants.Status(status))
            self.assertEqual(text(lib.mdldm_status_name(status)), "MDLDM_" + error.status.name)
        self.assertEqual(set(_errors.BY_STATUS), set(_constants.Status) - {0})

    def test_signatures_come_from_the_table(self):
        parameters = inspect.signature(mdldm.Model.generate).parameters
        for option in in_scopes("sample"):
            self.assertEqual(parameters[option.key].default, option.default)
            self.assertIs(parameters[option.key].annotation, option.type)
            self.assertIn(option.help, mdldm.Model.generate.__doc__)
        self.assertNotIn("learning_rate", parameters)
        self.assertIs(mdldm.Model.generate.__annotations__["num_inference_steps"], int)


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
