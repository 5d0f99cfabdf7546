"""`ganglion train` and the other commands on pictures: which sources hold any, the pages, and plain errors."""

import json
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

import ganglion as gg
from commands import run
from ganglion.cli import image_options, images
from ganglion.cli.console import PictureFlags
from ganglion.tables.examples import example_table
from pictures import encoded, write

Capture = pytest.CaptureFixture[str]
QUICK = ("--epochs", "2", "--augment", "none", "--folds", "0")


def stripes(kind: str, seed: int, side: int = 10) -> np.ndarray:
    """Return noisy lines, `across` or `down`, as bytes of shape (side, side, 3)."""
    chance = np.random.default_rng(seed)
    lines = 100 * (np.arange(side) % 4 < 2)
    plain = lines[:, None] if kind == "across" else lines[None]
    return (plain[..., None] + chance.integers(0, 100, (side, side, 3))).astype(np.uint8)


def files(count: int = 12) -> dict[str, bytes]:
    return {
        f"{kind}/{n:02}.png": encoded(stripes(kind, n)) for kind in ("across", "down") for n in range(count)
    }


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures, a model of them, and a model of a table."""
    folder = tmp_path_factory.mktemp("made")
    write(folder / "photos", files())
    gg.ImageModel.train(folder / "photos", epochs=8, augment="none", test=0.25).save(folder / "p.safetensors")
    example, table = example_table("iris")
    table.write_csv(folder / "iris.csv")
    gg.TableModel.train(table, example.target, hidden=(3,), epochs=2, folds=0).save(folder / "t.safetensors")
    return folder


def test_a_folder_becomes_a_model_and_a_page(here: Path, capsys: Capture) -> None:
    write(here / "photos", files() | {"down/broken.png": files()["down/00.png"][:99], "down/notes.txt": b"x"})
    (here / "photos" / "empty").mkdir()
    code, out, error = run(capsys, "train", "photos/", *QUICK)
    assert (code, error) == (0, "")
    for part in (
        "24, brought to 10 × 10 pixels, in color",
        "class     target, 2 classes: across 50%, down 50%",
        "varied    not at all",
        "10 x 10 x 3 → 16 filters of 3 x 3 relu",
        "for training,",
        "3 of 27 files are left out",
        "down/notes.txt is no PNG",
        "empty is an empty folder",
        "2 epochs in",
        "accuracy",
        "The report is on only 4 pictures",
        "model written to photos.safetensors",
    ):
        assert part in out, part
    model = gg.ImageModel.load("photos.safetensors")
    if model.report is not None and model.report.metrics["accuracy"] < 1:
        assert Path("photos-mistakes.html").exists()


def test_json_names_everything_that_is_left_out(here: Path, capsys: Capture) -> None:
    write(here / "photos", files() | {f"down/{n}.txt": b"words" for n in range(7)})
    code, out, error = run(capsys, "train", "photos", *QUICK, "--json", "--mistakes", "sheet.png")
    assert (code, error) == (0, "")
    facts = json.loads(out)
    assert [each["name"] for each in facts["left_out"]] == [f"down/{n}.txt" for n in range(7)]
    assert facts["left_out"][0]["reason"].startswith("is no PNG")
    assert facts["rows"]["train"] + facts["rows"]["validation"] + facts["rows"]["test"] == 24
    assert (facts["mistakes"] is None) == (not Path("sheet.png").exists())
    shown = json.loads(run(capsys, "show", "photos.safetensors", "--json")[1])
    own = ("notes", "findings", "left_out", "model", "mistakes")
    assert shown == {key: value for key, value in facts.items() if key not in own}


def test_folds_are_told_with_pictures_that_are_never_tested(here: Path, capsys: Capture) -> None:
    write(here / "photos", files(6) | {"single/one.png": encoded(stripes("down", 99))})
    code, out, _ = run(capsys, "train", "photos", "--epochs", "1", "--augment", "none", "--folds", "2")
    assert code == 0
    assert "pictures  13," in out
    assert "13 pictures, cross-validated with 2 folds: 12 tested" in out
    assert "1 picture: never tested, because its class would have no pictures left" in out


def test_options_reach_the_model(here: Path, capsys: Capture) -> None:
    write(here / "photos", files())
    code, _, _ = run(
        capsys,
        *("train", "photos", "--out", "m.safetensors", "--size", "8x12", "--fit", "pad", "--epochs", "1"),
        *("--augment", "flip=both,shift=0.1,rotate=5", "--test", "0.5", "--validation", "0"),
        *("--batch-size", "5", "--learning-rate", "0.01", "--class-weight", "balanced", "--seed", "3"),
    )
    assert code == 0
    model = gg.ImageModel.load("m.safetensors")
    assert (model.fitting.height, model.fitting.width, model.fitting.fit) == (8, 12, "pad")
    assert model.augmentation == gg.Augmentation(flip="both", shift=0.1, rotate=5)
    assert model.rows == {"train": 12, "validation": 0, "test": 12}
    assert model.balanced
    assert model.network.seed == 3
    assert model.network.facts["batch_size"] == 5
    assert model.network.facts["optimizer"]["learning_rate"]["learning_rate"] == 0.01


def test_a_table_of_paths_an_archive_and_arrays_are_pictures(here: Path, capsys: Capture) -> None:
    write(here / "photos", files())
    rows = [f"photos/{name},{name.split('/')[0]},{n}" for n, name in enumerate(files())]
    (here / "list.csv").write_text("\n".join(["file,kind,weight", *rows]) + "\n")
    with zipfile.ZipFile(here / "photos.zip", "w") as archive:
        for name, data in files().items():
            archive.writestr(name, data)
    kinds = np.repeat(["across", "down"], 12)
    np.savez(here / "a.npz", x=np.stack([stripes(k, n) for n, k in enumerate(kinds)]), y=kinds)
    for words in (("list.csv", "--target", "kind"), ("photos.zip",), ("a.npz",)):
        code, out, error = run(capsys, "train", *words, *QUICK)
        assert (code, error) == (0, ""), words
        assert "24, brought to 10 × 10 pixels" in out
    code, out, _ = run(capsys, "predict", "list.safetensors", "list.csv", "--folder", str(here / "photos"))
    assert code == 1  # the paths begin with photos/
    code, out, _ = run(capsys, "predict", "list.safetensors", "list.csv", "--path", "file", "--folder", ".")
    assert (code, len(out.splitlines())) == (0, 25)
    code, out, _ = run(capsys, "train", "list.csv", "--target", "weight", *QUICK)
    assert "target, a number" in out
    assert run(capsys, "predict", "list.safetensors", "photos", "--interval", "0.5")[1].startswith(
        "image,prediction,low,high\nacross/00.png,"
    )


def test_what_holds_pictures_and_what_holds_a_table(here: Path) -> None:
    write(here / "photos", files(2))
    (here / "num.csv").write_text("a,b\n1,2\n3,4\n")
    (here / "elsewhere.csv").write_text("photo,size,price\nx.png,2,3\ny.png,4,5\n")
    (here / "two.csv").write_text("photo,price\nx.png,2\ny.png,4\n")
    write(here / "tables", {"1.csv": b"a\n1\n", "2.csv": b"a\n2\n", "plot.png": files()["down/00.png"]})
    write(here / "labeled", {"labels.csv": b"a\n1\n", **{f"x/{n}": b for n, b in files(2).items()}})
    write(here / "bare", {"one/a": files()["down/00.png"], "two/b": files()["down/01.png"]})
    write(here / "texts", {"one/a.txt": b"words"})
    with zipfile.ZipFile(here / "num.csv.zip", "w") as archive:
        archive.write(here / "num.csv", "num.csv")
    found = {path.name: image_options.is_pictures(path) for path in here.iterdir()}
    assert found == {
        "photos": True, "num.csv": False, "elsewhere.csv": False, "two.csv": True, "tables": False,
        "labeled": True, "bare": True, "texts": False, "num.csv.zip": False,
    }  # fmt: skip
    assert image_options.is_pictures(here / "elsewhere.csv", PictureFlags(folder=here))
    assert not image_options.is_pictures(Path("-"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("photos", "--hidden", "3"), "--hidden applies to tables, and photos holds pictures"),
        (("photos", "--decimal", ","), "--decimal applies to tables, and photos holds pictures"),
        (
            ("num.csv", "--target", "b", "--size", "3"),
            "--size applies to pictures, and num.csv holds a table",
        ),
        (("num.csv",), "--target must name the column of num.csv to predict"),
        (("nowhere",), "there is no file or folder nowhere"),
        (("cut.zip",), "cut.zip cannot be read as a zip archive"),
        (("photos", "--out", "nowhere/x.safetensors"), "cannot write nowhere/x.safetensors"),
        (("nothing",), "nothing holds neither pictures nor tables"),
        (("broken",), "no picture can be read: a/1.png is no PNG"),
        (("flat",), "training needs to know what is in each picture"),
        (("one",), "at least two classes, got only 'cats'"),
        (("photos", "flat"), "pictures must come from one source, got 2"),
        (("photos", "--size", "0"), "--size must be a number of pixels, or HEIGHTxWIDTH, got '0'"),
        (("photos", "--augment", "flop"), "--augment must be auto, none, or changes"),
        (("photos", "--augment", "shift"), "--augment shift must have a number, got 'shift'"),
        (("photos", "--augment", "shift=7"), "shift must be a number >= 0 and <= 0.5"),
        (("photos", "--class-weight", "x"), "--class-weight must be auto, balanced or none, got 'x'"),
        (("photos", "--mistakes", "x.gif"), "--mistakes must end in .png or .html, got x.gif"),
        (("photos", "--out", "x.pt"), "a model file must end in .safetensors"),
        (("photos", "--target", "kind"), "target applies to tables of paths only, got kind"),
        (("photos", "--group", "kind"), "no column 'kind'"),
        (("photos", "--quality", "x"), "quality must be 'good' or 'best', got 'x'"),
    ],
)
def test_mistakes_of_users_get_one_line(
    here: Path, capsys: Capture, words: tuple[str, ...], told: str
) -> None:
    write(here / "photos", files(3))
    write(here / "flat", {"1.png": files()["down/00.png"]})
    write(here / "one", {f"cats/{n}": data for n, data in enumerate(files(3).values())})
    write(here / "broken", {"a/1.png": b"nope", "b/2.png": b""})
    (here / "nothing").mkdir()
    (here / "cut.zip").write_bytes(b"PK\3\4 and no more")
    (here / "num.csv").write_text("a,b\n1,2\n3,4\n")
    code, out, error = run(capsys, "train", *words)
    assert (code in (1, 2), out) == (True, "")
    assert told in error
    assert len(error.splitlines()) <= 2
    assert not list(here.glob("*.safetensors"))


def test_predictions_are_a_table(made: Path, here: Path, capsys: Capture) -> None:
    model, photos = str(made / "p.safetensors"), str(made / "photos")
    code, out, error = run(capsys, "predict", model, photos)
    assert (code, error) == (0, "")
    assert out.splitlines()[:2] == ["image,prediction", "across/00.png,across"]
    assert len(out.splitlines()) == 25
    code, out, _ = run(capsys, "predict", model, photos, "--probabilities", "--out", "answers.parquet")
    assert out == "24 predictions written to answers.parquet\n"
    columns = ["image", "prediction", "probability_across", "probability_down"]
    assert pl.read_parquet("answers.parquet").columns == columns
    for words, told in (
        (("--keep", "a"), "--keep applies to models of tables, and p.safetensors is one of pictures"),
        (("--interval", "0.9"), "intervals are for numbers"),
        (("--out", "x.png"), "the extension of x.png is not that of a table"),
    ):
        code, _, error = run(capsys, "predict", model, photos, *words)
        assert (code, told in error) == (2, True), error


def test_a_model_is_judged_on_other_pictures(made: Path, here: Path, capsys: Capture) -> None:
    write(
        here / "new",
        {f"{n}/{i}.png": encoded(stripes("down", i)) for i in range(3) for n in ("across", "down")},
    )
    code, out, _ = run(capsys, "evaluate", str(made / "p.safetensors"), "new", "--mistakes", "sheet.png")
    assert code == 0
    assert "on 6 rows" in out
    assert "mistakes among 6 pictures: sheet.png" in out
    assert Path("sheet.png").read_bytes().startswith(b"\x89PNG")
    code, out, _ = run(capsys, "evaluate", str(made / "p.safetensors"), "new", "--json")
    assert (json.loads(out)["rows"], json.loads(out)["left_out"]) == (6, [])
    code, out, _ = run(capsys, "check", str(made / "p.safetensors"), "new")
    assert (code, "conv_2d_1" in out) == (0, True)
    code, out, _ = run(capsys, "show", str(made / "p.safetensors"))
    assert code == 0
    assert "p.safetensors: classification of 'class' from pictures" in out
    assert "pictures  24, brought to 10 × 10 pixels" in out


def test_one_picture_is_explained(made: Path, here: Path, capsys: Capture) -> None:
    model, photo = str(made / "p.safetensors"), str(made / "photos" / "down" / "03.png")
    code, out, _ = run(capsys, "explain", model, photo)
    assert code == 0
    for part in (
        "03.png: the model predicts down with probability",
        "Grad-CAM",
        "@",
        "conv_2d_1: 16",
        "Most",
    ):
        assert part in out, part
    drawn = [line for line in out.splitlines() if line.startswith("  |")]
    assert (len(drawn), {len(line) for line in drawn}) == (10, {24})  # 20 signs for 10 pixels of a square
    code, out, _ = run(capsys, "explain", model, photo, "--unit", "conv_2d_1:3,3,0")
    assert "conv_2d_1.a[3, 3, 0] =" in out
    code, out, _ = run(capsys, "explain", model, str(made / "photos"), "--row", "23", "--json")
    assert json.loads(out)["image"] == "down/11.png"
    assert json.loads(out)["answer"]["prediction"] == "down"
    for words, told in (
        (("--gradient", "a:1"), "--gradient applies to models of tables"),
        (("--unit", "loss"), "a loss needs to know what is in the picture"),
        (("--row", "1"), "--row must be from 0 to 0, got 1"),
        (("--out", "why.jpg"), "--out must end in .png, .svg or .pdf"),
    ):
        code, _, error = run(capsys, "explain", model, photo, *words)
        assert (code, told in error) == (2, True), error


def test_what_decides_is_drawn_over_the_picture(made: Path, here: Path, capsys: Capture) -> None:
    pytest.importorskip("matplotlib")
    photo = str(made / "photos" / "down" / "03.png")
    code, out, _ = run(capsys, "explain", str(made / "p.safetensors"), photo, "--out", "why.png")
    assert (code, "is drawn in why.png" in out) == (0, True)
    with Image.open("why.png") as drawing:
        assert np.asarray(drawing).std() > 10


def test_models_and_data_of_the_other_kind_are_told_apart(made: Path, here: Path, capsys: Capture) -> None:
    table, photos = str(made / "iris.csv"), str(made / "photos")
    of_pictures, of_table = str(made / "p.safetensors"), str(made / "t.safetensors")
    for words, told in (
        (("predict", of_table, photos), "holds a model of a table, and photos holds pictures"),
        (("evaluate", of_table, photos), "holds a model of a table, and photos holds pictures"),
        (("explain", of_table, photos), "holds a model of a table, and photos holds pictures"),
        (("check", of_table, photos), "holds a model of a table, and photos holds pictures"),
        (("predict", of_pictures, table), "must have a column of paths"),
        (("predict", photos, of_pictures), "the model must come first"),
        (("evaluate", of_table, table, "--mistakes", "x.png"), "--mistakes applies to models of pictures"),
        (("explain", of_table, table, "--out", "x.png"), "--out must end in .html for a row of a table"),
        (("serve", of_pictures), "holds a model of images, and this needs one of a table"),
    ):
        code, _, error = run(capsys, *words)
        assert (code in (1, 2), told in error, len(error.splitlines()) <= 2) == (True, True, True), error


def test_the_digits_are_pictures_too(here: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    def train(*given: object, **settings: object) -> None:
        seen.update(settings, pictures=given[0])

    monkeypatch.setattr(images, "learn", train)
    assert run(capsys, "demo", "digits", "--convolution", "--seed", "2")[0] == 0
    assert (seen["pictures"].shape, seen["pictures"].max(), seen["seed"]) == ((1797, 8, 8), 255, 2)
    assert sorted(set(seen["labels"].tolist())) == list(range(10))
    code, _, error = run(capsys, "demo", "iris", "--convolution")
    assert (code, "only the digits are pictures" in error) == (2, True)
