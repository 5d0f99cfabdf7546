import hashlib
import json
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings, strategies as st

import ganglion as gg
from ganglion.cli import joint, pages
from ganglion.tables.examples import example_table

QUICK: dict[str, Any] = {"hidden": (4,), "epochs": 2}


@cache
def table_model() -> gg.TableModel:
    _, table = example_table("iris")
    return gg.TableModel.train(table, "species", **QUICK)


@cache
def good_bytes(folder: str) -> bytes:
    path = Path(folder) / "good.safetensors"
    table_model().save(path)
    return path.read_bytes()


def rows() -> pl.DataFrame:
    """Return rows with columns of every kind: numbers, words, dates, true or false; two are targets."""
    chance, count = np.random.default_rng(0), 60
    x = chance.normal(size=count)
    return pl.DataFrame(
        {
            "x": x.round(3),
            "word": chance.choice(["red", "green"], count),
            "day": [f"{day % 28 + 1:02d}/03/2020" for day in range(count)],
            "yes": chance.random(count) < 0.5,
            "weight": 1.0 + chance.random(count).round(3),
            "side": np.where(x > 0, "left", "right"),
            "amount": (2 * x + 1).round(3),
        }
    )


SETTINGS: dict[str, dict[str, Any]] = {
    "class": {"target": "side", "drop": ["amount"], "optimize": "f1", "class_weight": "balanced"},
    "number": {"target": "amount", "drop": ["side"], "weight": "weight", "where": "x > -9"},
    "joint": {"target": ["side", "amount"], "folds": 2, "weight": "weight"},
}


@cache
def bytes_of(kind: str, folder: str) -> bytes:
    """Return the file of a model that was trained on the rows of a text file with semicolons."""
    table, path = Path(folder) / "rows.csv", Path(folder) / f"{kind}.safetensors"
    rows().write_csv(table, separator=";")
    gg.TableModel.train(table, **SETTINGS[kind], **QUICK).save(path)
    return path.read_bytes()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


def parts(data: bytes) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """Return header, description and numbers."""
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    return header, json.loads(header["__metadata__"]["ganglion"]), data[8 + length :]


def forged(header: dict[str, Any], description: Any, numbers: bytes) -> bytes:
    """Return a file with a valid checksum for any header and description."""
    text = description if isinstance(description, str) else json.dumps(description)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass") + numbers).hexdigest()
    header = header | {"__metadata__": {"ganglion": text, "sha256": digest}}
    raw = json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + numbers


def refused(folder: Path, data: bytes, message: str = ".") -> None:
    path = folder / "bad.safetensors"
    path.write_bytes(data)
    for load in (gg.TableModel.load, gg.Network.load):
        with pytest.raises(gg.FileError, match=message):
            load(path)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_mutation_loads_the_same_or_is_refused(folder: Path, data: st.DataObject) -> None:
    whole = good_bytes(str(folder))
    kind = data.draw(st.sampled_from(["flip", "cut", "insert", "swap", "append"]))
    place = data.draw(st.integers(0, len(whole) - 1) | st.integers(0, 700))
    changed = bytearray(whole)
    if kind == "flip":
        changed[place] ^= 1 << data.draw(st.integers(0, 7))
    elif kind == "cut":
        del changed[place : place + data.draw(st.integers(1, 5000))]
    elif kind == "insert":
        changed[place:place] = data.draw(st.binary(min_size=1, max_size=20))
    elif kind == "swap":
        other = data.draw(st.integers(0, len(whole) - 1))
        changed[place], changed[other] = changed[other], changed[place]
    else:
        changed += data.draw(st.binary(min_size=1, max_size=20))
    path = folder / "mutated.safetensors"
    path.write_bytes(changed)
    try:
        loaded = gg.TableModel.load(path)
    except gg.FileError:
        return
    assert (loaded.network.parameters == table_model().network.parameters).all()
    assert loaded.network.layers == table_model().network.layers
    assert loaded.encoder == table_model().encoder


def test_every_single_bit_of_the_length_and_every_cut_of_the_header_is_noticed(folder: Path) -> None:
    whole = good_bytes(str(folder))
    for bit in range(64):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << (bit % 8)
        refused(folder, bytes(changed))
    for size in range(0, 400, 7):
        refused(folder, whole[:size])
    refused(folder, whole[:-1])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_noise_is_refused(folder: Path, noise: bytes) -> None:
    refused(folder, noise)
    refused(folder, struct.pack("<Q", len(noise)) + noise)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


