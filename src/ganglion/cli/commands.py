"""The commands: the options, calls and output of each."""

from __future__ import annotations

import importlib.metadata
import inspect
import os
import platform
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

import ganglion
from ganglion import insight
from ganglion.cli import image_options, images, joint, pages
from ganglion.cli.console import (
    AS_FOUND,
    AUTOMATIC,
    Flag,
    Names,
    PictureFlags,
    ReadFlags,
    Whole,
    command,
    notes as collect,
    reading_options,
    say,
    say_json,
    say_page,
    split,
)
from ganglion.cli.output import AS_TEXT, emptied, write_table
from ganglion.engines import explain
from ganglion.errors import ConfigError, amount
from ganglion.files.atomic import check_writable
from ganglion.files.checkpoint import checkpoints
from ganglion.files.model_file import SavedModel, read_model
from ganglion.joint import heads_of
from ganglion.network import Network
from ganglion.table_model import JointTableModel, TableModel
from ganglion.table_model.answering import answer_table
from ganglion.tables.encode import require_column
from ganglion.tables.examples import example_pictures, example_table
from ganglion.tables.reading import open_table
from ganglion.tables.texts import Text
from ganglion.training.callbacks import Callback
from ganglion.training.stopping import EarlyStopping

TABLES_ONLY = (
    "minutes", "hidden", "activation", "bins", "dropout", "optimizer", "repeats", "order", "where", "drop",
    "category", "keep", "text", "no_text", "vectors", "keep_words", "fold_case", "scaling",
)  # fmt: skip


@command
def demo(
    name: str = "digits",
    /,
    *,
    seed: Whole = 0,
    convolution: Flag = False,
    save_table: Path | None = None,
    out: Path | None = None,
    json: Flag = False,
) -> None:
    """Train on a table that comes with the package, and show everything.

    Parameters
    ----------
    name
        digits, iris, breast-cancer, diabetes, spiral or xor.
    seed
        Determines the split, the initial weights and everything else random.
    convolution
        For the digits: take the pixels as pictures, and train a convolutional network.
    save_table
        Also write the table to this file, for use with the other commands.
    out
        Write the model to this file.
    json
        Print one JSON object instead.
    """
    started = time.perf_counter()
    example, table = example_table(name)
    heading = [example.title, f"source: {example.source}"]
    if save_table is not None:
        write_table(table, save_table)
        heading.append(f"table written to {save_table}")
    if convolution:
        pictures, labels, settings = example_pictures(example, table)
        title, facts = example.title, {"labels": labels, "seed": seed, **settings}
        images.learn(pictures, title, heading[1:], out, None, json, started, **facts)
        return
    _train(table, example.name, example.target, heading, out, json, seed=seed, **example.settings)


