"""A program that trains runs of many kinds, kills them with SIGKILL at random moments, and lets them go on.

Arguments: the number of kills of each kind of run, and a seed. It prints one line for each kind. A child is a fork
of this process, which has only one thread until then.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import ganglion as gg
from ganglion.images.augmentation import Augmentation
from ganglion.images.rows import PictureRows, Scaling
from ganglion.training import descending

CHANCE = np.random.default_rng(0)
X = CHANCE.normal(size=(400, 6)).astype(np.float32)
CLASSES = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int)
PICTURES = CHANCE.integers(0, 256, (60, 9, 9, 1)).astype(np.uint8)
LABELS = (PICTURES[:, :, :4].mean(axis=(1, 2, 3)) > 127).astype(int)
LAZY = PictureRows(PICTURES, Scaling((0.5,), (0.25,)), np.arange(60), Augmentation(), seed=1)
DENSE = [gg.Dense(12, "relu"), gg.Dense(2, "softmax")]
NORMAL = [gg.Dense(12), gg.BatchNormalization(), gg.Activate("tanh"), gg.Dropout(0.3), gg.Dense(2, "softmax")]
CONVOLVED = [
    gg.Conv2D(4, activation="relu"),
    gg.SpatialDropout(0.2),
    gg.GlobalMaxPool(),
    gg.Dense(2, "softmax"),
]


def run(layers: list[gg.Layer], rows: Any = X, y: Any = CLASSES, **settings: Any) -> dict[str, Any]:
    return {"layers": layers, "X": rows, "y": y, "epochs": 25, "validation": 0.2} | settings


RUNS: dict[str, dict[str, Any]] = {
    "sgd": run(DENSE, optimizer=gg.SGD(0.1, momentum=0.9, nesterov=True)),
    "averaged": run(NORMAL, optimizer=gg.SGD(0.1, average=0.99)),
    "rmsprop": run(DENSE, optimizer=gg.RMSprop(gg.ExponentialDecay(0.01, 0.9))),
    "adagrad": run(DENSE, optimizer=gg.Adagrad(gg.InverseScaling(0.1))),
    "adam": run(NORMAL, optimizer=gg.Adam(gg.CosineDecay(0.02, epochs=25))),
    "adamw": run(NORMAL, optimizer=gg.AdamW(gg.OneCycle(0.02, epochs=25), weight_decay=0.1, clip_norm=1.0)),
    "lion": run(DENSE, optimizer=gg.Lion(gg.ReduceOnPlateau(0.01, patience=2))),
    "stopped": run(NORMAL, optimizer=gg.Adam(0.03), epochs=200, stop=6),
    "steps": run(DENSE, optimizer=gg.Adam(gg.StepDecay(0.02, every=5)), shuffle=False, batch_size=7),
    "pictures": run(CONVOLVED, LAZY, LABELS, validation=None, optimizer=gg.Adam(0.01), epochs=12),
}


def train(settings: dict[str, Any], checkpoint: Path | None, pause: float) -> tuple[bytes, str]:
    """Return all bits that a run ends in."""
    own = dict(settings)
    layers, stop = own.pop("layers"), own.pop("stop", None)
    network = gg.Network(layers, own["X"].shape[1:], seed=5)
    callbacks: list[gg.Callback] = [gg.EarlyStopping(stop)] if stop else []
    more: dict[str, Any] = {} if checkpoint is None else {"checkpoint": checkpoint, "every": 1e-9}
    history = network.fit(**own, callbacks=[*callbacks, Slow(pause)], **more)
    numbers = [
        history.loss,
        history.validation_loss,
        history.learning_rate,
        history.gradient_norm,
        history.best_epoch,
    ]
    return network.parameters.tobytes() + network.state.tobytes(), f"{numbers} {history.stopped_because}"


class Slow(gg.Callback):
    """Waits after some steps, so that a short run can be killed anywhere."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def on_steps_end(self, training: Any) -> None:
        time.sleep(self.seconds)


def in_child(name: str, path: Path, out: Path, pause: float) -> int:
    """Start a run in a child; return its process."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        bits, words = train(RUNS[name], path, pause)
        out.write_bytes(bits + words.encode())
        code = 0
    finally:
        os._exit(code)


def main() -> None:
    kills, chance = int(sys.argv[1]), random.Random(int(sys.argv[2]))
    wrong = 0
    descending.SECONDS_AT_ONCE = 0.002  # a few steps at a time, so that many kills fall inside an epoch
    for name in RUNS:  # noqa: PLC0206
        with tempfile.TemporaryDirectory() as folder:
            path, out = Path(folder) / "run.ckpt", Path(folder) / "out"
            killed = ended = 0
            while killed < kills or not ended:
                child = in_child(name, path, out, 0.001 if killed < kills else 0.0)
                if killed < kills:
                    time.sleep(chance.uniform(0, 0.06))
                    os.kill(child, signal.SIGKILL)
                _, status = os.waitpid(child, 0)
                if os.WIFSIGNALED(status):
                    killed += 1
                    continue
                assert os.WEXITSTATUS(status) == 0, "a run failed"
                ended += 1
                if killed < kills:  # it had ended before it was killed: begin again
                    path.unlink()
            child = os.fork()  # the run that is never stopped has its threads in a child, too
            if not child:
                bits, words = train(RUNS[name], None, 0.0)
                os._exit(0 if out.read_bytes() == bits + words.encode() else 1)
            _, status = os.waitpid(child, 0)
            same = os.WEXITSTATUS(status) == 0
            wrong += not same
            print(f"{name}: {killed} kills, {'the same bits' if same else 'OTHER BITS'}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
