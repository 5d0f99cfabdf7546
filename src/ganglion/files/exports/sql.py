"""One query that PostgreSQL, SQLite and DuckDB all run: an expression for each answer of a small network.

An expression is a chain of subqueries, one for each layer, so that each number is written once.
"""
# ruff: noqa: S608  # what becomes part of a query is quoted by `_name` and `_text`

from __future__ import annotations

from collections.abc import Sequence

from ganglion.core.activations import Activation
from ganglion.errors import ConfigError
from ganglion.files.exports import activations
from ganglion.files.exports.flow import value_of
from ganglion.files.exports.inputs import DAYS_BEFORE, PERIODS, Coded, CodedDate, CodedNumber, CodedWord
from ganglion.files.exports.job import Answer, Job
from ganglion.files.exports.layers import writing_of
from ganglion.files.exports.tables import steps_of
from ganglion.files.exports.writing import sum_of

MOST_PARAMETERS = 2000
Level = dict[str, str]  # the expressions of one subquery by name


def write(job: Job, name: str, int8: bool = False) -> tuple[bytes, list[str]]:
    """Return a query for a table with the name of the file.

    Raises:
        ConfigError: for more than some hundreds of weights, or a part that SQL cannot have.
    """
    size = job.model.architecture.size
    if not job.answers:
        raise ConfigError("a network without columns cannot be written in SQL", "export a model of a table")
    if size > MOST_PARAMETERS:
        raise ConfigError(
            f"SQL is for networks of at most {MOST_PARAMETERS:,} weights, and this one has {size:,}",
            "train a smaller one with --quality fast --hidden 16, or export to .onnx, .py or .c",
        )
    levels = [*_encoded(job), *_network(job)]
    found = [each for answer in job.answers for each in _answers(job, answer, levels)]
    columns = ",\n".join(f"    {expression} AS {_name(column)}" for column, expression in found)
    table = _name(name)
    query = (
        f"-- {' '.join(job.description.split())}. Written by ganglion for PostgreSQL, SQLite and DuckDB.\n"
        f"-- The table is {table}; put yours in its place, or an expression into a query of your own.\n"
        f"SELECT\n    given.*,\n{columns}\nFROM {table} AS given;\n"
    )
    return query.encode(), []


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _stacked(levels: Sequence[Level], last: str) -> str:
    """Return an expression of the last level's names as one value."""
    parts = list[str]()
    for number, level in enumerate(levels):
        columns = ", ".join(f"{expression} AS {name}" for name, expression in level.items())
        source = f" FROM level_{number - 1}" if number else ""
        parts.append(f"level_{number} AS MATERIALIZED (SELECT {columns}{source})")
    return f"(WITH {', '.join(parts)} SELECT {last} FROM level_{len(levels) - 1})"


def _encoded(job: Job) -> list[Level]:
    """Return the levels that make the inputs of the network, x_0, x_1 ..."""
    parts: list[Level] = [{}, {}, {}]
    for number, column in enumerate(job.columns):
        if isinstance(column, CodedDate):
            for level, own in zip(parts, _dates(job, column, f"d{number}"), strict=True):
                level.update(own)
    features = [
        each for number, column in enumerate(job.columns) for each in _column(job, column, f"d{number}")
    ]
    carried = [{name: name for level in parts[:k] for name in level} | parts[k] for k in range(3)]
    levels = [level for level in carried if level]
    return [*levels, {f"x_{place}": each for place, each in enumerate(features)}]


def _column(job: Job, column: Coded, date: str) -> list[str]:
    given = f"given.{_name(column.column)}"
    if isinstance(column, CodedNumber):
        value = f"COALESCE(CAST({given} AS DOUBLE PRECISION), {column.fill!r})"
        found = [f"({value} - {column.center!r}) / {column.scale!r}"]
        if column.knots:
            found = [_curve(value, column.knots, column.heights)]
        return [*found, f"CASE WHEN {given} IS NULL THEN 1.0 ELSE 0.0 END"] if column.missing else found
    if isinstance(column, CodedWord):
        return _word(job, column, given)
    if isinstance(column, CodedDate):
        return [
            f"({date}_{place} - {center!r}) / {scale!r}" if scale > 0 else "0.0"
            for place, (center, scale) in enumerate(zip(column.center, column.scale, strict=True))
        ]
    raise ConfigError(f"column {column.column!r} cannot be written in SQL", "export to .py or .c")


