"""To and from Keras 3, on any of its backends: chains of layers, with the channels last."""

from __future__ import annotations

from typing import Any

import numpy as np

from ganglion.core.activations import Activation
from ganglion.core.layers import (
    AveragePool2D,
    Conv1D,
    Conv2D,
    Crop2D,
    DepthwiseConv2D,
    Dropout,
    GroupNormalization,
    LayerNormalization,
    MaxPool2D,
    Reshape,
    SpatialDropout,
    TransposedConv2D,
    Upsample2D,
    ZeroPad2D,
)
from ganglion.core.model import Model
from ganglion.core.part import Array, Shape
from ganglion.core.steps import Step
from ganglion.errors import ConfigError, shortened
from ganglion.files.frameworks.building import Builder, unknown
from ganglion.optional import load

# The names of activations there, where they differ.
NAMES = {"linear": "identity", "swish": "silu", "exponential": "exp"}
THEIRS = {"identity": "linear", "exp": "exponential"}
WITHOUT_SETTINGS = (
    "relu", "elu", "selu", "gelu", "silu", "mish", "softplus", "hard_sigmoid", "sigmoid", "tanh", "softmax",
    "log_softmax", "exp", "identity",
)  # fmt: skip


def from_keras(model: Any, inputs: Shape | None) -> Model:
    """Return the model of a chain of Keras layers; `inputs` is the shape of one row, if it is not built.

    Raises:
        ConfigError: for a layer without a counterpart, or layers that are no chain.
    """
    load("keras")
    layers = getattr(model, "layers", None)
    if layers is None:
        raise ConfigError(f"from_keras takes a keras.Sequential, got {shortened(model)}")
    shape = inputs
    if shape is None and getattr(model, "input_shape", None) is not None:
        shape = tuple(model.input_shape[1:])
    builder = Builder(shape, channels_first=False)
    for layer in layers:
        for each in getattr(layer, "layers", [layer]):
            _add(builder, each)
    return builder.model()


def _arrays(layer: Any) -> dict[str, Array]:
    return {weight.name: np.asarray(_plain(weight)) for weight in layer.weights}


def _plain(weight: Any) -> Any:
    convert = load("keras").ops.convert_to_numpy
    return convert(weight)


def _add(builder: Builder, layer: Any) -> None:
    kind, name = type(layer).__name__, layer.name
    arrays = _arrays(layer)
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        raise unknown(name, f"{kind} with the channels first")
    if kind in ("InputLayer", "Identity", "ActivityRegularization"):
        return
    if kind == "Dense":
        builder.dense(arrays["kernel"], arrays.get("bias"))
    elif kind in ("Conv1D", "Conv2D", "DepthwiseConv2D", "Conv2DTranspose"):
        _add_convolution(builder, layer, kind, arrays)
    elif kind in ("BatchNormalization", "LayerNormalization", "GroupNormalization"):
        _add_normalization(builder, layer, kind, arrays)
    elif kind in ("MaxPooling2D", "AveragePooling2D"):
        pool = MaxPool2D if kind == "MaxPooling2D" else AveragePool2D
        size, stride = tuple(layer.pool_size), tuple(layer.strides)
        own = pool(size, stride, layer.padding)
        if pool is AveragePool2D and any(axis.before + axis.after for axis in own.windows(builder.shape)):
            raise unknown(name, f"{kind} with padding, which differs among Keras's backends")
        builder.add(own)
    elif kind in (
        "GlobalMaxPooling1D",
        "GlobalMaxPooling2D",
        "GlobalAveragePooling1D",
        "GlobalAveragePooling2D",
    ):
        builder.pool_all(largest="Max" in kind)
    elif kind in ("Dropout", "SpatialDropout1D", "SpatialDropout2D"):
        builder.dropout(layer.rate, spatial=kind != "Dropout")
    elif kind == "Flatten":
        builder.flatten()
    elif kind == "Reshape":
        builder.add(Reshape(tuple(layer.target_shape)))
    elif kind == "Embedding":
        builder.embedding(next(iter(arrays.values())))
    elif kind in ("ZeroPadding2D", "Cropping2D"):
        margins: Any = tuple(map(tuple, layer.padding if kind == "ZeroPadding2D" else layer.cropping))
        builder.add((ZeroPad2D if kind == "ZeroPadding2D" else Crop2D)(margins))
    elif kind == "UpSampling2D" and layer.interpolation == "nearest":
        times: Any = tuple(layer.size)
        builder.add(Upsample2D(times))
    else:
        _activate(builder, layer, kind)
        return
    if getattr(layer, "activation", None) is not None:
        _activate_by_name(builder, name, layer.activation)


