import os
import subprocess
import sys
from pathlib import Path

import pytest

import ganglion as gg
from ganglion.files.atomic import write_atomically


def test_an_existing_file_survives_a_failure(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"before")

    def fail(file: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError(28, "No space left on device")

    with pytest.raises(gg.FileError, match="No space left.*unchanged"):
        write_atomically(target, fail)
    assert target.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [target]


def test_an_interruption_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupt(file: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file", interrupt)
    assert not list(tmp_path.iterdir())


def test_permissions_are_kept_and_new_files_have_the_default_ones(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"")
    old.chmod(0o600)
    write_atomically(old, lambda file: file.write(b"x"))
    write_atomically(new, lambda file: file.write(b"x"))
    plain = tmp_path / "plain"
    plain.touch()
    assert old.stat().st_mode & 0o777 == 0o600
    assert new.stat().st_mode == plain.stat().st_mode


def test_folders_and_missing_folders_are_refused(tmp_path: Path) -> None:
    for path, message in ((tmp_path, "it is a folder"), (tmp_path / "no" / "file", "No such file")):
        with pytest.raises(gg.FileError, match=message):
            write_atomically(path, lambda file: file.write(b"x"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes need POSIX")
def test_links_are_followed_and_devices_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"before")
    (tmp_path / "link").symlink_to("real")
    write_atomically(tmp_path / "link", lambda file: file.write(b"after"))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"after"
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_atomically(tmp_path / "pipe", lambda file: file.write(b"through"))
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits on file sizes need POSIX")
def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """A limit on file sizes makes the kernel refuse the write, as a full disk does."""
    program = f"""
import resource, signal
import ganglion as gg
net = gg.Network([gg.Dense(100)], inputs=100)
net.save({str(tmp_path / "model.safetensors")!r})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
bigger = gg.Network([gg.Dense(200)], inputs=100)
try:
    bigger.save({str(tmp_path / "model.safetensors")!r})
except gg.FileError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "cannot write" in done.stdout
    assert gg.Network.load(tmp_path / "model.safetensors").layers == (gg.Dense(100),)
    assert len(list(tmp_path.iterdir())) == 1
