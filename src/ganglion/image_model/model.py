"""ImageModel: a network and what turns pictures into its inputs and its outputs into answers."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import polars as pl

from ganglion import insight
from ganglion.answers.advice import PICTURES, advice
from ganglion.answers.calibration import Calibration
from ganglion.answers.held_out import HeldOut
from ganglion.answers.judging import evaluate
from ganglion.answers.predictions import half_width, plain_answer, prediction_columns
from ganglion.answers.report import Report
from ganglion.answers.target import ClassTarget, NumberTarget
from ganglion.answers.thresholds import make_objective
from ganglion.core.arrays import as_array
from ganglion.core.layers import Layer
from ganglion.core.part import Array
from ganglion.errors import ConfigError, DataError, FileError, GanglionError
from ganglion.files.exports import Exportable, Job
from ganglion.files.model_file import SavedModel, read_model, write_model
from ganglion.image_model.labeled import Wanted
from ganglion.image_model.labels import LabelColumn
from ganglion.image_model.learner import Tested
from ganglion.image_model.mistakes import Mistakes
from ganglion.image_model.parts import find_in_parts, split_of_parts
from ganglion.image_model.saved import read_images_part, to_saved
from ganglion.image_model.training import Kinds, Recipe, train
from ganglion.images import (
    Augmentation,
    Fitting,
    LeftOut,
    Store,
    decode_pictures,
    find_copies,
    open_images,
)
from ganglion.images.arrays import CHANNELS
from ganglion.images.rows import PictureRows, Scaling
from ganglion.network import Network
from ganglion.tables.labeled import target_names
from ganglion.training.callbacks import Callback, check_callbacks
from ganglion.training.history import History
from ganglion.training.optimizers import Optimizer


class ImageModel(Exportable):
    """A network that predicts what is in a picture. Create it with `train` or `load`.

    Attributes:
        network: the `Network`; its input is a picture of `fitting.shape`.
        target: what is predicted: classes or a number.
        fitting: the size that pictures are brought to, and how.
        scaling: how bytes become numbers.
        history: the history of the training.
        report: on the test pictures, None if there were none.
        rows: the number of pictures for "train", "validation" and "test".
        calibration: how the network's outputs become probabilities, decisions and intervals.
        augmentation: how training pictures were varied; None if they were not.
        balanced: whether classes had equal total weight.
        tested: the test pictures and the answers for them; None after loading.
        left_out: the files that were no pictures or could not be read, each with `name` and `reason`, in
            training or the last evaluation; none after loading.
        folds: the number of folds whose networks tested the model; 0 if it was tested itself, or not at all.
        label_column: of a head of a `JointImageModel`, the column that holds the target as one of several
            words; None otherwise.
    """

    def __init__(
        self,
        network: Network,
        target: ClassTarget | NumberTarget,
        fitting: Fitting,
        scaling: Scaling,
        history: History,
        report: Report | None = None,
        rows: dict[str, int] | None = None,
        calibration: Calibration | None = None,
        augmentation: Augmentation | None = None,
        balanced: bool = False,
        tested: Tested | None = None,
        left_out: tuple[LeftOut, ...] = (),
        folds: int = 0,
        label_column: LabelColumn | None = None,
    ) -> None:
        self.network, self.target, self.fitting, self.scaling = network, target, fitting, scaling
        self.history, self.report = history, report
        self.rows = {"train": 0, "validation": 0, "test": 0} if rows is None else rows
        self.calibration = Calibration() if calibration is None else calibration
        self.augmentation, self.balanced, self.tested = augmentation, balanced, tested
        self.left_out, self.folds, self.label_column = left_out, folds, label_column

    @classmethod
    def train(
        cls,
        source: Any,
        *,
        labels: Any = None,
        path: str | None = None,
        target: str | Sequence[str] | None = None,
        label_separator: str | None = None,
        folder: str | os.PathLike[str] | None = None,
        group: str | None = None,
        weight: str | None = None,
        task: str = "auto",
        size: int | tuple[int, int] | None = None,
        fit: str = "crop",
        layers: Sequence[Layer] | None = None,
        augment: Augmentation | str | None = "auto",
        quality: str = "good",
        test: float | None = None,
        validation: float | None = None,
        folds: int | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        optimizer: Optimizer | None = None,
        class_weight: str | None = "auto",
        optimize: str | None = None,
        costs: Mapping[str, float] | None = None,
        positive: object = None,
        callbacks: Sequence[Callback] = (),
        progress: bool = False,
        announce: Callable[[Self], object] | None = None,
        seed: int = 0,
        engine: str = "auto",
    ) -> Any:
        """Train a model on pictures: a folder for each class, a table of paths, or arrays.

        Pictures are decoded once and kept as bytes. They are split into training, validation and test
        pictures, copies of one picture together; folders named train, validation (val) and test are taken as
        they are. The network learns from the training pictures, varied anew in each epoch; the validation
        pictures calibrate its probabilities, and the report is on the test pictures. With fewer than 1,000
        pictures, 5 folds test all of them, and the model that is returned has learned from all.

        Args:
            source: a folder with a folder for each class, which may lie in folders named train, validation
                (val) and test; a zip archive of such a folder; a table (CSV, polars frame, dict) with a
                column of paths; an `.npz`, `.npy` or idx file, or a folder of idx files; an array of shape
                (n, height, width) or (n, height, width, channels).
            labels: beside an array, what is in each picture. For several targets a dict or frame of columns;
                an array of 0 and 1 with a column for each of several labels that may occur together.
            path: in a table, the column of the paths; by default it is found.
            target: in a table, the column to predict; by default the only one beside the paths. With a list
                of names, one network predicts all of these columns, and the result is a `JointImageModel`; a
                picture that lacks some of them still teaches the others. All other settings apply to each
                target.
            label_separator: what stands between several labels in one column, such as ";" in "cat;dog". Each
                of the words becomes a target, true or false; an empty cell has none of them.
            folder: what the paths in a table are relative to; by default the folder of the table.
            group: in a table, a column whose equal values keep pictures together, such as a person.
            weight: in a table, a column with the weight of each picture.
            task: "classification", "regression" or "auto" (default), which decides by the target's values.
            size: the side of the pictures, in pixels, or (height, width); by default it is chosen by their
                own sizes, at most 128.
            fit: how pictures of another shape are fitted: "crop" (default) or "pad".
            layers: of the network; by default convolutions and pools chosen by the size of the pictures.
            augment: how training pictures are varied: "auto" (default), "none", or a `gg.Augmentation`.
                "auto" mirrors pictures only if a small network shows that mirroring keeps their class.
            quality: "good" (default) for minutes, or "best" for a larger network and longer training.
            test: the fraction of pictures that test the model, 0.2 by default.
            validation: the fraction of the others that calibrate it, 0.1 by default.
            folds: of cross-validation, 0 for a hold-out; by default 5 for fewer than 1,000 pictures.
            epochs: the number of passes over the training pictures, by default chosen by their number.
            batch_size: the number of pictures per update, by default 16 to 64.
            learning_rate: the largest of the one-cycle schedule, 0.003 by default.
            optimizer: instead of AdamW with that schedule.
            class_weight: "balanced" for equal total weights, None for none; "auto" (default) balances if one
                class has three times as many pictures as another. Probabilities are corrected for it.
            optimize: as for `TableModel.train`, what a decision threshold is chosen for.
            costs: as for `TableModel.train`.
            positive: as for `TableModel.train`.
            callbacks: for the training.
            progress: whether to show progress in a terminal, False by default.
            announce: called with the untrained model before the training.
            seed: determines all randomness, 0 by default.
            engine: as for `Network`.

        Raises:
            FileError: if the source is missing, damaged, or holds no pictures.
            DataError: for pictures without classes, or a target that cannot be predicted.
            ConfigError: for a setting out of range, or one that does not apply.
            MissingPackageError: for files, without Pillow.

        >>> import numpy as np
        >>> chance = np.random.default_rng(0)
        >>> labels = np.array(["dark", "bright"] * 30)
        >>> pictures = chance.integers(0, 100, (60, 8, 8)) + 100 * (labels == "bright")[:, None, None]
        >>> model = gg.ImageModel.train(pictures, labels=labels, epochs=5)
        >>> model.predict(pictures[:2])["prediction"].to_list()
        ['dark', 'bright']
        """
        from ganglion.image_model.joint import JointImageModel  # noqa: PLC0415  # made of these models

        recipe = Recipe(
            labels=labels,
            path=path,
            targets=None if target is None else target_names(target),
            label_separator=label_separator,
            folder=folder,
            group=group,
            weight=weight,
            task=task,
            size=size,
            fit=fit,
            layers=layers,
            augment=augment,
            quality=quality,
            test=test,
            validation=validation,
            folds=folds,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            optimizer=optimizer,
            class_weight=class_weight,
            objective=make_objective(optimize, costs, positive),
            callbacks=check_callbacks(callbacks),
            progress=progress,
            announce=announce or (lambda model: None),
            seed=seed,
            engine=engine,
        )
        return train(Kinds(cls, JointImageModel), source, recipe)

    @property
    def labels(self) -> list[str] | None:
        """The classes as text, in the order of the network's outputs; None for numbers."""
        return self.target.labels if isinstance(self.target, ClassTarget) else None

    @property
    def advice(self) -> str:
        """One sentence on what to do next."""
        return advice(self.history, self.report, PICTURES)

    def decode(
        self, source: Any, *, path: str | None = None, folder: str | os.PathLike[str] | None = None
    ) -> Store:
        """Return pictures decoded and fitted as the model's own were.

        Args:
            source: what `predict` takes.
            path: as for `predict`.
            folder: as for `predict`.

        Raises:
            FileError: if a file cannot be read.
            DataError: if no picture can be read.
        """
        if isinstance(source, list | tuple) and not all(isinstance(x, str | os.PathLike) for x in source):
            source = as_array("images", source)
        if isinstance(source, np.ndarray) and self._is_one(source.shape):
            source = source[None]
        target = () if isinstance(source, pl.DataFrame | dict) else None
        found = open_images(source, path=path, target=target, folder=folder, classes=False)
        return decode_pictures(found, self.fitting)

    def _is_one(self, shape: tuple[int, ...]) -> bool:
        """Return whether an array is one picture, (height, width) or (height, width, channels)."""
        many = shape[1:] == self.fitting.shape[:2] and shape != self.fitting.shape
        return len(shape) == 2 or (len(shape) == 3 and shape[2] in CHANNELS and not many)

    def decode_one(self, picture: Any) -> Store:
        """Return one picture decoded and fitted; see `decode`.

        Raises:
            DataError: for several pictures.
        """
        store = self.decode(picture)
        if len(store) != 1:
            raise DataError(f"one picture is needed, got {len(store):,}", "use predict for several")
        return store

    def predict(
        self,
        source: Any,
        interval: float | None = None,
        *,
        path: str | None = None,
        folder: str | os.PathLike[str] | None = None,
    ) -> pl.DataFrame:
        """Return a prediction for each picture that can be read.

        Args:
            source: pictures: a folder (all in it, in the order of their paths), an archive, a table of paths,
                one path, a list of paths, an array of one or several pictures.
            interval: as for `TableModel.predict`.
            path: in a table, the column of the paths; by default it is found.
            folder: what the paths in a table are relative to; by default the folder of the table.

        Returns:
            A frame with the columns `image`, the name of the picture, `prediction`, and for classification
            `probability_<class>` for each class; with `interval`, the columns `low` and `high`.

        Raises:
            FileError: if the source is missing, or holds no pictures.
            DataError: if no picture can be read; others that cannot are left out with a notice.
            ConfigError: for an interval that is not between 0 and 1, or of classes.
        """
        half = half_width(self.target, self.calibration, interval)
        store = self.decode(source, path=path, folder=folder)
        columns = prediction_columns(self.target, self.calibration, self.outputs(store), half)
        return pl.DataFrame([pl.Series("image", list(store.pictures.names)), *columns])

    def answer(self, picture: Any, interval: float | None = None) -> dict[str, Any]:
        """Return the prediction for one picture, as plain Python.

        Args:
            picture: a path, or an array of shape (height, width) or (height, width, channels).
            interval: as for `predict`.

        Returns:
            A dict with `prediction`, and for classification `probabilities`, by the name of the class; with
            `interval`, also `low` and `high`.

        Raises:
            FileError, DataError, ConfigError: as for `predict`, and for several pictures.
        """
        half = half_width(self.target, self.calibration, interval)
        outputs = self.outputs(self.decode_one(picture))
        return plain_answer(self.target, self.calibration, outputs, half)

    def outputs(self, store: Store) -> Array:
        """Return the network's outputs for decoded pictures, which the calibration turns into answers."""
        return self.network.predict(self.rows_of(store.images))

    def rows_of(self, images: Array) -> PictureRows:
        """Return pictures as the rows of the network, which become numbers when they are needed."""
        return PictureRows(images, self.scaling, np.arange(len(images)))

    def encode(self, source: Any) -> Array:
        """Return pictures as the inputs of the network, (n, height, width, channels)."""
        return self.rows_of(self.decode(source).images).toarray()

    def evaluate(
        self,
        source: Any,
        *,
        labels: Any = None,
        path: str | None = None,
        folder: str | os.PathLike[str] | None = None,
    ) -> Report:
        """Return the metrics of the predictions for pictures with the target, compared with the baseline.

        Args:
            source: what `train` takes. Of folders named train and test, those of the test are taken.
            labels: beside an array, what is in each picture.
            path: as for `train`.
            folder: as for `train`.

        Raises:
            FileError, DataError: as for `train`, and for a class that the model does not know.
        """
        wanted = Wanted([self.target.column], self.label_column, "an evaluation")
        store = decode_pictures(wanted.open(source, labels, path, folder), self.fitting)
        return self.judge(store, self.outputs(store))

    def judge(self, store: Store, outputs: Array) -> Report:
        """Return the report on outputs for pictures, of which those that have the target are taken.

        Args:
            store: decoded pictures, among whose targets is that of the model.
            outputs: of the network for these, before calibration.

        Raises:
            DataError: if none has the target, or for a class that the model does not know.
        """
        assert store.pictures.targets is not None
        values = store.pictures.targets.get_column(self.target.column)
        there = np.flatnonzero(values.is_not_null().to_numpy())
        if not len(there):
            raise DataError(
                f"an evaluation needs pictures that have the target {self.target.column!r}, got none"
            )
        images = store.images if len(there) == len(values) else store.images[there]
        y, outputs = self.target.encode(values[there]), outputs[there]
        self.tested = Tested(images, tuple(store.pictures.names[row] for row in there), y, outputs)
        self.left_out = store.pictures.left_out
        rows = HeldOut(outputs, y, np.zeros(len(y), dtype=np.int64))
        return evaluate(self.target, rows, self.calibration, self.rows["train"] + self.rows["validation"])

    def mistakes(self, most: int = 24) -> Mistakes:
        """Return the test pictures that the model got wrong, the most confident mistakes first.

        After `evaluate` they are those of the pictures evaluated.

        Args:
            most: at most so many, 24 by default.

        Raises:
            ConfigError: if the model has not been tested since it was loaded.
        """
        if self.tested is None:
            raise ConfigError(
                "mistakes need tested pictures, and a model file holds none", "call evaluate first"
            )
        return Mistakes.of(self.tested, self.target, self.calibration, most)

    def trace(self, picture: Any, label: object = None, **settings: Any) -> insight.Trace:
        """Return every number computed for one picture; see `Network.trace`.

        Args:
            picture: what `answer` takes.
            label: what is in it, for gradients; None (default) for a prediction.
            settings: as for `Network.trace`, such as `optimizer`.
        """
        y = None if label is None else self.target.encode(pl.Series(self.target.column, [label]))
        return self.network.trace(self.rows_of(self.decode_one(picture).images).toarray(), y, **settings)

    def health(
        self,
        source: Any,
        *,
        labels: Any = None,
        path: str | None = None,
        folder: str | os.PathLike[str] | None = None,
    ) -> insight.Health:
        """Return the problems of the network, its training or the pictures; see `Network.health`.

        Args:
            source: pictures with the target, preferably those of the training. Of folders named train,
                validation and test, the last two are compared with the first.
            labels: beside an array, what is in each picture.
            path: as for `train`.
            folder: as for `train`.
        """
        wanted = Wanted([self.target.column], self.label_column, "a health check")
        pictures = wanted.open(source, labels, path, folder, every_part=True)
        store = decode_pictures(pictures, self.fitting)
        assert store.pictures.targets is not None
        y = self.target.encode(store.pictures.targets.to_series())
        parts = store.pictures.parts
        if parts is None or not (parts == "train").any():
            return self.network.health(self.rows_of(store.images), y, classes=self.labels)
        split = split_of_parts(parts)
        others = np.concatenate([split.validation, split.test])
        learned, held_out = ((self.rows_of(store.images[rows]), y[rows]) for rows in (split.train, others))
        health = self.network.health(
            *learned, validation=held_out if len(others) else None, classes=self.labels
        )
        blocks = find_copies(store.images).blocks
        found = find_in_parts(store.images, y[:, None].astype(np.float64), [self.target], blocks, split)
        return dataclasses.replace(health, findings=[*found, *health.findings])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write network, target and how pictures are read atomically to one safetensors file.

        Raises:
            FileError: if it cannot be written.
        """
        write_model(path, to_saved(self))

    def job(self) -> Job:
        from ganglion.image_model.exporting import job_of  # noqa: PLC0415  # which needs this class

        return job_of(self.network, [self])

    @classmethod
    def load(cls, path: str | os.PathLike[str], engine: str = "auto") -> Self:
        """Read a model that `save` wrote.

        Raises:
            FileError: if the file is missing, damaged, or holds another model.
        """
        saved = read_model(path)
        model = cls.from_saved(saved, engine)
        if model is None:
            raise saved.is_no("a model of images", path)
        return model

    @classmethod
    def from_saved(cls, saved: SavedModel, engine: str = "auto") -> Self | None:
        """Return the image model of a file; None if it is none.

        Raises:
            FileError: if the file describes no valid model.
        """
        if saved.images is None or "heads" in saved.images:
            return None
        network = Network.from_saved(saved, engine)
        try:
            return cls(network, **read_images_part(saved.images, network))
        except GanglionError as error:
            raise FileError(f"the model file is damaged: {error.message}") from error

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.fitting.shape))
        return (
            f"<ImageModel: {self.target.task} of {self.target.column!r} from pictures of {size}, "
            f"{self.network.architecture.size:,} parameters>"
        )
