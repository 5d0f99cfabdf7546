"""A part: a small frozen object that configures a network (a layer, an activation, a loss ...).

Each kind of part (a direct subclass of `Part`) has one closed list of built-in classes, passed to
`built_in` at the end of its file. Parts are found by name in this list only, so a file can refer to nothing
else. A user's own subclass works everywhere else without being listed.
"""

from __future__ import annotations

import dataclasses
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Self, TypeVar, overload

import numpy as np
import numpy.typing as npt

from ganglion.errors import ConfigError, one_of, shortened

Array = npt.NDArray[Any]
Shape = tuple[int, ...]
MOST_AXES = 32


@dataclass(frozen=True)
class Part:
    """The base class of parts, which are compared and printed by their fields."""

    name: ClassVar[str]
    kind: ClassVar[str]
    known: ClassVar[Mapping[str, Any]] = {}

    def __init_subclass__(cls, **settings: Any) -> None:
        """Name a class after itself by default, so that it is not taken for the class it extends."""
        super().__init_subclass__(**settings)
        if "name" not in vars(cls):
            cls.name = cls.__name__

    @property
    def is_built_in(self) -> bool:
        """Whether the class is one of ganglion's own, not a user's subclass."""
        return self.known.get(self.name) is type(self)

    @property
    def is_nameable(self) -> bool:
        """Whether this part and all parts in it are built in, so that a file can name them."""
        return self.is_built_in and all(part.is_nameable for part in _parts_in(tuple(vars(self).values())))

    @classmethod
    def find(cls, value: object) -> Self:
        """Return the part that `value` describes: a part, its name, or its configuration.

        Raises:
            ConfigError: if `value` does not describe a part of this kind.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, str):
            spelled = {part.__name__: name for name, part in cls.known.items()}  # "ReLU", like its class
            return cls.from_configuration({"name": spelled.get(value, value)})
        if isinstance(value, Mapping):
            return cls.from_configuration(value)
        raise ConfigError(
            f"{cls.kind} must be a name or a ganglion {cls.kind}, got {shortened(value)}",
            "known: " + ", ".join(sorted(cls.known)),
        )

    def configuration(self) -> dict[str, Any]:
        """Return the name and the fields as plain JSON data."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {"name": self.name} | plain(fields)

    def settings(self) -> dict[str, float]:
        """Return the numeric fields by name, for an engine; elements of a tuple as `size_0`, `size_1` ..."""
        found: dict[str, float] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            values = (
                {f"{field.name}_{i}": v for i, v in enumerate(value)}
                if isinstance(value, tuple)
                else {field.name: value}
            )
            found |= {name: float(v) for name, v in values.items() if isinstance(v, int | float)}
        return found

    @classmethod
    def from_configuration(cls, configuration: Mapping[str, Any]) -> Self:
        """Return the built-in part with this configuration, whose name and fields must be known."""
        given = dict(configuration)
        name = given.pop("name", None)
        if not isinstance(name, str) or name not in cls.known:
            raise ConfigError(f"there is no {cls.kind} {shortened(name)}", one_of(str(name), cls.known))
        part = cls.known[name]
        fields = {field.name for field in dataclasses.fields(part)}
        if unknown := sorted(map(str, set(given) - fields)):
            raise ConfigError(f"{cls.kind} {name!r} has no setting {shortened(unknown[0])}")
        values = {key: tuple(v) if isinstance(v, list) else v for key, v in given.items()}
        try:
            return part(**values)
        except TypeError as error:
            raise ConfigError(f"{cls.kind} {name!r} cannot be made from {shortened(values)}") from error


def _parts_in(value: Any) -> Iterator[Part]:
    """Yield the parts in the value of a field."""
    if isinstance(value, Part):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from _parts_in(each)


def plain(value: Any) -> Any:
    """Return a value as JSON data: a part as its configuration, NaN and infinity as None."""
    if isinstance(value, Part):
        return value.configuration()
    if hasattr(value, "tolist") and not isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, np.ndarray):
        return value.tolist() if np.isfinite(value).all() else plain(value.tolist())
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def built_in(kind: type[Part], parts: Iterable[type[Part]]) -> None:
    """Set the closed list of a kind."""
    kind.known = {part.name: part for part in parts}


class Listed(Mapping[str, Any]):
    """The built-in parts of a package that loads each when it is first used.

    Args:
        package: the name of the package.
        classes: the names of the parts' classes. The name of a part is the same in lower case, with
            underscores: max_pool_2d for MaxPool2D.
    """

    def __init__(self, package: str, classes: Iterable[str]) -> None:
        self._package = package
        self._classes = {re.sub(r"(?<=[a-z])(?=[A-Z\d])", "_", each).lower(): each for each in classes}

    def __getitem__(self, name: str) -> Any:
        return getattr(sys.modules[self._package], self._classes[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def __len__(self) -> int:
        return len(self._classes)


P = TypeVar("P", bound=Part)


class PartField(Generic[P]):
    """A dataclass field that holds a part and may be set by name: `Dense(16, "relu")`."""

    def __init__(self, kind: type[P], default: P | str | None) -> None:
        self.kind, self.default = kind, default

    def __set_name__(self, owner: type, name: str) -> None:
        self.slot = name

    @overload
    def __get__(self, holder: None, owner: type) -> P | str | None: ...
    @overload
    def __get__(self, holder: object, owner: type) -> P: ...
    def __get__(self, holder: object | None, owner: type) -> P | str | None:
        return self.default if holder is None else holder.__dict__[self.slot]

    def __set__(self, holder: object, value: P | str | float | Mapping[str, Any] | None) -> None:
        # Only the constructor of a frozen dataclass calls this.
        found = value if value is None and self.default is None else self.kind.find(value)
        holder.__dict__[self.slot] = found


class PartsField(Generic[P]):
    """A dataclass field that holds several parts, or named lists of them; stored as tuples."""

    def __init__(self, kind: type[P], *, named: bool = False) -> None:
        self.kind, self.named = kind, named

    def __set_name__(self, owner: type, name: str) -> None:
        self.slot = name

    def __get__(self, holder: object | None, owner: type) -> Any:
        if holder is None:
            raise AttributeError(self.slot)  # the field has no default
        return holder.__dict__[self.slot]

    def __set__(self, holder: object, value: Any) -> None:
        if self.named:
            pairs = list(value.items()) if isinstance(value, Mapping) else value
            if not isinstance(pairs, tuple | list) or not pairs or not all(map(_is_pair, pairs)):
                raise ConfigError(f"{self.slot} must be a dict of lists of layers, got {shortened(value)}")
            if len({name for name, _ in pairs}) < len(pairs):
                raise ConfigError(f"{self.slot} must have different names, got {shortened(value)}")
            holder.__dict__[self.slot] = tuple((name, self._parts(parts)) for name, parts in pairs)
        else:
            holder.__dict__[self.slot] = self._parts(value)
            if not holder.__dict__[self.slot]:
                raise ConfigError(f"{self.slot} must hold at least one {self.kind.kind}, got none")

    def _parts(self, value: Any) -> tuple[P, ...]:
        if isinstance(value, self.kind):
            return (value,)
        if not isinstance(value, tuple | list):
            raise ConfigError(f"{self.slot} must be a list of {self.kind.kind}s, got {shortened(value)}")
        return tuple(self.kind.find(each) for each in value)


def _is_pair(value: Any) -> bool:
    return (
        isinstance(value, tuple | list)
        and len(value) == 2
        and isinstance(value[0], str)
        and bool(value[0])
        and "/" not in value[0]
    )
