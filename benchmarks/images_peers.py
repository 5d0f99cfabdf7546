"""What others answer for the tasks of images.py: PyTorch with the same network, and classical learners."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

import ganglion as gg

if TYPE_CHECKING:
    from images import Task

MOST_ROWS = 10_000  # that the classical learners see; some take hours for more


def pytorch(task: Task, model: Any) -> tuple[float, float]:
    """Return accuracy and seconds of the model's network in PyTorch: same rows, optimizer and schedule.

    It sees no augmented pictures, for which PyTorch has a package of its own.
    """
    import torch

    torch.manual_seed(0)
    layers = list(_translated(model.network))
    net = torch.nn.Sequential(*layers).to(memory_format=torch.channels_last)
    images = torch.from_numpy(model.scaling.apply(task.images)).permute(0, 3, 1, 2)
    labels = torch.from_numpy(task.labels)
    facts = model.network.facts
    size, epochs, count = facts["batch_size"], model.history.epochs, len(task.train)
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=facts["optimizer"]["weight_decay"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        facts["optimizer"]["learning_rate"]["learning_rate"],
        total_steps=epochs * -(-count // size),
    )
    begun = time.perf_counter()
    for _ in range(epochs):
        order = task.train[torch.randperm(count).numpy()]
        for first in range(0, count, size):
            rows = order[first : first + size]
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(net(images[rows]), labels[rows])
            loss.backward()
            optimizer.step()
            schedule.step()
    seconds = time.perf_counter() - begun
    net.eval()
    with torch.no_grad():
        right = (net(images[task.test]).argmax(dim=1) == labels[task.test]).double().mean()
    return float(right), seconds


def _translated(network: Any) -> Iterator[Any]:
    """Yield the modules of PyTorch that do the same as the layers; the softmax is part of its loss."""
    from torch import nn

    shape = network.architecture.input_shape
    for layer, step in zip(network.layers, network.architecture.steps, strict=True):
        if isinstance(layer, gg.Conv2D):
            yield nn.Conv2d(shape[2], layer.filters, layer.kernel, layer.stride, 1, bias=layer.bias)
        elif isinstance(layer, gg.BatchNormalization):
            yield nn.BatchNorm2d(shape[2])
        elif isinstance(layer, gg.MaxPool2D):
            yield nn.MaxPool2d(2, ceil_mode=True)
        elif isinstance(layer, gg.GlobalAveragePool):
            yield from (nn.AdaptiveAvgPool2d(1), nn.Flatten())
        elif isinstance(layer, gg.Flatten):
            yield nn.Flatten()
        elif isinstance(layer, gg.Dropout):
            yield nn.Dropout(layer.rate)
        elif isinstance(layer, gg.Dense):
            yield nn.Linear(shape[0], layer.units)
        elif not isinstance(layer, gg.Activate):
            raise TypeError(f"{layer} is not translated")
        if step.activation is not None and step.activation.name == "relu":
            yield nn.ReLU()
        shape = step.shape


def classical(task: Task) -> Iterator[tuple[str, tuple[float, float]]]:
    """Yield accuracy and seconds of classical learners on the pixels of at most 10,000 training rows."""
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    pixels = task.images.reshape(len(task.images), -1) / 255
    learned = np.random.default_rng(0).permutation(task.train)[:MOST_ROWS]
    learners = {
        "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)),
        "extra trees": ExtraTreesClassifier(200, n_jobs=-1, random_state=0),
        "support vectors, radial": SVC(C=10),
    }
    for name, learner in learners.items():
        begun = time.perf_counter()
        learner.fit(pixels[learned], task.labels[learned])
        right = learner.score(pixels[task.test], task.labels[task.test])
        yield f"{name} on {len(learned):,} rows", (right, time.perf_counter() - begun)
