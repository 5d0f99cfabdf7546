"""Pictures are found in folders, archives, tables and arrays, in one order, and what is left out has a name."""

import os
import stat
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import ganglion as gg
from ganglion.images import LeftOut, Pictures, decode_pictures, open_images
from ganglion.images.archives import Archive
from ganglion.images.listed import has_paths
from ganglion.images.places import Folder, UnreadableError
from pictures import encoded, smooth, write

DATA = encoded(smooth(1))
CLASSES = {"cat/b.png": DATA, "cat/a.jpg": DATA, "dog/c.png": DATA, "dog/deeper/d.png": DATA}


def listed(pictures: Pictures) -> list[tuple[str, object]]:
    assert pictures.targets is not None
    return list(zip(pictures.names, pictures.targets.to_series().to_list(), strict=True))


def reasons(pictures: Pictures) -> dict[str, str]:
    return {each.name: each.reason for each in pictures.left_out}


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


@pytest.fixture(params=["folder", "zip"])
def place(request: pytest.FixtureRequest, tmp_path: Path):  # type: ignore[no-untyped-def]
    """A function that writes files into a folder, or into an archive."""
    if request.param == "folder":
        return lambda files: write(tmp_path / "data", files)
    return lambda files: zipped(tmp_path / "data.zip", files)


def test_a_folder_for_each_class(place) -> None:  # type: ignore[no-untyped-def]
    pictures = open_images(place(CLASSES))
    assert listed(pictures) == [
        ("cat/a.jpg", "cat"), ("cat/b.png", "cat"), ("dog/c.png", "dog"), ("dog/deeper/d.png", "dog"),
    ]  # fmt: skip
    assert pictures.targets is not None
    assert pictures.targets.columns == ["class"]
    assert pictures.parts is None
    assert not pictures.left_out
    with pictures.reading() as read:
        assert read(pictures.keys[0]) == DATA


def test_a_folder_around_the_classes(place) -> None:  # type: ignore[no-untyped-def]
    around = {"data/set/" + name: data for name, data in CLASSES.items()}
    pictures = open_images(place(around | {"data/README.md": b"pictures"}))
    assert [label for _, label in listed(pictures)] == ["cat", "cat", "dog", "dog"]
    assert reasons(pictures) == {"data/README.md": "is in no class folder"}


def test_one_class_is_a_class(place) -> None:  # type: ignore[no-untyped-def]
    assert listed(open_images(place({"cat/a.png": DATA}))) == [("cat/a.png", "cat")]


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "Validation", "Testing")])
def test_folders_of_parts(place, names: tuple[str, ...]) -> None:  # type: ignore[no-untyped-def]
    files = {f"{part}/{label}/{i}.png": DATA for part in names for label in ("a", "b") for i in range(2)}
    pictures = open_images(place(files | {"more/a/1.png": DATA, f"{names[0]}/0.png": DATA}))
    assert pictures.parts is not None
    parts = dict(zip(pictures.names, pictures.parts.tolist(), strict=True))
    for name, part in zip(names, ("train", "validation", "test"), strict=True):
        assert parts[f"{name}/a/0.png"] == part
    assert len(pictures) == 12
    assert reasons(pictures) == {
        "more/a/1.png": "is in none of the folders test, train, validation",
        f"{names[0]}/0.png": "is in no class folder",
    }
    assert pictures.take(np.array([11, 0])).parts.tolist() == [
        parts[pictures.names[11]],
        parts[pictures.names[0]],
    ]  # type: ignore[union-attr]


def test_a_class_may_be_called_train(place) -> None:  # type: ignore[no-untyped-def]
    pictures = open_images(place({"train/1.png": DATA, "plane/1.png": DATA}))
    assert pictures.parts is None
    assert [label for _, label in listed(pictures)] == ["plane", "train"]


def test_pictures_without_classes(place) -> None:  # type: ignore[no-untyped-def]
    source = place({"2.png": DATA, "1.png": DATA})
    assert open_images(source).names == ("1.png", "2.png")
    assert open_images(source).targets is None


def test_folders_that_are_no_classes(place) -> None:  # type: ignore[no-untyped-def]
    pictures = open_images(place(CLASSES | {"0.png": DATA}), classes=False)
    assert pictures.names == ("0.png", "cat/a.jpg", "cat/b.png", "dog/c.png", "dog/deeper/d.png")
    assert pictures.targets is None


