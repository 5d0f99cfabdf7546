"""Checkpoints: a run that goes on ends in the bits of the run that was never stopped, whatever happens."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

import ganglion as gg
from commands import run
from ganglion.engines import limit_threads
from ganglion.engines.native import NativeSession
from ganglion.files import atomic
from ganglion.files.checkpoint import read_checkpoint
from ganglion.training import descending

X = np.random.default_rng(0).normal(size=(300, 5)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int)
SETTINGS: dict[str, Any] = {
    "epochs": 8,
    "validation": 0.2,
    "optimizer": gg.SGD(0.1, momentum=0.9, average=0.9),
}


@pytest.fixture(autouse=True)
def _step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the engine make one step in a call, so that runs can be cut anywhere."""
    monkeypatch.setattr(descending, "SECONDS_AT_ONCE", 0.0)


def network(**more: Any) -> gg.Network:
    layers = [gg.Dense(8, "relu"), gg.BatchNormalization(), gg.Dropout(0.3), gg.Dense(2, "softmax")]
    return gg.Network(layers, 5, seed=3, **more)


class CutError(Exception):
    """Stands for an accident."""


class Cut(gg.Callback):
    """Ends a run after some steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def on_steps_end(self, training: Any) -> None:
        self.left -= 1
        if not self.left:
            raise CutError


def bits(net: gg.Network, history: gg.History) -> tuple[Any, ...]:
    numbers = [history.loss, history.validation_loss, history.learning_rate, history.gradient_norm]
    words = history.stopped_because, history.ended, history.best_epoch
    return net.parameters.tobytes(), net.state.tobytes(), numbers, words


def in_one_go(**more: Any) -> tuple[Any, ...]:
    net = network()
    return bits(net, net.fit(X, Y, **SETTINGS | more))


def in_pieces(path: Path, steps: int, make: Any = network, **more: Any) -> tuple[Any, ...]:
    """Return what a run ends in that is cut again and again, each time after so many calls of the engine."""
    settings = SETTINGS | {"every": 1e-9} | more
    while True:
        net = make()
        callbacks = [*settings.get("callbacks", ()), Cut(steps)]
        try:
            return bits(net, net.fit(X, Y, checkpoint=path, **settings | {"callbacks": callbacks}))
        except CutError:
            pass


@pytest.mark.parametrize("steps", [2, 7, 31])
def test_a_run_goes_on_in_the_same_bits(steps: int, tmp_path: Path) -> None:
    assert in_pieces(tmp_path / "run.ckpt", steps) == in_one_go()
    stop = {"callbacks": [gg.EarlyStopping(2)], "epochs": 100}
    assert in_pieces(tmp_path / "stop.ckpt", steps, **stop) == in_one_go(**stop)
    assert not [*tmp_path.glob(".*")]


def test_every_counts_epochs_or_seconds(tmp_path: Path) -> None:
    path = tmp_path / "run.ckpt"
    with pytest.raises(CutError):
        network().fit(X, Y, checkpoint=path, every=3, callbacks=[Cut(60)], **SETTINGS | {"epochs": 60})
    assert read_checkpoint(path)[0]["epoch"] % 3 == 0
    assert in_pieces(path, 200, every=3, epochs=60) == in_one_go(epochs=60)
    with pytest.raises(gg.ConfigError, match="every"):
        network().fit(X, Y, checkpoint=path, every=0)


def test_a_run_on_other_threads_goes_on_in_the_same_bits(tmp_path: Path) -> None:
    with limit_threads(1), pytest.raises(CutError):
        network().fit(X, Y, checkpoint=tmp_path / "r", every=1e-9, callbacks=[Cut(30)], **SETTINGS)
    with limit_threads(2):
        assert in_pieces(tmp_path / "r", 1000) == in_one_go()


def test_the_reference_engine_goes_on_too(tmp_path: Path) -> None:
    def make() -> gg.Network:
        return network(engine="reference")

    net = make()
    assert in_pieces(tmp_path / "r", 9, make) == bits(net, net.fit(X, Y, **SETTINGS))


def test_a_finished_run_is_not_repeated_and_can_be_continued(tmp_path: Path) -> None:
    path, stop = tmp_path / "run.ckpt", {"callbacks": [gg.EarlyStopping(2)], "epochs": 100}
    wanted = in_one_go(**stop)
    assert in_pieces(path, 1000, **stop) == wanted
    net = network()
    assert (
        bits(
            net,
            net.fit(
                X,
                Y,
                checkpoint=path,
                **SETTINGS | {"epochs": 100, "callbacks": [gg.EarlyStopping(2), Cut(1)]},
            ),
        )
        == wanted
    )
    other = network()
    other.fit(X, Y, **SETTINGS | stop)
    assert np.array_equal(net.parameters, other.parameters)
    for each in (net, other):
        each.fit(X, Y, **SETTINGS | {"epochs": 2})
    assert np.array_equal(net.parameters, other.parameters)


def test_ctrl_c_is_written_and_resumed(tmp_path: Path) -> None:
    class Interrupt(gg.Callback):
        def on_epoch_end(self, training: Any) -> None:
            if training.history.epochs == 3:
                training.stop("it was interrupted", "interrupted")

    path = tmp_path / "run.ckpt"
    history = network().fit(X, Y, checkpoint=path, callbacks=[Interrupt()], **SETTINGS)
    assert history.ended == "interrupted"
    assert read_checkpoint(path)[0]["epoch"] == 3
    assert in_pieces(path, 1000) == in_one_go()


def test_many_random_kills_end_in_the_same_bits() -> None:
    program = [sys.executable, str(Path(__file__).with_name("killed.py")), "20", "1"]
    found = subprocess.run(program, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    assert found.stdout.count("20 kills, the same bits") == 10


class Recorded:
    """The module `os` as `write_atomically` uses it, with a record of what reaches the disk and in which order."""

    def __init__(self) -> None:
        self.record: list[tuple[Any, ...]] = []
        self.names: dict[int, str] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: Any, flags: int, mode: int = 0o777) -> int:
        handle = os.open(path, flags, mode)
        self.names[handle] = str(path)
        if flags & os.O_CREAT:
            self.record.append(("create", str(path)))
        return handle

    def fdopen(self, handle: int, mode: str) -> Any:
        stream, name, record = os.fdopen(handle, mode), self.names[handle], self.record

        class Stream:
            def __enter__(self) -> Any:
                return self

            def __exit__(self, *error: object) -> None:
                stream.close()

            def write(self, data: bytes) -> int:
                record.append(("write", name, bytes(data)))
                return stream.write(data)

            def flush(self) -> None:
                stream.flush()

            def fileno(self) -> int:
                return stream.fileno()

        return Stream()

    def fsync(self, handle: int) -> None:
        self.record.append(("flush", self.names[handle]))
        os.fsync(handle)

    def replace(self, before: Any, after: Any) -> None:
        self.record.append(("rename", str(before), str(after)))
        os.replace(before, after)


def after_power_cut(record: list[tuple[Any, ...]], start: dict[str, bytes]) -> Iterator[dict[str, bytes]]:
    """Yield what the disk may hold if the power goes after these calls.

    What is written but not flushed may be there, in part or not at all; a name that was changed may be the old
    or the new one until its folder is flushed (Pillai et al., "All file systems are not created equal", 2014).
    """
    content: dict[str, bytes] = dict(start)
    loose: set[str] = set()
    renames: list[tuple[str, str]] = []
    for what, name, *more in record:
        if what == "create":
            content[name] = b""
            loose.add(name)
        elif what == "write":
            content[name] += more[0]
            loose.add(name)
        elif what == "rename":
            renames.append((name, more[0]))
        elif name in content:
            loose.discard(name)
        else:  # a folder
            for before, after in renames:
                content[after] = content.pop(before)
            renames.clear()
    for kept in product([0.0, 0.5, 1.0], repeat=len(loose)):
        held = dict(content)
        for name, share in zip(sorted(loose), kept, strict=True):
            held[name] = held[name][: int(share * len(held[name]))]
        for done in range(len(renames) + 1):
            found = dict(held)
            for before, after in renames[:done]:
                found[after] = found.pop(before)
            yield found


def test_a_power_cut_between_any_two_calls_leaves_a_whole_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder, path = Recorded(), tmp_path / "run.ckpt"
    monkeypatch.setattr(atomic, "os", recorder)
    network().fit(X, Y, checkpoint=path, every=2, **SETTINGS)
    monkeypatch.undo()
    record = recorder.record
    whole = {each[2] for each in record if each[0] == "write"}
    assert len(whole) == 5
    assert [each[0] for each in record] == ["create", "write", "flush", "rename", "flush"] * 5
    states = 0
    for end in range(len(record) + 1):
        for found in after_power_cut(record[:end], {}):
            states += 1
            held = found.get(str(path))
            assert (held is None and end < 5) or held in whole
    assert states > 50
    wanted = in_one_go()
    for data in whole:
        path.write_bytes(data)
        assert in_pieces(path, 1000) == wanted


def test_a_full_disk_stops_no_run(tmp_path: Path) -> None:
    program = """
