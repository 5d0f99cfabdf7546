"""Arrays of pictures become bytes, from memory, .npy, .npz and idx files; damaged files are told."""

import gzip
import random
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import ganglion as gg
from ganglion.images import decode_pictures, open_images
from ganglion.images.idx import LARGEST_ARRAY, read_idx

X = np.random.default_rng(0).integers(0, 256, (6, 5, 4)).astype(np.uint8)
Y = np.array([3, 1, 3, 1, 3, 1])


def idx(values: np.ndarray, code: int = 8) -> bytes:
    return (
        bytes([0, 0, code, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()
    )


@pytest.mark.parametrize(
    ("given_values", "expected"),
    [
        (X, X),
        (X.astype(np.int64), X),
        (X.astype(float), X),
        (X / 255, X),
        (X.astype(np.uint16) * 257, X),
        (X > 128, 255 * (X > 128)),
        (X.tolist(), X),
    ],
)
@pytest.mark.filterwarnings("ignore:pixels of 16 bits")
def test_values_of_any_type(given_values: object, expected: np.ndarray) -> None:
    pictures = open_images(given_values, labels=Y)
    store = decode_pictures(pictures)
    assert store.images.dtype == np.uint8
    assert (store.images[..., 0] == expected).all()
    assert pictures.targets is not None
    assert pictures.targets["label"].to_list() == Y.tolist()
    assert pictures.names[:2] == ("row 0", "row 1")


def test_bytes_are_not_copied() -> None:
    images = np.zeros((3, 8, 8, 3), np.uint8)
    assert np.shares_memory(decode_pictures(open_images(images)).images, images)


def test_an_array_with_alpha() -> None:
    images = np.zeros((3, 8, 8, 4), np.uint8)
    with pytest.warns(gg.GanglionNotice, match="3 transparent, laid over white"):
        assert (decode_pictures(open_images(images)).images == 255).all()


def test_several_labels() -> None:
    pictures = open_images(X, labels=np.stack([Y, Y / 2], axis=1))
    assert pictures.targets is not None
    assert pictures.targets.columns == ["label_1", "label_2"]
    one = open_images(X, labels=Y[:, None]).targets
    assert one is not None
    assert one.columns == ["label"]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (X.reshape(6, -1), "reshape"),
        (np.zeros((2, 3, 8, 8)), "transpose"),
        (np.zeros((2, 8, 8, 5)), "channels"),
        (np.zeros((2, 0, 8)), "axes"),
        (X - 300.0, "from 0 to 255"),
        (X * 2.0, "from 0 to 255"),
        (X + 0.25, "whole numbers|from 0 to 255"),
        (np.full((2, 4, 4), np.nan), "finite"),
        (np.full((2, 4, 4), "x"), "numbers"),
        ([[1, 2], [3]], "equal length"),
    ],
)
def test_arrays_that_are_no_pictures(images: object, message: str) -> None:
    with pytest.raises(gg.DataError, match=message):
        open_images(images)


def test_labels_that_do_not_fit() -> None:
    with pytest.raises(gg.ShapeError, match="one for each of the 6 pictures"):
        open_images(X, labels=[1, 2])


@pytest.mark.parametrize("names", [("x_{}", "y_{}"), ("{}_images", "{}_labels"), ("X_{}", "Y_{}")])
def test_npz_with_parts(tmp_path: Path, names: tuple[str, str]) -> None:
    arrays = {}
    for part, rows in (("test", slice(4, 6)), ("train", slice(0, 4))):
        arrays[names[0].format(part)], arrays[names[1].format(part)] = X[rows], Y[rows][:, None]
    np.savez_compressed(tmp_path / "data.npz", **arrays)
    pictures = open_images(tmp_path / "data.npz")
    assert pictures.parts is not None
    assert pictures.parts.tolist() == ["train"] * 4 + ["test"] * 2
    assert pictures.targets is not None
    assert pictures.targets["label"].to_list() == Y.tolist()
    assert (decode_pictures(pictures).images[..., 0] == X).all()


