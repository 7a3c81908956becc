#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The installed Python package with datasets, tqdm and pillow, as they come from PyPI."""
import contextlib
import io
import os
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"

import datasets  # noqa: E402
import numpy  # noqa: E402
import PIL.Image  # noqa: E402

import mdldm  # noqa: E402


def same(data, images, labels, names):
    assert data.class_names == names, data.class_names
    order = sorted(range(len(labels)), key=lambda i: labels[i])
    assert list(data.labels) == [labels[i] for i in order]
    for place, i in enumerate(order):
        assert (data.image(place) == images[i]).all()


def check_hub():
    rng = numpy.random.default_rng(8)
    images = [rng.integers(0, 256, (32, 32, 3), numpy.uint8) for _ in range(6)]
    labels, names = [1, 0, 1, 0, 0, 1], ["ID_1", "ID_2"]
    features = datasets.Features({"spectrogram": datasets.Image(), "person": datasets.ClassLabel(names=names)})
    table = datasets.Dataset.from_dict({"spectrogram": [PIL.Image.fromarray(i) for i in images], "person": labels},
                                       features=features)
    same(mdldm.Dataset.from_hub(table, resolution=32), images, labels, names)
    with tempfile.TemporaryDirectory() as folder:
        for i, (image, label) in enumerate(zip(images, labels)):
            os.makedirs(f"{folder}/data/{names[label]}", exist_ok=True)
            PIL.Image.fromarray(image).save(f"{folder}/data/{names[label]}/{i}.png")
        same(mdldm.Dataset.from_hub(folder + "/data", cache_dir=folder + "/cache", resolution=32), images, labels, names)
        try:
            mdldm.Dataset.from_hub(folder + "/data", cache_dir=folder + "/cache", image_column="nothing")
        except ValueError as error:
            assert "no column 'nothing'" in str(error), error
        else:
            raise AssertionError("a column that is not there was accepted")
    print("datasets: a loaded table and a folder by name give the same images and labels")


def check_bar():
    model = mdldm.Model.create(preset="tiny", resolution=32, num_classes=2)
    with contextlib.redirect_stderr(io.StringIO()) as said:
        images = model.generate(3, 0, num_inference_steps=4, batch_size=2, progress=True)
    assert "12/12" in said.getvalue(), said.getvalue()
    print("tqdm: a bar over all images and steps")
    picture = PIL.Image.open(io.BytesIO(images._repr_png_()))
    assert (numpy.asarray(picture) == numpy.asarray(mdldm.sheet(images))).all()
    assert (model.encode(PIL.Image.fromarray(images[0])) == model.encode(images[0])).all()
    print("pillow: reads what a notebook shows; its images go in")


if __name__ == "__main__":
    assert "site-packages" in mdldm.__file__, mdldm.__file__
    with mdldm.Context(threads=1):
        check_hub()
        check_bar()
