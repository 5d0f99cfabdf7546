"""Files of image models: the same bits after loading; forged ones are refused, or harmless."""

from __future__ import annotations

import copy
import hashlib
import json
import struct
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import ganglion as gg
from drawn import QUICK, bars, trained

NUMBERS: list[Any] = [0, -1, 1, 3, 5, 2**31, 2**63, 10**19, 0.5, 1.5, -0.5, 5e-324, 1e300]
JOINT = ("joint", "labels")
HOSTILE: list[Any] = [*NUMBERS, None, True, False, "", "x", "crop", "both", [], [0], [[]], {}, {"": []}]


@cache
def model(kind: str = "class") -> Any:
    images, y = bars(120)
    if kind == "joint":
        labels = {"class": y, "number": y * 2.5 + np.arange(120) / 60}
        return gg.ImageModel.train(images, labels=labels, test=0.3, **QUICK)
    if kind == "labels":
        words = [("low", "high")[number] + ";odd" * (row % 3) for row, number in enumerate(y)]
        return gg.ImageModel.train(images, labels=words, label_separator=";", test=0.3, **QUICK)
    if kind == "number":
        return gg.ImageModel.train(images, labels=y * 2.5 + np.arange(120) / 60, test=0.3, **QUICK)
    augment = gg.Augmentation(shift=0.1, flip="vertical")
    own = QUICK | {"augment": augment, "class_weight": "balanced", "optimize": "f1"}
    return gg.ImageModel.train(images, labels=y, folds=2, **own)


@cache
def parts(kind: str, folder: str) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """Return header, description and numbers of a model's file."""
    path = Path(folder) / f"{kind}.safetensors"
    model(kind).save(path)
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    return header, json.loads(header["__metadata__"]["ganglion"]), data[8 + length :]


def forged(folder: Path, description: Any, kind: str = "class") -> Path:
    """Write a file with a valid checksum for any description."""
    header, _, numbers = parts(kind, str(folder))
    text = json.dumps(description)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass") + numbers).hexdigest()
    raw = json.dumps(header | {"__metadata__": {"ganglion": text, "sha256": digest}}).encode()
    path = folder / "forged.safetensors"
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + numbers)
    return path


def use(path: Path, kind: str) -> bool:
    """Load a model and do everything with it; return whether it was refused."""
    try:
        loaded: Any = (gg.JointImageModel if kind in JOINT else gg.ImageModel).load(path)
    except gg.FileError:
        return True
    images, _ = bars(4)
    if kind in JOINT:
        use_heads(loaded, images)
        loaded.save(path.with_name("again.safetensors"))
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gg.GanglionNotice)
        answers = loaded.predict(images)
        assert answers.height == 4
        loaded.answer(images[0])
        try:
            loaded.evaluate(images, labels=answers["prediction"])
            loaded.mistakes().to_html()
        except gg.DataError:
            pass  # such as numbers beyond what is scored
        loaded.save(path.with_name("again.safetensors"))
    assert repr(loaded)
    assert loaded.advice
    assert loaded.report is None or str(loaded.report)
    return False


def use_heads(loaded: gg.JointImageModel, images: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gg.GanglionNotice)
        answers = loaded.predict(images)
        loaded.answer(images[0])
        labels: Any = {name: answers[f"prediction_{name}"] for name in loaded.heads}
        try:
            loaded.evaluate(images, labels=answers["labels"] if loaded.label_column else labels)
            for head in loaded.heads.values():
                head.mistakes().to_html()
                assert head.report is None or str(head.report)
        except gg.DataError:
            pass  # such as numbers beyond what is scored
    assert repr(loaded)
    assert all(loaded.advice.values())


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.mark.parametrize("kind", ["class", "number"])
def test_a_loaded_model_is_the_same(kind: str, folder: Path) -> None:
    parts(kind, str(folder))
    before, loaded = model(kind), gg.ImageModel.load(folder / f"{kind}.safetensors")
    images, _ = bars(20, seed=2)
    interval = {"interval": 0.8} if kind == "number" else {}
    assert loaded.predict(images, **interval).equals(before.predict(images, **interval))
    assert (loaded.network.parameters == before.network.parameters).all()
    for name in ("target", "fitting", "scaling", "calibration", "augmentation", "balanced", "rows", "labels"):
        assert getattr(loaded, name) == getattr(before, name), name
    assert loaded.report is not None
    assert before.report is not None
    assert loaded.report.to_dict() == before.report.to_dict()
    assert loaded.history.to_facts() == before.history.to_facts()
    with pytest.raises(gg.ConfigError, match="call evaluate first"):
        loaded.mistakes()


def test_models_of_another_kind_are_named(folder: Path) -> None:
    parts("class", str(folder))
    table = gg.TableModel.train({"x": [1, 2, 3, 4] * 5, "y": ["a", "b"] * 10}, "y", epochs=1, hidden=2)
    table.save(folder / "table.safetensors")
    joint = gg.TableModel.train(
        {"x": [1, 2, 3, 4] * 5, "y": ["a", "b"] * 10, "z": np.linspace(0, 1, 20)},
        ["y", "z"],
        epochs=1,
        hidden=2,
    )
    joint.save(folder / "joint.safetensors")
    model().network.save(folder / "network.safetensors")
    for load, file, words in (
        (gg.TableModel.load, "class", "a table model, it holds a model of images .*gg.ImageModel.load"),
        (gg.JointTableModel.load, "class", "several targets, it holds a model of images .*gg.ImageModel"),
        (gg.ImageModel.load, "table", "a model of images, it holds a table model of one target .*gg.TableM"),
        (gg.ImageModel.load, "joint", "it holds a table model of several targets .*gg.JointTableModel.load"),
        (gg.ImageModel.load, "network", "it holds a bare network .*gg.Network.load"),
    ):
        with pytest.raises(gg.FileError, match=words):
            load(folder / f"{file}.safetensors")
    images, _ = bars(3)
    network = gg.Network.load(folder / "class.safetensors")
    assert (network.predict(model().encode(images)) == model().network.predict(model().encode(images))).all()


