"""What a person leaves the studio with: the script that makes this run again, the model, and its exports."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from ganglion.core.layers import Dense, Dropout
from ganglion.core.regularization import Regularization
from ganglion.errors import ConfigError, collect_notices, one_of
from ganglion.files.exports import FORMATS
from ganglion.studio.run import Run
from ganglion.table_model import TableModel
from ganglion.tables.examples import FOLDER

MODEL, SCRIPT, REPORT = "model", "script", "report"


def export(run: Run, kind: Any) -> tuple[str, bytes]:
    """Return the name and the contents of a file about a run.

    Args:
        run: as it stands.
        kind: "script", "model", "report", or the ending of a format of `ganglion export`, such as ".onnx".

    Raises:
        ConfigError: for another kind, or a network that the format cannot have.
    """
    if kind not in (MODEL, SCRIPT, REPORT, *FORMATS):
        raise ConfigError(f"there is no file {kind!r}", one_of(str(kind), (MODEL, SCRIPT, REPORT, *FORMATS)))
    stem = stem_of(run)
    if kind == SCRIPT:
        return f"{stem}_script.py", script(run).encode()
    with collect_notices():
        model = run.data.prepared.model(run.network)
    if kind == REPORT:
        return f"{stem}.txt", f"{model.report}\n\n{model.advice}\n".encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{stem}{'.safetensors' if kind == MODEL else kind}"
        if kind == MODEL:
            model.save(path)
        else:
            model.export(path)
        return path.name, path.read_bytes()


def stem_of(run: Run) -> str:
    """Return the name of a run's files."""
    return "".join(c for c in run.name.replace(" ", "_") if c.isalnum() or c in "_-") or "run"


def digest(run: Run) -> str:
    """Return a hash of the parameters as they stand."""
    return hashlib.sha256(run.network.parameters.tobytes()).hexdigest()


def code(run: Run) -> str:
    """Return the Python code that makes a run again, up to where it stands."""
    source = run.data.source
    if source.path.parent == FOLDER:
        table = f'Path(gg.__file__).parent / "tables" / "data" / {source.name!r}'
    else:
        table = repr(source.name)
    options = "".join(f", {name}={value!r}" for name, value in run.data.options.items())
    root, *branches = run.lineage
    begin = f"prepared = gg.TableModel.prepare(table, {run.data.chosen!r}, seed={run.data.seed}{options})"
    if run.data.like is not None:
        begin = f"model = gg.TableModel.load({run.data.model_name!r})\n{begin[:-1]}, like=model)"
    new = f"prepared.network({root.settings.network_code()})"
    lines = [
        f"table = sys.argv[1] if len(sys.argv) > 1 else {table}",
        begin,
        f"net = {'model.network' if root.goes_on else new}",
        "stepper = gg.Stepper(",
        "    net,",
        "    prepared.X,",
        "    prepared.y,",
        "    validation=prepared.validation,",
        "    sample_weight=prepared.sample_weight,",
        *(f"    {name}={value}," for name, value in root.settings.fit_code().items()),
        ")",
    ]
    before = root
    for branch in branches:
        changes = branch.settings.fit_code()
        own = [f"{n}={v}" for n, v in changes.items() if before.settings.fit_code().get(n) != v]
        if "regularization" in before.settings.fit_code() and "regularization" not in changes:
            own.append("regularization=None")
        lines += [f"stepper.seek({branch.origin})", f"stepper = stepper.branch({', '.join(own)})"]
        lines += [f"stepper.edit({e.parameter!r}, {e.index!r}, {e.value!r})" for e in branch.edits]
        before = branch
    return "\n".join([*lines, f"stepper.seek({run.stepper.update})", ""])


def script(run: Run) -> str:
    """Return a whole script that makes a run again, compares the bits, and saves the model."""
    title = json.dumps(f"{run.name}, update {run.stepper.update}", ensure_ascii=True)[1:-1]
    return f'''"""{title}, of ganglion studio, made again: python {stem_of(run)}_script.py [TABLE]."""

import hashlib
import sys
from pathlib import Path

import ganglion as gg

{code(run)}
digest = hashlib.sha256(stepper.network.parameters.tobytes()).hexdigest()
same = digest == "{digest(run)}"
print(f"update {{stepper.update}}, parameters {{digest}}")
print("the same bits as in the studio" if same else "other bits: another table, version or kind of processor")
model = prepared.model(stepper.network)
print(model.report)
model.save("model.safetensors")
sys.exit(0 if same else 1)
'''


def train(run: Run) -> dict[str, Any]:
    """Train the model that `ganglion train` makes with a run's settings; return its report and parameters.

    Raises:
        ConfigError: if `train` has no such settings.
    """
    settings = run.settings
    if run.parent is not None or run.edits or run.data.like is not None:
        raise ConfigError(
            "a branch cannot be trained anew from its beginning", "export it as a model instead"
        )
    if settings.regularization != Regularization() or settings.dtype != "float32":
        raise ConfigError(
            "`ganglion train` has no penalties and trains in float32", "export the run as a model"
        )
    if settings.loss.configuration() != run.data.settings.loss.configuration():
        raise ConfigError("`ganglion train` picks the loss itself", "export the run as a model")
    dense = [layer for layer in settings.layers if isinstance(layer, Dense)]
    rates = {layer.rate for layer in settings.layers if isinstance(layer, Dropout)}
    activations = {layer.activation.name for layer in dense}
    plain = [each for one in dense for each in (one, *(Dropout(rate) for rate in rates))]
    if len(activations) > 1 or list(settings.layers) != plain or any(d.weight_initializer for d in dense):
        raise ConfigError(
            "`ganglion train` makes dense layers of one activation, each with the same dropout",
            "export the run as a model",
        )
    with collect_notices():
        model = TableModel.train(
            run.data.source.path,
            run.data.chosen,
            hidden=[layer.units for layer in dense],
            activation=next(iter(activations), "relu"),
            dropout=next(iter(rates), 0.0),
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            optimizer=settings.optimizer,
            seed=settings.seed,
            **run.data.options,
        )
    parameters = hashlib.sha256(model.network.parameters.tobytes()).hexdigest()
    return {"trained": {"report": str(model.report), "advice": model.advice, "digest": parameters}}