def test_hidden_files_are_not_there(place) -> None:  # type: ignore[no-untyped-def]
    hidden = {"cat/.DS_Store": b"x", ".cache/a.png": DATA, "cat/Thumbs.db": b"x", "cat/._a.png": b"x"}
    pictures = open_images(place(CLASSES | hidden))
    assert len(pictures) == 4
    assert not pictures.left_out


@pytest.mark.parametrize("files", [{}, {".hidden": b"x", ".git/a.png": DATA}])
def test_no_pictures_at_all(place, files: dict[str, bytes], tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "data").mkdir()
    with pytest.raises(gg.FileError, match="holds no pictures"):
        open_images(place(files))


def test_names_in_all_scripts_are_ordered_alike(place) -> None:  # type: ignore[no-untyped-def]
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    files = {f"{composed}/1.png": DATA, f"{decomposed}/2.png": DATA, "猫/a b.png": DATA, "🐶/1.png": DATA}
    pictures = open_images(place(files))
    assert [label for _, label in listed(pictures)] == [composed, composed, "猫", "🐶"]
    assert len(decode_pictures(pictures)) == 4


def test_control_characters_are_not_passed_on(tmp_path: Path) -> None:
    pictures = open_images(write(tmp_path, {"a\x1b[31m/b\n.png": DATA, "c/d.png": DATA}))
    assert pictures.names == ("a\\x1b[31m/b\\n.png", "c/d.png")
    assert len(decode_pictures(pictures)) == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    write(tmp_path, {"cat/a.png": DATA})
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/cat/\xff.png")).write_bytes(DATA)
    assert open_images(tmp_path).names == ("cat/\\udcff.png", "cat/a.png")


def test_links(tmp_path: Path) -> None:
    root = write(tmp_path / "data", CLASSES)
    write(tmp_path, {"outside/secret.png": DATA})
    (root / "cat/inside.png").symlink_to(root / "dog/c.png")
    (root / "cat/out.png").symlink_to(tmp_path / "outside/secret.png")
    (root / "cat/broken.png").symlink_to(root / "nowhere.png")
    (root / "cat/self.png").symlink_to(root / "cat/self.png")
    (root / "cat/loop").symlink_to(root)
    (root / "elsewhere").symlink_to(tmp_path / "outside")
    (tmp_path / "entry").symlink_to(root)
    for source in (root, tmp_path / "entry"):  # the folder itself may be a link
        pictures = open_images(source)
        assert "cat/inside.png" in pictures.names
        assert len(pictures) == 5
        found = reasons(pictures)
        assert found["cat/out.png"] == found["elsewhere"] == "is a link out of the folder"
        assert found["cat/broken.png"] == "does not exist"
        assert found["cat/loop"] == "is a link to a folder"
        assert found["cat/self.png"]
        assert len(found) == 5


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    root = write(tmp_path, CLASSES)
    os.mkfifo(root / "cat/pipe.png")
    assert reasons(open_images(root)) == {"cat/pipe.png": "is not a regular file"}
    with Folder(root).reading() as read, pytest.raises(UnreadableError, match="regular"):
        read(str(root / "cat/pipe.png"))


def test_a_file_that_disappears_is_left_out(tmp_path: Path) -> None:
    pictures = open_images(write(tmp_path, CLASSES))
    (tmp_path / "cat/a.jpg").unlink()
    with pytest.warns(gg.GanglionNotice, match=r"1 of 4 files is left out: cat/a.jpg cannot be opened"):
        store = decode_pictures(pictures)
    assert store.pictures.names == ("cat/b.png", "dog/c.png", "dog/deeper/d.png")


