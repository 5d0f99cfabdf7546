"""The target: encodes the column to predict for the network, and decodes outputs to the user's values."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from ganglion.answers.task import FEW, Guess, guess_task
from ganglion.answers.values import as_text, counted, fold, fold_all, merged, to_numbers
from ganglion.checks import check_flag, check_number
from ganglion.core.part import Array, Part, built_in
from ganglion.errors import ConfigError, DataError, notice

MOST_CLASSES = 1000
MOST_GOALS = 8
LARGEST = 1e100
LARGEST_WHOLE = 2**53  # floats below are exact whole numbers
CLASS_DTYPES = {"text": pl.String, "integer": pl.Int64, "number": pl.Float64, "boolean": pl.Boolean}


@dataclass(frozen=True)
class Target(Part):
    """The column to predict.

    Args:
        column: name of the column in the table.
    """

    column: str

    kind: ClassVar[str] = "target"
    task: ClassVar[str]

    def __post_init__(self) -> None:
        if not isinstance(self.column, str):
            raise ConfigError(f"a target's column must be text, got {self.column!r}")

    def encode(self, values: pl.Series) -> Array:
        """Return what the network learns, of shape (n,): class numbers, or scaled numbers."""
        raise NotImplementedError(f"{type(self).__name__} needs a method encode")

    def goals(self, values: pl.Series) -> dict[str, Array]:
        """Return what the means of a category's rows are taken of, by name: one array of shape (n,) each."""
        return {"mean": self.encode(values)}


