"""What the page may ask about a run, and the answers, as plain data. Nothing here changes a run for good."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ganglion import insight
from ganglion.core.architecture import Architecture
from ganglion.core.part import Array, plain
from ganglion.errors import ConfigError, GanglionError, collect_notices, shortened
from ganglion.insight.trace.places import parameter_place
from ganglion.network import Network
from ganglion.stepping import Found, when
from ganglion.studio.data import check_row
from ganglion.studio.run import MOST_SENT, Run, View
from ganglion.studio.settings import remedied

MOST_POINTS = 1000  # of a curve
MOST_PARTS = 12  # rows of a batch whose parts are shown
ROWS_AT_ONCE = 200
HEALTH_CHECKS = 8  # in which to look for the beginning of a finding

Question = Mapping[str, Any]


def answer(run: Run, view: View, question: Question) -> dict[str, Any]:
    """Return the answer to a question such as {"ask": "unit", "layer": "dense_1", "unit": 3}.

    Raises:
        ConfigError: for an unknown question, or a place out of range.
    """
    kind = question.get("ask")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ConfigError(f"there is no question {shortened(kind)}")
    found: dict[str, Any] = plain(KINDS[kind](run, view, question))
    return found


def whole(question: Question, name: str, below: int) -> int:
    """Return a whole number that a question names.

    Raises:
        ConfigError: if it is none, or out of range.
    """
    value = question.get(name)
    if type(value) is not int or not 0 <= value < below:
        raise ConfigError(f"{name} must be a whole number below {below}, got {shortened(value)}")
    return value


def index_of(question: Question) -> tuple[int, ...]:
    """Return an index that a question names."""
    index = question.get("index")
    if not isinstance(index, list) or not all(type(each) is int for each in index):
        raise ConfigError(f"index must be a list of whole numbers, got {shortened(index)}")
    return tuple(index)


def row_trace(run: Run, row: int) -> insight.Trace:
    """Return the trace of a row as it is predicted, with its target."""
    data = run.data
    x, y = data.encoded[row : row + 1], data.truth(row)
    names = data.prepared.features
    return run.network.trace(x, y, loss=run.loss, training=False, names=names)


def network(run: Run, view: View, question: Question) -> dict[str, Any]:
    """Return the layers, their weights where they are few, and what they give for the selected row."""
    architecture = run.network.architecture
    steps = [
        {"name": step.name, "words": step.layer.describe(), "units": step.outputs, "reads": list(step.reads)}
        for step in architecture.steps
    ]
    parameters = [
        {"name": entry.name, "shape": list(entry.shape), "start": entry.start}
        for entry in architecture.parameters
    ]
    row = check_row(view.row, run.data.prepared.frame.height)
    x = run.data.encoded[row]
    with np.errstate(all="ignore"):
        activations = run.activations(row)
    weights = run.network.parameters
    return {
        "inputs": run.data.prepared.features,
        "values": x[:MOST_SENT],
        "steps": steps,
        "parameters": parameters,
        "weights": weights if weights.size <= MOST_SENT else [],
        "activations": activations if activations.size <= MOST_SENT else [],
        "outputs": run.data.classes or [run.data.chosen],
        "words": _row_words(run, row),
        "image": run.data.pixels(row) if run.data.image else None,
    }


def _row_words(run: Run, row: int) -> dict[str, Any]:
    """Return target, prediction and loss of a row in the table's own words."""
    frame = run.data.prepared.frame[row : row + 1]
    with collect_notices(), np.errstate(all="ignore"):
        predicted = run.model.predict(frame)["prediction"][0]
        try:
            loss = row_trace(run, row).loss
        except GanglionError:
            loss = None
    target = frame.get_column(run.data.chosen)[0]
    return {"target": _word(target), "prediction": _word(predicted), "loss": loss}


def _word(value: Any) -> Any:
    return value if isinstance(value, int | float | bool | None) else str(value)