Change = tuple[tuple[Any, ...], Any]
REFUSED: list[Change] = [
    (("scaling", "mean"), []),
    (("scaling", "mean"), [0.5, 0.5]),
    (("scaling", "mean"), [1.5]),
    (("scaling", "mean"), "x"),
    (("scaling", "deviation"), [0]),
    (("scaling", "deviation"), [1e300]),
    (("scaling", "deviation"), [None]),
    (("scaling",), {}),
    (("fitting", "height"), 9),
    (("fitting", "height"), 10**6),
    (("fitting", "width"), 8.0),
    (("fitting", "channels"), 3),
    (("fitting", "channels"), True),
    (("fitting", "channels"), 1.0),
    (("fitting", "fit"), "x"),
    (("fitting", "fit"), []),
    (("fitting",), None),
    (("augmentation", "flip"), "x"),
    (("augmentation", "flip"), []),
    (("augmentation", "shift"), 2),
    (("augmentation", "more"), 2),
    (("augmentation",), {}),
    (("rows", "train"), -1),
    (("rows", "train"), 1.5),
    (("rows", "test"), 10**19),
    (("rows",), []),
    (("balanced",), 1),
    (("target", "classes"), ["a", "b", "c"]),
    (("target", "shares"), [0.5]),
    (("target", "shares"), [0.5, 2]),
    (("target",), []),
    (("target",), {"kind": "nothing"}),
    (("calibration", "class_weights"), [1, 1, 1]),
    (("calibration", "class_weights"), [1, 0]),
    (("calibration", "temperature"), 0),
    (("calibration", "threshold"), 2),
    (("calibration", "positive"), 2),
    (("test", "task"), "regression"),
    (("test", "metrics"), {}),
    (("test", "confusion"), [[1]]),
    (("test", "rows"), -1),
    (("validated",), []),
    (("more",), 1),
]


@pytest.mark.parametrize(("path", "value"), REFUSED, ids=str)
def test_a_forged_part_is_refused(folder: Path, path: tuple[Any, ...], value: Any) -> None:
    description = copy.deepcopy(parts("class", str(folder))[1])
    holder = description["images"]
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    with pytest.raises(gg.FileError, match="the model file is damaged|is not a model file, or is damaged"):
        gg.ImageModel.load(forged(folder, description))


@pytest.mark.parametrize("kind", ["class", "number"])
@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(folder: Path, kind: str, text: str) -> None:
    description = copy.deepcopy(parts(kind, str(folder))[1])
    description["images"]["scaling"]["mean"] = ["HERE"]
    header, _, numbers = parts(kind, str(folder))
    raw = json.dumps(description).replace('"HERE"', text)
    digest = hashlib.sha256(raw.encode() + numbers).hexdigest()
    whole = json.dumps(header | {"__metadata__": {"ganglion": raw, "sha256": digest}}).encode()
    (folder / "nan.safetensors").write_bytes(struct.pack("<Q", len(whole)) + whole + numbers)
    with pytest.raises(gg.FileError, match="a number is"):
        gg.ImageModel.load(folder / "nan.safetensors")


def test_a_file_of_images_and_a_table_is_refused(folder: Path) -> None:
    description = copy.deepcopy(parts("class", str(folder))[1])
    description["table"] = {}
    for load in (gg.ImageModel.load, gg.TableModel.load, gg.Network.load):
        with pytest.raises(gg.FileError, match="both a table and images"):
            load(forged(folder, description))


def test_outputs_that_are_no_probabilities_are_refused(folder: Path) -> None:
    description = copy.deepcopy(parts("class", str(folder))[1])
    last = description["network"]["layers"][-1]
    last["activation"] = gg.Dense(1).configuration()["activation"]
    with pytest.raises(gg.FileError, match=r"the last layer must be Dense\(2, 'softmax'\)"):
        gg.ImageModel.load(forged(folder, description))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += places(inner, (*path, key))
    return found


@pytest.mark.parametrize("kind", ["class", "number", *JOINT])
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_any_forged_value_is_refused_or_harmless(folder: Path, kind: str, data: st.DataObject) -> None:
    description = copy.deepcopy(parts(kind, str(folder))[1])
    path = data.draw(st.sampled_from(places(description["images"])))
    holder = description["images"]
    for key in path[:-1]:
        holder = holder[key]
    if data.draw(st.booleans()):
        holder[path[-1]] = data.draw(st.sampled_from(HOSTILE))
    elif isinstance(holder, dict):
        del holder[path[-1]]
    else:
        holder.append(data.draw(st.sampled_from(HOSTILE)))
    use(forged(folder, description, kind), kind)


def test_a_model_of_the_users_layers_is_saved_and_loaded(folder: Path) -> None:
    layers = [gg.DepthwiseConv2D(3), gg.BatchNormalization(), gg.GlobalAveragePool(), gg.Dense(2, "softmax")]
    one = trained(layers=layers, test=0)
    one.save(folder / "own.safetensors")
    images, _ = bars(9)
    assert gg.ImageModel.load(folder / "own.safetensors").predict(images).equals(one.predict(images))
    assert one.report is None
