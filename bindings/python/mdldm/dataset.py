# SPDX-License-Identifier: MIT
"""Data sets: a folder or zip of images whose sub-folders are the persons, or arrays, or the Hugging Face hub."""
from __future__ import annotations

import ctypes
import os
import re
import shutil
import tempfile
import warnings
import weakref
from typing import TYPE_CHECKING, Any, Iterable, List, Mapping, Optional, Sequence, Tuple

import numpy

from . import _arrays
from ._arrays import Bytes, Floats, Integers
from ._handle import Handle
from ._library import encode_path, lib, text
from .context import Context, current, for_facts
from .images import Path, Pictures, to_images, write_image
from .options import OPTIONS, Options, takes_options

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._keywords import DatasetKeywords


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
    def open(cls, path: Path, context: Optional[Context] = None, **options: Unpack[DatasetKeywords]) -> "Dataset":
        """A folder, or a .zip file, of PNG and JPEG images; sub-folders are classes."""
        context = context or current()
        with Options(context, options, "dataset") as handle:
            return cls(context.make(cls, "dataset_open", encode_path(path), handle), _resolution(options))

    from_folder = open
    from_zip = open

    @classmethod
    @takes_options("dataset")
    def from_arrays(cls, images: Any, labels: Optional[Iterable[Any]] = None,
                    class_names: Optional[Sequence[str]] = None, context: Optional[Context] = None,
                    **options: Unpack[DatasetKeywords]) -> "Dataset":
        """Images uint8 [n, h, w, 3] (or a list of such, of any sizes), or pixels [n, 3, h, w], with a label for
        each: a number or a name. Items are in order of their labels. Images of one size are kept in memory, others
        as PNG files in a temporary folder, which goes with the data set."""
        context = context or current()
        labels = _labels_of(images, labels)
        rgb = _one_size(images, context)
        if rgb is None:
            return cls._from_pairs(zip(images, labels), class_names, context, options)
        return cls._from_memory("dataset_from_rgb8", rgb, labels, class_names, context, options)

    @classmethod
    @takes_options("dataset")
    def from_db(cls, db: Any, labels: Optional[Iterable[Any]] = None, class_names: Optional[Sequence[str]] = None,
                context: Optional[Context] = None, **options: Unpack[DatasetKeywords]) -> "Dataset":
        """Matrices in dB, float32 [n, rows, columns], row 0 at the top, for models of one channel (image_mode="L"),
        with a label for each. db_floor and db_ceiling say what becomes -1 and 1."""
        array = _arrays.as_array(db)
        if array.dtype.kind not in "fiu" or array.ndim != 3:
            raise ValueError(f"db: {array.dtype} {list(array.shape)}; float32 [n, rows, columns] would be right")
        return cls._from_memory("dataset_from_db", numpy.ascontiguousarray(array, dtype=numpy.float32),
                                _labels_of(array, labels), class_names, context or current(), options)

    @classmethod
    def _from_memory(cls, call: str, array: Any, labels: Sequence[Any], class_names: Optional[Sequence[str]],
                     context: Context, options: Mapping[str, Any]) -> "Dataset":
        numbers, names = _numbered(labels, class_names)
        with Options(context, options, "dataset") as handle:
            pointer = context.make(cls, call, _arrays.address(array), *array.shape[:3], _arrays.address(numbers),
                                   names, handle)
        return cls(pointer, _resolution(options))

    @classmethod
    def _from_pairs(cls, pairs: Iterable[Tuple[Any, Any]], class_names: Optional[Sequence[str]],
                    context: Optional[Context], options: Mapping[str, Any]) -> "Dataset":
        context = context or current()
        folder = tempfile.mkdtemp(prefix="mdldm-")
        try:
            for i, (image, label) in enumerate(pairs):
                place = os.path.join(folder, _class_folder(label, class_names))
                os.makedirs(place, exist_ok=True)
                if image is None:
                    raise ValueError(f"picture {i} is missing; one for each label would be right")
                write_image(os.path.join(place, f"{i:08d}.png"), _rgb(image, context), context)
            dataset = cls.open(folder, context=context, **options)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        dataset.folder = folder
        dataset._remove_folder = weakref.finalize(dataset, _remove_here, os.getpid(), folder)
        found = dataset.class_names
        if class_names is not None and found != list(class_names)[:len(found)]:
            warnings.warn("labels are those of the natural order of the names, of classes that have pictures: "
                          + ", ".join(f"{i} {name}" for i, name in enumerate(found)), stacklevel=4)
        return dataset

    @classmethod
    @takes_options("dataset")
    def from_hub(cls, name: Any, config: Optional[str] = None, split: str = "train",
                 image_column: Optional[str] = None, label_column: Optional[str] = None,
                 cache_dir: Optional[Path] = None, context: Optional[Context] = None,
                 **options: Unpack[DatasetKeywords]) -> "Dataset":
        """A Hugging Face data set by name, through the package ``datasets``; one that is loaded already
        (``datasets.Dataset``, an iterable one, or a ``DatasetDict``, of which the split is taken) is taken as it is.
        Pictures are written as PNG files into a temporary folder, which goes with the data set. A label of -1 or
        None is none; classes are numbered in the natural order of their names, those without pictures left out."""
        try:
            import datasets
        except ImportError:
            raise ImportError(f"data set '{name}' is to come from the Hugging Face hub, which takes the package "
                              "'datasets': pip install datasets, or pass a folder instead") from None
        if isinstance(name, (str, os.PathLike)):
            table: Any = datasets.load_dataset(os.fspath(name), config, split=split, cache_dir=cache_dir)
        else:
            table, name = name, "given"
        if isinstance(table, dict):
            if split not in table:
                raise ValueError(f"data set '{name}' has no split '{split}'; there are {', '.join(table)}")
            table = table[split]
        # A streamed table may not know its columns before its first row.
        features = table.features or {column: None for column in next(iter(table), {})}
        image_column = image_column or _column(features, name, ("image", "img", "png", "jpg"), datasets.Image)
        label_column = label_column or _column(features, name, ("label", "labels", "class"), datasets.ClassLabel, False)
        for column in (image_column, label_column):
            if column and column not in features:
                raise ValueError(f"data set '{name}' has no column '{column}'; there are {', '.join(features)}")
        table = _decoded(table, features[image_column], image_column, name, datasets)
        # Other columns need not be decoded with every row.
        table = table.select_columns([image_column] + ([label_column] if label_column else []))
        names = getattr(features[label_column], "names", None) if label_column else None
        pairs = ((row[image_column], _hub_label(row[label_column]) if label_column else None) for row in table)
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
    def channels(self) -> int:
        """3, or 1 with image_mode "L" and of matrices."""
        return int(self._ask("dataset_channels"))

    @property
    def db_range(self) -> Tuple[float, float]:
        """(db_floor, db_ceiling): what pixels -1 and 1 mean; NotFound where that was not said."""
        floor, ceiling = ctypes.c_double(), ctypes.c_double()
        for_facts().call("dataset_db_range", self, ctypes.byref(floor), ctypes.byref(ceiling))
        return floor.value, ceiling.value

    @property
    def labels(self) -> Integers:
        """int64 [n]; -1 without classes."""
        return numpy.array([self._ask("dataset_item_label", i) for i in range(len(self))], numpy.int64)

    @property
    def names(self) -> List[str]:
        """Paths of the items, relative to the data set's root."""
        return [text(self._ask("dataset_item_name", i)) or "" for i in range(len(self))]

    def read(self, index: int, context: Optional[Context] = None, out: Any = None) -> Floats:
        """The item as pixels [channels, resolution, resolution], preprocessed."""
        pixels = _arrays.output(out, (self.channels, self.resolution, self.resolution))
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


