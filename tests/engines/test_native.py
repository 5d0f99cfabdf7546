"""Tests of the native engine beyond agreement with the reference, which `contracts.py` covers."""

from __future__ import annotations

import inspect
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import ganglion as gg
from agreement import TOLERANCE, assert_agreement, differences, make_case, native_engine, train
from ganglion.core.architecture import Architecture
from ganglion.core.model import Model
from ganglion.engines import REFERENCE, limit_threads, native, pick, thread_count
from ganglion.engines.native import NativeEngine
from numeric import relative_error

MODULE = native_engine().module
SETS = MODULE.instruction_sets()
SHAPES = {
    "tiny": ([2, 16, 16, 1], 32),
    "one row": ([16, 64, 64, 4], 1),
    "few rows": ([16, 64, 64, 4], 3),
    "groups of rows": ([30, 100, 100, 2], 200),
    "many rows": ([4, 32, 16, 4], 5000),
    "deep": ([64] * 12, 64),
    "large layers": ([300, 520, 130, 10], 100),
    "larger than a panel": ([1100, 70, 3], 60),
}
# Layers before a dense layer of 2 units, the shape of an image, and a batch.
IMAGES: dict[str, tuple[list[gg.Layer], tuple[int, ...], int]] = {
    "tiles": ([gg.Conv2D(16, 1), gg.Conv2D(20, 3, "relu"), gg.Conv2D(16, 3, "tanh")], (16, 16, 1), 8),
    "odd tiles": ([gg.Conv2D(17, 1), gg.Conv2D(33, 3, "relu", padding="valid")], (19, 21, 2), 9),
    "many tiles": ([gg.Conv2D(64, 1, "tanh"), gg.Conv2D(64, 3, "tanh", padding=2)], (12, 10, 1), 3),
    "tiles on the way back": ([gg.Conv2D(32, 1), gg.Conv2D(32, 3, "relu", stride=2)], (17, 16, 1), 5),
    "tiles with batch normalization": (
        [gg.Conv2D(16, 1), gg.Conv2D(16, 3), gg.BatchNormalization(), gg.Activate("relu")], (18, 18, 1), 40
    ),
    "pairs": ([gg.Conv2D(8, 5, "relu"), gg.Conv2D(6, 3), gg.Conv2D(16, 5, "relu")], (13, 12, 1), 8),
    "odd pairs": ([gg.Conv2D(3, (4, 3), "relu", padding="valid"), gg.Conv2D(5, (7, 1))], (11, 9, 3), 7),
    "wide pairs": ([gg.Conv2D(31, 1), gg.Conv2D(7, (2, 1), "relu"), gg.Conv2D(2, (3, 5))], (8, 9, 1), 6),
    "pairs that lie apart": ([gg.Conv2D(9, 1), gg.Conv2D(8, 3, "relu", dilation=2)], (14, 14, 1), 6),
    "pairs of a signal": ([gg.Conv1D(8, 7, "relu", stride=2), gg.Conv1D(4, 3)], (41, 3), 6),
    "pools side by side": ([gg.Conv2D(5, 3), gg.MaxPool2D(2), gg.AveragePool2D(3)], (13, 19, 1), 7),
    "pools that overlap": ([gg.Conv2D(9, 3), gg.MaxPool2D(3, stride=2), gg.AveragePool2D(2, stride=1)], (15, 14, 1), 7),
    "pools with gaps": ([gg.Conv2D(17, 3), gg.MaxPool2D(2, stride=3, padding="same")], (14, 13, 1), 7),
}  # fmt: skip