def _activate(builder: Builder, layer: Any, kind: str) -> None:
    if kind == "Activation":
        _activate_by_name(builder, layer.name, layer.activation)
    elif kind == "ReLU" and (layer.max_value, layer.negative_slope, layer.threshold) == (None, 0, 0):
        builder.activate(Activation.find("relu"))
    elif kind == "LeakyReLU":
        builder.activate(
            Activation.from_configuration({"name": "leaky_relu", "slope": float(layer.negative_slope)})
        )
    elif kind == "ELU":
        builder.activate(Activation.from_configuration({"name": "elu", "alpha": float(layer.alpha)}))
    elif kind == "Softmax" and layer.axis == -1:
        builder.activate(Activation.find("softmax"))
    else:
        raise unknown(layer.name, kind)


def _activate_by_name(builder: Builder, layer: str, activation: Any) -> None:
    name = getattr(activation, "__name__", type(activation).__name__).lower()
    name = NAMES.get(name, name)
    if name not in WITHOUT_SETTINGS:
        raise unknown(layer, f"the activation {name}")
    if name == "gelu":  # Keras's function of this name approximates unless it is told otherwise
        probe = float(_plain(activation(load("keras").ops.convert_to_tensor(np.float32(1)))))
        name = "gelu" if abs(probe - 0.84134474) < 1e-5 else "gelu_tanh"
    if name != "identity":
        builder.activate(Activation.find(name))


def _add_convolution(builder: Builder, layer: Any, kind: str, arrays: dict[str, Array]) -> None:
    weight, bias = arrays["kernel"], arrays.get("bias")
    if kind == "Conv2DTranspose":
        if set(layer.dilation_rate) != {1} or getattr(layer, "output_padding", None) is not None:
            raise unknown(layer.name, f"{kind} with dilation or output_padding")
        kernel, stride = weight.shape[:2], tuple(layer.strides)
        sizes = builder.shape[:2]
        if layer.padding == "same":
            wanted = tuple(size * step for size, step in zip(sizes, stride, strict=True))
        else:
            wanted = tuple(
                (size - 1) * step + reach for size, step, reach in zip(sizes, stride, kernel, strict=True)
            )
        builder.transposed(weight.transpose(0, 1, 3, 2), bias, stride, wanted)
        return
    groups = layer.groups if kind != "DepthwiseConv2D" else builder.shape[-1]
    if kind == "DepthwiseConv2D":
        weight = weight.reshape(*weight.shape[:2], 1, -1)
    builder.convolution(
        weight,
        bias,
        stride=tuple(layer.strides),
        padding=layer.padding,
        dilation=tuple(layer.dilation_rate),
        groups=groups,
    )


def _add_normalization(builder: Builder, layer: Any, kind: str, arrays: dict[str, Array]) -> None:
    names = {"gamma": "scale", "beta": "shift", "moving_mean": "mean", "moving_variance": "variance"}
    found = {names[name]: each for name, each in arrays.items()}
    axis = layer.axis if isinstance(layer.axis, int) else layer.axis[-1]
    if axis not in (-1, len(builder.shape)) or (not isinstance(layer.axis, int) and len(layer.axis) > 1):
        raise unknown(layer.name, f"{kind} over another axis than the last")
    settings: dict[str, Any] = {"epsilon": layer.epsilon}
    if kind == "BatchNormalization":
        settings["momentum"] = layer.momentum
    if kind == "GroupNormalization":
        settings["groups"] = builder.shape[-1] if layer.groups == -1 else layer.groups
    builder.normalization(kind.removesuffix("Normalization").lower(), found, **settings)


def to_keras(model: Model) -> Any:
    """Return the model as a `keras.Sequential`.

    Raises:
        ConfigError: for a layer without a counterpart, or layers that are no chain.
    """
    keras = load("keras")
    architecture = model.architecture
    if any(step.reads != (number,) for number, step in enumerate(architecture.steps)):
        raise ConfigError(
            "layers that branch cannot become a keras.Sequential", "use to_torch, or export to .onnx"
        )
    part = next(iter(architecture.inputs.values()))
    dtype = "int32" if part.holds == "integers" else model.dtype.name
    found = keras.Sequential([keras.Input(part.row_shape, dtype=dtype)])
    for step in architecture.steps:
        arrays = {entry.short: entry.of(model.parameters) for entry in step.parameters}
        arrays |= {entry.short: entry.of(model.state) for entry in step.state}
        layer, weights = _layer(keras, step, arrays)
        for each in layer if isinstance(layer, list) else [layer]:
            if each is not None:
                found.add(each)
        if weights:
            found.layers[-1].set_weights([np.asarray(each) for each in weights])
        if step.activation is not None and step.activation.name != "identity":
            found.add(_activation(keras, step))
    return found


