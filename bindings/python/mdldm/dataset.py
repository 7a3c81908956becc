# SPDX-License-Identifier: MIT
"""Data sets: a folder or zip of images whose sub-folders are the persons, or arrays, or the Hugging Face hub."""
from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple

import numpy

from . import _arrays
from ._arrays import Floats, Integers
from ._handle import Handle
from ._library import encode_path, lib, text
from .context import Context, current
from .images import Path, Pictures, to_images, write_image
from .options import OPTIONS, Options, takes_options


class Dataset(Handle):
    """Images with labels, decoded when they are needed."""

    _free = lib.mdldm_dataset_free

    def __init__(self, pointer: int, resolution: int) -> None:
        super().__init__(pointer)
        #: side of the preprocessed images
        self.resolution = resolution
        #: the temporary folder that goes with the data set, None where the files are the caller's
        self.folder: Optional[str] = None
        self._remove_folder: Optional[weakref.finalize[Any, Any]] = None

    @classmethod
    @takes_options("dataset")
    def open(cls, path: Path, context: Optional[Context] = None, **options: Any) -> "Dataset":
        """A folder, or a .zip file, of PNG and JPEG images; sub-folders are classes."""
        context = context or current()
        resolution = options.get("resolution")
        with Options(context, options, "dataset") as handle:
            return cls(context.make(cls, "dataset_open", encode_path(path), handle),
                       int(OPTIONS["resolution"].default if resolution is None else resolution))

    from_folder = open
    from_zip = open

    @classmethod
    @takes_options("dataset")
    def from_arrays(cls, images: Any, labels: Optional[Iterable[Any]] = None,
                    class_names: Optional[Sequence[str]] = None, context: Optional[Context] = None,
                    **options: Any) -> "Dataset":
        """Images uint8 [n, h, w, 3] (or a list of such, of any sizes), or pixels [n, 3, h, w], with a label for
        each: a number or a name. They are written as PNG files to a temporary folder, which goes with the data
        set."""
        labels = [None] * len(images) if labels is None else list(labels)
        if len(labels) != len(images):
            raise ValueError(f"{len(images)} images, but {len(labels)} labels; one for each would be right")
        return cls._from_pairs(zip(images, labels), class_names, context, options)

    @classmethod
    def _from_pairs(cls, pairs: Iterable[Tuple[Any, Any]], class_names: Optional[Sequence[str]],
                    context: Optional[Context], options: Dict[str, Any]) -> "Dataset":
        context = context or current()
        folder = tempfile.mkdtemp(prefix="mdldm-")
        try:
            for i, (image, label) in enumerate(pairs):
                place = os.path.join(folder, _class_folder(label, class_names))
                os.makedirs(place, exist_ok=True)
                write_image(os.path.join(place, f"{i:08d}.png"), _rgb(image, context), context)
            dataset = cls.open(folder, context=context, **options)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        dataset.folder = folder
        dataset._remove_folder = weakref.finalize(dataset, _remove_here, os.getpid(), folder)
        return dataset

    @classmethod
    @takes_options("dataset")
    def from_hub(cls, name: Any, config: Optional[str] = None, split: str = "train",
                 image_column: Optional[str] = None, label_column: Optional[str] = None,
                 cache_dir: Optional[Path] = None, context: Optional[Context] = None,
                 **options: Any) -> "Dataset":
        """A Hugging Face data set by name, through the package ``datasets``; one that is loaded already
        (``datasets.Dataset``) is taken as it is."""
        try:
            import datasets
        except ImportError:
            raise ImportError(f"data set '{name}' is to come from the Hugging Face hub, which takes the package "
                              "'datasets': pip install datasets, or pass a folder instead") from None
        if isinstance(name, (str, os.PathLike)):
            table = datasets.load_dataset(os.fspath(name), config, split=split, cache_dir=cache_dir)
        else:
            table, name = name, "given"
        image_column = image_column or _column(table, name, ("image", "img", "png", "jpg"), datasets.Image)
        label_column = label_column or _column(table, name, ("label", "labels", "class"), datasets.ClassLabel, False)
        for column in (image_column, label_column):
            if column and column not in table.features:
                raise ValueError(f"data set '{name}' has no column '{column}'; there are {', '.join(table.features)}")
        names = getattr(table.features[label_column], "names", None) if label_column else None
        pairs = ((row[image_column], row[label_column] if label_column else None) for row in table)
        return cls._from_pairs(pairs, names, context, options)

    def __len__(self) -> int:
        return int(self._ask("dataset_count"))

    def __repr__(self) -> str:
        if self.closed:
            return "<mdldm.Dataset, closed>"
        return f"<mdldm.Dataset {len(self)} images, {len(self.class_names)} classes>"

    @property
    def skipped(self) -> int:
        """Unreadable images that were left out."""
        return int(self._ask("dataset_skipped"))

    @property
    def class_names(self) -> List[str]:
        """Names by label."""
        return [text(self._ask("dataset_class_name", i)) or "" for i in range(self._ask("dataset_class_count"))]

    @property
    def labels(self) -> Integers:
        """int64 [n]; -1 without classes."""
        return numpy.array([self._ask("dataset_item_label", i) for i in range(len(self))], numpy.int64)

    @property
    def names(self) -> List[str]:
        """Paths of the items, relative to the data set's root."""
        return [text(self._ask("dataset_item_name", i)) or "" for i in range(len(self))]

    def read(self, index: int, context: Optional[Context] = None, out: Any = None) -> Floats:
        """The item as pixels [3, resolution, resolution], preprocessed."""
        pixels = _arrays.output(out, (3, self.resolution, self.resolution))
        (context or current()).call("dataset_read", self, self._index(index), _arrays.address(pixels), pixels.size)
        return pixels if out is None else out

    def image(self, index: int, context: Optional[Context] = None) -> Pictures:
        """The same as uint8 [resolution, resolution, 3]."""
        image = numpy.empty((self.resolution, self.resolution, 3), numpy.uint8)
        (context or current()).call("dataset_read_rgb8", self, self._index(index), _arrays.address(image), image.size)
        return image.view(Pictures)

    def _index(self, index: int) -> int:
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"item {index} of {count}")
        return index % count

    def close(self) -> None:
        """Frees the data set and removes its temporary folder where it has one."""
        super().close()
        if self._remove_folder is not None:
            self._remove_folder()


