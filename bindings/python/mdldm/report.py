# SPDX-License-Identifier: MIT
"""What measuring calls found."""
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Dict, List, Optional

from ._handle import Handle
from ._library import lib, text
from .context import Context, current
from .dataset import Dataset
from .model import Model
from .options import Options, takes_options

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._keywords import EvaluateKeywords, LatentsKeywords


class Report(Handle):
    """A tree of numbers, texts and lists, which ``data`` has as dictionaries. ``report["channels.0.kurtosis"]`` is a
    number, NaN where it has no value."""

    _free = lib.mdldm_report_free

    def __getitem__(self, path: str) -> float:
        return float(self._ask("report_value", path.encode()))

    def text(self, path: str) -> Optional[str]:
        """The text at a path, None where none is."""
        return text(self._ask("report_text", path.encode()))

    def length(self, path: str = "") -> int:
        """Entries of the list or dictionary at a path."""
        return int(self._ask("report_length", path.encode()))

    @property
    def json(self) -> str:
        """All of it as JSON."""
        return text(self._ask("report_json")) or ""

    @property
    def html(self) -> Optional[str]:
        """All of it as one page for people; None unless ``evaluate`` made it."""
        return text(self._ask("report_html"))

    @property
    def data(self) -> Dict[str, Any]:
        """All of it; None stands for numbers without a value."""
        found: Dict[str, Any] = json.loads(self.json)
        return found

    @property
    def warnings(self) -> List[str]:
        """What it advises to change."""
        return [str(line) for line in self.data.get("warnings", [])]


@takes_options("latents")
def latent_report(model: Model, dataset: Dataset, context: Optional[Context] = None,
                  **options: Unpack[LatentsKeywords]) -> Report:
    """Before stage 2: can a diffusion model learn the latents that this autoencoder makes of these images?"""
    context = context or current()
    with Options(context, options, "latents") as handle:
        return Report(context.make(Report, "latent_report", model, dataset, handle))


@takes_options("evaluate")
def evaluate(real: Dataset, fake: Dataset, train: Optional[Dataset] = None, context: Optional[Context] = None,
             **options: Unpack[EvaluateKeywords]) -> Report:
    """Generated pictures against real ones, and against those that the generator was trained on."""
    context = context or current()
    with Options(context, options, "evaluate") as handle:
        return Report(context.make(Report, "evaluate", real, fake, train, handle))
