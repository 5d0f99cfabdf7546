"""The contact sheet: the pictures that a model got most wrong, with what it said and what is true."""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ganglion.answers.calibration import Calibration
from ganglion.answers.scores import in_own_units
from ganglion.answers.target import ClassTarget, NumberTarget
from ganglion.answers.values import figure
from ganglion.checks import check_integer
from ganglion.core.part import Array
from ganglion.errors import ConfigError, one_of
from ganglion.files.atomic import write_atomically
from ganglion.optional import load

if TYPE_CHECKING:
    from ganglion.image_model.learner import Tested

SIDE, MARGIN, LINE = 128, 12, 16  # pixels of the sheet
COLUMNS = 6
MOST_LETTERS = 21
ENDINGS = (".png", ".html")
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font-family: system-ui, sans-serif; margin: 2em; color: #222; }}
main {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 1.2em; }}
figure {{ margin: 0; }} img {{ width: 100%; image-rendering: pixelated; border: 1px solid #ccc; }}
figcaption {{ font-size: 0.85em; overflow-wrap: anywhere; }}
</style></head><body><h1>{title}</h1><main>
{figures}
</main></body></html>
"""


@dataclass(frozen=True)
class Mistake:
    """One picture that was answered wrongly.

    Args:
        name: of the picture.
        truth: what is in it, as text.
        said: what the model answered.
        confidence: the probability that the model gave to its answer; None for numbers.
        image: the bytes, (height, width, channels).
    """

    name: str
    truth: str
    said: str
    confidence: float | None
    image: Array

    @property
    def lines(self) -> list[str]:
        """The caption: what was said and what is true."""
        sure = "" if self.confidence is None else f" {self.confidence:.0%}"
        return [f"said {self.said}{sure}", f"is {self.truth}"]


class Mistakes(Sequence[Mistake]):
    """The most confident mistakes of a model, or its largest errors, the worst first.

    Attributes:
        wrong: how many pictures were answered wrongly; for numbers, all.
        tested: how many were tested.
    """

    def __init__(self, mistakes: Sequence[Mistake], wrong: int, tested: int) -> None:
        self._mistakes, self.wrong, self.tested = tuple(mistakes), wrong, tested

    def __len__(self) -> int:
        return len(self._mistakes)

    def __getitem__(self, which: Any) -> Any:
        return self._mistakes[which]

    @classmethod
    def of(
        cls, tested: Tested, target: ClassTarget | NumberTarget, calibration: Calibration, most: int
    ) -> Self:
        """Return the mistakes among tested pictures, at most `most` of them."""
        check_integer("most", most, at_least=1)
        if isinstance(target, ClassTarget):
            probabilities = calibration.probabilities(tested.outputs)
            chosen, truth = calibration.decide(probabilities), tested.truth.astype(np.int64)
            sureness = probabilities[np.arange(len(chosen)), chosen]
            rows = np.flatnonzero(chosen != truth)
            rows = rows[np.argsort(-sureness[rows], kind="stable")]
            found = [
                Mistake(
                    tested.names[row],
                    target.label(int(truth[row])),
                    target.label(int(chosen[row])),
                    float(sureness[row]),
                    tested.images[row],
                )
                for row in rows[:most]
            ]
            return cls(found, len(rows), len(truth))
        said, numbers = in_own_units(target, tested.outputs), in_own_units(target, tested.truth)
        rows = np.argsort(-np.abs(said - numbers), kind="stable")[:most]
        found = [
            Mistake(
                tested.names[r], figure(float(numbers[r])), figure(float(said[r])), None, tested.images[r]
            )
            for r in rows
        ]
        return cls(found, len(said), len(said))

    @property
    def title(self) -> str:
        """What the sheet shows, in words."""
        if not self:
            return f"No mistakes among {self.tested:,} pictures"
        if self[0].confidence is None:
            return f"The {len(self)} largest errors among {self.tested:,} pictures"
        return f"The {len(self)} most confident of {self.wrong:,} mistakes among {self.tested:,} pictures"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the sheet to a file, as one picture (.png) or as a page (.html).

        Raises:
            ConfigError: for another ending.
            FileError: if it cannot be written.
        """
        ending = Path(path).suffix.lower()
        if ending not in ENDINGS:
            raise ConfigError(
                f"the file of a contact sheet must end with .png or .html, got {Path(path).name}",
                one_of(ending, ENDINGS),
            )
        data = self.to_png() if ending == ".png" else self.to_html().encode("utf-8")
        write_atomically(Path(path), lambda file: file.write(data))

    def to_png(self) -> bytes:
        """Return the sheet as a picture, with captions below the pictures.

        Its font has Latin letters; others become question marks. A page shows all.
        """
        image, draw = load("PIL.Image", "images"), load("PIL.ImageDraw", "images")
        columns = min(COLUMNS, max(len(self), 3))
        width, height = SIDE + MARGIN, SIDE + MARGIN + 2 * LINE
        rows = -(-len(self) // columns)
        sheet = image.new("RGB", (columns * width + MARGIN, rows * height + MARGIN + 2 * LINE), "white")
        pen = draw.Draw(sheet)
        pen.text((MARGIN, MARGIN), self.title, fill="black")
        for place, mistake in enumerate(self):
            left, top = MARGIN + place % columns * width, MARGIN + 2 * LINE + place // columns * height
            sheet.paste(_fitted(_picture(mistake.image)), (left, top))
            for number, line in enumerate(mistake.lines):
                pen.text((left, top + SIDE + 2 + number * LINE), _cut(line), fill="black")
        return _png(sheet)

    def to_html(self) -> str:
        """Return the sheet as a page that needs no other file."""
        figures = []
        for mistake in self:
            data = base64.b64encode(_png(_picture(mistake.image))).decode("ascii")
            words = "<br>".join(html.escape(line) for line in (*mistake.lines, mistake.name))
            figures.append(
                f'<figure><img alt="" src="data:image/png;base64,{data}">'
                f"<figcaption>{words}</figcaption></figure>"
            )
        return PAGE.format(title=html.escape(self.title), figures="\n".join(figures))


def _picture(pixels: Array) -> Any:
    """Return bytes as a picture of Pillow."""
    return load("PIL.Image", "images").fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def _fitted(picture: Any) -> Any:
    """Return a picture whose longer side is that of a cell, without smoothing the pixels of a small one."""
    scale = SIDE / max(picture.size)
    size = [max(1, round(side * scale)) for side in picture.size]
    return picture.convert("RGB").resize(size, resample=0 if scale > 1 else 2)


def _png(picture: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _cut(text: str) -> str:
    """Return text that fits on a line below a picture, in letters that the built-in font has."""
    text = " ".join(text.split())
    text = text if len(text) <= MOST_LETTERS else text[: MOST_LETTERS - 3] + "..."
    return text.encode("latin-1", "replace").decode("latin-1")
