"""The model file: safetensors, with one tensor for each named parameter and a JSON description.

The reader trusts nothing. Before it allocates anything, it checks that the description names only built-in
parts and that the tensors' names, types, shapes and offsets are exactly those that follow from it; those of a
table's columns are checked by the columns. A checksum covers description and numbers. No file contains code.

Layout: 8 bytes with the length of the header; the header, JSON with the tensors and, under `__metadata__`,
the keys `ganglion` (the description) and `sha256`; then the numbers, little-endian, without gaps.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import safetensors
import safetensors.numpy

from ganglion.core.architecture import Architecture
from ganglion.core.layers import Layer
from ganglion.core.losses import Loss
from ganglion.core.model import Model
from ganglion.core.part import Array
from ganglion.core.regularization import Regularization
from ganglion.core.steps import Entry
from ganglion.errors import FileError, GanglionError
from ganglion.files.atomic import as_path, write_atomically
from ganglion.training.history import History
from ganglion.training.optimizers import Optimizer

FORMAT = 2  # in format 1, up to ganglion 0.1, `inputs` is the shape of the only input
MAXIMUM_BYTES = 2**31
MAXIMUM_HEADER_BYTES = 2**24
MAXIMUM_PARTS = 40_000  # layers, and what they are made of
MAXIMUM_DEPTH = 100  # of lists and objects in the description of a network
MOST_DIGITS = 20
DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype(np.float32), "F64": np.dtype(np.float64)}
FACTS = {"loss", "optimizer", "batch_size", "regularization", "rows", "versions"}
COLUMN_DTYPES = {**DTYPES, "U32": np.dtype(np.uint32), "U8": np.dtype(np.uint8), "I8": np.dtype(np.int8)}
OF_COLUMNS = "columns/"  # how the names of the tensors of a table's columns begin
PARTS = ("table", "images")  # of models for data, of which a file has at most one
NOT_OURS = "load only files that ganglion's save wrote"


@dataclass
class SavedModel:
    """The contents of a model file.

    Attributes:
        model: architecture, parameters, state and seed.
        history: the history of its training.
        facts: settings of its training, as plain JSON data (the keys of `FACTS`).
        table: the table part of a table model, as plain JSON data; None for another model.
        images: the same of an image model.
        columns: what the columns of a table hold besides, by number of the column and name.
    """

    model: Model
    history: History = field(default_factory=History)
    facts: dict[str, Any] = field(default_factory=dict)
    table: dict[str, Any] | None = None
    images: dict[str, Any] | None = None
    columns: dict[str, Array] = field(default_factory=dict)

    def is_no(self, wanted: str, path: str | os.PathLike[str]) -> FileError:
        """Return the error for a file that holds another kind of model than the wanted one."""
        if self.images is not None and "heads" in self.images:
            held, kind = "a model of images of several targets", "JointImageModel"
        elif self.images is not None:
            held, kind = "a model of images", "ImageModel"
        elif self.table is None:
            held, kind = "a bare network", "Network"
        elif "heads" in self.table:
            held, kind = "a table model of several targets", "JointTableModel"
        else:
            held, kind = "a table model of one target", "TableModel"
        return FileError(f"{path} must hold {wanted}, it holds {held}", f"load it with gg.{kind}.load")


def write_model(path: str | os.PathLike[str], saved: SavedModel) -> None:
    """Write a model file atomically.

    Raises:
        FileError: if it cannot be written, exceeds 2 GiB, or contains a weight that is not finite or a part
            that is not built in.
    """
    model, architecture = saved.model, saved.model.architecture
    description: dict[str, Any] = {
        "format": FORMAT,
        "network": architecture.configuration() | {"seed": model.seed},
        "training": saved.facts | {"history": saved.history.to_facts()},
    }
    for name in PARTS:
        if getattr(saved, name) is not None:
            description[name] = getattr(saved, name)
    _refuse_custom_parts(architecture)
    if not (np.isfinite(model.parameters).all() and np.isfinite(model.state).all()):
        raise FileError(f"cannot write {path}: a weight is not finite", "train the network again")
    tensors = {
        entry.name: entry.of(vector)
        for entries, vector in (
            (architecture.parameters, model.parameters),
            (architecture.state, model.state),
        )
        for entry in entries
    } | {OF_COLUMNS + name: np.ascontiguousarray(values) for name, values in saved.columns.items()}
    text = json.dumps(description, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # The library chooses the order of the tensors, and the checksum covers their bytes in file order.
    plain = safetensors.numpy.save(tensors)
    start = 8 + int.from_bytes(plain[:8], "little")
    metadata = {"ganglion": text, "sha256": _checksum(text, plain[start:])}
    data = safetensors.numpy.save(tensors, metadata)
    if len(data) > MAXIMUM_BYTES or int.from_bytes(data[:8], "little") > MAXIMUM_HEADER_BYTES:
        raise FileError(f"cannot write {path}: a model file must have at most 2 GiB, got {len(data)} bytes")
    write_atomically(path, lambda file: file.write(data))


def read_model(path: str | os.PathLike[str]) -> SavedModel:
    """Read a model file.

    Raises:
        FileError: if it cannot be read, is damaged, or is not a model file of a known format.
    """
    path = as_path(path)
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise FileError(f"a model must be a regular file, got {path}", NOT_OURS)
        with open(path, "rb") as file:
            return _parse(file, os.fstat(file.fileno()).st_size)
    except _DamageError as damage:
        raise FileError(
            f"{path.name} is not a model file, or is damaged: {str(damage)[:300]}", NOT_OURS
        ) from damage
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error


class _DamageError(Exception):
    """The problem of a damaged file, as text."""


def _parse(file: BinaryIO, size: int) -> SavedModel:
    if size > MAXIMUM_BYTES:
        raise _DamageError(f"it has {size} bytes, a model file has at most 2 GiB")
    prefix = file.read(8)
    length = int.from_bytes(prefix, "little")
    if not 2 <= length <= min(MAXIMUM_HEADER_BYTES, size - 8):
        raise _DamageError("the length of its header is invalid")
    raw_header = file.read(length)
    header = _json(raw_header)
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or set(metadata) != {"ganglion", "sha256"}:
        raise _DamageError("it has no ganglion description")
    text = metadata["ganglion"]
    if not isinstance(text, str):
        raise _DamageError("its description is not text")
    description = _json(text.encode("utf-8", "surrogatepass"))
    version = description.get("format")
    if type(version) is int and version > FORMAT:
        raise FileError(
            f"the format must be at most {FORMAT} for this version of ganglion, got {version}",
            "upgrade ganglion",
        )
    if type(version) is not int or version < 1:
        raise _DamageError(f"its format is {version!r}")
    _keys(description, {"format", "network", "training"}, set(PARTS))
    _keys(description["network"], {"inputs", "layers", "seed"}, set())
    architecture, seed = _network(description["network"])
    dtype = _check_tensors(header, architecture, size - 8 - length, "table" in description)
    numbers = file.read(size - 8 - length)
    if metadata["sha256"] != _checksum(text, numbers):
        raise _DamageError("its checksum does not match")
    try:
        tensors = safetensors.numpy.load(prefix + raw_header + numbers)
    except safetensors.SafetensorError as error:
        raise _DamageError(str(error)) from error
    parameters = _vector(architecture.parameters, architecture.size, tensors, dtype)
    state = _vector(architecture.state, architecture.state_size, tensors, dtype)
    history, facts = _training(description["training"])
    parts = {name: _object(description[name]) for name in PARTS if description.get(name) is not None}
    if len(parts) > 1:
        raise _DamageError("it describes both a table and images")
    columns = {
        name.removeprefix(OF_COLUMNS): values
        for name, values in tensors.items()
        if name.startswith(OF_COLUMNS)
    }
    return SavedModel(Model(architecture, parameters, state, seed), history, facts, columns=columns, **parts)


def _vector(entries: list[Entry], size: int, tensors: Mapping[str, Array], dtype: np.dtype[Any]) -> Array:
    vector = np.empty(size, dtype=dtype)
    for entry in entries:
        entry.of(vector)[...] = tensors[entry.name]
    if not np.isfinite(vector).all():
        raise _DamageError("a weight is not finite")
    return vector


def _training(training: dict[str, Any]) -> tuple[History, dict[str, Any]]:
    _keys(training, {"history"}, FACTS)
    facts = {key: value for key, value in training.items() if key != "history"}
    if facts:
        _keys(facts, FACTS, set())
        if not all(type(facts[key]) is int for key in ("rows", "batch_size")):
            raise _DamageError("its rows and batch_size must be whole numbers")
        if not all(isinstance(version, str) for version in _object(facts["versions"]).values()):
            raise _DamageError("its versions must be text")
    try:
        for key, kind in (("loss", Loss), ("optimizer", Optimizer)):
            if facts.get(key) is not None:
                kind.find(_object(facts[key]))
        if facts:
            Regularization(**_object(facts["regularization"]))
        return History.from_facts(training["history"]), facts
    except TypeError as error:
        raise _DamageError("its regularization has unknown settings") from error
    except GanglionError as error:
        raise _DamageError(f"its description of the training is invalid: {error.message}") from error


def _network(network: Mapping[str, Any]) -> tuple[Architecture, int]:
    inputs, layers, seed = network["inputs"], network["layers"], network["seed"]
    if not isinstance(layers, list) or _count(layers) + _count(inputs) > MAXIMUM_PARTS:
        raise _DamageError(f"its layers are not a list, or have more than {MAXIMUM_PARTS} parts")
    if not isinstance(inputs, list):  # of format 1: the sizes of the only input
        for part in _object(inputs).values():
            _object(part)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**64:
        raise _DamageError(f"its seed is {seed!r}")
    try:
        return Architecture([Layer.find(_object(layer)) for layer in layers], inputs), seed
    except GanglionError as error:
        raise _DamageError(f"its network cannot be built: {error.message}") from error


def _check_tensors(
    header: Mapping[str, Any], architecture: Architecture, size: int, is_table: bool
) -> np.dtype[Any]:
    """Check every tensor against the architecture, and return the common dtype of those of the network."""
    expected = {e.name: e for e in (*architecture.parameters, *architecture.state)}
    own = {name: tensor for name, tensor in header.items() if not (is_table and name.startswith(OF_COLUMNS))}
    if set(own) != set(expected):
        raise _DamageError("its tensors are not those of its network")
    kinds = {str(_object(tensor).get("dtype")) for tensor in own.values()}
    kind = kinds.pop() if len(kinds) == 1 else "F32" if not kinds else None
    if kind not in DTYPES:
        raise _DamageError("its tensors are not all float32 or all float64")
    spans = []
    for name, tensor in header.items():
        _keys(tensor, {"dtype", "shape", "data_offsets"}, set())
        offsets = tensor["data_offsets"]
        if name in own:
            entry = expected[name]
            bytes_needed = (entry.stop - entry.start) * DTYPES[kind].itemsize
            if tensor["shape"] != list(entry.shape):
                raise _DamageError(
                    f"tensor {name} has shape {tensor['shape']}, its network needs {entry.shape}"
                )
        else:
            bytes_needed = _bytes_of_column(name, tensor)
        if (
            not isinstance(offsets, list)
            or not all(type(offset) is int for offset in offsets)
            or len(offsets) != 2
            or offsets[1] - offsets[0] != bytes_needed
        ):
            raise _DamageError(f"tensor {name} has the wrong offsets")
        spans.append((offsets[0], offsets[1]))
    ends = [0, *(end for _, end in sorted(spans))]
    if [start for start, _ in sorted(spans)] != ends[:-1] or ends[-1] != size:
        raise _DamageError("its tensors leave gaps, overlap or are truncated")
    return DTYPES[kind]


def _bytes_of_column(name: str, tensor: Mapping[str, Any]) -> int:
    """Return the number of bytes of a column's tensor."""
    shape, kind = tensor["shape"], tensor["dtype"]
    if not isinstance(shape, list) or not 1 <= len(shape) <= 2:
        raise _DamageError(f"tensor {name} has the wrong shape")
    if not all(type(length) is int and 0 <= length <= MAXIMUM_BYTES for length in shape):
        raise _DamageError(f"tensor {name} has the wrong shape")
    if not isinstance(kind, str) or kind not in COLUMN_DTYPES:
        raise _DamageError(f"tensor {name} has a type that no column has")
    return math.prod(shape) * COLUMN_DTYPES[kind].itemsize