def unit(run: Run, view: View, question: Question) -> dict[str, Any]:
    """Return the arithmetic of one unit for the selected row, and the engine's own number beside it."""
    row = check_row(view.row, run.data.prepared.frame.height)
    steps = {step.name: step for step in run.network.architecture.steps}
    name = question.get("layer")
    trace = row_trace(run, row)
    if name == "loss":
        return {"card": trace.unit("loss").to_dict(), "engine": None}
    if not isinstance(name, str) or name not in steps:
        raise ConfigError(f"there is no layer {shortened(name)}")
    step = steps[name]
    place = whole(question, "unit", step.outputs)
    index = _index(place, step.shape)
    found = trace.unit(name, index)
    engine = engine_value(run.network, run.data.encoded[row : row + 1], step.number)
    return {
        "card": found.to_dict(),
        "engine": None if engine is None else _beside(found.value, float(engine[place]), run),
    }


def _index(place: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(each) for each in np.unravel_index(place, shape))


def _beside(exact: float, engine: float, run: Run) -> dict[str, Any]:
    """Return the engine's number and the rounding that explains its distance from the exact one."""
    epsilon = float(np.finfo(run.network.model.dtype).eps)
    depth = len(run.network.architecture.steps)
    allowed = 64 * depth * epsilon * max(1.0, abs(exact))
    return {
        "value": engine,
        "dtype": run.network.dtype,
        "difference": engine - exact,
        "rounding": allowed,
        "agrees": bool(abs(engine - exact) <= allowed),
    }


def engine_value(net: Network, x: Array, number: int) -> Array | None:
    """Return what the engine itself gives for one row after a step; None inside a layer of several steps."""
    model = net.model
    for count in range(1, len(model.architecture.layers) + 1):
        part = Architecture(model.architecture.layers[:count], model.architecture.inputs)
        if len(part.steps) > number:
            break
    if len(part.steps) != number + 1:
        return None
    own = Network(part.layers, part.inputs, net.seed, net.dtype, engine=net.engine)
    own.parameters = model.parameters[: part.size]
    own.state[...] = model.state[: part.state_size]
    return own.predict(x).reshape(-1)


def weight(run: Run, view: View, question: Question) -> dict[str, Any]:
    """Return the card of one weight: its term forward, the chain of its gradient, and its next update.

    Forward it is that of the selected row; gradient and update are those of the next batch.
    """
    network, name = run.network, question.get("parameter")
    entry, place = parameter_place(network.architecture, name, index_of(question))
    row = check_row(view.row, run.data.prepared.frame.height)
    step = network.architecture.steps[entry.step]
    last = place[-1] if len(step.shape) == 1 and place[-1] < step.outputs else 0
    found: dict[str, Any] = {
        "value": float(entry.of(network.parameters)[place]),
        "symbol": f"{entry.owner}.{entry.short}[{', '.join(map(str, place))}]",
        "layer": step.name,
        "unit": last,
        "forward": row_trace(run, row).unit(step.name, _index(last, step.shape)).to_dict(),
        "gradient": None,
        "update": None,
        "parts": [],
        "why": "",
    }
    try:
        trace = run.stepper.trace(run.data.prepared.features)
        found["batch"] = run.data.prepared.train[run.stepper.batch()]
        found["gradient"] = _with_rows(trace.gradient(entry.name, place).to_dict(), found["batch"])
        found["update"] = trace.update(entry.name, place).to_dict()
        parts = run.stepper.parts(entry.name, place)
        order = np.argsort(-np.abs(parts), kind="stable")[:MOST_PARTS]
        found["parts"] = [{"row": found["batch"][each], "part": parts[each]} for each in order]
    except GanglionError as error:
        found["why"] = str(error)
    return found


def _with_rows(card: dict[str, Any], rows: Array) -> dict[str, Any]:
    """Return a card of a batch that names its rows as the table does, and not by their place in it."""

    def named(text: str) -> str:
        return re.sub(r"\brow (\d+)\b", lambda found: f"row {rows[int(found[1])]}", text)

    for equation in card["equations"]:
        equation["note"] = named(equation["note"])
        for term in equation.get("terms", ()):
            term["note"] = named(term["note"])
    return card