EDGES = [[-1.0, 0.0, 0.5, 2.0], [], [-0.5, 0.5], [i / 9 - 2 for i in range(37)]]
# What stands behind a piecewise-linear encoding of 4 inputs, and a batch.
BINNED: dict[str, tuple[list[gg.Layer], int]] = {
    "one row": ([gg.Dense(9, "tanh")], 1),
    "few rows": ([gg.Dense(70, "tanh")], 3),
    "all units of a part": ([gg.Dense(64, "relu")], 40),
    "several parts": ([gg.Dense(150, "sigmoid"), gg.Dropout(0.3)], 90),
    "shared by threads": ([gg.Dense(512, "tanh")], 700),
    "several readers": (
        [gg.Parallel({"a": [gg.Dense(5, "mish"), gg.Dense(3)], "b": [gg.Dense(3)]}), gg.Dense(4)],
        30,
    ),
    "another reader": ([gg.Parallel({"a": [gg.Dense(5, "tanh")], "b": [gg.Activate("relu")]})], 30),
}


@pytest.fixture(params=SETS)
def instruction_set(request: pytest.FixtureRequest) -> Any:
    MODULE.use(request.param)
    yield request.param
    MODULE.use(SETS[0])


def layers_of(sizes: list[int], activation: str = "tanh") -> list[gg.Layer]:
    return [gg.Dense(units, activation) for units in sizes[1:-1]] + [gg.Dense(sizes[-1])]


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_size_on_every_instruction_set(instruction_set: str, name: str, dtype: str) -> None:
    sizes, batch = SHAPES[name]
    assert_agreement(
        layers_of(sizes), sizes[0], gg.MeanSquaredError(), rows=batch + 5, batch_size=batch, dtype=dtype
    )


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_images_of_every_size_on_every_instruction_set(instruction_set: str, name: str, dtype: str) -> None:
    layers, shape, batch = IMAGES[name]
    assert_agreement(
        [*layers, gg.Flatten(), gg.Dense(2)],
        shape,
        gg.MeanSquaredError(),
        rows=batch + 5,
        batch_size=batch,
        dtype=dtype,
    )


@pytest.mark.parametrize("name", BINNED)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layers_behind_bins(instruction_set: str, name: str, dtype: str) -> None:
    layers, batch = BINNED[name]
    layers = [gg.PiecewiseLinear(EDGES), *layers, gg.Dense(2)]
    assert_agreement(layers, 4, gg.MeanSquaredError(), rows=batch + 5, batch_size=batch, dtype=dtype)


def test_rows_behind_bins_have_the_same_bits_alone() -> None:
    net = gg.Network([gg.PiecewiseLinear(EDGES), gg.Dense(70, "tanh")], 4, engine="native")
    X = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    X[::3, 1] = 0
    X[:4, 0] = [-1.0, 0.5, 2.0, 9.0]  # on the edges, and beyond them
    together = net.predict(X)
    for row, expected in zip(X, together, strict=True):
        assert net.predict(row[None])[0].tolist() == expected.tolist()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", [gg.CrossEntropy(), gg.CrossEntropy(0.1), gg.CrossEntropy(clip=1e-6)])
def test_every_number_of_classes(instruction_set: str, loss: gg.Loss, dtype: str) -> None:
    """With few classes each lane computes one row; with more classes rows are computed one after another."""
    chance = np.random.default_rng(0)
    for classes in (*range(2, 20), 31, 32, 33, 63, 64, 65, 100):
        architecture = Architecture([gg.Dense(classes, "softmax")], 3)
        case = make_case(architecture, loss, gg.SGD(), 37, dtype, weighted=True)
        case.rows.y[::3] = chance.dirichlet(np.ones(classes), 13)  # probabilities as targets
        pair = [case.open(engine).loss_and_gradient(np.arange(37)) for engine in (REFERENCE, native_engine())]
        for expected, mine in zip(*pair, strict=True):
            assert relative_error(mine, expected) <= TOLERANCE[dtype], classes


activations = st.sampled_from(
    sorted(set(gg.Activation.known) - {"exp", "sections"})
)  # exp of exp explodes on both engines
layer_lists = st.lists(
    st.one_of(
        st.builds(gg.Dense, st.integers(1, 40), activations),
        st.builds(gg.Activate, activations),
        st.builds(gg.Dropout, st.sampled_from([0.0, 0.3, 0.5])),
        st.just(gg.BatchNormalization()),
        st.just(gg.LayerNormalization()),
    ),
    max_size=5,
)


