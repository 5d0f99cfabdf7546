"""The small public tables that come with the package, each with its source.

They are CSV files in the folder `data` next to this file. To add one, add the file and an entry here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from ganglion.core.part import Array
from ganglion.core.random import Purpose, generator
from ganglion.errors import ConfigError, one_of
from ganglion.tables.reading import read_table

# Kinds of characters; names tell of one character, so that they do not hold the plural.
KINDS = {"L": "letters", "M": "marks", "N": "numbers", "P": "punctuation", "S": "symbols"}
LAST_NAMED = 0x1D7FF  # but for tags
INK = 16  # what a black pixel of the digits has
FOLDER = Path(__file__).parent / "data"


class Example(NamedTuple):
    """A table to try things on; `settings` are passed to `TableModel.train` in place of its defaults.

    They make it one network, every number of which can be followed.
    """

    name: str
    target: str
    title: str
    source: str
    settings: Mapping[str, Any] = {"epochs": 60}


EXAMPLES = {
    example.name: example
    for example in (
        Example(
            "digits",
            "digit",
            "1,797 handwritten digits, 8 x 8 pixels each",
            "Alpaydin and Kaynak (1998), Optical Recognition of Handwritten Digits, test part, "
            "UCI Machine Learning Repository, doi:10.24432/C50P49, CC BY 4.0",
        ),
        Example(
            "iris",
            "species",
            "150 irises of three species, measured in cm",
            "Fisher (1936), The Use of Multiple Measurements in Taxonomic Problems, "
            "UCI Machine Learning Repository, doi:10.24432/C56C76, CC BY 4.0",
        ),
        Example(
            "breast-cancer",
            "diagnosis",
            "569 tumors, 30 measurements of cell nuclei each",
            "Wolberg, Mangasarian, Street and Street (1995), Breast Cancer Wisconsin (Diagnostic), "
            "UCI Machine Learning Repository, doi:10.24432/C5DW2B, CC BY 4.0",
        ),
        Example(
            "diabetes",
            "progression",
            "442 diabetes patients and how their disease progressed within a year",
            "Efron, Hastie, Johnstone and Tibshirani (2004), Least Angle Regression, Annals of Statistics",
        ),
        Example(
            "characters",
            "kind",
            "the names of 2,000 characters, and what kind of character each is",
            "The Unicode Standard, Version 3.2, as in Python's module unicodedata",
            {"epochs": 20},
        ),
        Example("spiral", "arm", "600 points on three arms of a spiral", "generated, seed 0"),
        Example(
            "xor",
            "answer",
            "400 noisy points of the exclusive or",
            "generated, seed 0",
            # small enough to follow with pencil and paper
            {"hidden": (4,), "activation": "tanh", "dropout": 0.0, "learning_rate": 0.05},
        ),
    )
}


def example_table(name: str) -> tuple[Example, pl.DataFrame]:
    """Return an example and its table.

    Raises:
        ConfigError: if there is no example of that name.
    """
    if name not in EXAMPLES:
        raise ConfigError(f"there is no example {name!r}", one_of(name, EXAMPLES))
    example = EXAMPLES[name]
    if made := {"characters": _characters, "spiral": _spiral, "xor": _xor}.get(name):
        return example, made()
    return example, read_table(FOLDER / f"{name}.csv")


def example_pictures(example: Example, table: pl.DataFrame) -> tuple[Array, Array, dict[str, Any]]:
    """Return the pixels of an example as bytes, (n, 8, 8), the label of each, and settings for the training.

    Raises:
        ConfigError: if the example has no pictures.
    """
    if example.name != "digits":
        raise ConfigError(
            f"only the digits are pictures, {example.name!r} is a table", "leave out --convolution"
        )
    pixels = table.drop(example.target).to_numpy().reshape(-1, 8, 8)
    return np.rint(pixels * (255 / INK)).astype(np.uint8), table[example.target].to_numpy(), {"epochs": 20}


def _characters(rows: int = 2000) -> pl.DataFrame:
    known, kinds = unicodedata.ucd_3_2_0, []  # of a version that is the same in every Python
    for point in range(LAST_NAMED + 1):
        kind = KINDS.get(known.category(chr(point))[0])
        name = known.name(chr(point), "")
        if kind and name and not name.startswith(("CJK", "HANGUL SYLLABLE", "YI ")):
            kinds.append((name, kind))
    chosen = generator(0, Purpose.EXAMPLE, 2).permutation(len(kinds))[:rows]
    return pl.DataFrame([kinds[number] for number in np.sort(chosen)], schema=["name", "kind"], orient="row")


def _spiral(rows: int = 600, arms: int = 3) -> pl.DataFrame:
    random = generator(0, Purpose.EXAMPLE, 0)
    along = np.sqrt(random.uniform(0.02, 1, rows))
    arm = np.arange(rows) % arms
    angle = 2 * np.pi * (arm / arms + along) + random.normal(0, 0.08, rows)
    return pl.DataFrame(
        {
            "x": (along * np.cos(angle)).round(4),
            "y": (along * np.sin(angle)).round(4),
            "arm": np.array(["red", "green", "blue"])[arm],
        }
    )


def _xor(rows: int = 400) -> pl.DataFrame:
    random = generator(0, Purpose.EXAMPLE, 1)
    corner = random.integers(0, 2, (rows, 2))
    point = (corner + random.normal(0, 0.15, (rows, 2))).round(4)
    return pl.DataFrame({"left": point[:, 0], "right": point[:, 1], "answer": corner[:, 0] != corner[:, 1]})