def test_hostile_names_in_an_archive(tmp_path: Path) -> None:
    names = ["../../evil.png", "/etc/evil.png", "cat/../../evil.png", "C:/evil.png", "..\\evil.png"]
    path = zipped(tmp_path / "data.zip", CLASSES | dict.fromkeys(names, DATA))
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("cat/link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    pictures = open_images(path)
    assert len(pictures) == 4
    assert sorted(reasons(pictures).values()) == ["has a path out of the archive"] * 5 + ["is a link"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["data.zip"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_in_an_archive(tmp_path: Path) -> None:
    path = zipped(tmp_path / "data.zip", CLASSES)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("cat/b.png", b"another")
    pictures = open_images(path)
    assert len(pictures) == 4
    assert pictures.left_out == (LeftOut("cat/b.png", "has the name of another file in the archive"),)


def test_damaged_archives(tmp_path: Path) -> None:
    path = zipped(tmp_path / "data.zip", CLASSES)
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF  # in the first file
    path.write_bytes(data)
    with pytest.warns(gg.GanglionNotice, match="damaged in the archive"):
        assert len(decode_pictures(open_images(path))) == 3
    for wrong in (data[: len(data) // 2], b"PK\3\4" + bytes(100)):
        path.write_bytes(wrong)
        with pytest.raises(gg.FileError, match="none of these|zip"):
            open_images(path)


def test_an_encrypted_archive(tmp_path: Path) -> None:
    path = zipped(tmp_path / "data.zip", CLASSES)
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1  # the flag in the first entry of the directory
    path.write_bytes(data)
    assert list(reasons(open_images(path)).values()) == ["is encrypted"]


def test_a_zip_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the size that an entry claims nor the one it has may exceed that of a picture."""
    monkeypatch.setattr("ganglion.images.archives.LARGEST_FILE", 2**20)
    monkeypatch.setattr("ganglion.images.places.LARGEST_FILE", 2**20)
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cat/bomb.png", bytes(2**24))
        archive.writestr("cat/a.png", DATA)
    assert reasons(open_images(path)) == {"cat/bomb.png": "is larger than 1 MiB"}
    with Archive(path).reading() as read, pytest.raises(UnreadableError, match="larger than 1 MiB"):
        read("cat/bomb.png")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_of_paths(tmp_path: Path, separator: str) -> None:
    write(tmp_path, CLASSES)
    rows = ["file,kind,weight", "cat/a.jpg,cat,4.5", "dog/c.png,dog,30", "nowhere.png,dog,1", ",cat,2"]
    rows += ["dog\\deeper\\d.png,dog,", "./cat/b.png,cat,5"]
    (tmp_path / "labels.csv").write_text("\n".join(rows).replace(",", separator), encoding="utf-8")
    pictures = open_images(tmp_path / "labels.csv")
    assert pictures.names == ("cat/a.jpg", "dog/c.png", "dog\\deeper\\d.png", "./cat/b.png")
    assert pictures.targets is not None
    assert pictures.targets.to_dict(as_series=False) == {
        "kind": ["cat", "dog", "dog", "cat"], "weight": [4.5, 30, None, 5],
    }  # fmt: skip
    assert reasons(pictures) == {"nowhere.png": "does not exist", "row 3": "has no path"}
    one = open_images(tmp_path / "labels.csv", path="file", target="weight")
    assert one.targets is not None
    assert one.targets.columns == ["weight"]
    with pytest.warns(gg.GanglionNotice, match="2 of 6 files"):
        assert len(decode_pictures(one)) == 4


@pytest.mark.parametrize(
    ("cells", "expected"),
    [(["4,5", "30", "-1,25"], [4.5, 30, -1.25]), (["4.5", "30", "1,25"], ["4.5", "30", "1,25"])],
)
def test_a_table_of_paths_with_decimal_commas(tmp_path: Path, cells: list[str], expected: list[Any]) -> None:
    write(tmp_path, CLASSES)
    lines = [
        f"{name};{cell}" for name, cell in zip(("cat/a.jpg", "cat/b.png", "dog/c.png"), cells, strict=True)
    ]
    (tmp_path / "labels.csv").write_text("\n".join(["file;weight", *lines]), encoding="utf-8")
    targets = open_images(tmp_path / "labels.csv").targets
    assert targets is not None
    assert targets["weight"].to_list() == expected


def test_a_frame_of_paths_in_a_folder_or_an_archive(place) -> None:  # type: ignore[no-untyped-def]
    folder = place(CLASSES)
    frame = pl.DataFrame({"n": [1, 2], "path": ["dog/c.png", "./cat/a.jpg"]})
    for source in (frame, frame.to_dict(as_series=False)):
        pictures = open_images(source, folder=folder)
        assert listed(pictures) == [("dog/c.png", 1), ("./cat/a.jpg", 2)]
        assert len(decode_pictures(pictures)) == 2


def test_paths_out_of_the_folder(tmp_path: Path) -> None:
    root = write(tmp_path / "data", CLASSES)
    write(tmp_path, {"secret.png": DATA})
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    outside = ["../secret.png", str(tmp_path / "secret.png"), "link.png", "cat/../../secret.png"]
    paths = [*outside, "cat/a.jpg", str(root / "cat/b.png"), "x\0.png", "y" * 5000 + ".png", "cat"]
    pictures = open_images({"path": paths}, folder=root)
    assert pictures.names == ("cat/a.jpg", str(root / "cat/b.png"))
    found = reasons(pictures)
    assert [found[name] for name in outside] == ["lies out of the folder"] * 4
    assert found["cat"] == "is not a regular file"
    assert len(found) == 7


def test_tables_that_lead_nowhere(tmp_path: Path) -> None:
    with pytest.raises(gg.DataError, match="column of paths"):
        open_images({"a": [1, 2], "b": ["x", "y"]})
    with pytest.raises(gg.DataError, match=r"leads to no file.*does not exist"):
        open_images({"path": ["x.png"], "y": [1]}, folder=tmp_path)
    with pytest.raises(gg.DataError, match="'z'"):
        open_images({"path": ["x.png"], "y": [1]}, target="z")
    with pytest.raises(gg.FileError, match="no file or folder"):
        open_images({"path": ["x.png"], "y": [1]}, folder=tmp_path / "nowhere")
    (tmp_path / "labels.csv").write_bytes(b"path,y\n\xff\xfe.png,1\n")
    with pytest.raises(gg.FileError, match="UTF-8"):
        open_images(tmp_path / "labels.csv")


def test_single_pictures(tmp_path: Path) -> None:
    write(tmp_path, CLASSES)
    assert len(open_images(tmp_path / "cat/a.jpg")) == 1
    both = [str(tmp_path / "dog/c.png"), tmp_path / "cat/a.jpg"]
    assert open_images(both).names == tuple(map(str, both))
    with pytest.raises(gg.FileError, match="there is no file"):
        open_images(["nowhere.png"])


def test_sources_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("# no picture")
    for source, error in (
        (tmp_path / "nowhere", gg.FileError),
        (tmp_path / "notes.md", gg.FileError),
        ("a\0b", gg.FileError),
        (7, gg.ConfigError),
        ([], gg.DataError),
        ("/dev/null", gg.FileError),
    ):
        with pytest.raises(error):
            open_images(source)
    write(tmp_path / "data", CLASSES)
    for setting in ({"labels": [1]}, {"path": "a"}, {"target": "a"}, {"folder": "."}):
        with pytest.raises(gg.ConfigError, match="applies to"):
            open_images(tmp_path / "data", **setting)  # type: ignore[arg-type]


def test_an_empty_class_folder_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"cat/a.png": encoded(smooth(0)), "dog/b.png": encoded(smooth(1))})
    (tmp_path / "bird").mkdir()
    pictures = open_images(tmp_path)
    assert set(pictures.targets["class"]) == {"cat", "dog"}
    assert [(each.name, each.reason) for each in pictures.left_out] == [("bird", "is an empty folder")]


@pytest.mark.parametrize("offset", range(2))
def test_a_long_table_of_paths_is_recognized_whatever_character_is_cut(tmp_path: Path, offset: int) -> None:
    write(tmp_path, {f"{'é' * 100}0.png": DATA})
    lines = ["file;kind;" + "x" * offset, *(f"{'é' * 100}{row}.png;ж;ü" for row in range(100))]
    (tmp_path / "list.csv").write_text("\n".join(lines), encoding="utf-8")
    assert has_paths(tmp_path / "list.csv")
    (tmp_path / "numbers.csv").write_text("\n".join(f"{row};ж;ü" for row in range(3000)), encoding="utf-8")
    assert not has_paths(tmp_path / "numbers.csv")
    (tmp_path / "noise.csv").write_bytes(bytes(range(256)) * 100)
    assert not has_paths(tmp_path / "noise.csv")