@settings(max_examples=150, deadline=None)
@given(
    layers=layer_lists,
    inputs=st.integers(1, 40),
    outputs=st.integers(1, 20),
    rows=st.integers(2, 90),
    batch=st.integers(1, 90),
    instruction_set=st.sampled_from(SETS),
)
def test_random_architectures(
    layers: list[gg.Layer], inputs: int, outputs: int, rows: int, batch: int, instruction_set: str
) -> None:
    MODULE.use(instruction_set)
    try:
        found = differences(
            [gg.Dense(7, "tanh"), *layers, gg.Dense(outputs)],
            inputs,
            gg.MeanSquaredError(),
            gg.SGD(momentum=0.9, clip_norm=1),  # some stacks, such as of log_softmax, explode without it
            rows=rows,
            batch_size=batch,
            rate=1e-3,
            least=0.01,  # some gradients are 0 except for rounding: those through batch normalization of two rows
        )
    finally:
        MODULE.use(SETS[0])
    # Batch normalization divides by the deviation of its rows, which may be almost 0 for two rows.
    assert max(found.values()) <= (1e-6 if gg.BatchNormalization() in layers else 1e-9), found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_two_hundred_steps_stay_together(dtype: str) -> None:
    layers = [gg.Dense(24, "gelu"), gg.LayerNormalization(), gg.Dropout(0.1), gg.Dense(3, "softmax")]
    found = differences(
        layers, 6, gg.CrossEntropy(), gg.Adam(), rows=6400, batch_size=32, dtype=dtype, rate=1e-3
    )
    # Rounding errors accumulate over the steps, to a few hundred times those of one step.
    assert max(found.values()) <= 200 * TOLERANCE[dtype], found


@pytest.mark.parametrize("name", [*SHAPES, *IMAGES])
def test_the_number_of_threads_does_not_change_a_bit(name: str) -> None:
    if name in SHAPES:
        sizes, batch = SHAPES[name]
        architecture = Architecture([*layers_of(sizes), gg.Dropout(0.2)], sizes[0])
    else:
        layers, shape, batch = IMAGES[name]
        architecture = Architecture([*layers, gg.Flatten(), gg.Dense(2), gg.Dropout(0.2)], shape)
    before, found = MODULE.get_threads(), []
    try:
        for threads in (1, 2, 3):
            MODULE.set_threads(threads)
            case = make_case(architecture, gg.MeanSquaredError(), gg.Adam(), 3 * batch, "float32")
            done = case.open(native_engine()).steps(np.arange(3 * batch), batch, np.full(3, 0.01))
            a = native_engine().predict(case.model, case.rows.x)
            found.append((done.losses, done.gradient_norms, case.model.parameters, a))
    finally:
        MODULE.set_threads(before)
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


def limit() -> int:
    """Return the maximum number of threads for runs of the calling thread, 0 for no limit."""
    found = int(MODULE.limit_threads(0))
    MODULE.limit_threads(found)
    return found


def test_a_limit_of_threads_does_not_change_a_bit() -> None:
    before, found = MODULE.get_threads(), []
    try:
        MODULE.set_threads(3)
        for most in (None, 1, 2, 9):
            with limit_threads(most):
                found.append(train())
    finally:
        MODULE.set_threads(before)
    assert found == found[:1] * 4