# Whole numbers and floats at the ends of what fits somewhere, and words that mean something somewhere.
HOSTILE: list[Any] = [
    *(0, 1, -1, 2**31, 2**63, -(2**63), 10**19, 0.5, 1.5, -0.5, 5e-324, 1e300, 1.7e308, -1.7e308),
    *("", "%", "%Q", "\x00", "(", "x OR " * 3000 + "x", "number", "date", "text", "utf-16", "base64", "x"),
    *([], {}, [[]], [0.5], [None], {"": []}, {"x": {"kind": "date", "form": "%"}}),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += places(inner, (*path, key))
    return found


@pytest.mark.filterwarnings("ignore::ganglion.GanglionNotice")
@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_forged_description_is_refused_or_harmless(folder: Path, data: st.DataObject) -> None:
    """With a valid checksum and any value anywhere, a file loads and works, or raises FileError."""
    header, description, numbers = parts(good_bytes(str(folder)))
    forge(description, data)
    file = folder / "forged.safetensors"
    file.write_bytes(forged(header, description, numbers))
    _, table = example_table("iris")
    use(file, table)


@pytest.mark.filterwarnings("ignore::ganglion.GanglionNotice")
@pytest.mark.parametrize("kind", SETTINGS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_forged_description_of_any_kind_of_model_is_refused_or_harmless(
    folder: Path, kind: str, data: st.DataObject
) -> None:
    header, description, numbers = parts(bytes_of(kind, str(folder)))
    forge(description["table"], data)
    file = folder / "forged.safetensors"
    file.write_bytes(forged(header, description, numbers))
    use(file, folder / "rows.csv")


def forge(description: Any, data: st.DataObject) -> None:
    """Replace, remove or add a value anywhere in a description."""
    path = data.draw(st.sampled_from(places(description)))
    holder = description
    for key in path[:-1]:
        holder = holder[key]
    if data.draw(st.booleans()):
        holder[path[-1]] = data.draw(json_values | st.sampled_from(HOSTILE))
    elif isinstance(holder, dict):
        del holder[path[-1]]
    else:
        holder.append(data.draw(json_values))


def use(file: Path, table: Any) -> None:
    """Load a model and do everything with it; it may only be refused."""
    try:
        model = joint.load_any(file)
    except gg.FileError:
        return
    model.save(file.with_name("again.safetensors"))
    json.dumps(joint.facts(model), allow_nan=False)
    assert joint.columns_page(model)
    assert joint.results_page(model)
    joint.answers_page(model)
    for head in joint.heads_of(model):
        for page in (pages.network_page, pages.rows_page, pages.run_page):
            assert page(head, model.network) if page is not pages.run_page else page(head)
        head.reading.describe()
    for answer in (model.predict, model.evaluate, model.remarks):
        with suppress(gg.GanglionError):
            answer(table)


def test_an_inconsistent_table_part_is_refused(folder: Path) -> None:
    def refused_after(change: Callable[[dict[str, Any]], None]) -> None:
        header, description, numbers = parts(good_bytes(str(folder)))
        change(description["table"])
        path = folder / "inconsistent.safetensors"
        path.write_bytes(forged(header, description, numbers))
        with pytest.raises(gg.FileError, match="is damaged"):
            gg.TableModel.load(path)

    refused_after(lambda t: t.pop("rows"))
    refused_after(lambda t: t["rows"].update(train=-1))
    refused_after(lambda t: t["test"].update(confusion=[[1, 2, 3]]))
    refused_after(lambda t: t["test"]["metrics"].pop("accuracy"))
    refused_after(lambda t: t["validated"].update(loss=[]))
    refused_after(lambda t: t["target"].update(classes=["a", "b"]))
    refused_after(lambda t: t["target"].update(classes=list(range(2000)), dtype="integer"))
    refused_after(lambda t: t["encoder"]["columns"].pop())
    category = {"name": "category", "column": "x", "categories": ["u"], "missing": 10**9, "other": False}
    refused_after(lambda t: t["encoder"]["columns"].append(category))
    refused_after(lambda t: t["encoder"].update(left_out={"a": 1}))


def test_loading_does_not_draw_initial_weights(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gg.Network([gg.Dense(3, weight_initializer="orthogonal")], inputs=3).save(folder / "q.safetensors")
    monkeypatch.setattr(gg.Orthogonal, "sample", lambda *_: pytest.fail("drew weights"))
    gg.Network.load(folder / "q.safetensors")


def nested(depth: int) -> list[dict[str, Any]]:
    """Return a description of residual layers in residual layers."""
    layers: list[dict[str, Any]] = [{"name": "flatten"}]
    for _ in range(depth):
        layers = [{"name": "residual", "layers": layers}]
    return layers


def with_change(change: Callable[[dict[str, Any], dict[str, Any]], None]) -> Callable[[Path], bytes]:
    def make(folder: Path) -> bytes:
        header, description, numbers = parts(good_bytes(str(folder)))
        change(header, description)
        return forged(header, description, numbers)

    return make


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h, d: d.update(format=3), "format must be at most 2.*got 3.*upgrade ganglion"),
        (lambda h, d: d.update(format=True), "format is True"),
        (lambda h, d: d.update(extra=1), "'extra' is unknown"),
        (lambda h, d: d.pop("training"), "'training' is missing"),
        (lambda h, d: d["network"].update(seed=-1), "seed"),
        (lambda h, d: d["network"]["layers"].append({"name": "os.system"}), "no layer 'os.system'"),
        (lambda h, d: d["network"]["layers"][0].update(code="x"), "no setting 'code'"),
        (lambda h, d: d["network"]["layers"][0].update(units=10**15), "units must be"),
        (lambda h, d: d["network"]["layers"][0].update(activation="eval"), "no activation 'eval'"),
        (lambda h, d: d["network"].update(inputs=[10**9]), "shape|parameters"),
        (
            lambda h, d: d["network"].update(layers=[{"name": "dense", "units": 1}] * 40_001),
            "more than 40000 parts",
        ),
        (lambda h, d: d["network"].update(layers=nested(60)), "nested too deeply"),
        (lambda h, d: h["dense_1/bias"].update(shape=[5]), "shape"),
        (lambda h, d: h["dense_1/bias"].update(dtype="I64"), "float32 or all float64"),
        (lambda h, d: h["dense_1/bias"].update(data_offsets=[4, 20]), "gaps, overlap"),
        (lambda h, d: h["dense_1/bias"].update(data_offsets=[-16, 0]), "gaps, overlap"),
        (lambda h, d: h.update({"more": h["dense_1/bias"]}), "not those of its network"),
        (lambda h, d: d["training"]["history"].update(loss=["x"]), "history"),
        (lambda h, d: d["training"].update(optimizer={"name": "hope"}), "no optimizer 'hope'"),
        (lambda h, d: d["training"].pop("rows"), "'rows' is missing"),
        (lambda h, d: d["training"].update(rows="many"), "whole numbers"),
        (lambda h, d: d["training"].update(versions=None), "must be an object"),
        (lambda h, d: d["network"].update(inputs=[2**62] * 100_000), "at most 32 axes"),
        (lambda h, d: d["network"].update(inputs=[10**25]), "too large"),
        (lambda h, d: h["dense_1/bias"].update(dtype=["F32"]), "float32 or all float64"),
        (lambda h, d: d["network"]["layers"][0].update(name="x" * 10**6), "no layer"),
        (lambda h, d: d["network"]["layers"][0].update(name="\ud800"), "not JSON"),
    ],
)
def test_a_forgery_is_named(folder: Path, change: Any, message: str) -> None:
    refused(folder, with_change(change)(folder), message)


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ("[1]", "not"),
        ('{"format": 1, "format": 1}', "duplicate key"),
        ('{"format": NaN}', "number is NaN"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "not JSON"),
        ('{"format": 1' + "0" * 5000 + "}", "too large"),
        ('{"format": 1e400}', "too large"),
        ("\ud800", "not JSON"),
        ("", "not JSON"),
    ],
)
def test_a_description_that_is_not_a_plain_object_is_refused(
    folder: Path, description: str, message: str
) -> None:
    header, _, numbers = parts(good_bytes(str(folder)))
    refused(folder, forged(header, description, numbers), message)