@command
def train(
    table: Path,
    /,
    *more: Path,
    target: str | None = None,
    out: Path | None = None,
    quality: str | None = None,
    minutes: float | None = None,
    hidden: str | None = None,
    activation: str | None = None,
    bins: Whole | None = None,
    task: str = "auto",
    epochs: Whole | None = None,
    batch_size: Whole | None = None,
    dropout: float | None = None,
    optimizer: str | None = None,
    learning_rate: float | None = None,
    patience: Whole | None = None,
    validation: float | None = None,
    test: float | None = None,
    folds: Whole | None = None,
    repeats: Whole = 1,
    group: str | None = None,
    order: str | None = None,
    weight: str | None = None,
    where: str | None = None,
    balanced: Flag = False,
    optimize: str | None = None,
    cost: Names = [],  # noqa: B006
    positive: str | None = None,
    drop: Names = [],  # noqa: B006  # read only
    category: Names = [],  # noqa: B006
    keep: Names = [],  # noqa: B006
    text: Names = [],  # noqa: B006
    no_text: Names = [],  # noqa: B006
    vectors: Path | None = None,
    keep_words: Flag = False,
    fold_case: Flag = False,
    scaling: str = "standard",
    seed: Whole = 0,
    engine: str = "auto",
    checkpoint: Path | None = None,
    resume: Flag = False,
    json: Flag = False,
    read: ReadFlags = AS_FOUND,
    pictures: PictureFlags = AUTOMATIC,
) -> None:
    """Train a model to predict one column of a table from the others, or what is in pictures.

    Parameters
    ----------
    table
        A file (CSV and other text, Parquet, JSON, Arrow, Excel), also compressed; a folder of files with the
        same columns; or - for standard input. Or pictures: a folder with a folder for each class, also as a
        zip archive; a CSV file with a column of paths; an .npz, .npy or idx file.
    more
        More files with the same columns.
    target
        The column to predict; several, separated by commas, are predicted by one network. Pictures in folders
        need none.
    out
        File to write the model to; by default the table's name with .safetensors, in the current folder.
    quality
        fast, good or best. Of a table, fast is one network, good (the default) a mixture of several kinds of
        networks, best a larger one, which takes minutes; with --hidden, --epochs and the like it is one
        network. Of pictures, good takes minutes (the default), best trains a larger network for longer.
    minutes
        Time that training on a table may take.
    hidden
        Units of each hidden layer, separated by commas; "" for none. By default 128,64.
    activation
        Activation of the hidden layers: relu (the default), tanh, gelu ...
    bins
        Bins of each number, which the network sees beside the number itself; by default none for one
        network, and 16 for mixtures.
    task
        classification or regression; by default inferred from the target.
    epochs
        Passes over the rows; by default 60, fewer for large tables.
    batch_size
        Rows for each update; by default 32, more for large tables.
    dropout
        Dropout rate after each hidden layer; by default 0.3, less for large tables.
    optimizer
        sgd, rmsprop, adagrad, adam, adamw (the default), lion or lbfgs.
    learning_rate
        Peak of a one-cycle schedule; 0.005 by default.
    patience
        Stop when the validation loss has not improved for so many epochs, and keep the best epoch's weights;
        rows are then held out, not cross-validated.
    validation
        Fraction of the rows outside the test to validate on; 0.2 by default, 0 for none.
    test
        Fraction of all rows to hold out for the test; 0.2 by default, 0 for none.
    folds
        Cross-validate with this number of folds; 0 to hold rows out once. By default 5 for fewer than 1,000
        rows.
    repeats
        Cross-validate this many times, each time with other folds.
    group
        A column whose equal values, such as those of one person, keep rows together; no input.
    order
        A column of dates or numbers: the latest rows test the model.
    weight
        A column with the weight of each row; no input.
    where
        Use only the rows that satisfy this condition in SQL, such as "age > 18 AND country = 'DE'"; dates are
        written '2022-01-31'.
    balanced
        Give all classes equal total weight, however rare.
    optimize
        For two classes, choose the decision threshold for accuracy, balanced_accuracy, f1 or mcc.
    cost
        Choose it for the lowest cost: fn=10 if a missed positive costs ten times as much as a false alarm.
    positive
        The positive class; by default the rarer one.
    drop
        Columns to ignore, separated by commas.
    category
        Columns to treat as categories although they hold numbers or texts, separated by commas.
    keep
        Columns to use although they look like row numbers, identifiers or names.
    text
        Columns to take for texts; those of mostly different values with several words are found.
    no_text
        Columns not to take for texts: left out as names are, or categories with --keep.
    vectors
        Word vectors that others have learned: a file of GloVe or fastText in text form, or .npz.
    keep_words
        Keep in the model which words are in its texts; by default a model holds no text.
    fold_case
        Make words that differ only in case or outer blanks one category or class.
    scaling
        Scaling of numbers: standard; robust for columns with outliers; quantile if only their order counts.
    seed
        Determines everything random.
    engine
        auto or reference.
    checkpoint
        Folder to keep what is learned in, so that training can go on after an accident.
    resume
        Go on from what is in the folder of --checkpoint; give the same table and options.
    json
        Print one JSON object instead.
    """
    given = _given(locals())
    started = time.perf_counter()
    stopping = [] if patience is None else [EarlyStopping(patience)]
    if image_options.is_pictures(table, pictures):
        options = [name for name in given if name in TABLES_ONLY]
        options += [name for name, is_given in reading_options(read).items() if is_given]
        image_options.refuse(options, table, pictures=True)
        with _kept(checkpoint, resume):
            images.train(
                table,
                more,
                out,
                pictures,
                json,
                started,
                quality=quality or "good",
                target=None if target is None else joint.target_of(target),
                group=group,
                weight=weight,
                task=task,
                test=test,
                validation=validation,
                folds=folds,
                epochs=epochs,
                batch_size=batch_size,
                learning_rate=learning_rate,
                class_weight="balanced" if balanced else None,
                optimize=optimize,
                costs=_costs(cost),
                positive=positive,
                callbacks=stopping,
                seed=seed,
                engine=engine,
            )
        return
    if "pictures" in given:
        defaults = vars(AUTOMATIC)
        options = [name for name, value in vars(pictures).items() if value != defaults[name]]
        image_options.refuse(options, table, pictures=False)
    target = image_options.require_target(target, table)
    name = "model" if str(table) == "-" else table.name.partition(".")[0] or "model"
    path = Path(name + ".safetensors") if out is None else out
    with collect() as collected:
        opened = open_table([table, *more] if more else table, read.options(), targets=split([target]))
    with _kept(checkpoint, resume):
        _train(
            opened,
            table.name,
            target,
            [],
            path,
            json,
            collected,
            started,
            stopping,
            quality=quality,
            minutes=minutes,
            hidden=None if hidden is None else _units(hidden),
            activation=activation,
            bins=bins,
            task=task,
            epochs=epochs,
            batch_size=batch_size,
            dropout=dropout,
            optimizer=optimizer,
            learning_rate=learning_rate,
            validation=validation,
            test=test,
            folds=folds,
            repeats=repeats,
            group=group,
            order=order,
            weight=weight,
            where=where,
            class_weight="balanced" if balanced else None,
            optimize=optimize,
            costs=_costs(cost),
            positive=positive,
            drop=split(drop),
            categories=split(category),
            keep=split(keep),
            text=Text(split(text), split(no_text), vectors, keep_words),
            fold_case=fold_case,
            scaling=scaling,
            seed=seed,
            engine=engine,
        )