def test_a_limit_of_threads_is_kept() -> None:
    code = TRAIN + (
        "import os, threading\n"
        "from ganglion.engines import limit_threads\n"
        # A sanitizer starts a thread of its own beside the first that a process starts.
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "def started(most):\n"
        "    before = len(os.listdir('/proc/self/task'))\n"
        "    with limit_threads(most): train()\n"
        "    return len(os.listdir('/proc/self/task')) - before\n"
        "print(started(1), started(2), started(None), started(1))"
    )
    if not Path("/proc/self/task").exists():
        pytest.skip("threads are counted in /proc")
    # A team of two starts one thread, and one of four starts three, in addition to those already asleep.
    assert in_fresh_process(code, GANGLION_THREADS="4") == "0 1 3 0"


def fail_within(most: int) -> None:
    with limit_threads(most):
        assert limit() == most
        raise gg.DataError("an error of some kind")


def test_a_limit_of_threads_ends_with_its_block() -> None:
    assert limit() == 0
    with limit_threads(2):
        assert limit() == 2
        with limit_threads(1):
            assert limit() == 1
            with limit_threads(None):
                assert limit() == 1
        assert limit() == 2
        with pytest.raises(gg.DataError):
            fail_within(1)
        assert limit() == 2
    assert limit() == 0
    assert MODULE.get_threads() == thread_count()


def test_a_limit_of_threads_is_that_of_its_thread() -> None:
    seen: list[int] = []
    inside, done = threading.Event(), threading.Event()

    def other() -> None:
        seen.append(limit())
        with limit_threads(3):
            inside.set()
            done.wait()
            seen.append(limit())

    with limit_threads(1):
        thread = threading.Thread(target=other)
        thread.start()
        inside.wait()
        seen.append(limit())  # while the other thread has its own limit
    seen.append(limit())
    done.set()
    thread.join()
    assert seen == [0, 1, 0, 3]


def test_training_equals_itself_whatever_is_handed_over_at_once() -> None:
    nets = [gg.Network([gg.Dense(8, "relu"), gg.Dropout(0.3), gg.Dense(1)], inputs=3) for _ in range(2)]
    X = np.random.default_rng(0).normal(size=(70, 3))
    nets[0].fit(X, X[:, 0], epochs=6, batch_size=8)
    for _ in range(3):
        nets[1].fit(X, X[:, 0], epochs=2, batch_size=8)
    np.testing.assert_array_equal(nets[0].parameters, nets[1].parameters)


def test_an_update_that_overflows_is_not_taken() -> None:
    architecture = Architecture(layers_of([3, 8, 1]), 3)
    for optimizer in (gg.SGD(), gg.SGD(momentum=0.9), gg.Adam()):
        case = make_case(architecture, gg.MeanSquaredError(), optimizer, 20, "float32")
        before = case.model.parameters.copy()
        done = case.open(native_engine()).steps(np.arange(20), 10, np.array([1e39, 0.1]))
        assert (done.failure, len(done.losses)) == ("weight", 0)
        np.testing.assert_array_equal(case.model.parameters, before)


@pytest.mark.parametrize("clip", [None, 0.01])
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("rate", [0.01, 1e38])
def test_one_row_at_a_time(clip: float | None, decay: float, rate: float) -> None:
    """Plain SGD on single rows, including when its bound fails and each change must be checked."""
    architecture = Architecture([gg.Dense(7, "tanh"), gg.Dropout(0.2), gg.Dense(40, "relu"), gg.Dense(3)], 5)
    optimizer = gg.SGD(weight_decay=decay, clip_norm=clip)
    cases = [make_case(architecture, gg.MeanSquaredError(), optimizer, 6, "float64") for _ in range(2)]
    done = [
        case.open(engine).steps(np.arange(6), 1, np.full(6, rate))
        for engine, case in zip((REFERENCE, native_engine()), cases, strict=True)
    ]
    assert done[0].failure == done[1].failure
    assert relative_error(done[1].gradient_norms, done[0].gradient_norms) <= 1e-9
    assert relative_error(cases[1].model.parameters, cases[0].model.parameters) <= 1e-9


