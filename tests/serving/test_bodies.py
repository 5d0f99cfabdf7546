"""Hostile bodies: each is refused with one line, whatever it holds, and never as a bug."""

import gzip
import io
import json
import struct
from typing import Any

import numpy as np
import polars as pl
import pytest

from served import CSV, FILE, JSON, STREAM, client, inputs, model, records, refused

RECORD = records()[1]


def text(**changed: Any) -> bytes:
    """Return a good record as JSON with some values changed; bytes are put in as they are."""
    plain = {name: value for name, value in (RECORD | changed).items() if not isinstance(value, bytes)}
    raw = b"".join(
        b', "%s": %s' % (name.encode(), value) for name, value in changed.items() if isinstance(value, bytes)
    )
    return json.dumps(plain).encode()[:-1] + raw + b"}"


BAD_JSON = [
    (b"", 400, "not JSON"),
    (b"{", 400, "not JSON: Expecting property name"),
    (b"\xff\xfe{}", 400, "not UTF-8: byte 0 is 0xff"),
    (b"\x00", 400, "not JSON"),
    (b"\x1f\x8b\x08", 400, "not UTF-8"),
    (json.dumps(RECORD).encode("utf-16"), 400, "not UTF-8"),
    (text() + text(), 400, "Extra data"),
    (b"[" * 100_000, 400, "nested too deeply"),
    (b'{"length":' * 100_000, 400, "nested too deeply"),
    (b"[" * 500 + b"]" * 500, 422, "a record must be an object"),
    (b"1", 422, "must be a record or a list of at least one"),
    (b"null", 422, "must be a record"),
    (b'"length"', 422, "must be a record"),
    (b"[]", 422, "a list of at least one, got []"),
    (b"[1]", 422, "a record must be an object of values by column, got 1 in row 0"),
    (b"[" + text() + b", null]", 422, "got None in row 1"),
    (b"{}", 422, "the record lacks 'length', 'count'"),
    (b"[{}]", 422, "the record lacks 'length', 'count'"),
    (b"[" + text() + b', {"length": 1}]', 422, "in row 1"),
    (text(length=b"NaN"), 400, "NaN is no number of JSON"),
    (text(length=b"-Infinity"), 400, "-Infinity is no number"),
    (text(length=b"1e999"), 422, "'length' must be finite"),
    (text(length=b"1e300"), 422, "'length' is too large"),
    (text(length=b"9" * 400), 422, "'length' holds a number that is too large"),
    (text(length=b"9" * 10_000), 400, "too many digits"),
    (text(length="long"), 422, "'length' must hold numbers, got 'long'"),
    (text(length="௩"), 422, "'length' must hold numbers"),
    (text(length=[1]), 422, "'length' must hold text, a number, true, false or null, got [1]"),
    (text(length={}), 422, "'length' must hold text"),
    (text(grade=True), 422, "'grade' must hold numbers, got True"),
    (text(grade="good"), 422, "'grade' must hold numbers, got 'good'"),
    (text(length=True), 422, "'length' must hold numbers, got True"),
    (text(old="perhaps"), 422, "'old' must be true or false"),
    (text(old=7), 422, "'old' must be true or false"),
    (text(day="yesterday"), 422, "'day' must hold dates"),
    (text(day="2021-02-30"), 422, "'day' must hold dates"),
    (text(day=3.5), 422, "'day' must hold dates"),
    (text(day=True), 422, "'day' must hold dates"),
    (text(color=[["red"]]), 422, "'color' must hold text"),
    (text(color=b'"\\ud800"'), 400, "lone surrogate"),
    (text(color=b'"\\uDFFF"'), 400, "lone surrogate"),
    (text()[:-1] + b', "\\udc00": 1}', 400, "lone surrogate"),
    (text()[:-1] + b', "length": 2}', 400, "each column once, got 'length' again"),
    (b'{"a": {"b": 1, "b": 2}}', 400, "each column once"),
    (b"{" + b",".join(b'"%d":1' % i for i in range(20_000)) + b"}", 413, "at most 10,000 columns"),
    (b"[" + text(**{str(i): i for i in range(20_000)}) + b"]", 413, "at most 10,000 columns"),
]


@pytest.mark.parametrize(("body", "status", "words"), BAD_JSON, ids=range(len(BAD_JSON)))
def test_json(body: bytes, status: int, words: str) -> None:
    refused(client().post("/predict", content=body, headers=JSON), status, words)
    if status == 422 and body.startswith(b"{"):  # also among others
        both = b"[" + text() + b"," + body + b"]"
        answer = client().post("/predict", content=both, headers=JSON)
        refused(answer, status)
        assert "row 1" in answer.json()["error"]


