"""From ONNX: files that are one chain of known operators, as other frameworks write them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ganglion.core.activations import Activation
from ganglion.core.layers import AveragePool2D, MaxPool2D
from ganglion.core.model import Model
from ganglion.core.part import Array
from ganglion.errors import ConfigError, FileError
from ganglion.files.frameworks.building import Builder, unknown
from ganglion.optional import load

# The name of each activation here, and its settings: by their names there, their defaults and names here.
ACTIVATIONS: Mapping[str, tuple[str, Mapping[str, tuple[float, str]]]] = {
    "Relu": ("relu", {}),
    "LeakyRelu": ("leaky_relu", {"alpha": (0.01, "slope")}),
    "Elu": ("elu", {"alpha": (1.0, "alpha")}),
    "Selu": ("selu", {}),
    "Mish": ("mish", {}),
    "Softplus": ("softplus", {}),
    "Sigmoid": ("sigmoid", {}),
    "Tanh": ("tanh", {}),
    "Exp": ("exp", {}),
    "Softmax": ("softmax", {}),
    "LogSoftmax": ("log_softmax", {}),
}
PASSED_ON = ("Identity", "Dropout", "Cast")
TO_FIRST, TO_LAST = ([0, 3, 1, 2], [0, 2, 1]), ([0, 2, 3, 1], [0, 2, 1])


def from_onnx(path: str | os.PathLike[str]) -> Model:
    """Return the model of a file.

    Raises:
        ConfigError: for an operator without a counterpart, or nodes that are no chain.
        FileError: if it cannot be read, or is no model of ONNX.
    """
    onnx = load("onnx", "onnx")
    try:
        model = onnx.load(os.fspath(path))
        onnx.checker.check_model(model)
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    except Exception as error:  # protobuf and the checker raise errors of many kinds for damaged files
        raise FileError(f"{path} is no model of ONNX, or is damaged") from error
    return _Reader(onnx, model.graph).model()


class _Reader:
    """Follows the nodes of a graph from its input to its output."""

    def __init__(self, onnx: Any, graph: Any) -> None:
        self.onnx, self.graph = onnx, graph
        self.constants = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant":
                self.constants[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
        self.nodes = [node for node in graph.node if node.op_type != "Constant"]

    def model(self) -> Model:
        """Return the model."""
        inputs = [each for each in self.graph.input if each.name not in self.constants]
        if len(inputs) != 1 or len(self.graph.output) != 1:
            raise ConfigError(f"a network with one input and one output is needed, got {len(inputs)} inputs")
        sizes = [each.dim_value for each in inputs[0].type.tensor_type.shape.dim[1:]]
        shape = tuple(sizes) if sizes and all(size > 0 for size in sizes) else None
        value, number = inputs[0].name, 0
        takes_last = bool(self.nodes) and self._is_transposed(self.nodes[0], TO_FIRST)
        if takes_last and shape is not None:
            shape = (shape[-1], *shape[:-1])
        builder = Builder(shape, channels_first=True)
        while number < len(self.nodes):
            node = self.nodes[number]
            if value not in node.input or sum(value in each.input for each in self.nodes) > 1:
                raise ConfigError(
                    "nodes that branch cannot be converted", "convert the model itself, with from_torch"
                )
            number += self._add(builder, node, value, self.nodes[number + 1 : number + 2])
            value = self.nodes[number - 1].output[0]
        if value != self.graph.output[0].name:
            raise ConfigError("nodes that are no chain cannot be converted")
        return builder.model()

    def _is_transposed(self, node: Any, ways: Any) -> bool:
        return node.op_type == "Transpose" and self._settings(node).get("perm") in ways

    def _settings(self, node: Any) -> dict[str, Any]:
        found = {each.name: self.onnx.helper.get_attribute_value(each) for each in node.attribute}
        return {name: value.decode() if isinstance(value, bytes) else value for name, value in found.items()}

    def _numbers(self, node: Any, place: int) -> Array | None:
        if place >= len(node.input) or not node.input[place]:
            return None
        if node.input[place] not in self.constants:
            raise unknown(node.name or node.output[0], f"{node.op_type} of two values")
        return np.asarray(self.constants[node.input[place]])

    def _add(self, builder: Builder, node: Any, value: str, after: list[Any]) -> int:
        """Add what a node does; return how many nodes that took."""
        kind, settings, name = node.op_type, self._settings(node), node.name or node.output[0]
        if kind in PASSED_ON or self._is_transposed(node, (*TO_FIRST, *TO_LAST)):
            return 1
        if kind == "MatMul" and node.input[0] == value:
            return self._product(builder, node, after)
        if kind == "Gemm":
            weight, bias = self._numbers(node, 1), self._numbers(node, 2)
            factors = settings.get("alpha", 1.0), settings.get("beta", 1.0), settings.get("transA", 0)
            if weight is None or factors != (1.0, 1.0, 0):
                raise unknown(name, "Gemm with factors")
            builder.dense(
                weight.T if settings.get("transB") else weight, None if bias is None else bias.ravel()
            )
        elif kind == "Conv":
            self._convolution(builder, node, settings, name)
        elif kind == "BatchNormalization":
            arrays = zip(("scale", "shift", "mean", "variance"), range(1, 5), strict=True)
            found = {own: self._numbers(node, place) for own, place in arrays}
            momentum, epsilon = settings.get("momentum", 0.9), settings.get("epsilon", 1e-5)
            builder.normalization(
                "batch", found, epsilon=float(epsilon), momentum=min(float(momentum), 0.999)
            )
        elif kind == "LayerNormalization" and len(builder.shape) == 1:
            found = {"scale": self._numbers(node, 1), "shift": self._numbers(node, 2)}
            known = {own: each for own, each in found.items() if each is not None}
            builder.normalization("layer", known, epsilon=float(settings.get("epsilon", 1e-5)))
        elif kind in ("MaxPool", "AveragePool"):
            self._pool(builder, kind, settings, name)
        elif kind in ("GlobalMaxPool", "GlobalAveragePool"):
            builder.pool_all(largest=kind == "GlobalMaxPool")
        elif kind == "Flatten" and settings.get("axis", 1) == 1:
            builder.flatten()
        elif kind == "Reshape":
            shape = self._numbers(node, 1)
            if shape is None or len(shape) != 2:
                raise unknown(name, "Reshape to anything but rows")
            builder.flatten()
        else:
            self._activation(builder, kind, settings, name)
        return 1

    def _product(self, builder: Builder, node: Any, after: list[Any]) -> int:
        """Add a product, and the bias that may follow it."""
        weight, result = self._numbers(node, 1), node.output[0]
        assert weight is not None
        if after and after[0].op_type == "Add" and result in after[0].input:
            bias = self._numbers(after[0], 1 if after[0].input[0] == result else 0)
            if bias is not None and bias.size == weight.shape[1]:
                builder.dense(weight, bias.ravel())
                return 2
        builder.dense(weight, None)
        return 1

    def _convolution(self, builder: Builder, node: Any, settings: dict[str, Any], name: str) -> None:
        weight = self._numbers(node, 1)
        if weight is None or weight.ndim not in (3, 4):
            raise unknown(name, "Conv of other than images or signals")
        axes = weight.ndim - 2
        if settings.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
            raise unknown(name, f"Conv with auto_pad {settings['auto_pad']}")
        pads = settings.get("pads", [0] * 2 * axes)
        builder.convolution(
            np.moveaxis(weight, (0, 1), (-1, -2)),
            self._numbers(node, 2),
            stride=tuple(settings.get("strides", [1] * axes)),
            padding=tuple(zip(pads[:axes], pads[axes:], strict=True)),
            dilation=tuple(settings.get("dilations", [1] * axes)),
            groups=settings.get("group", 1),
        )

    def _pool(self, builder: Builder, kind: str, settings: dict[str, Any], name: str) -> None:
        size = tuple(settings["kernel_shape"])
        others = settings.get("pads", [0]), settings.get("dilations", [1]), [settings.get("ceil_mode", 0)]
        if len(size) != 2 or [set(each) for each in others] != [{0}, {1}, {0}]:
            raise unknown(name, f"{kind} with padding, dilation or ceil_mode, or of signals")
        stride = tuple(settings.get("strides", [1, 1]))
        builder.add((MaxPool2D if kind == "MaxPool" else AveragePool2D)(size, stride))

    def _activation(self, builder: Builder, kind: str, settings: dict[str, Any], name: str) -> None:
        if kind == "Gelu":
            exact = settings.get("approximate", "none") == "none"
            builder.activate(Activation.find("gelu" if exact else "gelu_tanh"))
            return
        if kind == "HardSigmoid" and abs(settings.get("alpha", 0.2) - 1 / 6) < 1e-6:
            builder.activate(Activation.find("hard_sigmoid"))
            return
        if kind not in ACTIVATIONS:
            raise unknown(name, kind)
        if "axis" in settings and (settings["axis"] not in (-1, 1) or len(builder.shape) > 1):
            raise unknown(name, f"{kind} over another axis than the last of rows")
        word, own = ACTIVATIONS[kind]
        found = {ours: float(settings.get(theirs, usual)) for theirs, (usual, ours) in own.items()}
        builder.activate(Activation.from_configuration({"name": word} | found))