def test_weights_of_zero_teach_nothing() -> None:
    architecture = Architecture(layers_of([3, 8, 1]), 3)
    cases = [
        make_case(architecture, gg.MeanSquaredError(), gg.Adam(), 20, "float64", weighted=True)
        for _ in range(2)
    ]
    for engine, case in zip((REFERENCE, native_engine()), cases, strict=True):
        assert case.rows.sample_weight is not None
        case.rows.sample_weight[:10] = 0
        done = case.open(engine).steps(np.arange(20), 10, np.array([0.1, 0.1]))
        assert (done.losses[0], done.gradient_norms[0]) == (0, 0)
    first, second = (case.start for case in cases)
    assert relative_error(second.parameters, first.parameters) <= 1e-12
    assert (first.step, first.update) == (second.step, second.update) == (7, 1)


# ------------------------------------------------------------------------------- functions, exhaustively

FUNCTIONS = {"exp": (0, np.exp), "tanh": (1, np.tanh), "sigmoid": (2, lambda x: 1 / (1 + np.exp(-x)))}
ORDER = np.int64(2**31)


def ulps(got: np.ndarray, exact: np.ndarray) -> int:
    """Return the largest number of float32 steps between a result and the correctly rounded value."""
    a, b = (v.astype(np.float32).view(np.int32).astype(np.int64) for v in (got, exact))
    a, b = (np.where(v < 0, -(v + ORDER), v) for v in (a, b))
    return int(np.abs(a - b).max())


def worst(which: str, first: int, last: int, step: int = 1) -> int:
    """Return the worst error over the floats whose bits are first .. last, of either sign."""
    number, exact = FUNCTIONS[which]
    found, block = 0, 2**23
    for begin in range(first, last, block * step):
        bits = np.arange(begin, min(begin + block * step, last), step, dtype=np.uint32)
        for x in (bits.view(np.float32), -bits.view(np.float32)):
            got = np.empty_like(x)
            MODULE.function(number, x, got)
            with np.errstate(over="ignore", under="ignore"):
                found = max(found, ulps(got, exact(x.astype(np.float64))))
    return found


# Where the value changes: below it is 1, x or 1/2, and above it is the limit.
REGIONS = {"exp": (2.0**-26, 104.5), "tanh": (2.0**-14, 9.5), "sigmoid": (2.0**-25, 104.5)}
INFINITY = 0x7F800000


def bits_of(value: float) -> int:
    return int(np.float32(value).view(np.uint32))


@pytest.mark.parametrize("quarter", range(4))
@pytest.mark.parametrize("which", FUNCTIONS)
def test_functions_where_they_change_for_every_float(which: str, quarter: int) -> None:
    low, high = (bits_of(value) for value in REGIONS[which])
    width = (high - low) // 4 + 1
    assert worst(which, low + quarter * width, min(low + (quarter + 1) * width, high)) <= 2


@pytest.mark.parametrize("which", FUNCTIONS)
def test_functions_where_they_are_flat_for_every_float(which: str) -> None:
    """The remaining floats, for which the result is known without computation."""
    number, _ = FUNCTIONS[which]
    low, high = (bits_of(value) for value in REGIONS[which])
    block = 2**24
    for first, last in ((0, low), (high, INFINITY)):
        for begin in range(first, last, block):
            x = np.arange(begin, min(begin + block, last), dtype=np.uint32).view(np.float32)
            for sign in (1, -1):
                got, signed = np.empty_like(x), x if sign == 1 else -x
                MODULE.function(number, signed, got)
                if first == 0:
                    expected: Any = {"exp": np.float32(1), "tanh": signed, "sigmoid": np.float32(0.5)}[which]
                    close = np.abs(got - expected) <= np.spacing(np.abs(expected))
                    assert close.all()
                else:
                    limits = {"exp": (np.inf, 0), "tanh": (1, -1), "sigmoid": (1, 0)}[which]
                    assert (got == limits[sign < 0]).all()