def _json(data: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            raise _DamageError("an object has a duplicate key")
        return result

    def refuse(constant: str) -> None:
        raise _DamageError(f"a number is {constant}")

    def whole(digits: str) -> int:
        if len(digits) > MOST_DIGITS:
            raise _DamageError("a number is too large")
        return int(digits)

    def fraction(digits: str) -> float:
        number = float(digits)
        if not math.isfinite(number):
            raise _DamageError("a number is too large")
        return number

    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=unique,
            parse_constant=refuse,
            parse_int=whole,
            parse_float=fraction,
        )
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # fails for an unpaired surrogate
    except (ValueError, RecursionError) as error:
        raise _DamageError("its description is not JSON") from error
    return _object(value)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _DamageError("a value that must be an object is not one")
    return value


def _keys(value: Any, needed: set[str], optional: set[str]) -> None:
    found = set(_object(value))
    if missing := sorted(needed - found):
        raise _DamageError(f"{missing[0]!r} is missing")
    if unknown := sorted(found - needed - optional):
        raise _DamageError(f"{unknown[0]!r} is unknown")


def _checksum(text: str, numbers: bytes) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass"))
    digest.update(numbers)
    return digest.hexdigest()


def _count(value: Any, depth: int = 0) -> int:
    """Return how many objects a description holds, at any depth: there are no more layers than these."""
    if depth > MAXIMUM_DEPTH:
        raise _DamageError("its layers are nested too deeply")
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return isinstance(value, dict) + sum(_count(each, depth + 1) for each in values)


def _refuse_custom_parts(architecture: Architecture) -> None:
    """Raise `FileError` unless the description restores equal layers."""
    for layer in architecture.layers:
        try:
            same = Layer.find(layer.configuration()) == layer
        except GanglionError:
            same = False
        if not same:
            raise FileError(
                f"a model file must contain only built-in parts, got {layer!r}",
                "save net.parameters yourself with numpy.save",
            )
