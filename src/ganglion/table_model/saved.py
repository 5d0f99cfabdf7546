"""The table part of a model file: written from a table model, and read back into the parts of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ganglion.answers.calibration import Calibration
from ganglion.answers.report import Report
from ganglion.answers.target import ClassTarget, NumberTarget, Target
from ganglion.checks import check_flag, check_integer
from ganglion.core.part import Array
from ganglion.errors import ConfigError
from ganglion.files.model_file import SavedModel
from ganglion.network import Network
from ganglion.table_model.learned import from_facts
from ganglion.table_model.sampling import Sampling
from ganglion.tables.encode import Encoder
from ganglion.tables.reading import Reading
from ganglion.training.history import History

if TYPE_CHECKING:
    from ganglion.table_model.model import TableModel


OPTIONAL = {"calibration", "sampling", "reading", "learned"}  # parts that files of older versions lack


def to_saved(model: TableModel) -> SavedModel:
    """Return the contents of the model's file."""
    saved = model.network.to_saved()
    saved.columns = model.encoder.arrays()
    saved.table = {
        "encoder": model.encoder.configuration(),
        "target": model.target.configuration(),
        "validated": model.history.to_facts(),
        "test": None if model.report is None else model.report.to_dict(),
        "rows": model.rows,
        "balanced": model.balanced,
        "sampling": model.sampling.to_facts(),
        "calibration": model.calibration.to_dict(),
        "reading": model.reading.configuration(),
        "learned": list(model.learned.hashes),
    }
    return saved


def read_table_part(
    table: dict[str, Any], network: Network, columns: Mapping[str, Array] | None = None
) -> dict[str, Any]:
    """Return the parts of the table model, by the names that its constructor takes.

    Args:
        table: the description.
        network: the network.
        columns: what the columns hold besides.

    Raises:
        ConfigError, DataError: if the description is not valid, or does not fit the network.
    """
    if set(table) - OPTIONAL != {"encoder", "target", "validated", "test", "rows", "balanced"}:
        raise ConfigError("its table part must have encoder, target, validated, test, rows and balanced")
    rows = table["rows"]
    if not isinstance(rows, dict) or set(rows) != {"train", "validation", "test"}:
        raise ConfigError("its rows must be counts for train, validation and test")
    for name, count in rows.items():
        check_integer(f"the number of rows for {name}", count, at_least=0)
    if not isinstance(table["target"], dict):
        raise ConfigError("its target must be an object")
    encoder, target = Encoder.from_configuration(table["encoder"], columns), Target.find(table["target"])
    outputs = len(target.classes) if isinstance(target, ClassTarget) else 1
    shapes = network.architecture.input_shape, network.architecture.outputs
    if shapes != ((len(encoder.features),), (outputs,)):
        raise ConfigError("its encoder, network and target do not fit together")
    if not isinstance(target, ClassTarget | NumberTarget):
        raise ConfigError("its target must be classes or a number")
    calibration = Calibration.from_dict(table.get("calibration", {}))
    calibration.check_classes(len(target.classes) if isinstance(target, ClassTarget) else None)
    report = None if table["test"] is None else Report.from_dict(table["test"])
    if report is not None and report.task != target.task:
        raise ConfigError(f"its report is of a {report.task}, its target of a {target.task}")
    reading = Reading.from_configuration(table["reading"]) if "reading" in table else Reading()
    return {
        "encoder": encoder,
        "target": target,
        "reading": reading,
        "history": History.from_facts(table["validated"]),
        "report": report,
        "rows": rows,
        "balanced": check_flag("balanced", table["balanced"]),
        "sampling": Sampling.from_facts(table["sampling"]) if "sampling" in table else Sampling(),
        "calibration": calibration,
        "learned": from_facts(table.get("learned", [])),
    }