@pytest.mark.parametrize("which", FUNCTIONS)
def test_functions_on_every_instruction_set(instruction_set: str, which: str) -> None:
    low, high = (bits_of(value) for value in REGIONS[which])
    assert worst(which, low, high, 997) <= 2
    number, _ = FUNCTIONS[which]
    for dtype in (np.float32, np.float64):
        x = np.array([np.nan, np.inf, -np.inf, 0, -0.0], dtype)
        got = np.empty_like(x)
        MODULE.function(number, x, got)
        limits = {"exp": [np.inf, 0, 1, 1], "tanh": [1, -1, 0, 0], "sigmoid": [1, 0, 0.5, 0.5]}[which]
        assert np.isnan(got[0])
        np.testing.assert_array_equal(got[1:], limits)


# ---------------------------------------------------------------------------------- a good guest in a process


def in_fresh_process(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


TRAIN = "import numpy as np, ganglion as gg\n" + inspect.getsource(train)


def test_subnormal_numbers_still_work_after_training() -> None:
    code = (
        TRAIN
        + "train(); tiny = np.float64(5e-324); print(tiny / 2 == 0, tiny * 3 > tiny, np.float32(1e-45) > 0)"
    )
    assert in_fresh_process(code) == "True True True"


@pytest.mark.parametrize("sizes", [[2, 4, 1], [300, 520, 130, 10]])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_that_decay_end_at_zero(sizes: list[int], dtype: str) -> None:
    """Subnormal numbers are many times slower to process."""
    architecture = Architecture(layers_of(sizes), sizes[0])
    case = make_case(
        architecture, gg.MeanSquaredError(), gg.SGD(), 64, dtype, regularization=gg.Regularization(l2=1.0)
    )
    case.rows.x[...] = 0  # the first layer's weights learn nothing
    smallest = np.finfo(dtype).tiny
    steps = int(np.log2(1 / smallest)) + 8  # halved each time
    case.open(native_engine()).steps(np.tile(np.arange(64), steps), 64, np.full(steps, 0.5))
    first = np.abs(case.model.parameters[: sizes[0] * sizes[1]])
    assert (first < 4 * smallest).all()
    assert ((first == 0) | (first >= smallest)).all()


def test_a_child_of_fork_can_train_too() -> None:
    code = TRAIN + (
        "import multiprocessing as m\n"
        "mine = train()\n"
        "with m.get_context('fork').Pool(2) as pool: theirs = pool.map(train, [0, 0])\n"
        "print(theirs == [mine, mine])"
    )
    assert in_fresh_process(code) == "True"


def test_workers_of_other_processes_give_the_same_bits() -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(train, [0, 1]) == [train(0), train(1)]


def test_two_threads_train_two_networks_at_once() -> None:
    """While one thread trains, another one runs Python; both get the same results as alone."""
    architecture = Architecture(layers_of([30, 100, 100, 2]), 30)
    order = np.tile(np.arange(4000), 20)

    def train(engine: Any, results: list[Any]) -> None:
        case = make_case(architecture, gg.MeanSquaredError(), gg.Adam(), 4000, "float32")
        case.open(engine).steps(order, 200, np.full(400, 1e-3))
        results.append(case.model.parameters)

    alone: list[Any] = []
    train(native_engine(), alone)
    together: list[Any] = []
    threads = [threading.Thread(target=train, args=(native_engine(), together)) for _ in range(2)]
    count, begun = 0, time.perf_counter()
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.001)
        count += 1
    assert count >= 5, f"{count} turns of Python in {time.perf_counter() - begun:.3f} s of training"
    for parameters in together:
        np.testing.assert_array_equal(parameters, alone[0])


