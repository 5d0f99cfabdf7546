"""To and from PyTorch: `torch.nn.Sequential` and the modules in it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import numpy as np

from ganglion.core.activations import Activation, Sections
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
    Mixture,
    PiecewiseLinear,
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

# Modules without settings, and those with the names of settings there and here.
ACTIVATIONS = {
    "ReLU": ("relu", {}),
    "LeakyReLU": ("leaky_relu", {"negative_slope": "slope"}),
    "ELU": ("elu", {"alpha": "alpha"}),
    "SELU": ("selu", {}),
    "SiLU": ("silu", {}),
    "Mish": ("mish", {}),
    "Softplus": ("softplus", {}),
    "Hardsigmoid": ("hard_sigmoid", {}),
    "Sigmoid": ("sigmoid", {}),
    "Tanh": ("tanh", {}),
    "Softmax": ("softmax", {}),
    "LogSoftmax": ("log_softmax", {}),
}


def from_torch(module: Any, inputs: Shape | None) -> Model:
    """Return the model of a `torch.nn.Sequential`; `inputs` is the shape of one row, the channels first.

    Raises:
        ConfigError: for a module without a counterpart.
    """
    torch = load("torch")
    if not isinstance(module, torch.nn.Module):
        raise ConfigError(f"from_torch takes a torch.nn.Sequential, got {shortened(module)}")
    builder = Builder(inputs, channels_first=True)
    for name, each in _modules(module, type(module).__name__):
        _add(builder, name, each)
    return builder.model()


def _modules(module: Any, name: str) -> Iterator[tuple[str, Any]]:
    if type(module).__name__ != "Sequential":
        yield name, module
        return
    for own, each in module.named_children():
        yield from _modules(each, own)


def _numpy(tensor: Any) -> Array | None:
    return None if tensor is None else tensor.detach().cpu().numpy()


def _pair(value: Any, axes: int = 2) -> Any:
    return tuple(value) if isinstance(value, tuple | list) else (value,) * axes


def _add(builder: Builder, name: str, module: Any) -> None:
    kind = type(module).__name__
    if kind in ("Linear", "Embedding"):
        weight = _numpy(module.weight)
        assert weight is not None
        builder.dense(weight.T, _numpy(module.bias)) if kind == "Linear" else builder.embedding(weight)
    elif kind in ("Conv1d", "Conv2d", "ConvTranspose2d"):
        _add_convolution(builder, name, module, kind)
    elif kind in ("BatchNorm1d", "BatchNorm2d", "LayerNorm", "GroupNorm"):
        _add_normalization(builder, name, module, kind)
    elif kind in ("MaxPool2d", "AvgPool2d"):
        settings = _pair(module.padding), _pair(getattr(module, "dilation", 1)), module.ceil_mode
        if settings != ((0, 0), (1, 1), False):
            raise unknown(name, f"{kind} with padding, dilation or ceil_mode")
        pool = MaxPool2D if kind == "MaxPool2d" else AveragePool2D
        builder.add(pool(_pair(module.kernel_size), _pair(module.stride or module.kernel_size)))
    elif kind.startswith("Adaptive") and set(_pair(module.output_size)) == {1}:
        builder.pool_all(largest="Max" in kind)
    elif kind == "GELU":
        builder.activate(Activation.find("gelu" if module.approximate == "none" else "gelu_tanh"))
    elif kind in ACTIVATIONS:
        _activate(builder, name, module, kind)
    elif kind in ("Dropout", "Dropout1d", "Dropout2d"):
        builder.dropout(module.p, spatial=kind != "Dropout")
    elif kind == "Flatten":
        builder.flatten()
    elif kind == "ZeroPad2d":
        left, right, top, bottom = _pair(module.padding, 4)
        if min(left, right, top, bottom) < 0:
            builder.add(Crop2D(((-top, -bottom), (-left, -right))))
        else:
            builder.add(ZeroPad2D(((top, bottom), (left, right))))
    elif kind == "Upsample" and module.mode == "nearest" and module.scale_factor is not None:
        times: Any = tuple(int(each) for each in _pair(module.scale_factor))
        builder.add(Upsample2D(times))
    elif kind != "Identity":
        raise unknown(name, kind)


def _activate(builder: Builder, name: str, module: Any, kind: str) -> None:
    word, settings = ACTIVATIONS[kind]
    if kind in ("Softmax", "LogSoftmax") and (module.dim not in (-1, 1) or len(builder.shape) > 1):
        raise unknown(name, f"{kind} over another axis than the last of rows")
    if kind == "Softplus" and module.beta != 1:
        raise unknown(name, "Softplus with another beta than 1")
    own = {ours: float(getattr(module, theirs)) for theirs, ours in settings.items()}
    builder.activate(Activation.from_configuration({"name": word} | own))


def _add_convolution(builder: Builder, name: str, module: Any, kind: str) -> None:
    weight, bias = _numpy(module.weight), _numpy(module.bias)
    assert weight is not None
    if module.padding_mode != "zeros":
        raise unknown(name, f"{kind} with padding_mode {module.padding_mode!r}")
    if kind == "ConvTranspose2d":
        if module.groups != 1 or set(module.dilation) != {1}:
            raise unknown(name, f"{kind} with groups or dilation")
        height, width = (
            (size - 1) * stride - 2 * padding + kernel + more
            for size, stride, padding, kernel, more in zip(
                builder.shape,
                module.stride,
                module.padding,
                module.kernel_size,
                module.output_padding,
                strict=False,
            )
        )
        builder.transposed(weight.transpose(2, 3, 0, 1), bias, module.stride, (height, width))
        return
    padding = module.padding
    if not isinstance(padding, str):
        padding = tuple((each, each) for each in padding)
    builder.convolution(
        np.moveaxis(weight, (0, 1), (-1, -2)),
        bias,
        stride=tuple(module.stride),
        padding=padding,
        dilation=tuple(module.dilation),
        groups=module.groups,
    )


def _add_normalization(builder: Builder, name: str, module: Any, kind: str) -> None:
    arrays = {"scale": _numpy(module.weight), "shift": _numpy(module.bias)}
    settings: dict[str, Any] = {"epsilon": module.eps}
    if kind == "LayerNorm" and (len(module.normalized_shape) > 1 or len(builder.shape) > 1):
        raise unknown(name, "LayerNorm over several axes or of images")
    if kind.startswith("BatchNorm"):
        if module.running_mean is None:
            raise unknown(name, f"{kind} without running statistics")
        arrays |= {"mean": _numpy(module.running_mean), "variance": _numpy(module.running_var)}
        settings["momentum"] = 1 - (0.1 if module.momentum is None else module.momentum)
    if kind == "GroupNorm":
        settings["groups"] = module.num_groups
    what = {"LayerNorm": "layer", "GroupNorm": "group"}.get(kind, "batch")
    builder.normalization(what, {key: each for key, each in arrays.items() if each is not None}, **settings)


def to_torch(model: Model) -> Any:
    """Return the model as a `torch.nn.Sequential`, or as a module if its layers are no chain.

    Raises:
        ConfigError: for a layer without a counterpart.
    """
    torch = load("torch")
    from ganglion.files.frameworks import torch_modules as modules  # noqa: PLC0415  # which imports PyTorch

    architecture = model.architecture
    converter = _Converter(torch, modules, model)
    made = [converter.module(step) for step in architecture.steps]
    if architecture.steps[-1].writes in converter.orders:
        raise ConfigError("a network must not end in flattened images, whose order differs there")
    is_chain = all(step.reads == (max(number, 0),) for number, step in enumerate(architecture.steps))
    if is_chain and len(architecture.inputs) == 1:
        names = [step.name.replace("/", "_").replace(".", "_") for step in architecture.steps]
        return torch.nn.Sequential(OrderedDict(zip(names, made, strict=True))).eval()
    reads = [step.reads for step in architecture.steps]
    return modules.Graph(made, reads, len(architecture.inputs), list(architecture.inputs)).eval()


class _Converter:
    """Makes modules of steps, and keeps in which order flattened images are."""

    def __init__(self, torch: Any, modules: Any, model: Model) -> None:
        self.torch, self.nn, self.modules, self.model = torch, torch.nn, modules, model
        self.orders: dict[int, Array] = {}

    def module(self, step: Step) -> Any:
        """Return the module of a step, with its activation."""
        made = self._layer(step)
        if step.activation is None or step.activation.name == "identity":
            return made
        activation = self._activation(step.activation, step)
        if isinstance(made, self.nn.Identity):
            return activation
        return self.nn.Sequential(made, activation)

    def _arrays(self, step: Step) -> dict[str, Any]:
        found = {entry.short: entry.of(self.model.parameters) for entry in step.parameters}
        found |= {entry.short: entry.of(self.model.state) for entry in step.state}
        return {name: self.torch.tensor(np.ascontiguousarray(each)) for name, each in found.items()}

    def _filled(self, module: Any, **tensors: Any) -> Any:
        module = module.to(self.torch.float64 if self.model.dtype == np.float64 else self.torch.float32)
        with self.torch.no_grad():
            for name, tensor in tensors.items():
                if tensor is not None:
                    getattr(module, name).copy_(tensor)
        return module

    def _layer(self, step: Step) -> Any:
        layer, arrays, shape = step.layer, self._arrays(step), step.shapes[0]
        order = self.orders.get(step.reads[0])
        if order is not None and step.kind in ("dropout", "activate"):
            self.orders[step.writes] = order
        if step.kind == "dense":
            weight = arrays["weight"].T
            if order is not None:
                weight = weight[:, np.argsort(order)]
            return self._filled(self.nn.Linear(*weight.shape[::-1]), weight=weight, bias=arrays["bias"])
        if isinstance(layer, Conv1D | Conv2D | DepthwiseConv2D):
            return self._convolution(step, arrays)
        if isinstance(layer, TransposedConv2D):
            return self._transposed(step, arrays)
        if step.kind == "batch_normalization":
            kind = {1: self.nn.BatchNorm1d, 2: self.nn.BatchNorm1d, 3: self.nn.BatchNorm2d}[len(shape)]
            made = kind(shape[-1], eps=step.settings["epsilon"], momentum=1 - step.settings["momentum"])
            values = {"weight": "scale", "bias": "shift", "running_mean": "mean", "running_var": "variance"}
            tensors = {theirs: arrays[ours] for theirs, ours in values.items()}
            if order is not None:
                self.orders[step.writes] = order
                tensors = {name: each[np.argsort(order)] for name, each in tensors.items()}
            return self._filled(made, **tensors)
        if isinstance(layer, LayerNormalization) and len(shape) == 1 and order is None:
            made = self.nn.LayerNorm(shape[-1], eps=layer.epsilon)
            return self._filled(made, weight=arrays["scale"], bias=arrays["shift"])
        if isinstance(layer, GroupNormalization) and order is None:
            made = self.nn.GroupNorm(layer.groups, shape[-1], eps=layer.epsilon)
            return self._filled(made, weight=arrays["scale"], bias=arrays["shift"])
        if isinstance(layer, Dropout | SpatialDropout):
            kind = (
                self.nn.Dropout
                if isinstance(layer, Dropout)
                else {2: self.nn.Dropout1d, 3: self.nn.Dropout2d}[len(shape)]
            )
            return kind(layer.rate)
        if step.kind == "flatten":
            if len(shape) > 1:
                numbers = np.arange(int(np.prod(shape))).reshape(shape[-1], *shape[:-1])
                self.orders[step.writes] = np.moveaxis(numbers, 0, -1).ravel()
            return self.nn.Flatten()
        if step.kind == "activate":
            return self.nn.Identity()
        return self._other(step, arrays)

    def _other(self, step: Step, arrays: dict[str, Any]) -> Any:
        layer, shape = step.layer, step.shapes[0]
        if isinstance(layer, MaxPool2D | AveragePool2D):
            return self._pool(layer, shape)
        if isinstance(layer, ZeroPad2D | Crop2D):
            (top, bottom), (left, right) = layer.padding if isinstance(layer, ZeroPad2D) else layer.cropping  # type: ignore[misc]
            sign = 1 if isinstance(layer, ZeroPad2D) else -1
            return self.nn.ZeroPad2d(tuple(sign * each for each in (left, right, top, bottom)))
        if isinstance(layer, Upsample2D):
            return self.nn.Upsample(scale_factor=layer.size, mode="nearest")
        if step.kind in ("global_max_pool", "global_average_pool"):
            what = "Max" if step.kind == "global_max_pool" else "Avg"
            pool = getattr(self.nn, f"Adaptive{what}Pool{len(shape) - 1}d")(1)
            return self.nn.Sequential(pool, self.nn.Flatten())
        if step.kind == "embedding":
            made = self.nn.Embedding(*arrays["weight"].shape)
            found = self._filled(made, weight=arrays["weight"])
            return found if not shape else self.nn.Sequential(found, self.modules.ChannelsFirst())
        if step.kind == "residual":
            return self.modules.Sum()
        if step.kind == "parallel" and not any(value in self.orders for value in step.reads):
            return self.modules.SideBySide()
        if isinstance(layer, Mixture) and len(shape) == 1:
            return self.modules.Mixture(layer.weights)
        if isinstance(layer, PiecewiseLinear) and len(shape) == 1:
            return self.modules.Piecewise(layer.edges)
        if isinstance(layer, LayerNormalization) and len(shape) > 1:
            made = self.nn.LayerNorm(shape[-1], eps=layer.epsilon)
            found = self._filled(made, weight=arrays["scale"], bias=arrays["shift"])
            return self.nn.Sequential(self.modules.ChannelsLast(), found, self.modules.ChannelsFirst())
        raise unknown(step.name, step.kind)

    def _pool(self, layer: MaxPool2D | AveragePool2D, shape: Shape) -> Any:
        sizes: Any = layer.pool
        is_largest = isinstance(layer, MaxPool2D)
        pool = (self.nn.MaxPool2d if is_largest else self.nn.AvgPool2d)(sizes, layer.stride)
        height, width = layer.windows(shape)
        edges = width.before, width.after, height.before, height.after
        if not any(edges):
            return pool
        if is_largest:
            return self.nn.Sequential(self.nn.ConstantPad2d(edges, -float("inf")), pool)
        return self.modules.PaddedAverage(pool, edges)

    def _convolution(self, step: Step, arrays: dict[str, Any]) -> Any:
        layer: Any = step.layer
        axes = len(step.shape) - 1
        windows = layer.windows(step.shapes[0])[-axes:]
        channels = step.shapes[0][-1]
        kind = self.nn.Conv2d if axes == 2 else self.nn.Conv1d
        even = all(axis.before == axis.after for axis in windows)
        made = kind(
            channels,
            step.shape[-1],
            tuple(axis.window for axis in windows),
            tuple(axis.stride for axis in windows),
            tuple(axis.before for axis in windows) if even else 0,
            tuple(axis.dilation for axis in windows),
            channels // arrays["weight"].shape[-2],
            bias="bias" in arrays,
        )
        weight = arrays["weight"].movedim((-1, -2), (0, 1))
        found = self._filled(made, weight=weight, bias=arrays.get("bias"))
        if even:
            return found
        edges = [each for axis in reversed(windows) for each in (axis.before, axis.after)]
        pad = self.nn.ZeroPad2d(tuple(edges)) if axes == 2 else self.nn.ConstantPad1d(tuple(edges), 0.0)
        return self.nn.Sequential(pad, found)

    def _transposed(self, step: Step, arrays: dict[str, Any]) -> Any:
        layer: Any = step.layer
        windows = layer.windows(step.shapes[0])
        made = self.nn.ConvTranspose2d(
            step.shapes[0][-1],
            step.shape[-1],
            tuple(axis.window for axis in windows),
            tuple(axis.stride for axis in windows),
            bias="bias" in arrays,
        )
        weight = arrays["weight"].permute(2, 3, 0, 1)
        found = self._filled(made, weight=weight, bias=arrays.get("bias"))
        ends = [
            axis.before + axis.size - ((size - 1) * axis.stride + axis.window)
            for size, axis in zip(step.shapes[0], windows, strict=False)
        ]
        if not any(axis.before for axis in windows) and not any(ends):
            return found
        edges = [
            each for axis, end in reversed([*zip(windows, ends, strict=True)]) for each in (-axis.before, end)
        ]
        # What windows reach beyond the edges is cut off; places that none reaches have the bias alone.
        if any(end > 0 for end in ends):
            return self.modules.PaddedTransposed(found, tuple(edges))
        return self.nn.Sequential(found, self.nn.ZeroPad2d(tuple(edges)))

    def _activation(self, activation: Activation, step: Step) -> Any:
        if isinstance(activation, Sections):
            parts = [self._activation(each, step) for each in activation.activations]
            return self.modules.Sections(parts, activation.sizes)
        if activation.name in ("softmax", "log_softmax"):
            return (self.nn.Softmax if activation.name == "softmax" else self.nn.LogSoftmax)(dim=1)
        if activation.name in ("gelu", "gelu_tanh"):
            return self.nn.GELU(approximate="none" if activation.name == "gelu" else "tanh")
        if activation.name == "exp":
            return self.modules.Exp()
        for kind, (word, settings) in ACTIVATIONS.items():
            if word == activation.name and activation.is_built_in:
                own = {theirs: activation.settings()[ours] for theirs, ours in settings.items()}
                return getattr(self.nn, kind)(**own)
        raise unknown(step.name, f"the activation {activation.name}")
