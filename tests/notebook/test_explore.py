"""The widget of a notebook: its answers, and its page in a real browser with a model as anywidget gives it one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ganglion as gg
from browser import needs_browser, open_browser
from ganglion.notebook.answers import GRID, Subject

X = np.random.default_rng(0).normal(size=(30, 3))
Y = (X[:, 0] > X[:, 1]).astype(int)
needs_widgets = pytest.mark.skipif(not find_spec("anywidget"), reason="needs anywidget")


@pytest.fixture(scope="module")
def subject() -> Subject:
    network = gg.Network([gg.Dense(4, "tanh"), gg.Dense(2, "softmax")], 3, seed=1)
    network.fit(X, Y, epochs=5)
    return Subject(network, X, Y, ["a", "b", "<i>c</i>"], ["no", "yes"])


def test_answers_are_those_of_the_trace(subject: Subject) -> None:
    begin = json.loads(json.dumps(subject.begin()))
    assert begin["rows"] == 30
    assert [layer["name"] for layer in begin["layers"]] == ["dense_1", "dense_2"]
    assert len(begin["curves"]["loss"]) == 5
    trace = subject.network.trace(X[7:8], Y[7:8], training=False, names=subject.names)
    row = json.loads(json.dumps(subject.ask({"kind": "row", "row": 7})))
    assert row["layers"][1] == pytest.approx(trace.layers[1].a.ravel().tolist())
    assert row["loss"] == pytest.approx(trace.loss)
    assert subject.ask({"kind": "unit", "row": 7, "layer": 0, "unit": 2})["text"] == str(
        trace.unit("dense_1", 2)
    )
    found = subject.ask({"kind": "surface", "row": 7, "across": 0, "down": 2, "output": 1})
    assert len(found["values"]) == GRID * GRID
    low, high = found["ends"]
    corner = subject.network.predict([[low[0], X[7, 1], high[0]]])[0, 1]
    assert found["values"][0] == pytest.approx(corner, abs=1e-6)


def test_wrong_questions_are_refused(subject: Subject) -> None:
    for question in (
        {}, {"kind": "other"}, {"kind": "row", "row": 30}, {"kind": "row", "row": -1}, {"kind": "row", "row": "0"},
        {"kind": "unit", "row": 0, "layer": 2, "unit": 0}, {"kind": "unit", "row": 0, "layer": 0, "unit": 4},
        {"kind": "surface", "row": 0, "across": 3, "down": 0, "output": 0},
    ):  # fmt: skip
        with pytest.raises(gg.ConfigError):
            subject.ask(question)
    with pytest.raises(gg.ConfigError, match="rows of numbers"):
        Subject(gg.Network([gg.Flatten(), gg.Dense(1)], (2, 2)), np.zeros((1, 2, 2)))
    with pytest.raises(gg.DataError, match="at least one row"):
        Subject(subject.network, np.zeros((0, 3)))
    wrong: list[dict[str, Any]] = [{"y": Y[1:]}, {"names": ["a", "b"]}, {"classes": ["no"]}]
    for each in wrong:
        with pytest.raises(gg.ShapeError, match=f"{next(iter(each))} must have one for each"):
            Subject(subject.network, X, **each)


@needs_widgets
def test_the_widget_answers_messages(subject: Subject) -> None:
    widget = subject.network.explore(X, Y, names=subject.names)
    sent: list[Any] = []
    widget.send = sent.append
    for content in ({"number": 1, "question": {"kind": "row", "row": 0}}, {"number": 2, "question": 3}):
        widget._handle_custom_msg(content, [])
    assert sent[0]["answer"]["target"] == str(Y[0])
    assert "error" in sent[1]["answer"]
    assert widget.subject["rows"] == 30


@needs_widgets
def test_live_curves_follow_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    live = gg.Live()
    history = gg.Network([gg.Dense(1)], 3).fit(X, X[:, 0], epochs=4, validation=0.2, callbacks=[live])
    assert shown == [live.widget]
    assert live.widget.curves["loss"] == history.loss
    assert live.widget.curves["validation loss"] == history.validation_loss


PAGE = """<!DOCTYPE html><html lang="en"><title>t</title><style>{css}</style><div id="el"></div>
<script type="module">
import widget from "/parts.js";
const subject = {subject};
let heard = () => {{}};
const model = {{
  get: (name) => (name === "subject" ? subject : {{}}),
  on: (name, act) => {{ if (name === "msg:custom") heard = act; }},
  send: async ({{ number, question }}) => {{
    const answer = await (await fetch("/ask", {{ method: "POST", body: JSON.stringify(question) }})).json();
    heard({{ number, answer }});
  }},
}};
widget.render({{ model, el: document.getElementById("el") }});
</script></html>"""


class Handler(BaseHTTPRequestHandler):
    """Serves the parts, and the answers to their questions."""

    def __init__(self, subject: Subject, *arguments: Any) -> None:
        self.subject = subject
        super().__init__(*arguments)

    def do_GET(self) -> None:
        parts = files("ganglion.notebook")
        if self.path == "/parts.js":
            self.answer("text/javascript", parts.joinpath("parts.js").read_bytes())
        elif self.path == "/":
            css = parts.joinpath("parts.css").read_text("utf-8")
            text = json.dumps(self.subject.begin()).replace("<", "\\u003c")
            self.answer("text/html; charset=utf-8", PAGE.format(css=css, subject=text).encode())
        else:
            self.answer("image/x-icon", b"")

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer("application/json", json.dumps(self.subject.ask(question)).encode())

    def answer(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def address(subject: Subject) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, subject)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@needs_browser
def test_the_page_shows_units_and_their_arithmetic(address: str, subject: Subject, tmp_path: Path) -> None:
    shown = "const t = document.querySelector('pre').textContent; return t.includes('=') && t !== arguments[0] && t"
    with open_browser() as browser:
        browser.resize(900, 1100)
        browser.visit(address)
        browser.until(
            "return document.querySelectorAll('button.gg-cell').length === 6 && document.querySelector('canvas')"
        )
        cells = browser.run("return [...document.querySelectorAll('button.gg-cell')].map((c) => c.ariaLabel)")
        assert len(cells) == 6
        assert cells[0].startswith("dense_1, unit 0: ")
        browser.run("document.querySelectorAll('button.gg-cell')[5].focus()")
        browser.press(" ")
        text = browser.until(shown, "")
        assert text == str(
            subject.network.trace(X[:1], Y[:1], training=False, names=subject.names).unit("dense_2", 1)
        )
        browser.run(
            "const r = document.querySelector('input'); r.value = 3; r.dispatchEvent(new Event('input'))"
        )
        assert browser.until(shown, text) != text
        assert browser.run("return document.querySelectorAll('canvas, .gg-curves polyline').length") == 2
        assert browser.run("return document.querySelectorAll('i').length") == 0  # names are no markup
        assert browser.complaints() == []
        browser.picture(tmp_path / "page.png")


@pytest.mark.filterwarnings("ignore::ganglion.GanglionNotice")
def test_a_model_of_a_table_is_explored() -> None:
    table = {
        "age": [20 + i * 7 % 13 for i in range(60)],
        "city": ["Rome", "Oslo", "Lima"] * 20,
        "paid": ["no"] * 30 + ["yes"] * 30,
    }
    model = gg.TableModel.train(table, "paid", hidden=[4], epochs=3)
    widget = model.explore(table)
    assert widget.subject["names"] == ["age", "city=Lima", "city=Oslo", "city=Rome"]
    assert widget.subject["outputs"] == ["no", "yes"]
    assert widget.subject["rows"] == 60
