"""Validation of a user's arrays: finite numbers of the right shape, one weight for each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ganglion.core.part import Array, Shape
from ganglion.core.supply import Supply
from ganglion.errors import DataError, ShapeError, shortened

CACHE_LINE = 64  # bytes


def are_inputs(x: Any, shape: Shape | None, dtype: np.dtype[Any]) -> bool:
    """Return whether `x` is what `as_numbers` returns, finite or not; False where `shape` is None."""
    return type(x) is np.ndarray and x.dtype == dtype and x.shape[1:] == shape and x.flags.c_contiguous


def as_numbers(what: str, x: Any, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Return `x` as a contiguous array of `dtype`, of shape (n, *shape).

    Args:
        what: the name of `x` in messages.
        x: anything that NumPy reads as an array of numbers: lists, arrays, frames.
        shape: the shape of one row.
        dtype: float32 or float64.

    Raises:
        DataError: if a value is not a finite number; names the first such place.
        ShapeError: if the rows have another shape.
    """
    raw = as_array(what, x)
    if raw.ndim == 1 and shape == (1,):
        raw = raw.reshape(-1, 1)
    check_rows_shape(what, raw, shape)
    with np.errstate(over="ignore"):
        result = np.ascontiguousarray(raw, dtype=dtype)
    if not np.isfinite(result).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(result))[0])
        value = raw[place]
        where = f"row {place[0]}" + (f", column {', '.join(map(str, place[1:]))}" if place[1:] else "")
        if np.isfinite(value):
            raise DataError(f"{what} must fit {dtype.name}, got {value:g} in {where}", "use dtype='float64'")
        raise DataError(
            f"{what} must be finite, got {value} in {where}",
            "fill or drop missing values, or use gg.TableModel",
        )
    return result


def check_rows_shape(what: str, rows: Array | Supply, shape: Shape) -> None:
    """Raise `ShapeError` unless `rows` has shape (n, *shape)."""
    if rows.shape[1:] == shape:
        return
    if rows.shape == shape:
        raise ShapeError(f"{what} must have one more axis, for the rows, got {rows.shape}", "pass X[None]")
    columns = shape[0] if len(shape) == 1 else shape
    raise ShapeError(
        f"{what} must have shape ({', '.join(['rows', *map(str, shape)])}), because the network has "
        f"{columns} inputs, got {rows.shape}"
    )


def as_array(what: str, values: Any) -> Array:
    """Return `values` as an array of real numbers of any shape.

    Raises:
        DataError: for sparse matrices, objects, text and dates.
    """
    if hasattr(values, "toarray") and not isinstance(values, np.ndarray):
        raise DataError(f"{what} must be a dense array, got a sparse matrix", "pass it as .toarray()")
    if np.ma.is_masked(values):
        raise DataError(f"{what} must have no masked values", "fill them: X.filled(value)")
    try:
        raw = np.asarray(values)
    except ValueError as error:
        raise ShapeError(f"{what} must have rows of equal length: {error}") from error
    if raw.dtype.kind in "biuf":
        return raw
    if raw.dtype == object:
        try:
            return raw.astype(np.float64)  # objects that are all numbers, such as very large integers
        except (TypeError, ValueError, OverflowError):
            flat = enumerate(raw.reshape(-1).tolist())
            place, value = next(
                ((i, v) for i, v in flat if not isinstance(v, int | float) or abs(v) > 1e308), (0, raw)
            )
            row = np.unravel_index(place, raw.shape)[0] if raw.ndim else 0
            raise DataError(
                f"{what} must hold numbers, got {shortened(value, 40)} ({type(value).__name__}) in row {row}",
                "for columns of words or mixed kinds use gg.TableModel",
            ) from None
    raise DataError(f"{what} must hold numbers, got {raw.dtype}", "for words and dates use gg.TableModel")


def as_weight(weight: Any, rows: int, dtype: np.dtype[Any]) -> Array | None:
    """Return sample weights as a vector, or None for None.

    Raises:
        DataError: if a weight is negative or not finite, or if all are 0.
        ShapeError: if there is not one weight for each row.
    """
    if weight is None:
        return None
    with np.errstate(over="ignore"):
        vector = as_array("sample_weight", weight).astype(dtype)
    if vector.shape != (rows,):
        raise ShapeError(f"sample_weight must have shape ({rows},), one for each row, got {vector.shape}")
    bad = ~((vector == 0) | ((vector >= 1e-20) & (vector <= 1e20)))
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(f"sample_weight must be 0 or from 1e-20 to 1e20, got {vector[row]:g} in row {row}")
    if not vector.any():
        raise DataError("sample_weight must be > 0 in at least one row, got 0 in all")
    return vector


def as_names(names: Any, shape: Shape) -> list[str] | None:
    """Return the names of the inputs without line breaks; None for None.

    Raises:
        ShapeError: if there is not one name for each input.
    """
    if names is None:
        return None
    given = list(names) if isinstance(names, Sequence) and not isinstance(names, str) else []
    if len(shape) != 1 or len(given) != shape[0]:
        raise ShapeError(f"names must be a list of one for each input, {shape}, got {shortened(names)}")
    return [" ".join(str(name).split()) for name in given]


def aligned_copy(vector: Array) -> Array:
    """Return a writable copy, aligned to a cache line."""
    copied = aligned_zeros(vector.size, vector.dtype)
    copied[...] = vector
    return copied


def aligned_zeros(size: int, dtype: np.dtype[Any]) -> Array:
    """Return a vector of zeros, aligned to a cache line for fast access."""
    room = np.zeros(size * dtype.itemsize + CACHE_LINE, dtype=np.uint8)
    begin = -room.ctypes.data % CACHE_LINE
    return room[begin : begin + size * dtype.itemsize].view(dtype)
