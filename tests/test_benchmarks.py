"""The workloads of `make bench`, and that its peers train the same networks."""

import math
from dataclasses import replace

import numpy as np
import pytest
from ganglion_peer import Ganglion
from layers import BatchNormalization, Convolution, Dense, walk
from peer import Peer
from pytorch_peer import PyTorch
from workloads import KNOWN, WORKLOADS, Workload

CONVOLUTIONAL = [workload for workload in WORKLOADS.values() if len(workload.shape) > 1]


def prepared(peer: Peer, workload: Workload) -> Peer:
    peer.prepare(replace(workload, rows=2 * workload.batch, epochs=1))
    return peer


@pytest.mark.parametrize("workload", KNOWN.values(), ids=lambda workload: workload.name)
def test_shapes_are_those_of_the_network(workload: Workload) -> None:
    """A wrong shape would count wrong products."""
    peer = prepared(Ganglion(), workload)
    steps = [step for step in peer.net.architecture.steps if step.parameters]
    kinds = (Dense, Convolution, BatchNormalization)
    expected = [
        layer.output(shape)
        for layer, shape in walk(workload.layers, workload.shape)
        if isinstance(layer, kinds)
    ]
    assert [step.shape for step in steps] == expected
    sizes = [math.prod(entry.shape) for step in steps for entry in step.parameters]
    assert [array.size for array in workload.weights()] == sizes


def test_operations_are_counted() -> None:
    first, second = 28 * 28 * 5 * 5 * 8, 10 * 10 * 5 * 5 * 8 * 16
    rest = second + 5 * 5 * 16 * 120 + 120 * 84 + 84 * 10
    assert WORKLOADS["lenet"].operations == 2 * 64 * (2 * first + 3 * rest)
    assert WORKLOADS["mnist"].operations == 2 * 128 * (2 * 784 * 256 + 3 * (256 * 128 + 128 * 10))


def test_depthwise_products_are_those_of_one_channel() -> None:
    depthwise, shape = list(walk(WORKLOADS["separable"].layers, (32, 32, 3)))[1]
    assert depthwise.products(shape) == 16 * 16 * 3 * 3 * 16


@pytest.mark.peers
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("workload", CONVOLUTIONAL, ids=lambda workload: workload.name)
def test_peers_train_the_same_network(workload: Workload, channels_last: bool) -> None:
    if channels_last and len(workload.shape) != 3:
        pytest.skip("PyTorch has no such layout of signals")
    ours, theirs = prepared(Ganglion(), workload), prepared(PyTorch(channels_last=channels_last), workload)
    np.testing.assert_allclose(ours.predictor(2)(), softmax(theirs.predictor(2)()), atol=1e-5)
    for peer in (ours, theirs):
        peer.train()
    # Adam's first steps are as long for a gradient that is nearly 0, whose sign is a matter of rounding.
    np.testing.assert_allclose(ours.outputs(), theirs.outputs(), atol=1e-2)


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