def _layer(keras: Any, step: Step, arrays: dict[str, Array]) -> tuple[Any, list[Array]]:
    """Return the layer of a step and its weights in Keras's order."""
    own, layers, kind = step.layer, keras.layers, step.kind
    weights = [arrays[name] for name in ("weight", "bias") if name in arrays]
    name = step.name.replace("/", "_")
    if kind == "dense":
        return layers.Dense(step.shape[0], name=name), weights
    if isinstance(own, Conv1D | Conv2D | DepthwiseConv2D):
        axes = len(step.shape) - 1
        padding: Any = own.padding
        settings = step.settings
        if (
            settings["stride_0"] * settings["stride_1"] > 1
            and settings["dilation_0"] * settings["dilation_1"] > 1
        ):
            raise unknown(step.name, f"{kind} with stride and dilation")
        kind_there = layers.Conv1D if axes == 1 else layers.Conv2D
        made = kind_there(
            step.shape[-1], own.kernel, strides=own.stride, dilation_rate=own.dilation,
            padding=padding if isinstance(padding, str) else "valid",
            groups=step.shapes[0][-1] // arrays["weight"].shape[-2], use_bias="bias" in arrays, name=name,
        )  # fmt: skip
        if isinstance(padding, str):
            return made, weights
        pad = layers.ZeroPadding1D(padding[0]) if axes == 1 else layers.ZeroPadding2D(padding)
        return [pad, made], weights
    if isinstance(own, TransposedConv2D):
        made = layers.Conv2DTranspose(
            own.filters, own.kernel, strides=own.stride, padding=own.padding, use_bias=own.bias, name=name
        )
        return made, [weights[0].transpose(0, 1, 3, 2), *weights[1:]]
    if kind == "batch_normalization":
        names = ("scale", "shift", "mean", "variance")
        made = layers.BatchNormalization(
            momentum=step.settings["momentum"], epsilon=step.settings["epsilon"], name=name
        )
        return made, [arrays[each] for each in names]
    if isinstance(own, LayerNormalization):
        return layers.LayerNormalization(epsilon=own.epsilon, name=name), [arrays["scale"], arrays["shift"]]
    if isinstance(own, GroupNormalization):
        made = layers.GroupNormalization(own.groups, epsilon=own.epsilon, name=name)
        return made, [arrays["scale"], arrays["shift"]]
    if kind == "embedding":
        return layers.Embedding(*arrays["weight"].shape, name=name), weights
    return _plain_layer(layers, step, name), []


def _plain_layer(layers: Any, step: Step, name: str) -> Any:
    """Return the layer of a step that has no weights; None if there is nothing to do."""
    own, axes = step.layer, len(step.shapes[0]) - 1
    if isinstance(own, MaxPool2D | AveragePool2D):
        is_largest = isinstance(own, MaxPool2D)
        if not is_largest and any(axis.before + axis.after for axis in own.windows(step.shapes[0])):
            raise unknown(step.name, "average_pool_2d with padding, which differs among Keras's backends")
        pool = layers.MaxPooling2D if is_largest else layers.AveragePooling2D
        return pool(own.pool, own.stride, padding=own.padding, name=name)
    if step.kind in ("global_max_pool", "global_average_pool"):
        what = "Max" if step.kind == "global_max_pool" else "Average"
        return getattr(layers, f"Global{what}Pooling{axes}D")(name=name)
    if isinstance(own, Dropout):
        return layers.Dropout(own.rate, name=name)
    if isinstance(own, SpatialDropout):
        return getattr(layers, f"SpatialDropout{axes}D")(own.rate, name=name)
    if step.kind == "flatten":
        return layers.Flatten(name=name)
    if step.kind == "reshape":
        return layers.Reshape(step.shape, name=name)
    if isinstance(own, ZeroPad2D):
        return layers.ZeroPadding2D(own.padding, name=name)
    if isinstance(own, Crop2D):
        return layers.Cropping2D(own.cropping, name=name)
    if isinstance(own, Upsample2D):
        return layers.UpSampling2D(own.size, name=name)
    if step.kind == "activate":
        return None
    raise unknown(step.name, step.kind)


def _activation(keras: Any, step: Step) -> Any:
    activation: Any = step.activation
    layers = keras.layers
    if activation.name == "leaky_relu":
        return layers.LeakyReLU(negative_slope=activation.slope)
    if activation.name == "elu":
        return layers.ELU(alpha=activation.alpha)
    if activation.name == "gelu_tanh":

        def gelu(x: Any) -> Any:
            return keras.activations.gelu(x, approximate=True)

        return layers.Activation(gelu)
    if activation.name not in WITHOUT_SETTINGS or not activation.is_built_in:
        raise unknown(step.name, f"the activation {activation.name}")
    return layers.Activation(THEIRS.get(activation.name, activation.name))
