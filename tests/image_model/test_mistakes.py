"""The contact sheet of the most confident mistakes."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganglion as gg
from drawn import QUICK, bars, trained
from ganglion.image_model.mistakes import Mistake, Mistakes
from pictures import encoded, write

NASTY = ('<script>alert("1")</script>', "clé & 😀\nжук {0} %s")


def test_the_most_confident_mistakes_come_first() -> None:
    model = trained(classes=3, epochs=8, test=0.2)
    images, y = bars(60, classes=3, seed=3)
    claimed = (y + (np.arange(60) % 4 == 0)) % 3  # a quarter of the labels are wrong
    model.evaluate(images, labels=claimed)
    sheet = model.mistakes(100)
    answers = model.predict(images)
    wrong = np.flatnonzero(answers["prediction"].to_numpy() != claimed)
    assert (len(sheet), sheet.wrong, sheet.tested) == (len(wrong), len(wrong), 60)
    assert sorted(mistake.name for mistake in sheet) == sorted(f"row {row}" for row in wrong)
    for mistake in sheet:
        row = int(mistake.name.split()[1])
        said = answers["prediction"][row]
        assert (mistake.truth, mistake.said) == (str(claimed[row]), str(said))
        assert mistake.confidence == pytest.approx(answers[f"probability_{said}"][row])
        assert (mistake.image == images[row]).all()
    sureness = [mistake.confidence for mistake in sheet if mistake.confidence is not None]
    assert sureness == sorted(sureness, reverse=True)
    few = model.mistakes(3)
    assert [each.name for each in few] == [each.name for each in sheet[:3]]
    assert few.title == f"The 3 most confident of {len(wrong)} mistakes among 60 pictures"
    assert few[0].lines == [f"said {few[0].said} {few[0].confidence:.0%}", f"is {few[0].truth}"]


def test_the_largest_errors_are_in_the_units_of_the_target() -> None:
    """Also where the model's target is fitted on the training pictures alone."""
    images, _ = bars(60)
    numbers = 1000 + np.arange(60) * 7.0
    model = gg.ImageModel.train(images, labels=numbers, test=0.3, **QUICK)
    sheet = model.mistakes(5)
    answers = model.predict(images)["prediction"].to_numpy()
    errors = []
    for mistake in sheet:
        row = int(mistake.name.split()[1])
        assert float(mistake.truth.replace(",", "")) == numbers[row]
        assert float(mistake.said.replace(",", "")) == pytest.approx(answers[row], rel=1e-3)
        errors.append(abs(answers[row] - numbers[row]))
    assert errors == sorted(errors, reverse=True)
    assert sheet.title == "The 5 largest errors among 18 pictures"
    assert model.report is not None
    assert errors[0] == pytest.approx(model.report.error_quantiles["largest"], rel=1e-5)


class Page(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.words, self.pictures = list[str](), list[str](), list[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.pictures += [value or "" for name, value in attributes if name == "src"]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_sheets_are_valid_whatever_names_say(tmp_path: Path) -> None:
    images, y = bars(20)
    names = [f"{NASTY[number][:9].replace('/', '')}&{row}.png" for row, number in enumerate(y)]
    write(tmp_path, {name: encoded(image) for name, image in zip(names, images, strict=True)})
    labels = [NASTY[1 - number] for number in y]
    table = {"file": names, "kind": labels}
    model = gg.ImageModel.train(table, folder=tmp_path, test=0.3, **(QUICK | {"epochs": 10}))
    model.evaluate({"file": names, "kind": [NASTY[number] for number in y]}, folder=tmp_path)
    sheet = model.mistakes()
    assert len(sheet) == 20
    sheet.save(tmp_path / "sheet.html")
    sheet.save(str(tmp_path / "sheet.PNG"))
    text = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    page = Page(text)
    assert "script" not in page.tags
    assert page.tags.count("figure") == page.tags.count("img") == 20
    words = re.sub(r"\s+", " ", "".join(page.words))
    assert all(" ".join(label.split()) in words for label in NASTY)
    assert all(source.startswith("data:image/png;base64,") for source in page.pictures)  # needs no other file
    with Image.open(tmp_path / "sheet.PNG") as picture:
        picture.load()
        assert picture.format == "PNG"
        assert picture.mode == "RGB"
    for name in ("sheet.pdf", "sheet"):
        with pytest.raises(gg.ConfigError, match="must end with .png or .html"):
            sheet.save(tmp_path / name)
    with pytest.raises(gg.FileError, match="cannot write"):
        sheet.save(tmp_path / "none" / "sheet.png")


def test_a_sheet_shows_the_pictures() -> None:
    images, y = bars(20)
    model = gg.ImageModel.train(images, labels=y, test=0.3, **(QUICK | {"epochs": 10}))
    model.evaluate(images, labels=1 - y)
    first = model.mistakes(7)
    with Image.open(BytesIO(first.to_png())) as picture:
        pixels = np.asarray(picture.convert("L")).astype(int)
    assert pixels.shape[0] > 2 * 128  # two rows of them
    cell = pixels[44 : 44 + 128, 12 : 12 + 128]
    assert (cell == np.kron(first[0].image[:, :, 0], np.ones((16, 16), int))).all()


def test_a_caption_is_one_line() -> None:
    def sheet(label: str) -> bytes:
        mistake = Mistake("a.png", label, label, 0.5, np.zeros((4, 4, 1), np.uint8))
        return Mistakes([mistake], 1, 1).to_png()

    assert sheet("two\n lines") == sheet("two lines")


def test_no_mistakes_and_untested_models() -> None:
    images, y = bars(20)
    model = gg.ImageModel.train(images, labels=y, test=0, **(QUICK | {"epochs": 10}))
    with pytest.raises(gg.ConfigError, match="mistakes need tested pictures"):
        model.mistakes()
    model.evaluate(images, labels=y)
    sheet = model.mistakes()
    assert (len(sheet), sheet.title) == (0, "No mistakes among 20 pictures")
    assert Page(sheet.to_html()).tags.count("img") == 0
    with Image.open(BytesIO(sheet.to_png())) as picture:
        assert picture.format == "PNG"
    with pytest.raises(gg.ConfigError, match="most must be a whole number >= 1"):
        model.mistakes(0)