def surface(run: Run, view: View, question: Question) -> dict[str, Any]:
    """Return the surface over the chosen columns, with the rows on it."""
    found = run.grid(view)
    if found is None or view.columns is None:
        return {"values": []}
    values = run.surface(view)
    assert values is not None
    grid = found[1]
    frame = run.data.prepared.frame
    target = frame.get_column(run.data.chosen)
    classes = run.data.classes
    known = None if classes is None else np.asarray(run.data.prepared.target.encode(target))
    count = min(frame.height, MOST_POINTS)
    some = np.linspace(0, frame.height - 1, count).astype(np.int64)
    points = frame[some].select(view.columns)
    return {
        "names": grid.names,
        "across": [_word(each) for each in grid.across],
        "up": [_word(each) for each in grid.up],
        "values": values,
        "output": view.output,
        "outputs": grid.outputs,
        "fixed": {name: _word(value) for name, value in grid.fixed.items()},
        "points": {
            "rows": some,
            "across": [_word(each) for each in points.to_series(0)],
            "up": [_word(each) for each in points.to_series(1)],
            "classes": None if known is None else known[some],
            "targets": [_word(each) for each in target[some]],
        },
    }


def curves(run: Run, view: View, question: Question) -> dict[str, Any]:
    """Return the losses of the updates, thinned by means, and the measurements of the epochs."""
    stepper = run.stepper
    losses = stepper.losses
    size = max(1, -(-len(losses) // MOST_POINTS))
    starts = np.arange(0, len(losses), size)
    means = np.add.reduceat(losses, starts) / np.diff([*starts, len(losses)]) if len(losses) else losses
    history = stepper.history
    ends = run.origin - _done(run) + stepper.steps * np.arange(1, history.epochs + 1)
    return {
        "updates": np.minimum(starts + size, len(losses)) + run.origin,
        "losses": means,
        "epochs": ends,
        "loss": history.loss,
        "validation": history.validation_loss,
        "metrics": history.metrics,
        "because": stepper.ended_because,
    }


def _done(run: Run) -> int:
    """Return the updates that a branch's own numbering of epochs has before its origin."""
    stepper = run.stepper
    return run.origin - (stepper.update - stepper.history.epochs * stepper.steps - stepper.position)


def batch(run: Run, view: View, question: Question) -> dict[str, Any]:
    """Return the rows of the next batch."""
    try:
        return {"rows": run.data.prepared.train[run.stepper.batch()]}
    except GanglionError as error:
        return {"rows": [], "why": str(error)}


def rows(run: Run, view: View, question: Question) -> dict[str, Any]:
    """Return some rows of the table with the predictions of the network as it stands."""
    data = run.data
    height = data.prepared.frame.height
    first = whole(question, "first", height)
    found = data.cells(first, ROWS_AT_ONCE)
    with collect_notices(), np.errstate(all="ignore"):
        predicted = run.model.predict(data.prepared.frame[first : first + ROWS_AT_ONCE])["prediction"]
    for each, value in zip(found, predicted, strict=True):
        each["prediction"] = _word(value)
    return {"height": height, "columns": data.columns, "rows": found}


def findings(run: Run, view: View, question: Question) -> dict[str, Any]:
    """Return what the health check finds now, each with a remedy that can be tried."""
    health = _health(run)
    found = []
    for finding in health.findings:
        if finding.name == "not_converged" and not run.stepper.has_ended:
            continue  # it need not have, yet
        remedy = remedied(finding.name, run.settings)
        found.append(
            {
                **{
                    name: getattr(finding, name)
                    for name in ("name", "severity", "title", "evidence", "cause")
                },
                "remedy": finding.remedy,
                "dated": finding.name != "not_converged",  # which is about the end
                "try": None if remedy is None or remedy[0] == run.settings else remedy[1],
            }
        )
    return {"findings": found, "update": run.stepper.update, "rows": health.rows}


def _health(run: Run) -> insight.Health:
    prepared, model = run.data.prepared, run.network
    with collect_notices(), np.errstate(all="ignore"):
        return model.health(
            prepared.X,
            prepared.y,
            loss=run.loss,
            sample_weight=prepared.sample_weight,
            validation=prepared.validation,
            names=prepared.features,
            classes=run.data.classes,
        )


def began(run: Run, view: View, question: Question) -> dict[str, Any]:
    """Return the first update at which a finding was made, given that it lasted since then."""
    name = question.get("name")

    def holds(_: Any) -> bool:
        try:
            return any(finding.name == name for finding in _health(run).findings)
        except GanglionError:
            return False

    found = _since(run, holds)
    if found is None:
        return {"update": None}
    run.began[str(name)] = found.update
    return _dated(run, found)


def silenced(run: Run, view: View, question: Question) -> dict[str, Any]:
    """Return the first update after which a unit gave 0 for every training row, if it does now."""
    layer, unit = question.get("layer"), question.get("unit")
    is_silent = when.unit_is_silent(layer, unit)  # type: ignore[arg-type]  # which it checks itself
    if not is_silent(run.stepper):
        return {"update": None, "speaks": True}
    found = _since(run, is_silent)
    if found is None:
        return {"update": None}
    run.began[f"{layer} unit {unit}"] = found.update
    return _dated(run, found)


def _since(run: Run, holds: Callable[[Any], bool]) -> Found | None:
    """Return since which update something holds that holds now; the run stands where it stood.

    Some keyframes are looked at from here backward, until it does not hold at one: what came and went before
    is another matter.
    """
    stepper = run.stepper
    here = high = stepper.update
    marks = [each for each in stepper.keyframes if each < here]
    marks = [marks[round(i)] for i in np.linspace(0, len(marks) - 1, min(HEALTH_CHECKS, len(marks)))]
    low = stepper.first
    for mark in reversed(marks):
        stepper.seek(mark)
        if not holds(stepper):
            low = mark
            break
        high = mark
    found = stepper.bisect(holds, start=low, stop=high, lasting=True)
    stepper.seek(here)
    return found


def _dated(run: Run, found: Found) -> dict[str, Any]:
    """Return when something began, and the rows of the batch that brought it about, as the table counts."""
    rows_of: Any = run.data.prepared.train[found.rows] if len(found.rows) else []
    order = np.argsort(-np.abs(found.parts), kind="stable")[:MOST_PARTS]
    return {
        "update": found.update,
        "epoch": found.epoch,
        "rows": [{"row": rows_of[each], "part": found.parts[each]} for each in order],
    }


def scores(run: Run, view: View, question: Question) -> dict[str, Any]:
    """Return the network's scores on each part of the rows: mean loss, and accuracy or R2."""
    prepared = run.data.prepared
    y = prepared.target.encode(prepared.frame.get_column(prepared.target.column))
    with np.errstate(all="ignore"):
        losses, outputs = run.stepper.evaluate(run.data.encoded, y)
    found = {}
    for name, places in (
        ("train", prepared.train),
        ("validation", prepared.held_out),
        ("test", prepared.test),
    ):
        if not len(places) or (name == "validation" and run.data.shares_rows):
            continue
        loss, own = float(losses[places].mean()), outputs[places].astype(np.float64)
        if run.data.classes is not None:
            score = float((own.argmax(axis=1) == y[places]).mean())
        else:
            spread = ((y[places] - y[places].mean()) ** 2).sum()
            score = float(1 - ((own[:, 0] - y[places]) ** 2).sum() / spread) if spread > 0 else float("nan")
        found[name] = {"loss": loss, "score": score, "rows": len(places)}
    return {"scores": found, "metric": "accuracy" if run.data.classes is not None else "R2"}


KINDS: dict[str, Callable[[Run, View, Question], dict[str, Any]]] = {
    "network": network,
    "unit": unit,
    "weight": weight,
    "surface": surface,
    "curves": curves,
    "batch": batch,
    "rows": rows,
    "findings": findings,
    "began": began,
    "silenced": silenced,
    "scores": scores,
}
