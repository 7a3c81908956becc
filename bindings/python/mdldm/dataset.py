# SPDX-License-Identifier: MIT
"""Data sets: a folder or zip of images whose sub-folders are the persons, or arrays."""
import ctypes
import os
import shutil
import tempfile
import weakref

import numpy

from . import _arrays
from ._handle import Handle
from ._library import encode_path, lib, text
from .context import current
from .images import write_image
from .options import Options, takes_options


class Dataset(Handle):
    """Images with labels, decoded when they are needed."""

    _free = lib.mdldm_dataset_free

    def __init__(self, pointer):
        super().__init__(pointer)
        self._remove_folder = None  # removes the folder that only this data set needs

    @classmethod
    @takes_options("dataset")
    def open(cls, path, context=None, **options):
        """A folder, or a .zip file, of PNG and JPEG images; sub-folders are classes."""
        context = context or current()
        pointer = ctypes.c_void_p()
        with Options(context, options, "dataset") as handle:
            context.call("dataset_open", encode_path(path), handle.pointer, ctypes.byref(pointer))
        return cls(pointer)

    from_folder = open
    from_zip = open

    @classmethod
    @takes_options("dataset")
    def from_arrays(cls, images, labels=None, class_names=None, context=None, **options):
        """Images uint8 [n, h, w, 3] (or a list of such, of any sizes) with a label for each: a number or a
        name. They are written as PNG files to a temporary folder, which goes with the data set."""
        labels = [None] * len(images) if labels is None else list(labels)
        if len(labels) != len(images):
            raise ValueError(f"{len(images)} images, but {len(labels)} labels; one for each would be right")
        return cls._from_pairs(zip(images, labels), class_names, context, options)

    @classmethod
    def _from_pairs(cls, pairs, class_names, context, options):
        context = context or current()
        folder = tempfile.mkdtemp(prefix="mdldm-")
        try:
            for i, (image, label) in enumerate(pairs):
                place = os.path.join(folder, _class_folder(label, class_names) or "")
                os.makedirs(place, exist_ok=True)
                write_image(os.path.join(place, f"{i:08d}.png"), _rgb(image), context)
            dataset = cls.open(folder, context=context, **options)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        dataset.folder = folder
        dataset._remove_folder = weakref.finalize(dataset, shutil.rmtree, folder, ignore_errors=True)
        return dataset

    @classmethod
    @takes_options("dataset")
    def from_hub(cls, name, config=None, split="train", image_column=None, label_column=None, context=None,
                 **options):
        """A Hugging Face data set by name, through the package ``datasets``."""
        try:
            import datasets
        except ImportError:
            raise ImportError(f"data set '{name}' is to come from the Hugging Face hub, which takes the package "
                              "'datasets': pip install datasets, or pass a folder instead") from None
        table = datasets.load_dataset(name, config, split=split)
        image_column = image_column or _column(table, name, ("image", "img", "png", "jpg"), datasets.Image)
        label_column = label_column or _column(table, name, ("label", "labels", "class"), datasets.ClassLabel, False)
        feature = table.features.get(label_column) if label_column else None
        names = getattr(feature, "names", None)
        pairs = ((row[image_column], row[label_column] if label_column else None) for row in table)
        return cls._from_pairs(pairs, names, context, options)

    def __len__(self):
        return lib.mdldm_dataset_count(self.pointer)

    @property
    def skipped(self):
        """Unreadable images that were left out."""
        return lib.mdldm_dataset_skipped(self.pointer)

    @property
    def class_names(self):
        p = self.pointer
        return [text(lib.mdldm_dataset_class_name(p, i)) for i in range(lib.mdldm_dataset_class_count(p))]

    @property
    def labels(self):
        """int64 [n]; -1 without classes."""
        p = self.pointer
        return numpy.array([lib.mdldm_dataset_item_label(p, i) for i in range(len(self))], numpy.int64)

    @property
    def names(self):
        p = self.pointer
        return [text(lib.mdldm_dataset_item_name(p, i)) for i in range(len(self))]

    def read(self, index, resolution, context=None):
        """The item as pixels [3, resolution, resolution], preprocessed; resolution as when opened."""
        pixels = numpy.empty((3, resolution, resolution), numpy.float32)
        (context or current()).call("dataset_read", self.pointer, self._index(index), _arrays.address(pixels),
                                    pixels.size)
        return pixels

    def _index(self, index):
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"item {index} of {count}")
        return index % count

    def close(self):
        super().close()
        if self._remove_folder is not None:
            self._remove_folder()


def _class_folder(label, class_names):
    """Folders are sorted by name, so numbers get leading zeros."""
    if label is None:
        return None
    if class_names is not None and not isinstance(label, str):
        label = class_names[label]
    if isinstance(label, str):
        if not label or label in (".", "..") or "/" in label or "\0" in label:
            raise ValueError(f"class name {label!r} cannot be a folder's; a plain name would be right")
        return label
    return f"{int(label):06d}"


def _rgb(image):
    array = _arrays.as_array(image.convert("RGB") if hasattr(image, "convert") else image)
    if array.ndim == 2:
        array = numpy.repeat(array[:, :, None], 3, axis=2)
    return array


def _column(table, name, usual, kind, needed=True):
    for column, feature in table.features.items():
        if isinstance(feature, kind):
            return column
    for column in usual:
        if column in table.features:
            return column
    if needed:
        raise ValueError(f"data set '{name}' has no column of images among {', '.join(table.features)}; name it "
                         "with image_column")
    return None