def _curve(value: str, knots: Sequence[float], heights: Sequence[float]) -> str:
    """Return the height of a curve of straight lines."""
    cases = [f"WHEN {value} <= {knots[0]!r} THEN {heights[0]!r}"]
    pairs = zip(knots[:-1], knots[1:], heights[:-1], heights[1:], strict=True)
    for low, high, least, most in pairs:
        slope = (most - least) / (high - low)
        cases.append(f"WHEN {value} <= {high!r} THEN {least!r} + ({value} - {low!r}) * {slope!r}")
    return f"CASE {' '.join(cases)} ELSE {heights[-1]!r} END"


def _missing(job: Job, given: str) -> str:
    words = ", ".join(map(_text, job.missing))
    return f"{given} IS NULL OR LOWER(TRIM(CAST({given} AS VARCHAR))) IN ({words})"


def _word(job: Job, column: CodedWord, given: str) -> list[str]:
    word, known = f"CAST({given} AS VARCHAR)", [_text(each) for each in column.words]
    absent = _missing(job, given)
    if column.numeric:
        word, known, absent = f"CAST({given} AS DOUBLE PRECISION)", list(column.words), f"{given} IS NULL"
    elif column.fold:
        word = f"LOWER(TRIM({word}))"
    unknown = column.missing if column.unknown is None else column.unknown
    found = []
    for place in range(column.width):
        own = column.table[:, place].tolist()
        usual = unknown[place]
        cases = [f"WHEN {absent} THEN {column.missing[place]!r}"] if column.missing[place] != usual else []
        cases += [
            f"WHEN {word} = {each} THEN {float(value)!r}"
            for each, value in zip(known, own, strict=True)
            if value != usual
        ]
        found.append(f"CASE {' '.join(cases)} ELSE {usual!r} END" if cases else repr(usual))
    return found


def _dates(job: Job, column: CodedDate, name: str) -> tuple[Level, Level, Level]:
    """Return the levels that cut the text of a date, count its days, and make its parts."""
    given = f"given.{_name(column.column)}"
    text = f"CASE WHEN {_missing(job, given)} THEN NULL ELSE TRIM(CAST({given} AS VARCHAR)) END"

    def piece(first: int, count: int, shortest: int) -> str:
        cut = f"CAST(SUBSTR({text}, {first}, {count}) AS DOUBLE PRECISION)"
        return cut if not shortest else f"CASE WHEN LENGTH({text}) >= {shortest} THEN {cut} ELSE 0.0 END"

    names = {
        part: f"{name}_{part}"
        for part in ("year", "month", "day", "hour", "minute", "second", "days", "missing")
    }
    cut = {
        names["year"]: f"CAST(SUBSTR({text}, 1, 4) AS INTEGER)",
        names["month"]: f"CAST(SUBSTR({text}, 6, 2) AS INTEGER)",
        names["day"]: f"CAST(SUBSTR({text}, 9, 2) AS INTEGER)",
        names["hour"]: piece(12, 2, 13),
        names["minute"]: piece(15, 2, 16),
        names["second"]: piece(18, 9, 19),
    }
    year, month = names["year"], names["month"]
    before = f"({year} - 1)"
    leaps = " ".join(
        f"{sign} ({before} - {before} % {each}) / {each}" for sign, each in (("+", 4), ("-", 100), ("+", 400))
    )
    in_year = " ".join(f"WHEN {month} = {number} THEN {days}" for number, days in enumerate(DAYS_BEFORE, 1))
    is_leap = f"(({year} % 4 = 0 AND {year} % 100 <> 0) OR {year} % 400 = 0)"
    days = (
        f"365 * ({year} - 1970) {leaps} - 478 + CASE {in_year} END + {names['day']} + "
        f"CASE WHEN {is_leap} AND {month} > 2 THEN 1 ELSE 0 END"
    )
    seconds = f"({names['hour']} * 3600.0 + {names['minute']} * 60.0 + {names['second']}) / 86400.0"
    number = f"CAST({names['days']} AS INTEGER)"
    turns = {"month": month, "weekday": f"((({number} + 3) % 7 + 7) % 7 + 1)", "hour": names["hour"]}
    plain = turns | {
        "year": year,
        "day": names["day"],
        "elapsed": f"{names['days']} + {seconds}",
        "missing": "0.0",
    }
    made: Level = {}
    for place, (part, fill) in enumerate(zip(column.parts, column.fill, strict=True)):
        what, _, turn = part.partition(" ")
        value = plain[part if part in plain else what]
        if turn:
            angle = f"6.283185307179586 * {turns[what]} / {PERIODS[what]}.0"
            value = f"{'SIN' if turn == 'sine' else 'COS'}({angle})"
        known = "0.0" if part == "missing" else value
        made[f"{name}_{place}"] = f"CASE WHEN {year} IS NULL THEN {fill!r} ELSE {known} END"
    return cut, {names["days"]: days}, made


