"""The row of totals below a table, as spreadsheets have it, is no row of the table."""

from __future__ import annotations

import polars as pl

from ganglion.errors import notice
from ganglion.tables.reading import units

SUMS = frozenset({
    "total", "totals", "grand total", "sum", "overall", "gesamt", "summe", "gesamtsumme", "gesamtergebnis",
    "suma", "total general", "somma", "somme", "totale", "total général", "totaal", "totalt",
    "合计", "总计", "合計",
})  # fmt: skip
MEANS = frozenset({
    "average", "mean", "avg", "mittelwert", "durchschnitt", "moyenne", "media", "promedio", "gemiddelde",
})  # fmt: skip
FEWEST = 3  # rows
CLOSE, CLOSE_TO_MEAN = 1e-6, 0.005  # a mean is often rounded


def without_total(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a table without a last row that is called a total and holds the sum of a column (or its mean).

    The word must stand in no other row of its column, so that a category of this name is kept.
    """
    if frame.height <= FEWEST:
        return frame
    for name, value in zip(frame.columns, frame.row(-1), strict=True):
        word = value.strip().rstrip(":").lower() if isinstance(value, str) else ""
        if word not in SUMS | MEANS or int((frame.get_column(name) == value).sum()) > 1:
            continue
        others = (frame.get_column(other) for other in frame.columns if other != name)
        if any(_ends_with(column, word in SUMS) for column in others):
            notice(f"the last row, {value.strip()!r}, holds totals: it is no row and left out", "footer")
            return frame.head(-1)
        notice(
            f"the last row, {value.strip()!r}, may hold totals; if it is no row, delete it or leave it out "
            f"(--where \"{name} <> '{value.strip()}'\")",
            "footer",
        )
        return frame
    return frame


def _ends_with(column: pl.Series, of_sum: bool) -> bool:
    """Return whether the last of a column's numbers is the sum of the others, or their mean."""
    if column[-1] is None or not (column.dtype.is_numeric() or column.dtype == pl.String):
        return False
    for numbers in (column,) if column.dtype.is_numeric() else _readings(column):
        last, others = numbers[-1], numbers.head(-1).drop_nulls()
        if last is None or len(others) < max(FEWEST - 1, 0.5 * len(numbers)) or not others.abs().sum():
            continue
        wanted = float(others.sum() if of_sum else others.mean())  # type: ignore[arg-type]
        if abs(float(last) - wanted) <= (CLOSE if of_sum else CLOSE_TO_MEAN) * abs(wanted):
            return True
    return False


def _readings(column: pl.Series) -> list[pl.Series]:
    """Return the numbers in text, once with a decimal point and once with a decimal comma."""
    text = units.split(column)[0].str.replace_all("[ ']", "")
    if not text.tail(1).str.contains(r"^[-+]?[\d.,]+$").all():
        return []
    with_point = text.str.replace_all(",", "")
    with_comma = text.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    return [each.cast(pl.Float64, strict=False) for each in (with_point, with_comma)]