def test_npz_and_npy_without_parts(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", images=X, labels=Y, more=Y)
    pictures = open_images(tmp_path / "data.npz")
    assert pictures.parts is None
    assert pictures.targets is not None
    np.save(tmp_path / "data.npy", np.asfortranarray(X))
    alone = open_images(tmp_path / "data.npy")
    assert alone.targets is None
    assert (decode_pictures(alone).images[..., 0] == X).all()


def test_npz_that_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(gg.FileError, match="Python objects"):
        open_images(path)
    np.savez(path, z=X)
    with pytest.raises(gg.FileError, match="named x, images"):
        open_images(path)
    with zipfile.ZipFile(path, "w") as archive:  # a shape that the file does not hold
        header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000, 1000, 1000), }"
        archive.writestr("x.npy", b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header)
    with pytest.raises(gg.FileError, match="more than the file"):
        open_images(path)


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_as_mnist_has_them(tmp_path: Path, packed: bool) -> None:
    ending, pack = (".gz", gzip.compress) if packed else ("", bytes)
    for name, rows in (("train", slice(0, 4)), ("t10k", slice(4, 6))):
        (tmp_path / f"{name}-images-idx3-ubyte{ending}").write_bytes(pack(idx(X[rows])))
        (tmp_path / f"{name}-labels-idx1-ubyte{ending}").write_bytes(pack(idx(Y[rows].astype(np.uint8))))
    pictures = open_images(tmp_path)
    assert pictures.parts is not None
    assert pictures.parts.tolist() == ["train"] * 4 + ["test"] * 2
    assert pictures.targets is not None
    assert pictures.targets["label"].to_list() == Y.tolist()
    assert (decode_pictures(pictures).images[..., 0] == X).all()
    one = open_images(tmp_path / f"train-images-idx3-ubyte{ending}")
    assert one.targets is not None
    assert one.targets["label"].to_list() == Y[:4].tolist()
    with pytest.raises(gg.FileError, match="holds labels"):
        open_images(tmp_path / f"train-labels-idx1-ubyte{ending}")


@pytest.mark.parametrize(("code", "dtype"), [(9, ">i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")])
def test_idx_of_other_types(tmp_path: Path, code: int, dtype: str) -> None:
    values = (X.astype(float) / 2 - 60).astype(dtype)
    path = tmp_path / "values.idx3"
    path.write_bytes(idx(values, code))
    found = read_idx(path)
    assert (found == values).all()
    assert found.dtype.isnative


def test_idx_files_that_lie(tmp_path: Path) -> None:
    path = tmp_path / "x-images-idx3-ubyte"
    for data, message in (
        (idx(X)[:-1], "fewer"),
        (idx(X) + b"0", "more"),
        (idx(X)[:7], "within its shape"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "4 GiB"),
        (gzip.compress(idx(X))[:-9], "cannot read"),
        (gzip.compress(b"\0\0\x08\x02" + struct.pack(">2I", 2**16, 2**15)), "fewer"),  # 2 GiB of nothing
        (b"\0\1\x08\x03" + bytes(20), "must begin"),
    ):
        path.write_bytes(data)
        with pytest.raises(gg.FileError, match=message):
            read_idx(path)
    with pytest.raises(gg.FileError, match="cannot read"):
        read_idx(tmp_path / "nowhere")
    assert LARGEST_ARRAY <= 2**32


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["npz", "npy", "idx", "idx.gz"]), st.integers(0, 2**32), st.integers(1, 6))
@pytest.mark.filterwarnings("ignore")
def test_changed_bytes_give_pictures_or_our_errors(
    tmp_path: Path, form: str, seed: int, changes: int
) -> None:
    path = tmp_path / f"images.{form}"
    if form == "npz":
        np.savez_compressed(path, x=X, y=Y)
    elif form == "npy":
        np.save(path, X)
    else:
        path.write_bytes(gzip.compress(idx(X)) if form.endswith("gz") else idx(X))
    chance, data = random.Random(seed), bytearray(path.read_bytes())
    for _ in range(changes):
        data[chance.randrange(len(data))] = chance.randrange(256)
    path.write_bytes(data)
    try:
        pictures = open_images(path)
    except gg.GanglionError:
        return
    assert len(pictures) >= 0