@command
def predict(
    model: Path,
    table: Path,
    /,
    *,
    out: Path | None = None,
    probabilities: Flag = False,
    remarks: Annotated[Flag, Parameter(name="--notes")] = False,
    interval: float | None = None,
    keep: Names = [],  # noqa: B006  # read only
    path: str | None = None,
    folder: Path | None = None,
    read: ReadFlags = AS_FOUND,
) -> None:
    """Predict the target for each row of a table, or for each picture, in order.

    Parameters
    ----------
    model
        A model file written by train.
    table
        A table with the columns that the model needs; for a model of images, a folder of pictures, one
        picture, or what else train takes.
    out
        A .csv, .tsv, .parquet, .jsonl or .arrow file; by default CSV is printed.
    probabilities
        Add a column with the probability of each class.
    remarks
        Add a column with what is noted about each row: missing values, unknown categories.
    interval
        For numbers, add the ends, low and high, of an interval that holds this fraction of the rows: 0.9.
    keep
        Columns of the table to copy before the predictions, separated by commas, such as an id; in CSV with
        the text that they have in the table.
    path
        In a table of pictures, the column of the paths; found by default.
    folder
        What these paths are relative to; by default the folder of the table.
    """
    image_options.check_output(out, model, table)
    if (of_images := images.load(model, table)) is not None:
        options = {"notes": remarks, "keep": bool(keep), **reading_options(read)}
        image_options.refuse([name for name, given in options.items() if given], model, pictures=True)
        images.predict(of_images, table, out, probabilities, interval, path=path, folder=folder)
        return
    placed = {"path": path, "folder": folder}
    refused = [name for name, value in placed.items() if value is not None]
    image_options.refuse(refused, model, pictures=False)
    with collect() as collected:
        loaded = joint.load_any(model, table)
        heads = heads_of(loaded)
        if probabilities:
            joint.require_classes(heads)
        as_text, kept = out is None or out.suffix.lower() in AS_TEXT, split(keep)
        targets = [head.target.column for head in heads]
        opened = open_table(table, read.options(), heads[0].reading, targets, kept if as_text else ())
        frame = opened.frame
        copied = [require_column(frame, name) for name in kept]
        if as_text:
            copied = [emptied(opened.verbatim[name]) for name in kept]
        predictions = answer_table(
            loaded, frame, probabilities=probabilities, interval=interval, notes=remarks
        )
        if as_text:
            predictions = joint.shortest(predictions, loaded)
    for note in collected:
        sys.stderr.write(f"note: {note}\n")
    if clash := sorted({column.name for column in copied} & set(predictions.columns)):
        raise ConfigError(
            f"--keep must not name a column of the predictions, got {clash[0]!r}", "rename the column"
        )
    predictions = predictions.select(*copied, *predictions.columns)
    if out is None:
        sys.stdout.write(predictions.write_csv())
    else:
        write_table(predictions, out)
        say(f"{amount(predictions.height, 'prediction')} written to {out}")


