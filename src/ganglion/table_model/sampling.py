"""Sampling: which rows of a table count, how much, and how they are divided; kept with the model."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any, Self

from ganglion.checks import check_integer, check_number
from ganglion.errors import ConfigError, shortened

FRACTION = 0.2
FOLDS = 5
SMALL = 1000
FEWEST_ROWS = 5
# Polars takes minutes for a condition of many operators, or crashes; lists of values take it no time.
MOST_PARTS = 1000
LITERAL, PART = re.compile(r"'[^']*'|\b\d[\d.]*"), re.compile(r"[^\W\d]\w*|[^\w\s,]")
COLUMNS = ("weight", "group", "order")


@dataclass(frozen=True)
class Sampling:
    """The settings of `TableModel.train` on rows; `resolved` replaces None by the defaults.

    Args:
        weight: the column with the weight of each row.
        group: the column whose equal values keep rows together.
        order: the column by which the latest rows are held out.
        where: the condition in SQL that rows must satisfy.
        test, validation: the fractions to hold out.
        folds: of cross-validation, 0 for a hold-out.
        repeats: of cross-validation, each divided differently.
    """

    weight: str | None = None
    group: str | None = None
    order: str | None = None
    where: str | None = None
    test: float | None = None
    validation: float | None = None
    folds: int | None = None
    repeats: int = 1

    def __post_init__(self) -> None:
        for name in (*COLUMNS, "where"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                what = "a condition in SQL" if name == "where" else "the name of a column"
                raise ConfigError(f"{name} must be {what}, got {shortened(value)}")
        if self.where is not None:
            parts = len(PART.findall(LITERAL.sub("", self.where)))
            if parts > MOST_PARTS:
                raise ConfigError(
                    f"where must have at most {MOST_PARTS:,} names and operators, got {parts:,}",
                    "list values as in \"city IN ('Rome', 'Oslo')\", or select the rows before training",
                )
        for name in ("test", "validation"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), at_least=0, below=1)
        check_integer("repeats", self.repeats, at_least=1, at_most=100)
        if self.folds is not None and self.folds != 0:
            check_integer("folds (0 for a hold-out)", self.folds, at_least=2, at_most=1000)

    def columns(self) -> dict[str, Any]:
        """Return the columns and the condition that select and mark rows."""
        return {name: getattr(self, name) for name in (*COLUMNS, "where")}

    def resolved(self, rows: int, may_stop: bool) -> Self:
        """Return the settings for a number of labeled rows; `may_stop` if callbacks may stop the run.

        Raises:
            ConfigError: for fractions together with folds, or repetitions without folds.
        """
        fractions = self.test is not None or self.validation is not None
        folds = self.folds
        if folds is None:
            folds = FOLDS if (rows < SMALL and not fractions and not may_stop) or self.repeats > 1 else 0
        if folds and self.test:
            raise ConfigError(
                f"folds test every row, so that test cannot be set, got test={self.test:g}",
                "leave one of them out",
            )
        if self.repeats > 1 and (not folds or self.order is not None):
            raise ConfigError(
                f"repeats needs folds and no order, got repeats={self.repeats}",
                "folds in the order of time are always the same",
            )
        return dataclasses.replace(
            self,
            folds=folds,
            test=0.0 if folds else FRACTION if self.test is None else self.test,
            validation=FRACTION if self.validation is None else self.validation,
        )

    def to_facts(self) -> dict[str, Any]:
        """Return the settings as plain JSON data."""
        return dataclasses.asdict(self)

    @classmethod
    def from_facts(cls, facts: Any) -> Self:
        """Return the settings that `to_facts` described.

        Raises:
            ConfigError: if the description is not valid.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(facts, dict) or set(facts) != names:
            raise ConfigError("its sampling must have " + ", ".join(sorted(names)))
        return cls(**facts)