@dataclass(frozen=True)
class ClassTarget(Target):
    """One of several classes, of any type.

    Args:
        classes: their values, in order.
        dtype: of the values: "text", "integer", "number" or "boolean".
        shares: the fraction of the training rows in each class.
        fold_case: whether words that differ only in case or outer blanks are one class.
    """

    classes: tuple[Any, ...]
    dtype: str
    shares: tuple[float, ...]
    fold_case: bool = False

    name = "classes"
    task = "classification"

    def __post_init__(self) -> None:
        super().__post_init__()
        kinds = {"text": str, "integer": int, "number": float, "boolean": bool}
        if self.dtype not in kinds:
            raise ConfigError(f"classes must be of a known type, got {self.dtype!r}")
        if not isinstance(self.classes, tuple) or not 2 <= len(self.classes) <= MOST_CLASSES:
            raise ConfigError(f"there must be 2 to {MOST_CLASSES} classes")
        if not all(type(value) is kinds[self.dtype] for value in self.classes):
            raise ConfigError(f"classes must be of type {self.dtype}")
        if self.dtype == "integer" and not all(-(2**63) <= value < 2**63 for value in self.classes):
            raise ConfigError("classes that are whole numbers must fit into 64 bits")
        if len(set(self.classes)) != len(self.classes):
            raise ConfigError("classes must be distinct")
        if not isinstance(self.shares, tuple) or len(self.shares) != len(self.classes):
            raise ConfigError("shares must hold one fraction for each class")
        for share in self.shares:
            check_number("the fraction of a class", share, at_least=0, at_most=1)
        check_flag("fold_case", self.fold_case)
        if self.fold_case and (self.dtype != "text" or len(set(map(fold, self.classes))) < len(self.classes)):
            raise ConfigError("folded classes must be words that differ in more than case")

    @classmethod
    def fit(cls, values: pl.Series, fold_case: bool = False) -> Self:
        """Find the classes and their frequencies; nulls are ignored.

        Raises:
            DataError: if there is only one class, or too many for the number of rows.
        """
        present, dtype = cls._plain(values.drop_nulls())
        fold_case = fold_case and dtype == "text"
        if fold_case:
            present = merged(present)
        classes = present.unique().sort().to_list()
        if len(classes) == 1:
            raise DataError(
                f"the target {values.name!r} must have at least two classes, got only {classes[0]!r}"
            )
        if len(classes) > MOST_CLASSES or len(classes) > max(20, len(present) // 2):
            numbers = "to predict numbers, use --task regression, in Python task='regression'"
            words = f"classes must repeat, and {classes[0]!r} is not a number to predict"
            raise DataError(
                f"the target {values.name!r} has {len(classes)} different values in {len(present)} rows, "
                f"too many for classes",
                numbers if values.dtype.is_numeric() else words,
            )
        counts = dict(zip(*counted(present), strict=True))
        return cls(
            values.name, tuple(classes), dtype, tuple(counts[c] / len(present) for c in classes), fold_case
        )

    def refit(self, values: pl.Series) -> Self:
        """Return the same classes with their fractions in other rows, 0 for a class that these lack."""
        counts = np.bincount(self.encode(values), minlength=len(self.classes))
        return dataclasses.replace(self, shares=tuple((counts / len(values)).tolist()))

    @staticmethod
    def _plain(values: pl.Series) -> tuple[pl.Series, str]:
        if values.dtype == pl.Boolean:
            return values, "boolean"
        if values.dtype.is_integer() and values.cast(pl.Int64, strict=False).null_count() == 0:
            return values.cast(pl.Int64), "integer"
        if values.dtype.is_float():
            whole = bool(((values == values.round()) & (values.abs() < LARGEST_WHOLE)).all())
            return (values.cast(pl.Int64), "integer") if whole else (values.cast(pl.Float64), "number")
        return as_text(values), "text"

    def encode(self, values: pl.Series) -> Array:
        classes = as_text(pl.Series("classes", list(self.classes), dtype=CLASS_DTYPES[self.dtype]))
        words = as_text(values)
        if self.fold_case:
            classes, words = fold_all(classes), fold_all(words)
        codes = words.replace_strict(
            classes, pl.int_range(len(classes), eager=True), default=None, return_dtype=pl.Int64
        )
        if codes.null_count():
            row = codes.is_null().arg_true()[0]
            raise DataError(
                f"the target {values.name!r} must be one of the {len(self.classes)} classes learned, got "
                f"{values[row]!r} in row {row}",
                "the classes are " + ", ".join(self.label(i) for i in range(min(len(self.classes), 20))),
            )
        return codes.to_numpy()

    def goals(self, values: pl.Series) -> dict[str, Array]:
        """Return whether a row has the second of two classes, or each of more."""
        codes = self.encode(values)
        chosen = [1] if len(self.classes) == 2 else range(len(self.classes))
        return {self.label(number): (codes == number).astype(np.float64) for number in chosen}

    def decode(self, numbers: Array) -> pl.Series:
        """Return the classes with these numbers."""
        classes = np.array(self.classes, dtype=object)
        return pl.Series("prediction", classes[numbers].tolist(), dtype=CLASS_DTYPES[self.dtype])

    @cached_property
    def labels(self) -> list[str]:
        """The classes as text."""
        return [self.label(number) for number in range(len(self.classes))]

    def label(self, number: int) -> str:
        """Return a class as text."""
        value = self.classes[number]
        return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class NumberTarget(Target):
    """A number, standardized for the network and predicted in its own units.

    Args:
        center, scale: mean and standard deviation of the training rows.
        low, high: their least and greatest value; None if unknown.
    """

    center: float
    scale: float
    low: float | None = None
    high: float | None = None

    name = "number"
    task = "regression"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("center", self.center, at_least=-LARGEST, at_most=LARGEST)
        check_number("scale", self.scale, above=0, at_most=LARGEST)
        for name, value in (("low", self.low), ("high", self.high)):
            if value is not None:
                check_number(name, value, at_least=-2 * LARGEST, at_most=2 * LARGEST)

    @classmethod
    def fit(cls, values: pl.Series) -> Self:
        """Compute center and scale; nulls are ignored.

        Raises:
            DataError: if the column is constant, too large or not numeric.
        """
        numbers = to_numbers(values).drop_nulls().to_numpy()
        scale = float(numbers.std())
        if scale > LARGEST or not math.isfinite(scale) or abs(float(numbers[0])) > LARGEST:
            raise DataError(
                f"the target {values.name!r} must be at most {LARGEST:g} in size, got {numbers.max():g}"
            )
        if not scale > 0:
            raise DataError(f"the target {values.name!r} must vary, got {numbers[0]:g} in every row")
        return cls(values.name, float(numbers.mean()), scale, float(numbers.min()), float(numbers.max()))

    def refit(self, values: pl.Series) -> Self:
        """Return the target with the center and scale of other rows."""
        return self.fit(values)

    def encode(self, values: pl.Series) -> Array:
        return (to_numbers(values).to_numpy() - self.center) / self.scale

    def in_scale_of(self, other: NumberTarget, numbers: Array) -> Array:
        """Return outputs or encoded targets in the scale of another target."""
        return np.asarray(
            (numbers.astype(np.float64) * self.scale + self.center - other.center) / other.scale
        )

    def decode(self, numbers: Array) -> pl.Series:
        """Return outputs of the network in the target's own units."""
        return pl.Series("prediction", numbers.astype(np.float64) * self.scale + self.center)


built_in(Target, [ClassTarget, NumberTarget])


def fit_target(values: pl.Series, task: str = "auto", fold_case: bool = False) -> ClassTarget | NumberTarget:
    """Return the target fitted on the training rows.

    With task "auto", words, true/false, at most 10 different dates and few whole numbers that are all
    frequent are classes; other numbers are for regression, other dates are refused. A guess that is not
    obvious is told by the notice "task".

    Raises:
        DataError: if the column is constant or does not suit the task.
        ConfigError: for an unknown task.
    """
    if task not in ("auto", "classification", "regression"):
        raise ConfigError(f"task must be 'auto', 'classification' or 'regression', got {task!r}")
    if isinstance(values.dtype, pl.List | pl.Struct | pl.Array | pl.Object):
        raise DataError(f"the target {values.name!r} must hold words or numbers, got {values.dtype}")
    few = task == "classification" or (task == "auto" and values.n_unique() <= FEW)
    if values.dtype in (pl.Date, pl.Datetime, pl.Time) and not few:
        raise DataError(
            f"the target {values.name!r} must hold words or numbers, got dates or times",
            "predict a number instead, such as the days since another date; if the dates are classes, use "
            " --task classification, in Python task='classification'",
        )
    if values.dtype.is_float():
        values = to_numbers(values)
    guess = guess_task(values) if task == "auto" else Guess(task)
    classes = guess.task == "classification"
    target = ClassTarget.fit(values, fold_case) if classes else NumberTarget.fit(values)
    if guess.why:
        taken, other = ("classes", "regression") if classes else ("a number to predict", "classification")
        notice(
            f"the target {values.name!r} has {guess.why}, and is taken as {taken}; otherwise use "
            f"--task {other}, in Python task={other!r}",
            "task",
        )
    return target
