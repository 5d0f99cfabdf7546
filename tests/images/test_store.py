"""All pictures are decoded once, in memory or in a file that vanishes, and everything left out or changed is told."""

import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest

import ganglion as gg
from ganglion.images import (
    Fitting,
    LeftOut,
    ProgressBar,
    choose_fitting,
    decode_pictures,
    find_copies,
    open_images,
)
from pictures import FORMATS, encoded, smooth, write


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A folder of pictures in all formats, and two files that are none."""
    files = {f"{'ab'[i % 2]}/{i}.{form.lower()}": encoded(smooth(i), form) for i, form in enumerate(FORMATS)}
    return write(tmp_path / "data", files | {"a/notes.txt": b"text", "b/broken.png": encoded(smooth(9))[:60]})


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("memory", [2**30, 0])
def test_pictures_in_all_formats(mixed: Path, temporary: Path, threads: int, memory: int) -> None:
    seen = []
    with pytest.warns(gg.GanglionNotice) as told:
        store = decode_pictures(
            open_images(mixed), memory=memory, threads=threads, progress=lambda *p: seen.append(p)
        )
    assert store.fitting == Fitting(24, 32, 3)
    assert store.images.shape == (len(store), 24, 32, 3) == (6, 24, 32, 3)
    assert isinstance(store.images, np.memmap) == (memory == 0)
    assert list(store.pictures.names) == [
        "a/0.png", "a/2.gif", "a/4.tiff", "b/1.jpeg", "b/3.bmp", "b/5.webp",
    ]  # fmt: skip
    assert store.pictures.targets is not None
    assert store.pictures.targets["class"].to_list() == ["a"] * 3 + ["b"] * 3
    for picture, number in zip(store.images, (0, 2, 4, 1, 3, 5), strict=True):
        assert np.abs(picture.astype(int) - smooth(number)).mean() < 12
    assert [each.name for each in store.pictures.left_out] == ["a/notes.txt", "b/broken.png"]
    assert [notice.message.name for notice in told] == ["unreadable-pictures"]  # type: ignore[union-attr]
    assert "2 of 8 files are left out: a/notes.txt is no PNG" in str(told[0].message)
    assert seen[-1] == (8, 8)
    assert not list(temporary.iterdir())  # the file has no name, even while it is used


def test_decoding_is_the_same_however_it_is_done(mixed: Path) -> None:
    with pytest.warns(gg.GanglionNotice):
        stores = [decode_pictures(open_images(mixed), threads=n, memory=m) for n, m in ((1, 2**30), (3, 0))]
    assert (stores[0].images == stores[1].images).all()


def test_nothing_is_left_in_the_temporary_folder(mixed: Path, temporary: Path) -> None:
    class StopError(Exception):
        pass

    def stop(done: int, total: int) -> None:
        raise StopError

    with pytest.raises(StopError):
        decode_pictures(open_images(mixed), memory=0, progress=stop)
    assert not list(temporary.iterdir())


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="needs a way to reserve room")
def test_a_full_disk_is_told_before_it_ends_the_process(
    mixed: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int, begin: int, size: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(gg.FileError, match=r"MiB in .*No space left.*TMPDIR"):
        decode_pictures(open_images(mixed), memory=0)
    assert not list(temporary.iterdir())


def test_no_picture_can_be_read(tmp_path: Path) -> None:
    pictures = open_images(write(tmp_path, {"a/1.png": b"", "a/2.png": b"x", "b/3.txt": b"y", "b/4": b"z"}))
    with pytest.raises(gg.DataError, match=r"no picture can be read: a/1.png is empty; .*and 1 more"):
        decode_pictures(pictures, Fitting(8, 8))
    with pytest.raises(gg.DataError, match="no picture can be read"):
        decode_pictures(pictures)


def test_sizes_that_are_the_same_are_kept(tmp_path: Path) -> None:
    write(tmp_path, {f"{i}.png": encoded(smooth(i, channels=1)) for i in range(3)})
    assert choose_fitting(open_images(tmp_path)) == Fitting(24, 32, 1)
    assert choose_fitting(open_images(tmp_path), "pad", most=16) == Fitting(12, 16, 1, "pad")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decode_pictures(open_images(tmp_path))
    with pytest.warns(gg.GanglionNotice, match=r"3 of 3 pictures .* \(24 × 32, .*are scaled to 12 × 16"):
        decode_pictures(open_images(tmp_path), Fitting(12, 16, 1))


@pytest.mark.parametrize(
    ("fit", "how"), [("crop", "scaled and cropped"), ("pad", "scaled and padded with black")]
)
def test_different_sizes_become_squares(tmp_path: Path, fit: str, how: str) -> None:
    sizes = [(20, 30), (40, 30), (50, 60)]
    write(tmp_path, {f"{i}.png": encoded(smooth(i, *size)) for i, size in enumerate(sizes)})
    pictures = open_images(tmp_path)
    fitting = choose_fitting(pictures, fit)
    assert fitting == Fitting(30, 30, 3, fit)
    with pytest.warns(gg.GanglionNotice, match=rf"3 of 3 .*20 × 30 to 50 × 60.*{how} to 30 × 30"):
        decode_pictures(pictures, fitting)


def test_conversions_are_told(tmp_path: Path) -> None:
    files = {
        "1.png": encoded(np.zeros((8, 8, 4), np.uint8)),
        "2.png": encoded(np.full((8, 8, 1), 40_000, np.uint16)),
        "3.png": encoded(smooth(0, 8, 8)),
    }
    text = (
        "of 3 pictures, 1 transparent, laid over white; 1 of 16 bits, reduced to 8; 1 in color, turned grey"
    )
    with pytest.warns(gg.GanglionNotice, match=text):
        decode_pictures(open_images(write(tmp_path, files)), Fitting(8, 8, 1))


def test_everything_left_out_is_listed_once(mixed: Path, tmp_path: Path) -> None:
    (mixed / "a" / "link.png").symlink_to(tmp_path)
    with pytest.warns(gg.GanglionNotice, match="3 of 9 files"):
        left_out = decode_pictures(open_images(mixed)).pictures.left_out
    assert left_out[0] == LeftOut("a/link.png", "is a link out of the folder")
    assert len(set(left_out)) == 3


def test_one_row_after_the_other_is_closed_up(tmp_path: Path) -> None:
    files = {f"{i:03}.png": encoded(smooth(i, 4, 4, 1)) if i % 3 else b"x" for i in range(100)}
    with pytest.warns(gg.GanglionNotice, match="34 of 100"):
        store = decode_pictures(open_images(write(tmp_path, files)))
    expected = [smooth(i, 4, 4, 1) for i in range(100) if i % 3]
    assert (store.images == np.stack(expected)).all()


@pytest.mark.parametrize("wrong", [{"memory": -1}, {"threads": 0}, {"memory": 0.5}])
def test_settings_out_of_range(wrong: dict[str, int]) -> None:
    with pytest.raises(gg.ConfigError):
        decode_pictures(open_images(np.zeros((2, 4, 4))), **wrong)


def test_a_program_that_is_killed_leaves_no_file(mixed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    folder.mkdir()
    program = (
        "import os, signal, sys, warnings; warnings.simplefilter('ignore')\n"
        "from ganglion.images import decode_pictures, open_images\n"
        "store = decode_pictures(open_images(sys.argv[1]), memory=0)\n"
        "print(len(store), flush=True); os.kill(os.getpid(), signal.SIGTERM)"
    )
    environment = os.environ | {"TMPDIR": str(folder)}
    run = subprocess.run(
        [sys.executable, "-c", program, mixed], env=environment, capture_output=True, text=True, check=False
    )
    assert run.stdout.strip() == "6", run.stderr
    assert not list(folder.iterdir())


def test_a_progress_bar_is_silent_in_a_pipe(capsys: pytest.CaptureFixture[str], mixed: Path) -> None:
    with pytest.warns(gg.GanglionNotice), ProgressBar() as progress:
        decode_pictures(open_images(mixed), progress=progress)
    assert capsys.readouterr() == ("", "")


def test_pictures_from_start_to_end(mixed: Path) -> None:
    write(mixed, {"b/again.png": encoded(smooth(0)), "b/similar.jpg": encoded(smooth(2), "JPEG", quality=85)})
    with pytest.warns(gg.GanglionNotice):
        store = decode_pictures(open_images(mixed))
    copies = find_copies(store.images)
    names, block = store.pictures.names, copies.blocks
    assert block[names.index("a/0.png")] == block[names.index("b/again.png")]
    assert copies.equal == 1
