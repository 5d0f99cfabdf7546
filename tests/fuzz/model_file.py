"""Fuzzing of the reader of model files: any bytes are a model that predicts, or a `FileError`.

    make fuzz SECONDS=3600

The input is a description, the tensors' part of the header and the numbers, with a zero byte between them. From
these a file with the right length and checksum is made, so that mutations get past both. An input in any other form
is read as it is. The mutations are made here, because most of Atheris's own would leave no valid JSON.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import struct
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MOST_NUMBERS = 10**6  # of one row, in any layer: more is memory for the prediction, not for reading the file
NUMBERS = [0, -1, 1, 3, 2**31, 2**63, 10**18, 0.5, -0.5, 1e308, 5e-324]
VALUES = [*NUMBERS, None, True, "", "x", "relu", [], [0], {}, [{}]]


def file_of(data: bytes) -> bytes:
    """Return the model file that a fuzzer's input stands for."""
    parts = data.split(b"\0", 2)
    if len(parts) < 3:
        return data
    description, tensors, numbers = parts
    text = description.decode("utf-8", "replace")
    digest = hashlib.sha256(text.encode() + numbers).hexdigest()
    metadata = json.dumps({"__metadata__": {"ganglion": text, "sha256": digest}}).encode()
    header = metadata[:-1] + (b"," if tensors.strip() != b"{}" else b"") + tensors.lstrip()[1:]
    return struct.pack("<Q", len(header)) + header + numbers


def input_of(file: bytes) -> bytes:
    """Return the input that stands for a model file."""
    start = 8 + struct.unpack("<Q", file[:8])[0]
    tensors = json.loads(file[8:start])
    text = tensors.pop("__metadata__")["ganglion"]
    return b"\0".join([text.encode(), json.dumps(tensors).encode(), file[start:]])


def seeds(folder: Path) -> Iterator[bytes]:
    """Yield the inputs of real model files, which between them have every layer, activation and optimizer."""
    import numpy as np

    import ganglion as gg
    from ganglion.core.part import Part
    from ganglion.tables.examples import example_table

    def saved(model: Any) -> bytes:
        model.save(folder / "seed.safetensors")
        return input_of((folder / "seed.safetensors").read_bytes())

    def known(kind: type[Part]) -> list[Any]:
        joint = (gg.Sections, gg.Joint)  # made of others
        return [part() for _, part in sorted(kind.known.items()) if part not in joint]

    X = np.random.default_rng(0).normal(size=(8, 4))
    for dtype in ("float32", "float64"):
        layers = [
            gg.PiecewiseLinear([[0, 1], [], [-1, 0, 2, 3], []]),
            gg.Mixture((0.5, 0.5)),
            gg.Dense(2),
            gg.BatchNormalization(),
            gg.LayerNormalization(),
            gg.Dropout(0.5),
            gg.Flatten(),
        ]
        yield saved(gg.Network([*layers, gg.Reshape((2, 1)), gg.Flatten()], inputs=4, dtype=dtype))
    image = [
        gg.ZeroPad2D(),
        gg.TransposedConv2D(2, 2),
        gg.SpatialDropout(0.5),
        gg.GroupNormalization(2),
        gg.Residual([gg.Conv2D(3, stride=2)]),
        gg.Upsample2D(),
        gg.Crop2D(((0, 2), (1, 1))),
    ]
    yield saved(gg.Network([*image, gg.GlobalAveragePool()], inputs=(3, 3, 1)))
    branches = {
        "image": [gg.MaxPool2D(2), gg.AveragePool2D((1, 2), padding="same"), gg.GlobalMaxPool()],
        "words": [gg.EmbeddingBag(5, 3, "sum"), gg.Residual([gg.Dense(2)])],
        "kind": [gg.Embedding(6, 2), gg.GlobalAveragePool()],
    }
    inputs = {"image": (4, 4, 1), "words": gg.BagInput(5, weighted=True), "kind": gg.IntegerInput(6, 2)}
    yield saved(gg.Network([gg.Parallel(branches), gg.Dense(1)], inputs=inputs))
    yield saved(gg.Network([gg.Activate(activation) for activation in known(gg.Activation)], inputs=2))
    for optimizer in known(gg.Optimizer):
        net = gg.Network([gg.Dense(2, "relu"), gg.Dense(1)], inputs=4)
        net.fit(
            X,
            X[:, 0],
            epochs=2,
            optimizer=optimizer,
            validation=0.25,
            regularization=gg.Regularization(l2=0.1),
        )
        yield saved(net)
    for name in ("iris", "diabetes"):
        data, target = example_table(name)[1], {"iris": "species", "diabetes": "progression"}[name]
        yield saved(gg.TableModel.train(data, target, hidden=(2,), epochs=2))
    texts = [f"{('a good', 'a bad')[row % 2]} word {row}, and again" for row in range(60)]
    vectors = folder / "vectors.txt"
    vectors.write_text("good 1 2\nbad -1 2\nagain 0 1\n", "utf-8")
    text, rows = gg.Text(vectors=vectors, keep_words=True), {"text": texts, "y": [0, 1] * 30}
    yield saved(gg.TableModel.train(rows, "y", hidden=(2,), epochs=2, text=text))
    pictures = np.random.default_rng(0).integers(0, 256, (40, 3, 4, 3)).astype(np.uint8)
    layers = [gg.Conv2D(2, activation="relu"), gg.Flatten()]
    quick: dict[str, Any] = {"epochs": 2, "folds": 2, "augment": gg.Augmentation(shift=0.1)}
    for y, last in ((np.arange(40) % 2, gg.Dense(2, "softmax")), (np.arange(40) / 7, gg.Dense(1))):
        yield saved(gg.ImageModel.train(pictures, labels=y, layers=[*layers, last], **quick))