def _network(job: Job) -> list[Level]:
    """Return a level for each layer and for each activation; the last has the outputs."""
    architecture = job.model.architecture
    same = value_of(architecture)
    needed = {same[read]: number for number, step in enumerate(architecture.steps) for read in step.reads}
    names = {0: [f"x_{place}" for place in range(sum(each.width for each in job.columns))]}
    levels: list[Level] = []
    for number, each in enumerate(steps_of(job)):
        step = each.step
        kept = {n: n for value, own in names.items() if needed.get(value, -1) > number for n in own}
        values = [names[same[read]] for read in step.reads]
        terms = writing_of(step).terms(step, values, each.arrays)
        if same[step.writes] != step.writes:
            continue
        own = [f"v{step.writes}_{place}" for place in range(step.outputs)]
        names[step.writes] = own
        levels.append(kept | dict(zip(own, terms, strict=True)))
        if activations.parts_of(step.activation, step.shape[-1]):
            if len(step.shape) != 1:
                raise ConfigError(f"{step.name} cannot be written in SQL: its values have several axes")
            a = [f"a{step.writes}_{place}" for place in range(step.outputs)]
            names[step.writes] = a
            found = _activated(step.activation, own)
            levels.append({name: name for name in kept} | dict(zip(a, found, strict=True)))
    last = names[same[architecture.steps[-1].writes]]
    levels.append({f"out_{place}": name for place, name in enumerate(last)})
    return levels


def _activated(activation: Activation | None, z: list[str]) -> list[str]:
    """Return the activations of numbers, also of those that depend on a whole row."""
    found = activations.terms(activation, z)
    for part, first, last in activations.parts_of(activation, len(z)):
        if activations.written(part).whole_row:
            own = _softmax(z[first:last])
            found[first:last] = [f"LN({each})" for each in own] if part.name == "log_softmax" else own
    return found


def _softmax(z: Sequence[str]) -> list[str]:
    """Return 1 / sum_j exp(z_j - z_i), whose powers cannot overflow."""

    def power(difference: str) -> str:
        limits = f"WHEN {difference} > 600 THEN 600 WHEN {difference} < -600 THEN -600"
        return f"EXP(CASE {limits} ELSE {difference} END)"

    return [
        f"1.0 / ({sum_of([*(power(f'({other} - {own})') for other in z if other != own), '1.0'])})"
        for own in z
    ]


def _answers(job: Job, answer: Answer, levels: list[Level]) -> list[tuple[str, str]]:
    """Return an expression for the prediction, and for the probability of each class."""
    suffix = f"_{answer.name}" if len(job.answers) > 1 else ""
    own = [f"out_{place}" for place in range(answer.first, answer.last)]
    if not answer.labels:
        scaled = f"{own[0]} * {answer.scale!r} + {answer.center!r}"
        return [(f"prediction{suffix}", _stacked(levels, scaled))]
    stack = list(levels)
    if answer.is_calibrated:
        weights = answer.class_weights or (1.0,) * answer.width
        powers = {
            f"power_{place}": f"LN(CASE WHEN {p} < 1e-38 THEN 1e-38 ELSE {p} END)"
            f" / {answer.temperature!r} - LN({w!r})"
            for place, (p, w) in enumerate(zip(own, weights, strict=True))
        }
        stack += [powers, {f"p_{place}": each for place, each in enumerate(_softmax(list(powers)))}]
    else:
        stack.append({f"p_{place}": name for place, name in enumerate(own)})
    classes = [_class(each) for each in answer.classes]
    if answer.threshold is not None:
        positive = answer.positive
        chosen = (
            f"CASE WHEN p_{positive} >= {answer.threshold!r} THEN {classes[positive]} "
            f"ELSE {classes[1 - positive]} END"
        )
    else:
        weights = answer.class_weights or (1.0,) * answer.width
        p = [
            f"p_{place} * {weight!r}" if weight != 1 else f"p_{place}" for place, weight in enumerate(weights)
        ]
        cases = " ".join(
            f"WHEN {' AND '.join(f'{p[place]} >= {other}' for other in p[place + 1 :])} THEN {classes[place]}"
            for place in range(answer.width - 1)
        )
        chosen = f"CASE {cases} ELSE {classes[-1]} END"
    found = [(f"prediction{suffix}", _stacked(stack, chosen))]
    for place, label in enumerate(answer.labels):
        found.append((f"probability{suffix}_{label}", _stacked(stack, f"p_{place}")))
    return found


def _class(value: object) -> str:
    """Return a class in SQL."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return _text(value) if isinstance(value, str) else repr(value)