@command
def evaluate(
    model: Path,
    table: Path,
    /,
    *,
    mistakes: Path | None = None,
    path: str | None = None,
    folder: Path | None = None,
    json: Flag = False,
    read: ReadFlags = AS_FOUND,
) -> None:
    """Evaluate a model on a table with the target, or on pictures, compared with a baseline.

    Parameters
    ----------
    model
        A model file written by train.
    table
        A table of rows that the model has not learned from; for a model of images, pictures as train takes
        them.
    mistakes
        For pictures, write a contact sheet of the most confident mistakes to this file, .png or .html; of
        several targets, one for each of the first 8, with -TARGET in its name.
    path
        In a table of pictures, the column of the paths; found by default.
    folder
        What these paths are relative to; by default the folder of the table.
    json
        Print one JSON object instead.
    """
    if (of_images := images.load(model, table)) is not None:
        image_options.refuse(
            [name for name, given in reading_options(read).items() if given], model, pictures=True
        )
        images.evaluate(of_images, table, mistakes, json, path=path, folder=folder)
        return
    given = {"mistakes": mistakes, "path": path, "folder": folder}
    image_options.refuse([name for name, value in given.items() if value is not None], model, pictures=False)
    with collect() as collected:
        loaded = joint.load_any(model, table)
        found = loaded.evaluate(table, read=read.options())
    say_page(joint.reports_page(found), joint.reports_facts(found), collected, json)


@command
def show(model: Path, /, *, card: Path | None = None, json: Flag = False) -> None:
    """Show a model: its columns or pictures, network, training and report.

    Parameters
    ----------
    model
        A model file written by train or Network.save.
    card
        Write a model card to this file, as Markdown, instead: data, training, scores, known limits.
    json
        Print one JSON object instead.
    """
    file = read_model(model)
    if card is not None:
        _write_card(card, model, file)
        return
    if (of_images := images.read(file)) is not None:
        if json:
            say_json(images.facts(of_images))
        else:
            say(images.show(of_images, model.name))
        return
    loaded = JointTableModel.from_saved(file) or TableModel.from_saved(file)
    if loaded is None:
        network = Network.from_saved(file)
        if json:
            say_json(network.architecture.configuration() | {"training": network.facts})
        else:
            network.summary()
            say(pages.training_page(network))
        return
    if json:
        say_json(joint.facts(loaded))
        return
    heads = heads_of(loaded)
    say(f"{model.name}: " + ", ".join(f"{head.target.task} of {head.target.column!r}" for head in heads))
    say(joint.columns_page(loaded))
    say(f"\n{loaded.network.describe()}\n")
    say(pages.training_page(loaded.network))
    say(pages.rows_page(heads[0], loaded.network) + "\n")
    say(pages.run_page(heads[0]))
    say("\n" + joint.answers_page(loaded))


def _write_card(card: Path, path: Path, file: SavedModel) -> None:
    loaded = images.read(file) or JointTableModel.from_saved(file) or TableModel.from_saved(file)
    if loaded is None:
        raise ConfigError("a card is for a model of a table or of pictures, and this is a network by itself")
    image_options.check_apart(card, path)
    from ganglion.cli.cards import write_card  # noqa: PLC0415  # which needs Matplotlib, where it is

    pictures = write_card(card, path, loaded)
    say(f"{card} written" + "".join(f", {each.name}" for each in pictures))