def check(data: bytes, path: Path) -> str:
    """Read the file that the input stands for; return what came of it.

    Raises:
        Exception: any that is not a `FileError`, where the promise is broken.
    """
    import numpy as np

    import ganglion as gg
    from agreement import random_rows
    from ganglion.files.model_file import read_model

    path.write_bytes(file_of(data))
    try:
        saved = read_model(path)
        table = None if saved.table is None else gg.TableModel.load(path)
        image = None if saved.images is None else gg.ImageModel.load(path)
    except gg.FileError as error:
        return str(error)
    architecture = saved.model.architecture
    if any(math.prod(value.shape) > MOST_NUMBERS for value in architecture.values):
        return "large"
    rows = random_rows(architecture.inputs, 2, np.random.default_rng(0), saved.model.dtype.name)
    assert gg.Network.from_saved(saved).predict(rows).shape[0] == 2
    if image is not None:
        shape = (2, *image.fitting.shape)
        assert image.predict(np.zeros(shape, np.uint8)).height == 2
    return "images" if image is not None else "network" if table is None else "table"


def changed(description: Any, chance: random.Random) -> Any:
    """Return a description in which one value is another one, missing, or there twice."""
    places: list[tuple[Any, Any]] = []

    def find(value: Any) -> None:
        items = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        )
        for key, inner in items:
            places.append((value, key))
            find(inner)

    find(description)
    if not places:
        return chance.choice(VALUES)
    holder, key = chance.choice(places)
    other, its_key = chance.choice(places)
    match chance.randrange(4):
        case 0:
            del holder[key]
        case 1:
            holder[key] = chance.choice(VALUES)
        case 2:
            holder[key] = json.loads(json.dumps(other[its_key]))
        case _ if isinstance(holder, list):
            holder.insert(key, json.loads(json.dumps(holder[key])))
        case _:
            holder[str(its_key)] = json.loads(json.dumps(other[its_key]))
    return description


def mutated(data: bytes, most: int, seed: int) -> bytes:
    """Return the input with one value of its JSON changed, or one place in its bytes."""
    chance, parts = random.Random(seed), data.split(b"\0", 2)
    if len(parts) == 3 and chance.random() < 0.7:
        number = 0 if chance.random() < 0.8 else 1
        try:
            parts[number] = json.dumps(changed(json.loads(parts[number]), chance)).encode()
            return b"\0".join(parts)[:most]
        except (ValueError, RecursionError):
            pass  # bytes were changed before, it is no JSON any more
    start = chance.randrange(len(data) + 1)
    end = min(len(data), start + chance.choice([0, 1, 1, 4, 100]))
    new = chance.choice(
        [b"", chance.randbytes(1), chance.randbytes(8), b"\0", data[start:end] * 2, b'"', b"[" * 2000]
    )
    return (data[:start] + new + data[end:])[:most]


def main() -> None:
    """Run libFuzzer, whose options are those of the command line: first a folder for the corpus."""
    import atheris

    # Atheris does not see through the finder of an editable install: the sources must be on the path.
    sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in type(finder).__module__]
    with atheris.instrument_imports(include=["ganglion"]):
        import ganglion.files.model_file
        import ganglion.image_model
        import ganglion.network
        import ganglion.table_model  # noqa: F401
    warnings.simplefilter("ignore")
    corpus = Path(sys.argv[1])
    corpus.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(seeds(Path(folder))):
            (corpus / f"seed-{number}").write_bytes(seed)
        path = Path(folder) / "fuzzed.safetensors"
        atheris.Setup(sys.argv, lambda data: check(data, path) and None, custom_mutator=mutated)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
