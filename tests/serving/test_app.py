"""The paths: their answers have the bits of `predict`, and each refusal is one clear line."""

import io
import json
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl
import pytest

import ganglion as gg
from ganglion.serving import Limits
from served import CSV, FILE, JSON, MODELS, ROWS, STREAM, client, inputs, model, records, refused


def predicted(name: str, rows: Any, interval: float | None = None) -> pl.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gg.GanglionNotice)
        return model(name).predict(rows, interval)


def as_answers(name: str, frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return predictions as the server gives them in JSON."""

    def of_target(row: dict[str, Any], ending: str, labels: list[str] | None) -> dict[str, Any]:
        kinds = ("prediction", "low", "high")
        answer = {kind: row[kind + ending] for kind in kinds if kind + ending in row}
        shares = {label: row[f"probability{ending}_{label}"] for label in labels or []}
        return answer | ({"probabilities": shares} if shares else {})

    rows = frame.to_dicts()
    if name != "both":
        return [of_target(row, "", model(name).labels) for row in rows]
    heads = model(name).heads.items()
    return [{"targets": {n: of_target(row, f"_{n}", head.labels) for n, head in heads}} for row in rows]


def query(name: str, **more: str) -> dict[str, str]:
    interval = {} if name == "size" else {"interval": "0.8"}
    return {"probabilities": "true", **interval, **more}


def level(name: str) -> float | None:
    return None if name == "size" else 0.8


@pytest.mark.parametrize("name", MODELS)
def test_json_has_the_bits_of_predict(name: str) -> None:
    expected = as_answers(name, predicted(name, inputs(), level(name)))
    server = client(name)
    answer = server.post("/predict", json=records(), params=query(name))
    assert answer.status_code == 200
    assert answer.json() == expected
    for row in (0, 7, ROWS - 1):
        single = server.post("/predict", json=records()[row], params=query(name))
        assert single.json() == expected[row]
        assert server.post("/predict", json=[records()[row]], params=query(name)).json() == [expected[row]]
    plain = server.post("/predict", json=records()[0]).json()
    assert "probabilities" not in json.dumps(plain)


@pytest.mark.parametrize("name", MODELS)
def test_csv_and_arrow_have_the_bits_of_predict(name: str) -> None:
    expected = predicted(name, inputs(), level(name))
    server = client(name)
    stream, file = io.BytesIO(), io.BytesIO()
    inputs().write_ipc_stream(stream)
    inputs().write_ipc(file)
    text = inputs().write_csv().encode()
    for data, headers in ((text, CSV), (stream.getvalue(), STREAM), (file.getvalue(), FILE)):
        for accept in (CSV, STREAM, FILE, JSON, {"Content-Type": "*/*"}):
            kind = accept["Content-Type"]
            answer = server.post(
                "/predict", content=data, params=query(name), headers={**headers, "Accept": kind}
            )
            assert answer.status_code == 200
            given = headers["Content-Type"] if kind == "*/*" else kind
            assert answer.headers["content-type"].partition(";")[0] == given
            if given == "application/json":
                assert answer.json() == as_answers(name, expected)
            elif given == "text/csv":
                assert answer.text == expected.write_csv()
            elif given.endswith("stream"):
                assert pl.read_ipc_stream(io.BytesIO(answer.content)).equals(expected)
            else:
                assert pl.read_ipc(io.BytesIO(answer.content)).equals(expected)


def test_one_record_may_be_answered_as_a_table() -> None:
    answer = client().post("/predict", json=records()[0], headers={"Accept": "text/csv;q=0.5, text/html"})
    assert answer.text == predicted("size", inputs()[:1]).select("prediction").write_csv()


def test_notes_are_given_for_each_row() -> None:
    odd = records()[1] | {"color": "violet", "surplus": 3}
    server = client()
    single = server.post("/predict", json=odd, params={"notes": "true"}).json()
    both = server.post("/predict", json=[records()[1], odd], params={"notes": "true"}).json()
    assert single["notes"] == both[1]["notes"]
    assert "violet" in single["notes"][0]
    assert "surplus" in single["notes"][1]
    text = inputs()[:2].with_columns(color=pl.Series(["red", "violet"])).write_csv()
    answer = server.post("/predict", content=text, headers=CSV, params={"notes": "true"}).text
    assert answer.splitlines()[0] == "prediction,notes"
    assert "violet" in answer.splitlines()[2]
    joint = client("both").post("/predict", json=odd, params={"notes": "true"}).json()
    assert joint["notes"] == single["notes"]


def test_strict_refuses_what_there_is_a_notice_about() -> None:
    server = client(strict=True)
    assert server.post("/predict", json=records()[1]).status_code == 200
    answer = server.post("/predict", json=records()[1] | {"color": "violet"})
    refused(answer, 422, "violet", "[unknown-categories]")
    refused(server.post("/predict", json=[records()[1] | {"extra": 1}] * 2), 422, "[unknown-columns]")


def test_health_and_the_description() -> None:
    server = client("both")
    facts = server.get("/health").json()
    assert facts["status"] == "ok"
    assert facts["targets"] == {"size": "classification", "mass": "regression"}
    assert server.head("/health").status_code == 200
    described = server.get("/openapi.json").json()
    assert described["openapi"] == "3.1.0"
    assert set(described["paths"]) == {"/predict", "/health", "/openapi.json"}


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/", 404, "there is no path '/'"),
        ("POST", "/predict/", 404, "no path"),
        ("GET", "/predict", 405, "does not take GET"),
        ("OPTIONS", "/predict", 405, "does not take OPTIONS"),
        ("POST", "/health", 405, "does not take POST"),
    ],
)
def test_other_paths_and_methods(method: str, path: str, status: int, words: str) -> None:
    answer = client().request(method, path, follow_redirects=False)
    refused(answer, status, words)
    assert ("allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ("probabilities=yes", "probabilities must be true or false, got 'yes'"),
        ("probability=true", "no parameter 'probability'"),
        ("notes=true&notes=true", "notes must be given once"),
        ("interval=2", "interval must be a number > 0 and < 1"),
        ("interval=nan", "interval must be a number"),
        ("interval=0.9", "intervals are for numbers"),
        ("interval=", "interval must be a number"),
    ],
)
def test_wrong_parameters(parameters: str, words: str) -> None:
    refused(client().post(f"/predict?{parameters}", json=records()[0]), 400, words)


def test_an_interval_beyond_the_held_out_rows() -> None:
    answer = client("mass").post("/predict?interval=0.9999", json=records()[0])
    refused(answer, 422, "held-out rows support intervals up to level")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=a"},
        {},  # as a page sends bytes of no type
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "text/csv; charset=nonesuch"},
        {**JSON, "Content-Encoding": "gzip"},
    ],
)
def test_other_types_are_refused(headers: dict[str, str]) -> None:
    """Among them all that a browser sends for a page of another site without asking first."""
    refused(client().post("/predict", content=json.dumps(records()[0]).encode(), headers=headers), 415)


def test_a_charset_of_csv() -> None:
    text = inputs()[:3].with_columns(color=pl.Series(["grün", "red", "blue"])).write_csv()
    server, wanted = client(), {"notes": "true"}
    for charset in ("latin-1", "utf-16"):
        headers = {"Content-Type": f'text/csv; charset="{charset}"'}
        answer = server.post("/predict", content=text.encode(charset), headers=headers, params=wanted)
        assert answer.status_code == 200
        assert "grün" in answer.text


def test_formats_that_are_not_written_are_refused() -> None:
    server = client()
    for accept in ("text/html", "application/json;q=0", "*/*;q=x"):
        refused(server.post("/predict", json=records()[0], headers={"Accept": accept}), 406)
    for accept in ("application/*", "text/html, */*;q=0.1", "text/csv;q=0.1, application/json"):
        answer = server.post("/predict", json=records()[0], headers={"Accept": accept})
        assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("host", "served"),
    [
        ("127.0.0.1", True),
        ("127.0.0.1:8000", True),
        ("LOCALHOST:1", True),
        ("[::1]:8000", True),
        ("model.home:8000", True),
        ("192.168.0.7", False),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("127.0.0.1:8000@evil.example", False),
        ("", False),
    ],
)
def test_only_the_own_host_is_served(host: str, served: bool) -> None:
    server = client(hosts=["model.home"])
    for path in ("/health", "/nonesuch"):
        answer = server.get(path, headers={"Host": host})
        if served:
            assert answer.status_code in (200, 404)
        else:
            refused(answer, 421, "is not served here")


def test_every_address_but_no_other_name() -> None:
    server = client(hosts=["0.0.0.0"])
    assert server.get("/health", headers={"Host": "192.168.0.7:8000"}).status_code == 200
    assert server.get("/health", headers={"Host": "[fe80::1]:8000"}).status_code == 200
    refused(server.get("/health", headers={"Host": "evil.example"}), 421)


def test_no_page_of_another_site_may_read_answers() -> None:
    answer = client().get("/health", headers={"Origin": "http://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_bodies_are_limited_while_they_arrive() -> None:
    server = client(limits=Limits(megabytes=0.01))
    refused(server.post("/predict", content=b" " * 20_000, headers=JSON), 413, "at most 0.01 MiB")
    lying = {**JSON, "Content-Length": "10"}
    refused(server.post("/predict", content=b" " * 20_000, headers=lying), 413)


@pytest.mark.parametrize("headers", [JSON, CSV, STREAM, FILE])
def test_rows_are_limited(headers: dict[str, str]) -> None:
    def body(rows: pl.DataFrame) -> bytes:
        if headers is JSON:
            return json.dumps(records(rows)).encode()
        if headers is CSV:
            return rows.write_csv().encode()
        file = io.BytesIO()
        rows.write_ipc_stream(file) if headers is STREAM else rows.write_ipc(file)
        return file.getvalue()

    server = client(limits=Limits(rows=10))
    assert server.post("/predict", content=body(inputs()[:10]), headers=headers).status_code == 200
    answer = server.post("/predict", content=body(inputs()[:11]), headers=headers)
    refused(answer, 413, "at most 10 rows, got 11")


def test_a_slow_prediction_is_given_up_and_health_answers_meanwhile(monkeypatch: Any) -> None:
    """The place of a prediction that was given up is free again once its thread has ended."""
    go_on, predict = threading.Event(), type(model()).predict

    def slow(*arguments: Any, **settings: Any) -> Any:
        go_on.wait(20)
        return predict(*arguments, **settings)

    monkeypatch.setattr(type(model()), "predict", slow)
    with client(limits=Limits(seconds=0.3, requests=1)) as server:
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(server.post, "/predict", json=records()[:2])
            time.sleep(0.1)
            assert server.get("/health").status_code == 200
            busy = server.post("/predict", json=records()[:2])
            refused(busy, 503, "takes 1 request at a time")
            assert busy.headers["retry-after"] == "1"
            refused(first.result(), 503, "may take 0.3 s")
            refused(server.post("/predict", json=records()[:2]), 503, "takes 1 request at a time")
        go_on.set()
        until = time.monotonic() + 60
        while (answer := server.post("/predict", json=records()[:2])).status_code != 200:
            assert time.monotonic() < until
        assert answer.status_code == 200


def test_refused_bodies_give_their_places_back() -> None:
    server = client(limits=Limits(requests=1, megabytes=0.01))
    for _ in range(3):
        refused(server.post("/predict", content=b" " * 20_000, headers=JSON), 413)
        refused(server.post("/predict", content=b"{", headers=JSON), 400)
        assert server.post("/predict", json=records()[0]).status_code == 200


@pytest.mark.parametrize("name", MODELS)
def test_many_at_once_get_their_own_answers(name: str) -> None:
    expected = as_answers(name, predicted(name, inputs(), level(name)))
    rows = records()
    with client(name) as server, ThreadPoolExecutor(16) as pool:

        def single(row: int) -> Any:
            return server.post("/predict", json=rows[row], params=query(name, notes="true")).json()

        def several(row: int) -> Any:
            return server.post("/predict", json=rows[row : row + 3], params=query(name)).json()

        for row, answer in enumerate(pool.map(single, range(ROWS))):
            notes = answer.pop("notes")
            assert bool(notes) == (rows[row]["length"] is None)
            assert answer == expected[row]
        for row, answers in enumerate(pool.map(several, range(ROWS))):
            assert answers == expected[row : row + 3]


def test_a_bug_is_confessed(monkeypatch: Any) -> None:
    def broken(*arguments: Any) -> Any:
        raise KeyError("secret")

    monkeypatch.setattr(type(model()), "answer", broken)
    server = client()
    with pytest.raises(KeyError):  # the server prints the traceback
        server.post("/predict", json=records()[0])
    monkeypatch.setattr(server._transport, "raise_server_exceptions", False)
    answer = server.post("/predict", json=records()[0])
    refused(answer, 500, "unexpected KeyError")
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"megabytes": 0}, "megabytes"),
        ({"rows": 0}, "rows"),
        ({"seconds": float("nan")}, "seconds"),
        ({"requests": 0}, "requests"),
    ],
)
def test_limits_out_of_range(limits: dict[str, Any], words: str) -> None:
    with pytest.raises(gg.ConfigError, match=words):
        Limits(**limits)


def test_many_classes_mean_fewer_rows() -> None:
    assert Limits().most_rows(3) == 100_000
    assert Limits().most_rows(1000) == 10_000
