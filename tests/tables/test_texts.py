import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import ganglion as gg
from commands import run
from ganglion.engines import native_module
from ganglion.tables.columns import Column, TextColumn
from ganglion.tables.columns.grams import short
from ganglion.tables.encode import Encoder
from ganglion.text.grams import Grams
from ganglion.text.vectors import read_vectors

FAST: dict[str, Any] = {"quality": "fast", "epochs": 5, "test": 0.25}
GOOD, BAD = ["lovely", "superb", "fresh", "tasty"], ["awful", "stale", "broken", "bitter"]
REST = ["the", "box", "came", "on", "monday", "with", "a", "spoon", "inside", "and", "paper", "tea"]


def reviews(count: int = 300, seed: int = 0) -> pl.DataFrame:
    """Return a table of messages whose mood is in one or two of their words, with a number and a place."""
    chance = np.random.default_rng(seed)
    happy = chance.random(count) < 0.5
    texts = []
    for each in happy:
        words = [*chance.choice(REST, 7), *chance.choice(GOOD if each else BAD, 2)]
        texts.append(" ".join(chance.permutation(words)).capitalize() + f" no{chance.integers(10**6)}.")
    return pl.DataFrame(
        {
            "review": texts,
            "price": chance.normal(10, 2, count).round(2),
            "shop": chance.choice(["north", "south"], count),
            "happy": np.where(happy, "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def model() -> gg.TableModel:
    return gg.TableModel.train(reviews(), "happy", **FAST)


def test_a_column_of_texts_is_found_and_learned(model: gg.TableModel) -> None:
    column = model.encoder.columns[0]
    assert isinstance(column, TextColumn)
    assert (
        column.describe()
        == f"text, {len(column.learned.buckets):,} n-grams of 1 to 2 words and of 2 to 5 characters"
    )
    assert column.features == ["review:yes"]
    assert model.evaluate(reviews(seed=1)).metrics["accuracy"] > 0.97
    assert [type(each).name for each in model.encoder.columns] == ["text", "number", "category"]


def test_classes_and_numbers_are_learned_from_texts() -> None:
    frame, chance = reviews(400), np.random.default_rng(3)
    happy = (frame["happy"] == "yes").to_numpy()
    frame = frame.with_columns(
        stars=pl.Series(happy * 3.0 + chance.normal(0, 0.2, 400)),
        mood=pl.Series(
            np.where(happy, "good", np.where(frame["review"].str.contains("stale"), "old", "bad"))
        ),
    ).drop("happy")
    number = gg.TableModel.train(frame.drop("mood"), "stars", quality="fast")
    assert number.evaluate(frame.drop("mood")).metrics["r2"] > 0.9
    classes = gg.TableModel.train(frame.drop("stars"), "mood", **FAST)
    assert classes.evaluate(frame.drop("stars")).metrics["accuracy"] > 0.9
    assert classes.encoder.columns[0].features == [
        "review:bad",
        "review:good",
        "review:old",
    ]
    both = gg.TableModel.train(frame, ["stars", "mood"], **FAST)
    assert set(both.answer(frame.row(0, named=True))) == {"stars", "mood"}


def test_targets_do_not_leak_into_the_sums_of_their_own_texts() -> None:
    chance = np.random.default_rng(0)
    words = [f"w{number}" for number in range(3000)]
    texts = pl.Series("t", [" ".join(chance.choice(words, 12)) for _ in range(400)])
    goal = (chance.random(400) < 0.5).astype(float)
    bare, numbers = TextColumn.bare(texts).stored(texts)
    column = bare.fitted(numbers, {"yes": goal})
    told, own = column.encode(numbers)[0], column.alone().encode(texts)[0][:, 0]
    assert 20 < (told[:, 0] == 0).sum() < 60  # as unknown, to learn what to answer then
    told = told[:, 0]
    assert abs(np.corrcoef(told, goal)[0, 1]) < 0.2
    assert np.corrcoef(own, goal)[0, 1] > 0.9  # what was learned by heart
    assert column.store is not None
    assert column.alone().store is None


def test_a_saved_model_gives_the_same_bits_in_a_new_process(model: gg.TableModel, tmp_path: Path) -> None:
    frame = reviews(40, seed=2)
    model.save(tmp_path / "m.safetensors")
    frame.write_csv(tmp_path / "rows.csv")
    assert gg.TableModel.load(tmp_path / "m.safetensors").predict(frame).equals(model.predict(frame))
    program = (
        "import ganglion as gg\n"
        f"model = gg.TableModel.load({str(tmp_path / 'm.safetensors')!r})\n"
        f"print(model.predict(model.read({str(tmp_path / 'rows.csv')!r})).write_csv())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == model.predict(frame).write_csv().strip()


def test_a_model_file_holds_no_text(model: gg.TableModel, tmp_path: Path) -> None:
    model.save(tmp_path / "m.safetensors")
    held = (tmp_path / "m.safetensors").read_bytes()
    assert b"south" in held  # a category
    for word in (*GOOD, *BAD, "monday", "spoon"):
        assert word.encode() not in held


@pytest.mark.skipif(native_module() is None, reason="only the native engine uses threads")
def test_the_same_seed_gives_the_same_bits_on_one_and_two_threads() -> None:
    module, models = native_module(), []
    before = module.get_threads()
    try:
        for threads in (1, 2):
            module.set_threads(threads)
            models.append(gg.TableModel.train(reviews(), "happy", **FAST))
    finally:
        module.set_threads(before)
    one, two = models
    assert one.encoder == two.encoder
    assert one.network.parameters.tolist() == two.network.parameters.tolist()


def test_texts_in_which_nothing_is_known_get_what_is_usual(model: gg.TableModel) -> None:
    texts = ["¿?", "\x00\x01", "कुछ भी नहीं", "ไม่มีอะไร", "没有", "\u202e\u200b"]
    frame = pl.DataFrame({"review": texts, "price": [10.0] * len(texts), "shop": ["north"] * len(texts)})
    with pytest.warns(gg.GanglionNotice, match="6 texts in which no word is known"):
        found = model.predict(frame)
    assert found["probability_yes"].n_unique() == 1
    assert found["probability_yes"][0] + found["probability_no"][0] == pytest.approx(1)
    assert 0.2 < found["probability_yes"][0] < 0.7  # 45 % of the rows
    blank = frame.with_columns(review=pl.Series([None, "", "  \n"] * 2))
    with pytest.warns(gg.GanglionNotice, match="6 missing, replaced by what is usual"):
        missing = model.predict(blank)
    assert (missing["probability_yes"] == found["probability_yes"][0]).all()


@pytest.mark.parametrize(
    "text",
    [
        "\ud800 lonely",
        "<b>lovely</b> &amp; fresh",
        "lovely\r\n\tfresh",
        "Ã¼ber",
        "x" * 100_000,
        "हिन्दी",
        "👩\u200d🚀",
        7,
    ],
)
def test_any_text_has_an_answer(model: gg.TableModel, text: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gg.GanglionNotice)
        answer = model.answer({"review": text, "price": 9.0, "shop": "north"})
    assert sum(answer["probabilities"].values()) == pytest.approx(1)


def test_any_white_space_is_one_blank(model: gg.TableModel) -> None:
    row = {"price": 9.0, "shop": "north"}
    assert model.answer({"review": "Lovely\r\n\t fresh\xa0tea", **row}) == model.answer(
        {"review": "lovely fresh tea", **row}
    )


def test_which_n_grams_suit_a_column() -> None:
    def kinds(*texts: str) -> tuple[int, tuple[int, ...]]:
        column = TextColumn.bare(pl.Series("t", texts))
        return column.words, column.characters

    assert kinds("a few words", "and some more") == (2, (2, 5))
    assert kinds("word", "another", "third") == (0, (2, 5))
    assert kinds(*["many words " * 60] * 3) == (2, (0, 0))
    assert kinds(*["没有空格的文字" * 100] * 3) == (0, (2, 5))
    assert kinds("", None, " ") == (0, (2, 5))  # type: ignore[arg-type]


def test_columns_are_texts_or_not_as_asked() -> None:
    frame = reviews(60)
    assert isinstance(Encoder.fit(frame.select("review")).columns[0], TextColumn)
    assert isinstance(Encoder.fit(frame.select("shop"), text=gg.Text(["shop"])).columns[0], TextColumn)
    frame = frame.with_columns(review=pl.col("review").str.slice(0, 3) + " or so it seems to be")
    assert (
        type(Encoder.fit(frame.select("review", "price"), categories=["review"]).columns[0]).name
        == "category"
    )
    with pytest.raises(gg.DataError, match="no column 'revew'"):
        Encoder.fit(frame, text=gg.Text(["revew"]))


def test_two_columns_of_texts() -> None:
    frame = reviews(200).with_columns(title=pl.col("review").str.slice(0, 9))
    model = gg.TableModel.train(frame, "happy", **FAST, text=["title"])
    assert [type(each).name for each in model.encoder.columns] == ["text", "number", "category", "text"]


def test_a_flood_of_n_grams_fills_no_more_than_the_buckets_in_use(model: gg.TableModel) -> None:
    column = model.encoder.columns[0]
    assert isinstance(column, TextColumn)
    flood = " ".join(f"{number:x}q{number * 7919:x}" for number in range(20_000))
    assert (
        len(column.learned.weighed(column._bags(pl.Series([flood]))).indices)
        <= len(column.learned.buckets) + 1
    )


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("buckets", lambda v: v[::-1].copy()),
        ("buckets", lambda v: v + np.uint32(2**18)),
        ("buckets", lambda v: v.astype(np.int64)),
        ("documents", lambda v: v * 0),
        ("documents", lambda v: v + np.uint32(10**6)),
        ("weights", lambda v: v[:, :0]),
        ("weights", lambda v: v[:-1]),
        ("scales", lambda v: v * np.float32(np.nan)),
        ("scales", lambda v: v + np.float32(1e30)),
        ("bias", lambda v: v + np.float32(np.inf)),
        ("bias", lambda v: np.append(v, v)),
    ],
)
def test_bad_arrays_are_refused(model: gg.TableModel, name: str, change: Any) -> None:
    column = model.encoder.columns[0]
    assert isinstance(column, TextColumn)
    arrays = dict(column.arrays())
    assert Column.find(column.configuration()).with_arrays(arrays) == column
    arrays[name] = change(arrays[name])
    with pytest.raises(gg.ConfigError, match="of a column's n-grams must"):
        column.with_arrays(arrays)
    with pytest.raises(gg.ConfigError, match="must have the arrays"):
        column.with_arrays({})


@pytest.mark.parametrize(
    "change",
    [
        {"goals": []},
        {"goals": ["a", "a"]},
        {"loss": "hinge"},
        {"rows": 0},
        {"rate": 0},
        {"epochs": 0},
        {"words": 9},
        {"characters": [2]},
        {"characters": [5, 2]},
        {"center": []},
        {"scale": [-1.0]},
        {"scale": ["x"]},
    ],
)
def test_bad_settings_are_refused(model: gg.TableModel, change: dict[str, Any]) -> None:
    configuration = model.encoder.columns[0].configuration() | change
    with pytest.raises(gg.ConfigError):
        Column.find(configuration)


def test_as_many_features_as_numbers_are_standardized(model: gg.TableModel) -> None:
    column = model.encoder.columns[0]
    for change in ({"center": [0.0, 0.0]}, {"scale": [1.0, 1.0]}):
        with pytest.raises(gg.ConfigError):
            Column.find(column.configuration() | change).with_arrays(column.arrays())


def test_word_vectors_tell_of_words_that_are_too_rare_to_learn(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    words = ["".join(chance.choice(list("abcdefghij"), 8)) for _ in range(300)]
    ways = np.where(chance.random(300) < 0.5, 1.0, -1.0)
    lines = [f"{word} {way} {noise:.4f}" for word, way, noise in zip(words, ways, ways[::-1], strict=True)]
    path = tmp_path / "v.vec"
    path.write_text("\n".join(["300 2", *lines, "the 0 0"]) + "\n", "utf-8")
    learned, asked = (
        pl.DataFrame(
            {
                "review": [
                    f"the {chance.choice(REST)} was {word} on monday {chance.integers(99)}" for word in words
                ],
                "happy": np.where(ways > 0, "yes", "no"),
            }
        )
        for _ in range(2)
    )
    settings: dict[str, Any] = {"quality": "fast", "test": 0, "keep": ["review"]}
    plain = gg.TableModel.train(learned, "happy", text=["review"], **settings)
    model = gg.TableModel.train(learned, "happy", text=gg.Text(["review"], vectors=path), **settings)
    assert plain.evaluate(asked).metrics["accuracy"] < 0.8
    assert model.evaluate(asked).metrics["accuracy"] > 0.97
    column = model.encoder.columns[0]
    assert isinstance(column, TextColumn)
    assert column.features == ["review:yes", "review:vector 0", "review:vector 1"]
    assert "301 word vectors" in column.describe()
    model.save(tmp_path / "m.safetensors")
    assert words[0].encode() not in (tmp_path / "m.safetensors").read_bytes()
    loaded = gg.TableModel.load(tmp_path / "m.safetensors")
    assert loaded.predict(asked).equals(model.predict(asked))
    assert loaded.answer({"review": asked["review"][0]}) == model.answer({"review": asked["review"][0]})


def test_the_best_quality_reads_words_in_order(tmp_path: Path) -> None:
    """The same words in another order, with any word between them, mean something else."""

    def told(count: int, seed: int) -> pl.DataFrame:
        chance, found = np.random.default_rng(seed), []
        for _ in range(count):
            words, turned = chance.choice(REST, 9).tolist(), chance.random() < 0.5
            at = chance.integers(0, 7)
            words[at], words[at + 2] = ("up", "down") if turned else ("down", "up")
            found.append((" ".join(words), "yes" if turned else "no"))
        return pl.DataFrame(found, schema=["note", "turned"], orient="row")

    frame, asked = told(1500, 0), told(400, 1)
    settings: dict[str, Any] = {"test": 0, "text": ["note"]}
    model = gg.TableModel.train(frame, "turned", quality="best", **settings)
    column = model.encoder.columns[0]
    assert isinstance(column, TextColumn)
    assert column.features == ["note:yes", "note:yes in order"]
    assert "the first 9 words in order" in column.describe()
    assert model.evaluate(asked).metrics["accuracy"] > 0.97
    model.save(tmp_path / "m.safetensors")
    loaded = gg.TableModel.load(tmp_path / "m.safetensors")
    assert loaded.encoder == model.encoder
    assert loaded.predict(asked).equals(model.predict(asked))
    assert loaded.answer({"note": asked["note"][0]}) == model.answer({"note": asked["note"][0]})
    arrays, configuration = dict(column.arrays()), column.configuration()
    for name, change in (
        ("reader/buckets", lambda values: values[::-1].copy()),
        ("reader/buckets", lambda values: values.astype(np.int8)),
        ("reader/parameters", lambda values: values[1:]),
        ("reader/parameters", lambda values: values * np.float32(np.nan)),
    ):
        with pytest.raises(gg.ConfigError, match="of a reader of texts must"):
            Column.find(configuration).with_arrays(arrays | {name: change(arrays[name])})
    for length in (0, 1000):
        with pytest.raises(gg.ConfigError):
            Column.find(configuration | {"in_order": length}).with_arrays(arrays)


def test_no_reader_is_kept_that_does_not_help() -> None:
    model = gg.TableModel.train(reviews(), "happy", quality="best", epochs=None, test=0)
    column = model.encoder.columns[0]
    assert isinstance(column, TextColumn)
    assert column.in_order == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("the 1 2\nbox 1\n", "2 numbers for each word, got 1 in line 2, for 'box'"),
        ("the 1 x\n", "some numbers for each word, got 0 in line 1"),
        ("the 1 nan\n", "in line 1"),
        ("elsewhere 1 2\n", "no word of the texts has a vector"),
        ("", "no word of the texts has a vector"),
    ],
)
def test_bad_vectors_are_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "v.txt"
    path.write_text(content, "utf-8")
    with pytest.raises(gg.DataError, match=message):
        gg.TableModel.train(reviews(60), "happy", text=gg.Text(vectors=path), **FAST)


def test_vectors_are_read_from_archives(tmp_path: Path) -> None:
    words, vectors = np.array(["the", "box", "two words"]), np.arange(6, dtype=np.float32).reshape(3, 2)
    np.savez(tmp_path / "v.npz", words=words, vectors=vectors)
    grams = Grams(False, 1, 1, 20)
    wanted = np.array([grams.bucket("the"), grams.bucket("box")])
    buckets, found = read_vectors(tmp_path / "v.npz", grams, wanted)
    assert dict(zip(buckets.tolist(), found.tolist(), strict=True)) == {
        grams.bucket("the"): [0, 1],
        grams.bucket("box"): [2, 3],
    }
    for bad in (
        {"words": words},
        {"words": words[:2], "vectors": vectors},
        {"words": words, "vectors": words},
    ):
        np.savez(tmp_path / "bad.npz", **bad)
        with pytest.raises(gg.DataError, match=r"bad.npz must hold"):
            read_vectors(tmp_path / "bad.npz", grams, wanted)
    (tmp_path / "none.npz").write_bytes(b"none")
    with pytest.raises(gg.DataError):
        read_vectors(tmp_path / "none.npz", grams, wanted)
    with pytest.raises(gg.FileError):
        read_vectors(tmp_path / "absent.vec", grams, wanted)


def test_a_column_is_no_text_if_so_told() -> None:
    frame = reviews(80)
    with pytest.warns(gg.GanglionNotice, match="like a name"):
        model = gg.TableModel.train(frame, "happy", text=gg.Text(exclude=["review"]), **FAST)
    assert [type(each).name for each in model.encoder.columns] == ["number", "category"]
    some = frame.with_columns(
        review=pl.when(pl.int_range(80) < 30).then(pl.lit("as above")).otherwise("review")
    )
    with pytest.warns(gg.GanglionNotice, match="50 rare categories"):
        kept = gg.TableModel.train(some, "happy", text=gg.Text(exclude=["review"]), keep=["review"], **FAST)
    assert [type(each).name for each in kept.encoder.columns] == ["category", "number", "category"]


@pytest.mark.parametrize(
    "settings",
    [{"columns": "review"}, {"vectors": 3}, {"keep_words": 1}, {"columns": ["a"], "exclude": ["a"]}],
)
def test_bad_settings_of_texts_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(gg.ConfigError):
        gg.Text(**settings)


def test_what_tells_most_is_kept_only_if_asked(model: gg.TableModel, tmp_path: Path) -> None:
    with pytest.raises(gg.ConfigError, match="does not keep n-grams"):
        model.telling()
    with pytest.raises(gg.ConfigError, match="column must be one of texts"):
        model.telling("price")
    found = model.telling(table=reviews())
    assert list(found) == ["no", "yes"]
    assert all(any(word in gram for word in BAD) for gram in list(found["no"])[:4])
    assert all(any(word in gram for word in GOOD) for gram in list(found["yes"])[:4])
    kept = gg.TableModel.train(reviews(), "happy", text=gg.Text(keep_words=True), **FAST)
    kept.save(tmp_path / "m.safetensors")
    assert gg.TableModel.load(tmp_path / "m.safetensors").telling() == kept.telling()
    assert kept.telling(count=3) == {name: dict(list(g.items())[:3]) for name, g in kept.telling().items()}
    column = kept.encoder.columns[0]
    arrays = dict(column.arrays())
    for names in (b"\xff", b"one\ntwo"):
        arrays["names"] = np.frombuffer(names, np.uint8)
        with pytest.raises(gg.ConfigError, match="names of a column's n-grams must"):
            column.with_arrays(arrays)


def test_telling_words_of_classes_and_numbers() -> None:
    frame = reviews(300)
    classes = frame.with_columns(
        happy=pl.when(pl.col("review").str.contains("spoon")).then(pl.lit("so so")).otherwise("happy")
    )
    found = gg.TableModel.train(classes, "happy", **FAST).telling(table=classes)
    assert list(found) == ["no", "so so", "yes"]
    assert "spoon" in next(iter(found["so so"]))
    numbers = frame.with_columns(stars=frame["review"].str.count_matches("(?i)lovely") * 10 + frame["price"])
    high = gg.TableModel.train(numbers.drop("happy"), "stars", **FAST).telling(table=numbers)
    assert list(high) == ["low", "high"]
    assert "lovely" in next(iter(high["high"]))


def test_rounded_scales_are_exact_times_a_byte() -> None:
    scales = short(np.random.default_rng(0).random(1000))
    assert (scales.astype(np.float32) * np.float32(127) == scales.astype(np.float64) * 127).all()
    assert scales.dtype == np.float32


def test_removing_a_word_changes_the_answer_as_said(model: gg.TableModel) -> None:
    text = "The tea was LOVELY and lovely; but stale <b>"
    row = {"review": text, "price": 9.0, "shop": "north"}
    (found,) = model.words([row])
    assert found.answer == "probability of yes"
    assert found.changes["lovely"] > 0
    assert found.changes["stale"] < 0
    assert list(found.changes.values()) == sorted(found.changes.values(), key=abs, reverse=True)
    for word, less in (
        ("lovely", "The tea was and ; but stale <b>"),
        ("stale", "The tea was LOVELY and lovely; but <b>"),
    ):
        without = model.answer(row | {"review": less})["probabilities"]["yes"]
        assert found.value - found.changes[word] == pytest.approx(without, abs=1e-6)
    assert "".join(piece for piece, _ in found.pieces()) == text
    assert max(share for _, share in found.pieces()) == 1
    assert "&lt;" in found.to_html()
    assert "<b>" not in found.to_html()
    assert "  lovely  " in str(found)
    assert model.words([row | {"review": None}]) == []
    with pytest.raises(gg.ConfigError, match="row"):
        model.words([row], row=1)


def test_words_of_classes_that_are_true_or_false() -> None:
    frame = reviews(100).with_columns(pl.col("happy") == "yes")
    model = gg.TableModel.train(frame, "happy", **FAST)
    assert model.words(frame, row=1)[0].answer.removeprefix("probability of ") in ("true", "false")
    assert gg.TableModel.train(frame.drop("review"), "happy", **FAST).words(frame) == []


def test_a_long_text_is_explained_in_bounded_memory(model: gg.TableModel) -> None:
    text = " ".join(f"word{number}" for number in range(50_000))
    (found,) = model.words([{"review": text, "price": 9.0, "shop": "north"}])
    assert 1 <= len(found.changes) <= 500


def test_what_is_summed_for_a_text_is_what_the_network_sees(model: gg.TableModel) -> None:
    text, column = "Lovely, lovely tea is bitter", model.encoder.columns[0]
    assert isinstance(column, TextColumn)
    found = column.table(text)
    total = (found["weight"].cast(pl.Float64) * found["review:yes"]).sum()
    seen, _ = column.encode_value(text)
    assert (total - column.center[0]) / column.scale[0] == pytest.approx(seen[0], abs=1e-5)
    lovely = found.filter(pl.col("gram") == "lovely")
    assert lovely["count"].to_list() == [2]
    assert lovely["bucket"].to_list() == [column._grams[0].bucket("lovely")]
    assert "_lov" in found["gram"].to_list()


def test_the_command_line_explains_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = reviews(80)
    frame.write_csv(tmp_path / "t.csv")
    gg.TableModel.train(frame, "happy", **FAST).save(tmp_path / "m.safetensors")
    files = [str(tmp_path / "m.safetensors"), str(tmp_path / "t.csv"), "--row", "2"]
    code, page, _ = run(capsys, "explain", *files, "--out", str(tmp_path / "w.html"))
    assert code == 0
    assert "review:yes = (sum - center) / scale" in page
    assert "words of review: probability of" in page
    assert "white-space:pre-wrap" in (tmp_path / "w.html").read_text()
    _, found, _ = run(capsys, "explain", *files, "--json")
    assert json.loads(found)["words"][0]["column"] == "review"
    code, _, error = run(capsys, "explain", *files, "--out", str(tmp_path / "w.png"))
    assert code == 2
    assert "--out must end in .html" in error