import resource, sys, numpy as np, ganglion as gg
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
net = gg.Network([gg.Dense(64, "relu"), gg.Dense(1)], 5, seed=1)
X = np.random.default_rng(0).normal(size=(100, 5))
history = net.fit(X, X[:, 0], epochs=6, checkpoint=sys.argv[1], every=2)
print(history.epochs, history.ended)
"""
    path = tmp_path / "run.ckpt"
    for limit, told in (("1000", True), ("100000000", False)):
        found = subprocess.run(
            [sys.executable, "-c", program, path, limit], capture_output=True, text=True, check=True
        )
        assert found.stdout == "6 completed\n"
        assert ("no checkpoint: cannot write" in found.stderr) is told
        assert path.exists() is not told
        assert not [*tmp_path.glob(".*")]


@pytest.mark.skipif(
    not shutil.which("mount") or not hasattr(os, "geteuid") or os.geteuid() != 0,
    reason="needs to mount a file system",
)
def test_a_file_system_that_fills_up_keeps_the_checkpoint_before(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", small], check=False).returncode:
        pytest.skip("cannot mount a file system here")
    try:
        path = small / "run.ckpt"
        with pytest.raises(CutError):
            network().fit(X, Y, checkpoint=path, every=1, callbacks=[Cut(40)], **SETTINGS)
        before = path.read_bytes()
        (small / "other").write_bytes(b"0" * (os.statvfs(small).f_bavail * os.statvfs(small).f_frsize))
        net = network()
        with pytest.warns(gg.GanglionNotice, match="No space left on device.*the one before is kept"):
            history = net.fit(X, Y, checkpoint=path, every=1, **SETTINGS)
        assert bits(net, history) == in_one_go()
        assert path.read_bytes() == before
        (small / "other").unlink()
        assert in_pieces(path, 1000) == in_one_go()
    finally:
        subprocess.run(["umount", small], check=True)


@pytest.fixture
def half(tmp_path: Path) -> Path:
    path = tmp_path / "run.ckpt"
    with pytest.raises(CutError):
        network().fit(X, Y, checkpoint=path, every=1e-9, callbacks=[Cut(20)], **SETTINGS)
    return path


@pytest.mark.parametrize(
    "change",
    [
        {"y": 1 - Y}, {"X": X + 1}, {"batch_size": 16}, {"optimizer": gg.SGD(0.2, momentum=0.9, average=0.9)},
        {"loss": "mse", "y": np.eye(2)[Y]}, {"validation": 0.3}, {"shuffle": False}, {"metrics": ["f1"]},
        {"sample_weight": np.arange(300) + 1.0}, {"regularization": gg.Regularization(l2=0.1)},
        {"callbacks": [gg.EarlyStopping(3)]},
    ],
)  # fmt: skip
def test_another_run_is_refused(change: dict[str, Any], half: Path) -> None:
    before = half.read_bytes()
    with pytest.raises(gg.ConfigError, match="holds another run.*delete the file"):
        network().fit(**{"X": X, "y": Y} | SETTINGS | {"checkpoint": half} | change)
    with pytest.raises(gg.ConfigError, match="holds another run"):
        gg.Network([gg.Dense(2, "softmax")], 5, seed=3).fit(X, Y, checkpoint=half, **SETTINGS)
    assert half.read_bytes() == before


def test_more_epochs_continue_a_run(half: Path) -> None:
    assert in_pieces(half, 1000, epochs=12) == in_one_go(epochs=12)


def forged(path: Path, change: Any) -> None:
    """Write a checkpoint again with changes and a checksum that fits."""
    from ganglion.files.checkpoint import _checksum

    described, arrays = read_checkpoint(path)
    change(described, arrays)
    text = json.dumps(described)
    data = safetensors.numpy.save(arrays, {"ganglion": text, "sha256": _checksum(text, arrays)})
    path.write_bytes(data)


def rename(arrays: dict[str, Any], before: str, after: str) -> None:
    arrays[after] = arrays.pop(before)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda d, a: d.update(format=99), gg.FileError, "newer version.*upgrade"),
        (lambda d, a: d.update(identity="x"), gg.ConfigError, "another run"),
        (lambda d, a: d.update(first=10**9), gg.FileError, "damaged"),
        (lambda d, a: d.update(first="3"), gg.FileError, "damaged"),
        (lambda d, a: d.update(step=[]), gg.FileError, "damaged"),
        (lambda d, a: d.pop("history"), gg.FileError, "damaged"),
        (lambda d, a: d["history"].update(loss=[1]), gg.FileError, "damaged"),
        (lambda d, a: d["history"].update(metrics=3), gg.FileError, "damaged"),
        (lambda d, a: d.update(callbacks=[{}]), gg.FileError, "damaged"),
        (lambda d, a: d.update(schedule=None), gg.FileError, "damaged"),
        (lambda d, a: a.pop("parameters"), gg.FileError, "damaged"),
        (lambda d, a: a.pop("mean"), gg.FileError, "damaged"),
        (lambda d, a: rename(a, "slots/velocity", "slots/other"), gg.FileError, "damaged"),
        (lambda d, a: a.update(state=a["state"][:-1]), gg.FileError, "damaged"),
        (lambda d, a: a.update(parameters=a["parameters"].astype(np.float64)), gg.FileError, "damaged"),
        (lambda d, a: a.update(parameters=a["parameters"] * np.nan), gg.FileError, "damaged"),
        (lambda d, a: a.update(losses=a["losses"][None]), gg.FileError, "damaged"),
    ],
)
def test_a_hostile_checkpoint_gets_one_clear_error(change: Any, error: Any, words: str, half: Path) -> None:
    forged(half, change)
    net = network()
    before = net.parameters.copy()
    with pytest.raises(error, match=words):
        net.fit(X, Y, checkpoint=half, **SETTINGS)
    assert np.array_equal(net.parameters, before)


def test_a_cut_or_changed_file_is_an_error(half: Path) -> None:
    data, chance = half.read_bytes(), np.random.default_rng(0)
    for end in [0, 7, 8, 100, len(data) // 2, len(data) - 1]:
        half.write_bytes(data[:end])
        with pytest.raises(gg.FileError):
            network().fit(X, Y, checkpoint=half, **SETTINGS)
    for place in chance.integers(0, len(data), 60):
        changed = bytearray(data)
        changed[place] ^= 1 << int(chance.integers(8))
        half.write_bytes(changed)
        with pytest.raises((gg.FileError, gg.ConfigError)):
            network().fit(X, Y, checkpoint=half, **SETTINGS)


def test_l_bfgs_goes_on_without_evaluating_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("scipy")
    made: list[int] = []
    evaluate = NativeSession.loss_and_gradient

    def counted(self: Any, order: Any) -> Any:
        made.append(1)
        return evaluate(self, order)

    monkeypatch.setattr(NativeSession, "loss_and_gradient", counted)

    def fit(steps: int, **more: Any) -> tuple[Any, ...]:
        net = gg.Network([gg.Dense(6, "tanh"), gg.Dense(2, "softmax")], 5, seed=2)
        callbacks = [gg.EarlyStopping(8), Cut(steps)]
        settings = SETTINGS | {"optimizer": gg.LBFGS(), "epochs": 25, "callbacks": callbacks} | more
        return bits(net, net.fit(X, Y, **settings))

    wanted = fit(1000)
    whole = len(made)
    made.clear()
    kept = {"checkpoint": tmp_path / "run.ckpt", "every": 1}
    for steps in (3, 9, 10):
        with pytest.raises(CutError):
            fit(steps, **kept)
    assert fit(1000, **kept) == wanted
    assert whole <= len(made) <= whole + 6
    assert fit(1, **kept) == wanted
    assert len(made) <= whole + 6


def test_train_many_repeats_no_finished_member(tmp_path: Path) -> None:
    optimizers = [gg.Adam(0.01), gg.SGD(0.1), gg.Lion(0.001)]

    def many(steps: int) -> Any:
        each = [{"optimizer": optimizer, "callbacks": [Cut(steps)]} for optimizer in optimizers]
        with gg.checkpoints(tmp_path / "runs", every=1e-9):
            return gg.train_many([network() for _ in optimizers], X, Y, each=each, epochs=6)

    while True:
        try:
            trained = many(9)
            break
        except CutError:
            pass
    again = many(1)
    alone = [network() for _ in optimizers]
    for net, optimizer in zip(alone, optimizers, strict=True):
        net.fit(X, Y, optimizer=optimizer, epochs=6)
    for first, second, third in zip(trained.networks, again.networks, alone, strict=True):
        assert np.array_equal(first.parameters, third.parameters)
        assert np.array_equal(second.parameters, third.parameters)
    assert len([*(tmp_path / "runs").iterdir()]) == 3


def test_a_model_of_a_table_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = {"a": X[:, 0], "b": X[:, 1], "y": np.where(Y, "yes", "no")}
    wanted = gg.TableModel.train(table, "y")
    fit, calls = gg.Network.train, []

    def failing(self: gg.Network, *arguments: Any) -> gg.History:
        calls.append(1)
        if len(calls) == 4:
            raise CutError
        return fit(self, *arguments)

    monkeypatch.setattr(gg.Network, "train", failing)
    with gg.checkpoints(tmp_path / "runs"), pytest.raises(CutError):
        gg.TableModel.train(table, "y")
    monkeypatch.undo()
    files = {each.name for each in (tmp_path / "runs").iterdir()}
    assert files
    with gg.checkpoints(tmp_path / "runs"):
        model = gg.TableModel.train(table, "y")
    assert np.array_equal(model.network.parameters, wanted.network.parameters)
    assert str(model.report) == str(wanted.report)
    assert files < {each.name for each in (tmp_path / "runs").iterdir()}


def test_the_command_line_resumes(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "\n".join(f"{a:.4f},{b:.4f},{'yes' if y else 'no'}" for (a, b, *_), y in zip(X, Y, strict=True))
    Path("t.csv").write_text(f"a,b,y\n{rows}\n")
    train = ("train", "t.csv", "--target", "y", "--quality", "fast", "--epochs", "5")
    assert run(capsys, *train, "--out", "one.safetensors")[0] == 0
    assert run(capsys, *train, "--out", "two.safetensors", "--checkpoint", "runs")[0] == 0
    assert run(capsys, *train, "--out", "two.safetensors", "--checkpoint", "runs")[2].startswith(
        "ganglion: runs is not empty\nhint: add --resume"
    )
    assert run(capsys, *train, "--out", "three.safetensors", "--checkpoint", "runs", "--resume")[0] == 0
    one, two, three = (
        gg.TableModel.load(f"{name}.safetensors").network.parameters for name in ("one", "two", "three")
    )
    assert np.array_equal(one, two)
    assert np.array_equal(one, three)
    assert "must come with --checkpoint" in run(capsys, *train, "--resume")[2]
    assert "no folder other to resume from" in run(capsys, *train, "--resume", "--checkpoint", "other")[2]