@pytest.mark.parametrize(
    "changed",
    [
        {"length": "12.5"},
        {"length": " 12.5 ", "count": "3"},
        {"length": "NA", "color": "", "old": "true", "day": "2021-01-31T10:00:00Z"},
        {"length": 10**17, "count": 2**63, "color": 10**30, "grade": -(10**25)},
        {"length": None, "count": None, "color": None, "grade": None, "old": None, "day": None},
        {"color": False, "grade": "2.5", "old": 1},
        {"color": 3, "grade": "3", "old": "false"},
        {"color": "\ud83d\ude00", "grade": 1e-300},
        {"color": "\x00", "": "a column without a name", "\x00": 1},
        {"color": "x" * 1_000_000},
    ],
)
def test_odd_json_means_the_same_alone_and_among_others(changed: dict[str, Any]) -> None:
    server, wanted = client(), {"probabilities": "true"}
    alone = server.post("/predict", content=text(**changed), headers=JSON, params=wanted)
    both = b"[" + text(**changed) + b"," + text() + b"]"
    among = server.post("/predict", content=both, headers=JSON, params=wanted)
    assert alone.status_code == among.status_code, among.text
    if alone.status_code == 200:
        assert alone.json() == among.json()[0]


def test_outputs_that_are_not_finite_are_refused() -> None:
    server = client("mass")
    huge = text(length=1e38)
    answer = server.post("/predict", content=b"[" + text() + b"," + huge + b"]", headers=JSON)
    if answer.status_code == 200:
        assert "Infinity" not in answer.text
    else:
        refused(answer, 422, "the prediction of row 1 is not a finite number")


def table_text(**changed: str) -> bytes:
    row = {name: "" if value is None else str(value) for name, value in RECORD.items()} | changed
    return (",".join(row) + "\n" + ",".join(row.values()) + "\n").encode()


BAD_CSV = [
    (b"", 400, "the body is empty"),
    (b"\n\n", 400, ""),
    (b"\x00" * 100, 400, "no text"),
    (b"PAR1" + b"\x00" * 100, 400, "the body is a Parquet file, not a text file"),
    (gzip.compress(table_text()), 400, "no text"),
    (b"PK\x03\x04", 400, "the body is a zip archive"),
    (b"length\n1\n", 422, "lacks 'count'"),
    (table_text(length="long"), 422, "'length' must hold numbers, got 'long' in row 0"),
    (table_text(old="perhaps"), 422, "'old' must hold true or false"),
    (table_text(day="yesterday"), 422, "'day' must hold dates"),
    (table_text(length="1e300"), 422, "'length' is too large in row 0"),
    (table_text(length="inf"), 422, "'length'"),
    (table_text().replace(b"count", b"length"), 422, "length"),
    (table_text() + b"1,2,3\n", 400, ""),
    (b",".join(b"c%d" % i for i in range(20_000)) + b"\n", 413, "at most 10,000 columns"),
    (b"# comment\n" + b";" * 20_000 + b"\n1\n", 413, "at most 10,000 columns"),
]


@pytest.mark.parametrize(("body", "status", "words"), BAD_CSV, ids=range(len(BAD_CSV)))
def test_csv(body: bytes, status: int, words: str) -> None:
    refused(client().post("/predict", content=body, headers=CSV), status, words)


def arrow(frame: pl.DataFrame, file: bool = False, **settings: Any) -> bytes:
    target = io.BytesIO()
    frame.write_ipc(target, **settings) if file else frame.write_ipc_stream(target, **settings)
    return target.getvalue()