def _resolution(options: Mapping[str, Any]) -> int:
    value = options.get("resolution")
    return int(OPTIONS["resolution"].default if value is None else value)


def _labels_of(images: Any, labels: Optional[Iterable[Any]]) -> List[Any]:
    known = [None] * len(images) if labels is None else list(labels)
    if len(known) != len(images):
        raise ValueError(f"{len(images)} images, but {len(known)} labels; one for each would be right")
    return known


def _natural(name: str) -> List[Any]:
    """ID_2 before ID_10, as folders are ordered."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.findall(r"[0-9]+|[^0-9]", name)]


def _numbered(labels: Sequence[Any], class_names: Optional[Sequence[str]]) -> Tuple[Optional[Integers],
                                                                                     Optional[bytes]]:
    """Labels as numbers, and the names of the classes as the library takes them."""
    if all(label is None for label in labels):
        return None, None
    if class_names is None and all(isinstance(label, str) for label in labels):
        class_names = sorted(set(labels), key=_natural)
    for name in class_names or ():
        _check_name(name)
    names = list(class_names or ())
    missing = [label for label in labels if isinstance(label, str) and label not in names]
    if missing:
        raise ValueError(f"label {missing[0]!r} is not among the class names {', '.join(names) or '(none)'}")
    numbers = [names.index(label) if isinstance(label, str) else int(label) for label in labels]
    return numpy.array(numbers, numpy.int64), "/".join(names).encode() if names else None


def _check_name(name: str) -> None:
    if not name or name in (".", "..") or "/" in name or "\0" in name:
        raise ValueError(f"class name {name!r} cannot be a folder's; a plain name would be right")


def _one_size(images: Any, context: Context) -> Optional[Bytes]:
    """uint8 [n, h, w, 3] where all images have one size, without a copy of such an array; else None."""
    if not isinstance(images, (list, tuple)):
        array = _arrays.as_array(images)
        if array.ndim == 4:
            return numpy.ascontiguousarray(array if _arrays.is_images(array) else to_images(array, context))
    converted = [_rgb(image, context) for image in images]
    if not converted or len({image.shape for image in converted}) != 1 or converted[0].ndim != 3:
        return None
    return numpy.stack(converted)


def _class_folder(label: Any, class_names: Optional[Sequence[str]]) -> str:
    if label is None:
        return ""
    if class_names is not None and not isinstance(label, str):
        if not 0 <= int(label) < len(class_names):
            raise ValueError(f"label {label!r}; 0 to {len(class_names) - 1} would be right")
        label = class_names[int(label)]
    if not isinstance(label, str):
        if label != int(label) or label < 0:
            raise ValueError(f"label {label!r}; a name or a whole number from 0 on would be right")
        label = str(int(label))
    _check_name(label)
    return str(label)


def _rgb(image: Any, context: Context) -> Any:
    mode = getattr(image, "mode", "") if hasattr(image, "convert") else ""
    if mode.startswith("I;16"):  # PIL would clip it to 255; the library's own reader drops the low byte too
        image = (numpy.asarray(image) >> 8).astype(numpy.uint8)
    elif mode in ("I", "F"):
        raise ValueError(f"a picture of mode {mode} has no stated range; 8 or 16 bits a channel, or matrices in dB "
                         "and from_db, would be right")
    elif mode:
        image = image.convert("RGB")
    array = _arrays.as_array(image)
    if array.ndim == 2 and _arrays.is_images(array):
        array = numpy.repeat(array[:, :, None], 3, axis=2)
    return array if _arrays.is_images(array) else to_images(array, context)[0]


def _hub_label(label: Any) -> Any:
    """-1 stands for no label there."""
    return None if not isinstance(label, str) and label == -1 else label


def _decoded(table: Any, feature: Any, column: str, name: str, datasets: Any) -> Any:
    """The table with its pictures decoded: they may be kept as files or bytes."""
    if feature is None or (isinstance(feature, datasets.Image) and getattr(feature, "decode", True)):
        return table
    if not isinstance(feature, datasets.Image) and getattr(feature, "dtype", "").replace("large_", "") not in (
            "binary", "string"):
        raise ValueError(f"column '{column}' of data set '{name}' is {feature}; datasets.Image() would be right")
    return table.cast_column(column, datasets.Image())


def _column(features: Mapping[str, Any], name: str, usual: Sequence[str], kind: type, needed: bool = True) -> str:
    for column, feature in features.items():
        if isinstance(feature, kind):
            return str(column)
    for column in usual:
        if column in features:
            return column
    if needed:
        raise ValueError(f"data set '{name}' has no column of images among {', '.join(features)}; name it with "
                         "image_column")
    return ""
