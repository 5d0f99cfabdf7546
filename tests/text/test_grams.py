import unicodedata
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

import ganglion as gg
from ganglion.engines import native_module
from ganglion.text.grams import Grams, normalized, words_of
from ganglion.text.letters import GAP, NOTHING, SIGN, WORD, letters

WORDS, CHARACTERS = Grams(characters=False, least=1, most=2), Grams(characters=True, least=2, most=5)
needs_native = pytest.mark.skipif(native_module() is None, reason="the native engine is not built")
TEXTS = [
    "",
    " \t\n\x00",
    "Not good!",
    "naïve Straße İstanbul",
    "see https://example.org/a?b=1, write to a.b@example.org",
    "हिन्दी में लिखा है",
    "ภาษาไทยไม่มีช่องว่าง",
    "中文没有空格。日本語も",
    "👩\u200d🚀 soft\u00adhyphen \u202eright to left",
    "cafe\u0301",
    "<b>bold</b> &amp; plain",
    "\ud800 half a pair",
]


def times(bags: gg.Bags) -> list[float]:
    assert bags.weights is not None
    return bags.weights.tolist()


@needs_native
@pytest.mark.parametrize("grams", [WORDS, CHARACTERS, Grams(True, 1, 3, bits=4), Grams(False, 2, 3, bits=22)])
def test_both_engines_count_the_same(grams: Grams) -> None:
    found, expected = grams.count(TEXTS), grams._counted(TEXTS)
    assert found.tolist() == expected.tolist()
    assert times(found) == times(expected)


@needs_native
@settings(deadline=None)
@given(st.lists(st.text(max_size=40), max_size=5), st.booleans(), st.integers(1, 4), st.integers(0, 3))
@example(["\U0010ffff\U000e0001"], True, 1, 3)
def test_any_text_is_counted_alike(texts: list[str], characters: bool, least: int, more: int) -> None:
    grams = Grams(characters, least, least + more, bits=10)
    found, expected = grams.count(texts), grams._counted(texts)
    assert found.tolist() == expected.tolist()
    assert times(found) == times(expected)


def test_the_buckets_stay_for_ever() -> None:
    words = [WORDS.bucket(gram) for gram in ("good", "good ,", "straße", "中文", "")]
    assert words == [10484, 56318, 140585, 113065, 166207]
    assert [CHARACTERS.bucket(gram) for gram in ("ab", "\x02ab", "中")] == [84427, 53919, 47481]


def test_what_a_text_is_cut_into() -> None:
    assert WORDS.of("Not  GOOD,\nno") == ["not", "not good", "good", "good ,", ",", ", no", "no"]
    assert [gram.strip("\x02\x03") for gram in Grams(True, 3, 3).of("ab c!")] == ["ab", "ab", "c"]
    assert [word for word, _ in words_of("a\u200db\u00adc")] == ["abc"]
    assert WORDS.of("e\u0301t\u00c9") == WORDS.of("\u00e9t\u00e9") == ["été"]
    assert normalized("\ud800x") == "?x"


def test_any_white_space_is_one_blank() -> None:
    assert WORDS.of("a\u3000b\r\n\t c\xa0") == WORDS.of("a b c")


def test_the_classes_are_those_of_unicode() -> None:
    classes, known = letters(), unicodedata.ucd_3_2_0  # what has been assigned then has kept its class
    assert len(classes) == 0x110000
    expected = {"Cf": NOTHING, "Cc": GAP, "Cs": GAP, "Co": WORD}
    for point in range(0x110000):
        name = unicodedata.category(chr(point))
        if name == "Cn" or known.category(chr(point)) == "Cn":
            continue
        kind = expected.get(name, {"Z": GAP, "P": SIGN, "S": SIGN}.get(name[0], WORD))
        assert classes[point] == kind, hex(point)


@needs_native
def test_threads_count_at_once() -> None:
    texts = [text * 20 for text in TEXTS] * 50
    expected = CHARACTERS.count(texts)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(CHARACTERS.count, [texts] * 8):
            np.testing.assert_array_equal(found.indices, expected.indices)


@needs_native
def test_several_threads_count_the_same() -> None:
    """Enough text for pieces that are counted apart, and put together."""
    texts = [text * 40 for text in TEXTS] * 30
    assert sum(map(len, texts)) > 3 << 16
    module = native_module()
    assert module is not None
    before = module.get_threads()
    try:
        module.set_threads(3)
        for grams in (WORDS, CHARACTERS):
            for several, alone in (
                (grams.count(texts), grams._counted(texts)),
                (grams.in_order(texts), grams._counted(texts, in_order=True)),
            ):
                for name in ("indices", "offsets", "weights"):
                    np.testing.assert_array_equal(getattr(several, name), getattr(alone, name))
    finally:
        module.set_threads(before)


def test_words_in_order() -> None:
    found = WORDS.in_order(["b a b"])
    assert found.tolist() == [[WORDS.bucket(gram) for gram in WORDS.of("b a b")]]
    assert times(found) == [1.0] * 5


def test_a_very_long_text_and_one_of_many_words() -> None:
    long = "abc " * 300_000
    assert CHARACTERS.count([long, "abc"]).tolist()[0] == CHARACTERS.count(["abc"]).tolist()[0]
    assert times(WORDS.count([long])) == [300_000, 299_999]


@pytest.mark.parametrize(
    "wrong",
    [{"least": 0}, {"least": 3}, {"most": 9}, {"bits": 0}, {"bits": 23}, {"characters": 1}],
)
def test_settings_out_of_range(wrong: dict[str, int]) -> None:
    with pytest.raises(gg.ConfigError):
        Grams(**{"characters": False, "least": 1, "most": 2, **wrong})  # type: ignore[arg-type]