def test_a_small_network_starts_no_thread() -> None:
    code = (
        "import numpy as np, os, ganglion as gg\n"
        "net = gg.Network([gg.Dense(16, 'tanh'), gg.Dense(1)], inputs=2)\n"
        "X = np.random.default_rng(0).normal(size=(320, 2)); before = len(os.listdir('/proc/self/task'))\n"
        "net.fit(X, X[:, 0], epochs=3); net.predict(X)\n"
        "print(len(os.listdir('/proc/self/task')) - before)"
    )
    if not Path("/proc/self/task").exists():
        pytest.skip("threads are counted in /proc")
    assert in_fresh_process(code, GANGLION_THREADS="4") == "0"


@pytest.mark.parametrize("name", SETS)
def test_the_environment_overrides(name: str) -> None:
    code = "import ganglion as gg; from ganglion.engines import explain; print(*explain())"
    said = in_fresh_process(code, GANGLION_ISA=name.replace("_", "-"), GANGLION_THREADS="3")
    assert said == f"native {name}, up to 3 threads"
    assert in_fresh_process(code, GANGLION_ENGINE="reference") == "reference GANGLION_ENGINE is set to it"
    for wrong, rule in (("GANGLION_ISA", "must be an instruction set"), ("GANGLION_THREADS", "whole number")):
        done = subprocess.run(
            [sys.executable, "-m", "ganglion", "info"],
            capture_output=True,
            text=True,
            env=os.environ | {wrong: "nonsense"},
            check=False,
        )
        assert (done.returncode, rule in done.stderr) == (2, True)


def test_what_native_lacks_is_named() -> None:
    class Cube(gg.Activation):
        name = "cube"
        initializer = "he_uniform"

    class Own(gg.Loss):
        name = "own"

    with pytest.raises(gg.ConfigError, match="native engine does not have the activation cube"):
        gg.Network([gg.Dense(2, Cube())], inputs=1, engine="native")
    with pytest.warns(
        gg.GanglionNotice, match="the activation cube: this network runs on the slower reference"
    ):
        assert gg.Network([gg.Dense(2, Cube())], inputs=1).engine == "reference"
    net = gg.Network([gg.Dense(1)], inputs=1, engine="native")
    with pytest.raises(gg.ConfigError, match="native engine does not have the loss own"):
        net.fit([[1.0]], [1.0], loss=Own())
    with pytest.raises(gg.ConfigError, match="there is no engine 'natve'.*did you mean 'native'"):
        gg.Network([gg.Dense(1)], inputs=1, engine="natve")
    assert pick("auto").name == "native"


def test_a_missing_extension_is_said_once() -> None:
    code = (
        "import sys, warnings; sys.modules['ganglion._native'] = None\n"
        "import ganglion as gg\n"
        "with warnings.catch_warnings(record=True) as said:\n"
        "    warnings.simplefilter('always')\n"
        "    nets = [gg.Network([gg.Dense(1)], inputs=1) for _ in range(3)]\n"
        "print(nets[0].engine, len(said), said[0].message)"
    )
    said = in_fresh_process(code)
    assert said.startswith("reference 1 the native engine cannot be used")
    assert "install ganglion again" in said


def test_arrays_of_the_wrong_size_are_refused() -> None:
    architecture = Architecture(layers_of([3, 8, 1]), 3)
    engine = NativeEngine(MODULE)
    case = make_case(architecture, gg.MeanSquaredError(), gg.Adam(), 20, "float32")
    model, session = case.model, case.open(engine)
    with pytest.raises(ValueError, match="sizes"):
        engine.predict(Model(architecture, model.parameters[:-1], model.state), case.rows.x)
    with pytest.raises(ValueError, match="type"):
        engine.predict(model, case.rows.x.astype(np.float64))
    with pytest.raises(ValueError, match="row index 20 is out of range for 20 rows"):
        session.steps(np.array([0, 20]), 2, np.array([0.1]))
    with pytest.raises(ValueError, match="one rate"):
        session.steps(np.arange(20), 10, np.array([0.1]))


def test_native_is_what_auto_means() -> None:
    engine, how = native()
    assert engine is not None
    assert SETS[0] in how
    assert gg.Network([gg.Dense(1)], inputs=1).engine == "native"
