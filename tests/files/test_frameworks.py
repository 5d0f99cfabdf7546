"""To and from PyTorch, Keras and ONNX: the outputs of a converted network are equal, on every layer that both have."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ganglion as gg
from contracts import ACTIVATIONS, LAYERS, ids
from exported import needs_onnx, network_of
from ganglion.core.inputs import find_inputs
from ganglion.core.part import Array

PARTS = [(case.part, case.inputs) for case in LAYERS]
PARTS += [(gg.Dense(7, case.part), (5,)) for case in ACTIVATIONS]
each_part = pytest.mark.parametrize(("part", "inputs"), PARTS, ids=ids(LAYERS) + ids(ACTIVATIONS))
AGREED = 1e-5
ABSENT = "has no counterpart"
BRANCHES = "branch"


def rows_of(inputs: Any) -> dict[str, Array]:
    chance, found = np.random.default_rng(0), {}
    for name, part in find_inputs(inputs).items():
        if part.holds == "integers":
            found[name] = chance.integers(0, part.below, (4, *part.row_shape))
        else:
            found[name] = chance.normal(size=(4, *part.row_shape)).astype(np.float32)
    return found


def has_bags(inputs: Any) -> bool:
    return any(part.holds == "bags" for part in find_inputs(inputs).values())


def first(x: Array) -> Array:
    """Return images with the channels first."""
    return np.ascontiguousarray(np.moveaxis(x, -1, 1)) if x.ndim > 2 and x.dtype.kind == "f" else x


def only(values: dict[str, Array]) -> Any:
    return values if len(values) > 1 else next(iter(values.values()))


def attempted(make: Any, *given: Any) -> tuple[Any, str]:
    """Return what a function returns, or the message of its `ConfigError`."""
    try:
        return make(*given), ""
    except gg.ConfigError as error:
        return None, str(error)


def asked(module: Any, *given: Array) -> Array:
    import torch

    with torch.no_grad():
        found = module(*map(torch.tensor, given)).numpy()
    return np.asarray(np.moveaxis(found, 1, -1) if found.ndim > 2 else found)


@pytest.mark.peers
@each_part
def test_to_pytorch_and_back(part: gg.Layer, inputs: Any) -> None:
    import torch

    network = network_of(part, inputs)
    if has_bags(inputs):
        with pytest.raises(gg.ConfigError, match=ABSENT):
            network.to_torch()
        return
    rows = rows_of(inputs)
    wanted = network.predict(only(rows))
    module, refusal = attempted(network.to_torch)
    if refusal:
        known = f"(piecewise_linear|mixture|reshape).*{ABSENT}|flattened images"
        assert re.search(known, refusal)
        return
    assert np.abs(asked(module, *map(first, rows.values())) - wanted).max() <= AGREED
    if not isinstance(module, torch.nn.Sequential):
        return
    shape = next(iter(rows.values())).shape[1:]
    theirs = (shape[-1], *shape[:-1]) if next(iter(rows.values())).dtype.kind == "f" else shape
    back, refusal = attempted(gg.Network.from_torch, module, theirs)
    if refusal:
        assert re.search(f"(Padded|Piecewise|Mixture|Channels|Pad[12]d|Exp|Sections).*{ABSENT}", refusal)
        return
    assert np.abs(back.predict(only(rows)) - wanted).max() <= AGREED


@pytest.mark.peers
@pytest.mark.parametrize("preset", ["lenet", "small_cnn", "resnet"])
def test_whole_networks_go_to_pytorch(preset: str) -> None:
    network = gg.Network(getattr(gg.presets, preset)(10), (28, 28, 1), seed=1)
    x = np.random.default_rng(0).normal(size=(3, 28, 28, 1)).astype(np.float32)
    assert np.abs(asked(network.to_torch(), first(x)) - network.predict(x)).max() <= AGREED


@pytest.mark.peers
def test_from_pytorch_as_people_have_it() -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.LeakyReLU(0.2), nn.MaxPool2d(2)),
        nn.Conv2d(6, 8, 3, stride=2, padding=1, bias=False), nn.Hardsigmoid(), nn.Dropout2d(0.1), nn.Flatten(),
        nn.BatchNorm1d(128), nn.Linear(128, 10), nn.GELU(approximate="tanh"), nn.LayerNorm(10), nn.Linear(10, 3),
        nn.LogSoftmax(dim=1),
    )  # fmt: skip
    x = torch.randn(64, 3, 16, 16)
    module(x)  # gives the running statistics values
    module.eval()
    network = gg.Network.from_torch(module, (3, 16, 16))
    wanted = module(x).detach().numpy()
    assert np.abs(network.predict(x.permute(0, 2, 3, 1).numpy()) - wanted).max() <= AGREED
    y = wanted.argmax(axis=1)
    assert network.fit(x.permute(0, 2, 3, 1).numpy(), y, epochs=2).epochs == 2
    double = gg.Network.from_torch(nn.Linear(3, 2).double())
    assert double.dtype == "float64"
    with pytest.raises(gg.ConfigError, match=r"layer '1', LSTM, has no counterpart"):
        gg.Network.from_torch(nn.Sequential(nn.Linear(3, 4), nn.LSTM(4, 5)))
    with pytest.raises(gg.ConfigError, match="pass inputs"):
        gg.Network.from_torch(nn.Sequential(nn.Flatten(), nn.Linear(4, 5)))
    with pytest.raises(gg.ConfigError, match="must not end in flattened images"):
        gg.Network.from_torch(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten()), (1, 5, 5))
    with pytest.raises(gg.ConfigError, match="takes a torch"):
        gg.Network.from_torch("model.pt")


@pytest.fixture(scope="module")
def keras() -> Any:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras as found

    return found


of_keras = pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")


@of_keras
@pytest.mark.peers
@each_part
def test_to_keras_and_back(part: gg.Layer, inputs: Any, keras: Any) -> None:
    network = network_of(part, inputs)
    model, refusal = attempted(network.to_keras)
    if refusal:
        assert re.search(f"{ABSENT}|{BRANCHES}", refusal)
        return
    x = only(rows_of(inputs))
    wanted = network.predict(x)
    assert np.abs(np.asarray(model.predict(x, verbose=0)) - wanted).max() <= AGREED
    assert np.abs(gg.Network.from_keras(model).predict(x) - wanted).max() <= AGREED


@of_keras
@pytest.mark.peers
def test_from_keras_as_people_have_it(keras: Any) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)), layers.Conv2D(6, 3, padding="same", activation="relu"),
            layers.BatchNormalization(), layers.MaxPooling2D(), layers.DepthwiseConv2D(3, depth_multiplier=2),
            layers.Flatten(), layers.Dense(10, activation="gelu"), layers.Dropout(0.2),
            layers.Dense(5), layers.LeakyReLU(negative_slope=0.3), layers.Dense(3, activation="softmax"),
        ]
    )  # fmt: skip
    x = np.random.default_rng(0).normal(size=(4, 16, 16, 3)).astype(np.float32)
    assert np.abs(gg.Network.from_keras(model).predict(x) - model.predict(x, verbose=0)).max() <= AGREED
    with pytest.raises(gg.ConfigError, match=r"LSTM, has no counterpart"):
        gg.Network.from_keras(keras.Sequential([keras.Input((5, 3)), layers.LSTM(4)]))
    with pytest.raises(gg.ConfigError, match="takes a keras"):
        gg.Network.from_keras("model.keras")


@needs_onnx
@each_part
def test_from_onnx_what_was_exported(part: gg.Layer, inputs: Any, tmp_path: Path) -> None:
    network, path = network_of(part, inputs), tmp_path / "n.onnx"
    network.export(path)
    parts = list(find_inputs(inputs).values())
    back, refusal = attempted(gg.Network.from_onnx, path)
    if refusal:
        assert re.search(f"{ABSENT}|{BRANCHES}|flattened images|one input|no layers", refusal)
        return
    assert len(parts) == 1
    x = only(rows_of(inputs))
    assert np.abs(back.predict(x) - network.predict(x)).max() <= AGREED


@needs_onnx
def test_from_onnx_as_other_frameworks_write_it(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    chance = np.random.default_rng(0)
    arrays = {
        "k": chance.normal(size=(4, 2, 3, 3)), "kb": chance.normal(size=4), "w": chance.normal(size=(64, 5)),
        "b": chance.normal(size=5), "v": chance.normal(size=(3, 5)), "c": chance.normal(size=3),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["x", "k", "kb"], ["1"], pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
        helper.make_node("Relu", ["1"], ["2"]),
        helper.make_node("MaxPool", ["2"], ["3"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["3"], ["4"]),
        helper.make_node("MatMul", ["4", "w"], ["5"]),
        helper.make_node("Add", ["b", "5"], ["6"]),
        helper.make_node("Elu", ["6"], ["7"], alpha=0.5),
        helper.make_node("Gemm", ["7", "v", "c"], ["8"], transB=1),
        helper.make_node("Softmax", ["8"], ["y"], axis=1),
    ]

    def graph(nodes: list[Any]) -> Any:
        given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2, 8, 8])
        made = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])
        held = [numpy_helper.from_array(each.astype(np.float32), name) for name, each in arrays.items()]
        found = helper.make_graph(nodes, "g", [given], [made], held)
        return helper.make_model(found, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)

    path = tmp_path / "n.onnx"
    onnx.save(graph(nodes), path)
    x = chance.normal(size=(4, 2, 8, 8)).astype(np.float32)
    runtime = pytest.importorskip("onnxruntime")
    wanted = runtime.InferenceSession(path).run(None, {"x": x})[0]
    assert np.abs(gg.Network.from_onnx(path).predict(x.transpose(0, 2, 3, 1)) - wanted).max() <= AGREED
    onnx.save(graph([*nodes[:6], helper.make_node("Celu", ["6"], ["7"], "odd"), *nodes[7:]]), path)
    with pytest.raises(gg.ConfigError, match="layer 'odd', Celu, has no counterpart"):
        gg.Network.from_onnx(path)
    onnx.save(graph([*nodes[:6], helper.make_node("Add", ["6", "6"], ["7"]), *nodes[7:]]), path)
    with pytest.raises(gg.ConfigError):
        gg.Network.from_onnx(path)
    path.write_bytes(b"hello")
    with pytest.raises(gg.FileError, match="no model of ONNX"):
        gg.Network.from_onnx(path)
    with pytest.raises(gg.FileError, match="cannot read"):
        gg.Network.from_onnx(tmp_path / "none.onnx")