def _remove_here(process: int, folder: str) -> None:
    """A forked child leaves the folder to its parent."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


def _class_folder(label: Any, class_names: Optional[Sequence[str]]) -> str:
    """Folders are sorted by name, so numbers get leading zeros."""
    if label is None:
        return ""
    if class_names is not None and not isinstance(label, str):
        label = class_names[int(label)]
    if isinstance(label, str):
        if not label or label in (".", "..") or "/" in label or "\0" in label:
            raise ValueError(f"class name {label!r} cannot be a folder's; a plain name would be right")
        return label
    return f"{int(label):06d}"


def _rgb(image: Any, context: Context) -> Any:
    array = _arrays.as_array(image.convert("RGB") if hasattr(image, "convert") else image)
    if array.ndim == 2 and _arrays.is_images(array):
        array = numpy.repeat(array[:, :, None], 3, axis=2)
    return array if _arrays.is_images(array) else to_images(array, context)[0]


def _column(table: Any, name: str, usual: Sequence[str], kind: type, needed: bool = True) -> Optional[str]:
    for column, feature in table.features.items():
        if isinstance(feature, kind):
            return str(column)
    for column in usual:
        if column in table.features:
            return column
    if needed:
        raise ValueError(f"data set '{name}' has no column of images among {', '.join(table.features)}; name it "
                         "with image_column")
    return None