@command
def info(*, json: Flag = False) -> None:
    """Show versions, the engine in use and why, and the processor.

    Parameters
    ----------
    json
        Print one JSON object instead.
    """
    engine, why = explain()
    facts = {
        "ganglion": ganglion.__version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in ("numpy", "polars", "safetensors")},
        "pictures": _pillow(),
        "engine": f"{engine}: {why}",
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
    }
    if json:
        say_json(facts)
        return
    for name, value in facts.items():
        say(f"{name:<12}  {value}")


@contextmanager
def _kept(folder: Path | None, resume: bool) -> Iterator[None]:
    """Keep what is learned in the folder of --checkpoint.

    Raises:
        ConfigError: if the folder holds something and is not to be resumed, or the other way around.
    """
    if folder is None:
        if resume:
            raise ConfigError("--resume must come with --checkpoint, which says from where")
        yield
        return
    if resume and not folder.is_dir():
        raise ConfigError(f"there is no folder {folder} to resume from", "leave out --resume to start")
    if not resume and folder.is_dir() and any(folder.iterdir()):
        raise ConfigError(f"{folder} is not empty", "add --resume to go on from it, or give another folder")
    with checkpoints(folder):
        yield


def _train(
    table: Any,
    title: str,
    target: str,
    heading: list[str],
    out: Path | None,
    as_json: bool,
    already: list[str] | None = None,
    started: float | None = None,
    stopping: Sequence[Callback] = (),
    **settings: Any,
) -> None:
    """Train, print and save, for both `demo` and `train`."""
    began = time.perf_counter() if started is None else started
    replaced = out is not None and out.is_file()
    if out is not None:
        if out.suffix != ".safetensors" and not out.is_dir():
            raise ConfigError(f"a model file must end in .safetensors, got {out.name}", "rename it in --out")
        check_writable(out)

    check = insight.HealthCheck()

    def announce(model: TableModel | JointTableModel) -> None:
        first = heads_of(model)[0]
        check.names = first.encoder.features
        check.classes = first.labels if first is model else None
        if not as_json:
            if how := first.reading.describe():
                heading.append(f"read as: {how}")
            say("\n".join([title, *heading, "", joint.columns_page(model, left_out=False)]))
            say("\n" + pages.network_page(first, model.network))

    with collect() as collected:
        model = TableModel.train(
            table,
            joint.target_of(target),
            announce=announce,
            progress=not as_json,
            callbacks=[check, *stopping],
            **settings,
        )
    collected = [*(already or []), *collected]
    findings = check.health.findings
    if out is not None:
        model.save(out)
    if as_json:
        facts = joint.facts(model) | {"notes": collected, "findings": [vars(each) for each in findings]}
        say_json(facts | {"model": None if out is None else str(out)})
        return
    first = heads_of(model)[0]
    say(pages.rows_page(first, model.network))
    for note in collected:
        say(f"note: {note}")
    say("\n" + pages.run_page(first, time.perf_counter() - began))
    if first is model and (picture := pages.boundary_page(first, table)):
        say("\n" + picture)
    say("\n" + joint.results_page(model))
    say(pages.findings_page(findings))
    if out is not None:
        replacing = ", replacing the previous file" if replaced else ""
        say(f"model written to {out} ({out.stat().st_size / 1000:.0f} KB{replacing})")


def _given(values: Mapping[str, Any]) -> list[str]:
    """Return the names of the parameters of `train` whose values are not the defaults."""
    defaults = inspect.signature(train).parameters
    return [name for name, value in values.items() if value != defaults[name].default]


def _units(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.split(",") if word.strip())
    except ValueError as error:
        raise ConfigError(
            f"--hidden must be whole numbers separated by commas, got {text!r}", "such as --hidden 64,32"
        ) from error


def _costs(words: list[str]) -> dict[str, float] | None:
    """Return the costs in words such as fn=10, None without any."""
    costs = {}
    for word in split(words):
        name, _, value = word.partition("=")
        try:
            costs[name.strip()] = float(value)
        except ValueError as error:
            raise ConfigError(f"--cost must be NAME=NUMBER, got {word!r}", "such as --cost fn=10") from error
    return costs or None


def _pillow() -> str:
    """Return what reads files of pictures, or how to install it."""
    try:
        return f"pillow {importlib.metadata.version('pillow')}"
    except importlib.metadata.PackageNotFoundError:
        return "pillow is not installed; pip install 'ganglion[images]'"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"