def test_numbers_that_are_not_finite_are_refused(folder: Path) -> None:
    header, description, numbers = parts(good_bytes(str(folder)))
    bad = np.frombuffer(numbers, dtype=np.float32).copy()
    bad[3] = np.nan
    refused(folder, forged(header, description, bad.tobytes()), "not finite")
    net = gg.Network([gg.Dense(1)], inputs=1)
    net.parameters[...] = np.inf
    with pytest.raises(gg.FileError, match="not finite"):
        net.save(folder / "infinite.safetensors")


def test_files_of_other_kinds_are_refused(folder: Path) -> None:
    import safetensors.numpy

    foreign = folder / "foreign.safetensors"
    safetensors.numpy.save_file({"a": np.zeros(3)}, foreign)
    for path, message in (
        (foreign, "no ganglion description"),
        (folder / "missing.safetensors", "No such file"),
        (folder, "regular file"),
        (Path("/dev/zero"), "regular file"),
    ):
        with pytest.raises(gg.FileError, match=message):
            gg.Network.load(path)
    huge = folder / "huge.safetensors"
    with huge.open("wb") as file:
        file.truncate(2**31 + 1)  # sparse: it takes no disk space
    with pytest.raises(gg.FileError, match="at most 2 GiB"):
        gg.Network.load(huge)
    huge.unlink()


def test_a_bare_network_is_not_a_table_model(folder: Path) -> None:
    gg.Network([gg.Dense(1)], inputs=1).save(folder / "bare.safetensors")
    with pytest.raises(gg.FileError, match=r"holds a bare network.*Network\.load"):
        gg.TableModel.load(folder / "bare.safetensors")
    table_model().save(folder / "table.safetensors")
    assert gg.Network.load(folder / "table.safetensors").layers == table_model().network.layers


def test_the_safetensors_library_reads_our_files(folder: Path) -> None:
    import safetensors.numpy

    table_model().save(folder / "plain.safetensors")
    tensors = safetensors.numpy.load_file(folder / "plain.safetensors")
    assert set(tensors) == set(table_model().network.named_parameters())


def test_a_network_without_parameters_goes_through_a_file(folder: Path) -> None:
    gg.Network([gg.Flatten()], inputs=(2, 2)).save(folder / "flat.safetensors")
    assert gg.Network.load(folder / "flat.safetensors").predict(np.ones((1, 2, 2))).shape == (1, 4)
