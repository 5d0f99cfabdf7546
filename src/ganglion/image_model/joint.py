"""JointImageModel: one network that predicts several things of a picture, with a head for each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import polars as pl

from ganglion.answers.predictions import half_width, plain_answer, prediction_columns
from ganglion.answers.report import Report
from ganglion.core.part import Array
from ganglion.errors import ConfigError
from ganglion.files.exports import Job
from ganglion.heads import sections
from ganglion.image_model.exporting import job_of
from ganglion.image_model.labeled import Wanted
from ganglion.image_model.labels import MOST_TARGETS, LabelColumn
from ganglion.image_model.model import ImageModel
from ganglion.image_model.saved import read_images_part, to_saved
from ganglion.images import LeftOut, Store, decode_pictures
from ganglion.joint import JointModel, columns_of
from ganglion.network import Network


class JointImageModel(JointModel[ImageModel]):
    """One network that predicts several things of a picture. Create it with `ImageModel.train` or `load`.

    Attributes:
        network: the `Network`, whose outputs are those of all heads, side by side.
        heads: an `ImageModel` for each target, by the target's name, in order. They share the hidden layers'
            values; each has its own target, calibration and report.

    >>> import numpy as np
    >>> chance = np.random.default_rng(0)
    >>> bright, wide = chance.random(80) < 0.5, chance.random(80) < 0.5
    >>> pictures = chance.integers(0, 60, (80, 8, 8))
    >>> pictures[:, 2:6] += 60 + 120 * bright[:, None, None]
    >>> pictures[:, :, 4:] *= wide[:, None, None]
    >>> model = gg.ImageModel.train(pictures, labels={"bright": bright, "wide": wide}, epochs=10)
    >>> model.predict(pictures[:2]).columns[:4]
    ['image', 'prediction_bright', 'probability_bright_false', 'probability_bright_true']
    >>> model.predict(pictures[:9])["prediction_wide"].to_list() == wide[:9].tolist()
    True
    """

    kind = "a model of images of several targets"
    part = "images"
    of_head = (*JointModel.of_head, "balanced")
    most = MOST_TARGETS

    def job(self) -> Job:
        return job_of(self.network, list(self.heads.values()))

    @property
    def label_column(self) -> LabelColumn | None:
        """The column whose words are the targets; None if each target has a column of its own."""
        return self._first.label_column

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """The files that were left out in training or the last evaluation; see `ImageModel`."""
        return self._first.left_out

    @property
    def _first(self) -> ImageModel:
        return next(iter(self.heads.values()))

    def decode(
        self, source: Any, *, path: str | None = None, folder: str | os.PathLike[str] | None = None
    ) -> Store:
        """Return pictures decoded and fitted as the model's own were; see `ImageModel.decode`."""
        return self._first.decode(source, path=path, folder=folder)

    def predict(
        self,
        source: Any,
        interval: float | None = None,
        *,
        path: str | None = None,
        folder: str | os.PathLike[str] | None = None,
    ) -> pl.DataFrame:
        """Return the predictions of all targets for each picture that can be read.

        Args:
            source: as for `ImageModel.predict`.
            interval: as for `ImageModel.predict`, for the targets that are numbers.
            path: as for `ImageModel.predict`.
            folder: as for `ImageModel.predict`.

        Returns:
            A frame with the column `image`, the name of the picture, and `prediction_<target>` for each
            target; for classes also `probability_<target>_<class>`, and with `interval`, `low_<target>` and
            `high_<target>` for numbers. If the targets are labels of one column, the column `labels` holds
            those that are predicted, joined by its separator.

        Raises:
            FileError, DataError: as `ImageModel.predict` does.
            ConfigError: if an interval is given and no target is a number.
        """
        halves = self._half_widths(interval)
        store = self.decode(source, path=path, folder=folder)
        outputs = self._outputs(store)
        columns, chosen = [pl.Series("image", list(store.pictures.names))], []
        for (name, head), place in zip(self.heads.items(), self._sections, strict=True):
            own = prediction_columns(head.target, head.calibration, outputs[:, place], halves[name])
            columns += columns_of(name, own)
            chosen.append(own[0])
        if self.label_column is not None:
            columns.append(self.label_column.joined(chosen))
        return pl.DataFrame(columns)

    def answer(self, picture: Any, interval: float | None = None) -> dict[str, dict[str, Any]]:
        """Return the answer of each target for one picture; see `ImageModel.answer`."""
        halves = self._half_widths(interval)
        outputs = self._outputs(self._first.decode_one(picture))
        return {
            name: plain_answer(head.target, head.calibration, outputs[:, place], halves[name])
            for (name, head), place in zip(self.heads.items(), self._sections, strict=True)
        }

    def evaluate(
        self,
        source: Any,
        *,
        labels: Any = None,
        path: str | None = None,
        folder: str | os.PathLike[str] | None = None,
    ) -> dict[str, Report]:
        """Return the report of each target for pictures with all of them; see `ImageModel.evaluate`.

        Args:
            source: what `train` takes.
            labels: beside an array, what is in each picture, as for `ImageModel.train`.
            path: as for `ImageModel.train`.
            folder: as for `ImageModel.train`.
        """
        wanted = Wanted(list(self.heads), self.label_column, "an evaluation")
        store = decode_pictures(wanted.open(source, labels, path, folder), self._first.fitting)
        outputs = self._outputs(store)
        return {
            name: head.judge(store, outputs[:, place])
            for (name, head), place in zip(self.heads.items(), self._sections, strict=True)
        }

    @property
    def _sections(self) -> list[slice]:
        return sections(self.targets)

    def _outputs(self, store: Store) -> Any:
        """Return the outputs of all heads at once: the shared layers are computed only once."""
        return self.network.predict(self._first.rows_of(store.images))

    def _half_widths(self, interval: float | None) -> dict[str, float | None]:
        levels = self._levels(interval)
        return {
            name: half_width(head.target, head.calibration, levels[name]) for name, head in self.heads.items()
        }

    @classmethod
    def _read_heads(
        cls, part: dict[str, Any], network: Network, engine: str, columns: Mapping[str, Array]
    ) -> dict[str, ImageModel]:
        heads = super()._read_heads(part, network, engine, columns)
        label_column = next(iter(heads.values())).label_column
        if label_column is not None and label_column.words != tuple(heads):
            raise ConfigError("its heads must be those of its labels")
        return heads

    @staticmethod
    def _describe(head: ImageModel) -> dict[str, Any]:
        return to_saved(head).images or {}

    @staticmethod
    def _read(part: dict[str, Any], network: Network, columns: Mapping[str, Array]) -> ImageModel:
        return ImageModel(network, **read_images_part(part, network))
