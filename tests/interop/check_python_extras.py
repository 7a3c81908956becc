#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The installed Python package with datasets, tqdm and pillow, as they come from PyPI."""
import contextlib
import io
import os
import subprocess
import sys
import tempfile
import warnings

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


def refused(word, *arguments, **more):
    try:
        mdldm.Dataset.from_hub(*arguments, resolution=32, **more)
    except (ValueError, TypeError) as error:
        assert word in str(error), error
    else:
        raise AssertionError(f"accepted, although: {word}")


def check_kinds_of_tables():
    """Streams, splits, pictures as files and bytes, label columns of each kind: whatever the package hands out."""
    rng = numpy.random.default_rng(9)
    images = [rng.integers(0, 256, (32, 32, 3), numpy.uint8) for _ in range(6)]
    labels, names = [1, 0, 1, 0, 0, 1], ["ID_2", "ID_10"]
    pictures = [PIL.Image.fromarray(image) for image in images]
    bytes_ = []
    for picture in pictures:
        file = io.BytesIO()
        picture.save(file, "PNG")
        bytes_.append(file.getvalue())
    label = datasets.ClassLabel(names=names)

    def table(column, kind, values=labels, value_kind=label):
        return datasets.Dataset.from_dict({"image": column, "label": values},
                                          features=datasets.Features({"image": kind, "label": value_kind}))

    plain = table(pictures, datasets.Image())
    same(mdldm.Dataset.from_hub(plain.to_iterable_dataset(), resolution=32), images, labels, names)
    rows = [{"image": picture, "label": names[k]} for picture, k in zip(pictures, labels)]
    stream = datasets.IterableDataset.from_generator(lambda: iter(rows))
    assert stream.features is None
    same(mdldm.Dataset.from_hub(stream, resolution=32), images, labels, names)
    splits = datasets.DatasetDict({"test": plain})
    same(mdldm.Dataset.from_hub(splits, split="test", resolution=32), images, labels, names)
    refused("no split 'train'; there are test", splits)
    same(mdldm.Dataset.from_hub(table(pictures, datasets.Image(decode=False)), resolution=32), images, labels, names)
    same(mdldm.Dataset.from_hub(table(bytes_, datasets.Value("binary")), resolution=32), images, labels, names)
    with tempfile.TemporaryDirectory() as folder:
        paths = [f"{folder}/{i}.png" for i in range(6)]
        for path, data in zip(paths, bytes_):
            with open(path, "wb") as file:
                file.write(data)
        same(mdldm.Dataset.from_hub(table(paths, datasets.Value("string")), resolution=32), images, labels, names)
    numbers = mdldm.Dataset.from_hub(table(pictures, datasets.Image(), labels, datasets.Value("int64")), resolution=32)
    same(numbers, images, labels, ["0", "1"])
    unlabelled = mdldm.Dataset.from_hub(table(pictures, datasets.Image(), [-1] * 6), resolution=32)
    assert (unlabelled.class_names, set(unlabelled.labels)) == ([], {-1})
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        other = datasets.ClassLabel(names=["nobody", "b", "a"])
        data = mdldm.Dataset.from_hub(table(pictures, datasets.Image(), [1 + k for k in labels], other), resolution=32)
        assert data.class_names == ["a", "b"] and "0 a, 1 b" in str(said[0].message), said
        assert (data.image(0) == images[0]).all()  # the first of label 2, which is a
    sixteen = PIL.Image.fromarray(images[0][:, :, 0].astype(numpy.uint16) * 256)
    assert sixteen.mode.startswith("I;16"), sixteen.mode
    data = mdldm.Dataset.from_hub(table([sixteen], datasets.Image(), [0]), resolution=32)
    assert (data.image(0)[:, :, 0] == images[0][:, :, 0]).all()
    refused("picture 1 is missing", table([pictures[0], None], datasets.Image(), [0, 1]))
    refused("datasets.Image() would be right", table([1.0] * 6, datasets.Value("float32")))
    refused("name it with image_column", datasets.Dataset.from_dict({"x": [1]}))
    print("datasets: streams, splits, files, bytes, labels of each kind")


def check_command_line():
    """--dataset_name with the real package, a folder standing in for a name of the hub."""
    with tempfile.TemporaryDirectory() as folder:
        rng = numpy.random.default_rng(10)
        for i in range(8):
            os.makedirs(f"{folder}/data/ID_{i % 2}", exist_ok=True)
            PIL.Image.fromarray(rng.integers(0, 256, (32, 32, 3), numpy.uint8)).save(f"{folder}/data/ID_{i % 2}/{i}.png")
        run = [sys.executable, "-m", "mdldm.train", "--dataset_name", "data", "--cache_dir", "cache", "--preset", "tiny",
               "--resolution", "32", "--train_batch_size", "4", "--max_train_steps", "2", "--threads", "1",
               "--validation_gap", "0", "--ddpm_num_inference_steps", "2", "--quiet"]
        subprocess.run(run + ["--stage", "autoencoder", "--output_dir", "vq"], cwd=folder, check=True)
        subprocess.run(run + ["--vae_path", "vq", "--output_dir", "model"], cwd=folder, check=True)
        assert mdldm.Model.load(folder + "/model").class_names == ["ID_0", "ID_1"]
        failed = subprocess.run(run + ["--dataset_name", "nobody/nothing", "--stage", "autoencoder", "--output_dir", "x"],
                                cwd=folder, capture_output=True, text=True, check=False)
        assert failed.returncode == 1 and "nobody/nothing" in failed.stderr, failed.stderr
        assert "Traceback" not in failed.stderr, failed.stderr
    print("python -m mdldm.train --dataset_name: both stages; a name that is not there is a sentence")


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
        check_kinds_of_tables()
        check_command_line()
        check_bar()
