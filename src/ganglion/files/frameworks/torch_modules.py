"""Modules for what PyTorch has no module of. This file imports PyTorch, and is loaded when it is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn


class Graph(nn.Module):  # type: ignore[misc]  # PyTorch is not checked
    """Modules that read the values of others, by number; the first values are the inputs."""

    def __init__(
        self,
        modules: Sequence[nn.Module],
        reads: Sequence[tuple[int, ...]],
        inputs: int,
        names: Sequence[str],
    ) -> None:
        super().__init__()
        self.steps = nn.ModuleList(modules)
        self.reads, self.inputs, self.names = list(reads), inputs, list(names)

    def forward(self, *given: Any) -> Any:
        """Return the last value. Several inputs are given in order, or as a dict by name."""
        values = [given[0][name] for name in self.names] if isinstance(given[0], dict) else list(given)
        for module, reads in zip(self.steps, self.reads, strict=True):
            values.append(module(*(values[number] for number in reads)))
        return values[-1]


class Sum(nn.Module):  # type: ignore[misc]  # PyTorch is not checked
    """inside + around."""

    def forward(self, inside: Any, around: Any) -> Any:
        return inside + around


class SideBySide(nn.Module):  # type: ignore[misc]  # PyTorch is not checked
    """The values side by side: along the channels."""

    def forward(self, *values: Any) -> Any:
        return torch.cat(values, dim=1)


class Mixture(nn.Module):  # type: ignore[misc]  # PyTorch is not checked
    """The weighted sum of answers that lie side by side."""

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("weights", torch.tensor(weights))

    def forward(self, x: Any) -> Any:
        weights = self.weights.to(x.dtype)
        return torch.einsum("k,nko->no", weights, x.reshape(len(x), len(weights), -1))


class Piecewise(nn.Module):  # type: ignore[misc]  # PyTorch is not checked
    """Each input, then how full each of its bins is."""

    def __init__(self, edges: Sequence[Sequence[float]]) -> None:
        super().__init__()
        self.edges = [torch.tensor(own) for own in edges]

    def forward(self, x: Any) -> Any:
        found = []
        for number, edges in enumerate(self.edges):
            value, own = x[:, number : number + 1], edges.to(x.dtype)
            found.append(value)
            if len(own):
                found.append(((value - own[:-1]) / (own[1:] - own[:-1])).clamp(0, 1))
        return torch.cat(found, dim=1)


class PaddedAverage(nn.Module):  # type: ignore[misc]  # PyTorch is not checked
    """The mean of each window, in which padding does not count."""

    def __init__(self, pool: nn.Module, edges: tuple[int, ...]) -> None:
        super().__init__()
        self.pool, self.edges = pool, edges

    def forward(self, x: Any) -> Any:
        sums, counts = (self.pool(nn.functional.pad(each, self.edges)) for each in (x, torch.ones_like(x)))
        return sums / counts


class ChannelsFirst(nn.Module):  # type: ignore[misc]  # PyTorch is not checked
    """Moves the last axis behind the first."""

    def forward(self, x: Any) -> Any:
        return x.movedim(-1, 1)


class ChannelsLast(nn.Module):  # type: ignore[misc]  # PyTorch is not checked
    """Moves the second axis to the end."""

    def forward(self, x: Any) -> Any:
        return x.movedim(1, -1)


class PaddedTransposed(nn.Module):  # type: ignore[misc]  # PyTorch is not checked
    """A transposed convolution whose output is cut and padded before its bias is added."""

    def __init__(self, convolution: nn.ConvTranspose2d, edges: tuple[int, ...]) -> None:
        super().__init__()
        self.convolution, self.edges = convolution, edges

    def forward(self, x: Any) -> Any:
        own = self.convolution
        z = nn.functional.conv_transpose2d(x, own.weight, None, own.stride)
        z = nn.functional.pad(z, self.edges)
        return z if own.bias is None else z + own.bias[:, None, None]


class Sections(nn.Module):  # type: ignore[misc]  # PyTorch is not checked
    """An activation for each part of the last axis."""

    def __init__(self, parts: Sequence[nn.Module], sizes: Sequence[int]) -> None:
        super().__init__()
        self.parts, self.sizes = nn.ModuleList(parts), list(sizes)

    def forward(self, z: Any) -> Any:
        rest = z.shape[1] - sum(self.sizes)
        pieces = z.split([*self.sizes, rest], dim=1)
        return torch.cat([part(piece) for part, piece in zip(self.parts, pieces, strict=True)], dim=1)


class Exp(nn.Module):  # type: ignore[misc]  # PyTorch is not checked
    """exp(z)."""

    def forward(self, z: Any) -> Any:
        return z.exp()
