"""The images part of a model file: written from an image model, and read back into the parts of one."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from ganglion.answers.calibration import Calibration
from ganglion.answers.report import Report
from ganglion.answers.target import ClassTarget, NumberTarget, Target
from ganglion.checks import check_flag, check_integer, check_number
from ganglion.errors import ConfigError
from ganglion.files.model_file import SavedModel
from ganglion.image_model.defaults import check_outputs
from ganglion.image_model.labels import LabelColumn
from ganglion.images import Augmentation, Fitting
from ganglion.images.rows import Scaling
from ganglion.network import Network
from ganglion.training.history import History

if TYPE_CHECKING:
    from ganglion.image_model.model import ImageModel

KEYS = {
    "target", "fitting", "scaling", "validated", "test", "rows", "calibration", "augmentation", "balanced"
}  # fmt: skip
OPTIONAL = {"label_column"}
LEAST_DEVIATION = 1e-9  # one byte that differs by one, in all pictures that fit in memory, has more


def to_saved(model: ImageModel) -> SavedModel:
    """Return the contents of the model's file."""
    saved = model.network.to_saved()
    saved.images = {
        "target": model.target.configuration(),
        "fitting": dataclasses.asdict(model.fitting),
        "scaling": {"mean": list(model.scaling.mean), "deviation": list(model.scaling.deviation)},
        "validated": model.history.to_facts(),
        "test": None if model.report is None else model.report.to_dict(),
        "rows": model.rows,
        "calibration": model.calibration.to_dict(),
        "augmentation": None if model.augmentation is None else dataclasses.asdict(model.augmentation),
        "balanced": model.balanced,
    }
    if model.label_column is not None:
        saved.images["label_column"] = dataclasses.asdict(model.label_column)
    return saved


def read_images_part(part: dict[str, Any], network: Network) -> dict[str, Any]:
    """Return the parts of the image model, by the names that its constructor takes.

    Raises:
        ConfigError, DataError: if the description is not valid, or does not fit the network.
    """
    if set(part) - OPTIONAL != KEYS:
        raise ConfigError("its images part must have " + ", ".join(sorted(KEYS)))
    rows = part["rows"]
    if not isinstance(rows, dict) or set(rows) != {"train", "validation", "test"}:
        raise ConfigError("its rows must be counts for train, validation and test")
    for name, count in rows.items():
        check_integer(f"the number of pictures for {name}", count, at_least=0)
    fitting, scaling = _of(Fitting, part["fitting"]), _scaling(part["scaling"])
    augmentation = None if part["augmentation"] is None else _of(Augmentation, part["augmentation"])
    if not isinstance(part["target"], dict):
        raise ConfigError("its target must be an object")
    target = Target.find(part["target"])
    if not isinstance(target, ClassTarget | NumberTarget):
        raise ConfigError("its target must be classes or a number")
    architecture = network.architecture
    sizes = (fitting.shape, fitting.channels)
    if not architecture.takes_numbers or (architecture.input_shape, len(scaling.mean)) != sizes:
        raise ConfigError("its pictures and network do not fit together")
    check_outputs(architecture, [target])
    calibration = Calibration.from_dict(part["calibration"])
    calibration.check_classes(len(target.classes) if isinstance(target, ClassTarget) else None)
    label_column = _label_column(part["label_column"]) if "label_column" in part else None
    if label_column is not None and target.column not in label_column.words:
        raise ConfigError("its target must be one of its labels")
    report = None if part["test"] is None else Report.from_dict(part["test"])
    if report is not None and report.task != target.task:
        raise ConfigError(f"its report is of a {report.task}, its target of a {target.task}")
    return {
        "target": target,
        "fitting": fitting,
        "scaling": scaling,
        "history": History.from_facts(part["validated"]),
        "report": report,
        "rows": rows,
        "calibration": calibration,
        "augmentation": augmentation,
        "balanced": check_flag("balanced", part["balanced"]),
        "folds": 0 if report is None or report.folds < 2 else report.folds,
        "label_column": label_column,
    }


def _of(kind: type[Any], settings: Any) -> Any:
    """Return a frozen dataclass that checks its own fields, made from a file's description of them."""
    if not isinstance(settings, dict) or set(settings) != {field.name for field in dataclasses.fields(kind)}:
        raise ConfigError(f"its {kind.__name__.lower()} must have the settings of one")
    try:
        return kind(**settings)
    except TypeError as error:
        raise ConfigError(f"its {kind.__name__.lower()} must have the settings of one") from error


def _label_column(settings: Any) -> LabelColumn:
    if not isinstance(settings, dict) or not isinstance(settings.get("words"), list):
        raise ConfigError("its column of labels must have column, separator and words")
    found: LabelColumn = _of(LabelColumn, settings | {"words": tuple(settings["words"])})
    return found


def _scaling(settings: Any) -> Scaling:
    if not isinstance(settings, dict) or set(settings) != {"mean", "deviation"}:
        raise ConfigError("its scaling must have mean and deviation")
    mean, deviation = settings["mean"], settings["deviation"]
    if not (isinstance(mean, list) and isinstance(deviation, list) and len(mean) == len(deviation)):
        raise ConfigError("its scaling must have a mean and a deviation for each channel")
    return Scaling(
        tuple(check_number("mean", value, at_least=0, at_most=1) for value in mean),
        tuple(check_number("deviation", value, at_least=LEAST_DEVIATION, at_most=1) for value in deviation),
    )