@pytest.mark.parametrize("headers", [STREAM, FILE])
def test_arrow(headers: dict[str, str]) -> None:
    server, whole = client(), inputs()[:20]
    file = headers is FILE

    def post(body: bytes) -> Any:
        return server.post("/predict", content=body, headers=headers)

    good = arrow(whole, file)
    assert post(good).status_code == 200
    for body, status, words in (
        (b"", 400, "not a whole Arrow stream"),
        (b"length,count\n1,2\n", 400, "Arrow"),
        (b"ARROW1\0\0", 400, "not a whole Arrow file"),
        (b"\xff\xff\xff\xff\x00\x00\x00\x00", 400, "no schema"),
        (b"\xff\xff\xff\xff\xff\xff\xff\x7f", 400, "not whole"),
        (b"\xff\xff\xff\xff\x08\x00\x00\x00" + b"\xff" * 8, 400, "not valid Arrow"),
        (good[:-20], 400, ""),
        (good[: len(good) // 2], 400, ""),
        (arrow(whole, file, compression="zstd"), 422, "must not be compressed"),
        (arrow(whole, file, compression="lz4"), 422, "must not be compressed"),
        (arrow(whole.drop("color"), file), 422, "lacks 'color'"),
        (arrow(whole.with_columns(length=pl.col("color")), file), 422, "'length' must hold numbers"),
        (arrow(whole.with_columns(length=pl.lit(float("inf"))), file), 422, "'length' must be finite"),
        (
            arrow(whole.with_columns(color=pl.concat_list(pl.col("count"))), file),
            422,
            "'color' must hold words",
        ),
        (arrow(whole.with_columns(color=pl.lit(b"red")), file), 422, "'color' must hold words"),
        (arrow(pl.DataFrame({str(i): [1] for i in range(10_001)}), file), 413, "at most 10,000 columns"),
    ):
        answer = post(body)
        assert answer.status_code == status, (body[:40], answer.text)
        refused(answer, status, words)
    for changed in (
        whole.with_columns(pl.col("color").cast(pl.Categorical), pl.col("length").cast(pl.Float32)),
        whole.with_columns(pl.col("day").cast(pl.Datetime("ns", "Europe/Zurich")), surplus=pl.lit([1])),
        whole.with_columns(pl.col("grade").cast(pl.Int8), nothing=pl.lit(None)),
    ):
        assert post(arrow(changed, file)).status_code == 200


@pytest.mark.parametrize("file", [False, True])
def test_arrow_with_damaged_bytes(file: bool) -> None:
    """No byte of a message, changed, makes the server reserve memory, crash or call itself broken."""
    server, chance = client(), np.random.default_rng(0)
    good = arrow(inputs()[:5].with_columns(pl.col("color").cast(pl.Categorical)), file)
    outcomes = set()
    for _ in range(400):
        body = bytearray(good)
        for place in chance.integers(0, len(body), chance.integers(1, 4)):
            body[place] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, int(chance.integers(256))])
        answer = server.post("/predict", content=bytes(body), headers=FILE if file else STREAM)
        outcomes.add(answer.status_code)
        if answer.status_code != 200:
            refused(answer, answer.status_code)
    assert outcomes <= {200, 400, 413, 422}
    assert {200, 400} <= outcomes


def test_arrow_that_states_more_than_it_holds() -> None:
    """Each length of the format, made huge in turn, is refused before anything is reserved."""
    server, good = client(), arrow(inputs()[:5])
    for place in range(0, len(good) - 8, 8):
        body = bytearray(good)
        struct.pack_into("<q", body, place, 2**40)
        answer = server.post("/predict", content=bytes(body), headers=STREAM)
        if answer.status_code != 200:
            refused(answer, answer.status_code)
            assert answer.status_code in (400, 413, 422)


def test_any_bytes_of_any_type() -> None:
    server, chance = client(), np.random.default_rng(1)
    bodies = [arrow(inputs()[:3]), arrow(inputs()[:3], True), table_text(), text(), b"[" + text() + b"]"]
    for body in [*bodies, *(chance.bytes(int(chance.integers(200))) for _ in range(30))]:
        for headers in (JSON, CSV, STREAM, FILE):
            answer = server.post("/predict", content=body, headers=headers)
            if answer.status_code != 200:
                assert answer.status_code in (400, 413, 422)
                refused(answer, answer.status_code)


def test_unknown_columns_may_hold_anything() -> None:
    server, odd = client(), text(unknown={"a": [1]}, other=10**30)
    expected = server.post("/predict", content=text(), headers=JSON)
    assert server.post("/predict", content=odd, headers=JSON).json() == expected.json()
    both = server.post("/predict", content=b"[" + odd + b"," + text() + b"]", headers=JSON)
    assert both.json() == [expected.json()] * 2
    table = server.post("/predict", content=odd, headers={**JSON, "Accept": "text/csv"})
    assert table.text.split() == ["prediction", expected.json()["prediction"]]


def test_the_target_may_stand_in_a_row() -> None:
    name = model().target.column
    answer = client(strict=True).post("/predict", content=text(**{name: "large"}), headers=JSON)
    assert answer.status_code == 200
