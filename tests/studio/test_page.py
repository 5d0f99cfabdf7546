"""The studio's page in a real browser: what a person sees is what the library computes, by mouse, keys and touch."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import importlib.util
import json
import math
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from opened import Opened, open_studio

import ganglion as gg
from browser import Browser, needs_browser, open_browser
from commands import run as ganglion
from ganglion.studio.data import Source
from ganglion.studio.session import Studio
from ganglion.tables.examples import FOLDER

wanted = pytest.mark.skipif("GANGLION_BROWSER" not in os.environ, reason="is what `make browser` runs")
pytestmark = [needs_browser, wanted, pytest.mark.filterwarnings("ignore::ganglion.GanglionNotice")]
READY = "return document.querySelector('.network .unit') !== null && !document.querySelector('.network [data-value=\"\"]')"
TABS = ("Data", "Network", "Run", "Compare", "Lesson", "Export")
DIGITS = 6  # that the page shows


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as window:
        window.resize(1400, 1100)
        yield window


@pytest.fixture
def studio() -> Iterator[Opened]:
    with open_studio(FOLDER / "iris.csv") as opened:
        yield opened


@pytest.fixture
def page(browser: Browser, studio: Opened) -> Iterator[Browser]:
    fresh(browser, studio)
    browser.until(READY)
    yield browser
    told = browser.complaints()  # no error of the page, and none of its rules
    assert [each for each in told if not each.startswith("rendering ")] == []  # but for what a test does


def fresh(browser: Browser, studio: Opened) -> None:
    """Open a studio's page, and forget what a page before it had to say."""
    browser.visit("about:blank")
    browser.complaints()
    browser.visit(studio.address)


def button(page: Browser, text: str) -> None:
    """Click the first button with these words, as soon as it can be."""
    page.until(
        """const found = [...document.querySelectorAll('button')].find((each) => each.textContent.trim().startsWith(arguments[0]));
        if (!found || found.disabled) return false;
        found.click();
        return true""",
        text,
    )


def update(page: Browser) -> int:
    return int(page.run("return document.querySelector('[data-update]').dataset.update"))


def at(page: Browser, number: int) -> None:
    page.until("return document.querySelector('[data-update]').dataset.update === arguments[0]", str(number))


def step(page: Browser) -> None:
    """Make one update, and wait until it is shown."""
    before = update(page)
    button(page, "▶ step")
    at(page, before + 1)


def tab(page: Browser, name: str) -> None:
    page.run("document.getElementById(`tab-${arguments[0]}`).click()", name)
    page.until(
        "return document.getElementById(`tab-${arguments[0]}`).getAttribute('aria-selected') === 'true'", name
    )


def select_unit(page: Browser, layer: str, unit: int) -> None:
    script = "document.querySelector(`.unit[data-layer=${arguments[0]}][data-unit='${arguments[1]}']`).dispatchEvent(new MouseEvent('click', { bubbles: true }))"
    page.run(script, layer, unit)
    page.until(
        "return document.querySelector('[data-card=unit] h3')?.textContent.startsWith(`${arguments[0]}.a[${arguments[1]}]`)",
        layer,
        unit,
    )


EQUATIONS = """return [...document.querySelectorAll('.card table[data-total]')].map((table) => ({
  total: table.dataset.total, shown: table.querySelector('tfoot [data-value]').textContent,
  terms: [...table.querySelectorAll('tr[data-term]')].map((row) => ({ value: row.dataset.term, shown: row.cells[0].textContent,
    factors: [...row.querySelectorAll('[data-factor]')].map((each) => [each.dataset.factor, each.textContent]) })) }))"""


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def check_sums(page: Browser) -> int:
    """Check that all shown terms are their factors' products and add up to the shown totals; return how many."""
    found = page.run(EQUATIONS)
    for equation in found:
        total = float(equation["total"])
        largest = max(abs(float(term["value"])) for term in equation["terms"])
        assert math.isclose(
            sum(float(term["value"]) for term in equation["terms"]), total, rel_tol=1e-9, abs_tol=1e-12
        )
        assert math.isclose(number(equation["shown"]), total, rel_tol=10**-5, abs_tol=1e-300)
        assert math.isclose(
            sum(number(term["shown"]) for term in equation["terms"]),
            total,
            rel_tol=1e-4,
            abs_tol=1e-5 * largest,
        )
        for term in equation["terms"]:
            assert math.isclose(number(term["shown"]), float(term["value"]), rel_tol=10**-5, abs_tol=1e-300)
            if term["factors"]:
                assert math.isclose(
                    math.prod(float(own) for own, _ in term["factors"]), float(term["value"]), rel_tol=1e-9
                )
                assert all(
                    math.isclose(number(text), float(own), rel_tol=10**-5) for own, text in term["factors"]
                )
    return sum(len(equation["terms"]) for equation in found)


def same() -> Studio:
    """A studio in this process with the same table, whose numbers are those that the page must show."""
    return Studio(Source(FOLDER / "iris.csv", "iris.csv"))


def test_every_shown_number_is_that_of_the_trace(page: Browser) -> None:
    own = same()
    rng = np.random.default_rng(4)
    for _ in range(3):
        own.do({"do": "step", "count": 5})
        for _ in range(5):
            step(page)
        at(page, own.run().stepper.update)
        row = int(rng.integers(150))
        own.do({"do": "view", "row": row})
        page.run("document.querySelector(`tr[data-row='${arguments[0]}'] button`).click()", row)
        page.until(
            "return document.querySelector('tr.selected[data-row]')?.dataset.row === arguments[0] && document.querySelector('.network .words').textContent.startsWith(`row ${arguments[0]}:`)",
            str(row),
        )
        trace = own.run().model.trace(own.data.prepared.frame, row)
        for layer, units in (("dense_1", 8), ("dense_2", 8), ("dense_3", 3)):
            for unit in rng.choice(units, 2, replace=False).tolist():
                select_unit(page, layer, unit)
                wanted = trace.unit(layer, unit)
                page.until(
                    "return Math.abs(document.querySelector('[data-card=unit] [data-exact]').dataset.exact - arguments[0]) < 1e-12",
                    wanted.value,
                )
                terms = [term for each in wanted.equations for term in getattr(each, "terms", ())]
                assert check_sums(page) == len(terms)
                shown = page.run(
                    "return [...document.querySelectorAll('[data-card=unit] tr[data-term]')].map((each) => Number(each.dataset.term))"
                )
                assert np.allclose(shown, [term.value for term in terms], rtol=1e-12)
    own.close()


def test_the_card_of_a_weight_is_the_engines_next_step(page: Browser) -> None:
    own = same()
    button(page, "▶ epoch")
    own.do({"do": "epoch"})
    at(page, own.run().stepper.update)
    page.run(
        "document.querySelectorAll('.network .weight')[9].dispatchEvent(new MouseEvent('click', { bubbles: true }))"
    )
    page.until("return document.querySelector('[data-card=weight]') !== null")
    symbol = page.run("return document.querySelector('[data-card=weight] h3').textContent")
    assert symbol.startswith("dense_1.weight[1, 1]")
    card = own.do({"ask": "weight", "parameter": "dense_1/weight", "index": [1, 1]})
    values = [
        float(each)
        for each in page.run(
            "return [...document.querySelectorAll('[data-card=weight] [data-total], [data-card=weight] p [data-value]')].map((each) => each.dataset.total ?? each.dataset.value)"
        )
    ]
    assert check_sums(page) > 30
    for part in ("gradient", "update"):
        for equation in card[part]["equations"]:
            assert min(abs(value - equation["value"]) for value in values) <= 1e-12 * max(
                1, abs(equation["value"])
            )
    own.do({"do": "step", "count": 1})
    after = own.run().network.named_parameters()["dense_1/weight"][1, 1]
    assert math.isclose(card["update"]["value"], after, rel_tol=1e-5)
    own.close()


def test_edit_and_undo(page: Browser) -> None:
    own = same()
    own.do({"do": "step", "count": 3})
    before = own.run().network.named_parameters()["dense_1/weight"][0, 0]
    for _ in range(3):
        step(page)
    at(page, 3)
    page.run(
        "document.querySelectorAll('.network .weight')[0].dispatchEvent(new MouseEvent('click', { bubbles: true }))"
    )
    page.until("return document.querySelector('[data-card=weight] input') !== null")
    page.run("document.querySelector('[data-card=weight] input').focus()")
    page.together("\ue009", "a")
    page.write("1.5")
    page.press("\ue007")
    page.until(
        "return [...document.querySelectorAll('.runs option')].some((each) => each.textContent.includes('set to 1.5'))"
    )
    page.until("return document.querySelector('[data-card=weight] [data-exact]').dataset.exact === '1.5'")
    button(page, "▶ step")
    at(page, 4)
    button(page, "undo branch")
    at(page, 3)
    page.until(
        "return Math.abs(document.querySelector('[data-card=weight] [data-exact]').dataset.exact - arguments[0]) < 1e-12",
        float(before),
    )
    own.close()


def test_pixels_of_the_surface_are_predictions(page: Browser) -> None:
    own = same()
    button(page, "▶ epoch")
    own.do({"do": "epoch"})
    at(page, 4)
    found = own.do({"ask": "surface"})
    page.until("return document.querySelector('.surface canvas') !== null")
    wide = len(found["across"])
    page.until(
        """const canvas = document.querySelector('.surface canvas'), [share, base] = arguments;
        return Math.abs(canvas.getContext('2d').getImageData(0, canvas.height - 1, 1, 1).data[0] - (base + (47 - base) * 0.75 * share)) < 1.5""",
        found["values"][0], 247,
    )  # fmt: skip
    rng, model = np.random.default_rng(0), own.run().model
    for _ in range(20):
        across, up = rng.integers(wide), rng.integers(len(found["up"]))
        point = {
            **found["fixed"],
            found["names"][0]: found["across"][across],
            found["names"][1]: found["up"][up],
        }
        share = model.predict({name: [value] for name, value in point.items()})["probability_setosa"][0]
        pixel = page.run(
            "const canvas = document.querySelector('.surface canvas'); return [...canvas.getContext('2d').getImageData(arguments[0], canvas.height - 1 - arguments[1], 1, 1).data]",
            int(across),
            int(up),
        )
        assert np.allclose(
            pixel[:3], [247 + (each - 247) * 0.75 * share for each in (47, 111, 179)], atol=1.5
        )
    own.close()


def test_five_epochs_played_are_single_steps(page: Browser) -> None:
    own = same()
    own.do({"do": "step", "count": 10**6})
    button(page, "▶ play")
    page.until(
        "return document.querySelector('[data-update]').dataset.update === '240' && document.querySelector('.because') !== null"
    )
    shown = float(page.run("return document.querySelector('[data-loss]').dataset.loss"))
    assert math.isclose(shown, own.run().stepper.losses[-1], rel_tol=1e-9)
    own.close()


def test_a_table_of_ones_own(browser: Browser, tmp_path: Path, capsys: Any) -> None:
    rng = np.random.default_rng(8)
    table = pl.DataFrame(
        {
            "größe": rng.normal(170, 9, 150).round(1),
            "<b>stadt</b>": rng.choice(["Köln", "<script>"], 150),
            "kauft": rng.choice(["ja", "nein"], 150),
        }
    )
    table.write_csv(tmp_path / "kunden & co.csv")
    with open_studio() as opened:
        fresh(browser, opened)
        browser.until("return document.querySelector('input[type=file]') !== null")
        browser.choose("input[type=file]", tmp_path / "kunden & co.csv")
        browser.until(READY)
        tab(browser, "Data")
        assert "kunden  co.csv: classification of kauft" in browser.run(
            "return document.querySelector('#panel').textContent"
        )
        assert browser.run("return document.querySelectorAll('#panel b, #panel script').length") == 0
        browser.run(
            "const select = document.querySelector('select[aria-label=\"role of größe\"]'); select.value = 'left out'; select.dispatchEvent(new Event('change', { bubbles: true }))"
        )
        button(browser, "Prepare the table")
        browser.until(
            "return [...document.querySelectorAll('#panel p')].some((each) => each.textContent.includes('; 1 inputs') || each.textContent.includes('; 2 inputs'))"
        )
        tab(browser, "Export")
        button(browser, "Train like the command line")
        digest = browser.until("return document.querySelector('[data-digest]')?.dataset.digest")
        assert browser.complaints() == []
    words = [
        "--target",
        "kauft",
        "--hidden",
        "8,8",
        "--dropout",
        "0",
        "--drop",
        "größe",
        "--out",
        str(tmp_path / "m.safetensors"),
    ]
    ganglion(capsys, "train", str(tmp_path / "kunden & co.csv"), *words)
    model = gg.TableModel.load(tmp_path / "m.safetensors")
    assert digest == hashlib.sha256(model.network.parameters.tobytes()).hexdigest()


def test_a_diverging_run_and_its_remedy(browser: Browser) -> None:
    with open_studio(FOLDER / "diabetes.csv") as opened:
        fresh(browser, opened)
        browser.until(READY)
        tab(browser, "Network")
        browser.until("return document.querySelector('.settings select') !== null")
        pick = "const select = [...document.querySelectorAll('.settings label')].find((each) => each.textContent.startsWith(arguments[0])).querySelector('select'); select.value = arguments[1]; select.dispatchEvent(new Event('change', { bubbles: true }))"
        browser.run(pick, "optimizer", "sgd")
        browser.run(pick, "schedule", "constant_rate")
        fill = "const input = [...document.querySelectorAll('.settings label')].find((each) => each.textContent.startsWith(arguments[0])).querySelector('input'); input.value = arguments[1]; input.dispatchEvent(new Event('input', { bubbles: true })); input.dispatchEvent(new Event('change', { bubbles: true }))"
        browser.run(fill, "learning_rate", "1.5")
        browser.click(".layers button")
        browser.until("return document.querySelectorAll('.layers fieldset').length === 1")
        browser.click(".layers button")
        browser.until("return document.querySelectorAll('.layers fieldset').length === 0")
        button(browser, "New run")
        browser.until(READY)
        button(browser, "▶ play")
        told = browser.until("return document.querySelector('.bar .severe')?.textContent")
        assert "was no longer finite in epoch" in told
        browser.until("return document.querySelector('[data-finding=exploding_loss]') !== null")
        button(browser, "Try a tenth of the learning rate")
        browser.until("return document.querySelector('.bar .severe') === null")
        button(browser, "▶ play")
        browser.until("return document.querySelector('.because') !== null")
        assert browser.complaints() == []


def focused(page: Browser) -> str:
    found: str = page.run(
        "const at = document.activeElement; return at && at !== document.body ? (at.getAttribute('aria-label') ?? at.textContent).trim().slice(0, 60) + '|' + at.tagName : ''"
    )
    return found


def tab_to(page: Browser, words: str, keys: tuple[str, ...] = ("\ue004",)) -> None:
    """Press Tab until something is focused, and never lose the focus on the way."""
    for _ in range(150):
        page.together(*keys)
        if words in focused(page):
            return
    raise AssertionError(f"{words} was not reached; the focus is at {focused(page)}")


def test_the_whole_journey_by_keyboard(page: Browser) -> None:
    """Step, play, pause, select a unit, go to a weight, set it, undo, check, compare, export: without a mouse."""
    page.press("\ue004")
    assert focused(page).startswith("Run|")
    tab_to(page, "one update forward")
    page.press("\ue007")
    at(page, 1)
    assert focused(page)
    page.press("\ue014", "\ue014", "\ue012")  # arrows step wherever they have no other use
    at(page, 2)
    tab_to(page, "sepal_length: ")
    page.press("\ue014", "\ue015", "\ue007")
    page.until("return document.querySelector('[data-card=unit]') !== null")
    assert focused(page)
    chosen = page.run("return document.querySelector('.unit.selected').dataset.layer")
    assert chosen in ("dense_1", "dense_2", "dense_3")
    tab_to(page, f"{chosen}.weight[")
    page.press("\ue007")
    page.until("return document.querySelector('[data-card=weight]') !== null")
    page.run("document.querySelector('[data-card=weight] input').closest('section').querySelector('h2')")
    for _ in range(80):
        page.press("\ue004")
        if page.run(
            "return document.activeElement.type === 'number' && Boolean(document.activeElement.closest('.arithmetic'))"
        ):
            break
    page.together("\ue009", "a")
    page.write("0.25")
    page.press("\ue007")
    page.until(
        "return [...document.querySelectorAll('.runs option')].some((each) => each.textContent.includes('set to 0.25'))"
    )
    assert focused(page)
    tab_to(page, "undo branch", ("\ue008", "\ue004"))
    page.press("\ue007")
    page.until("return document.querySelectorAll('.runs option').length === 1")
    page.run("document.getElementById('panel').focus()")
    page.press(" ")
    page.until("return Number(document.querySelector('[data-update]').dataset.update) > 2")
    page.run("document.getElementById('tab-Run').focus()")
    for name in ("Compare", "Lesson", "Export", "Data", "Network", "Run"):
        page.press("\ue014")
        assert focused(page).startswith(f"{name}|")
    spoken = page.until("return document.querySelector('[aria-live=polite]').textContent")
    assert spoken.startswith("update ")
    assert "loss" in spoken


@cache
def axe() -> str:
    found = importlib.util.find_spec("axe_core_python")
    assert found is not None
    assert found.origin is not None
    return next(Path(found.origin).parent.rglob("axe.min.js")).read_text(encoding="utf-8")


AXE = """const report = await axe.run(document, { resultTypes: ['violations'] });
return report.violations.map((each) => `${each.id}: ${each.help}: ${each.nodes.slice(0, 3).map((node) => node.html + ' ' + (node.failureSummary ?? '')).join(' | ')}`)"""


@pytest.mark.parametrize("look", ["light", "dark", "forced"])
def test_nothing_stands_in_the_way(page: Browser, look: str) -> None:
    """axe finds no violation on any panel, with cards, findings and a branch shown."""
    page.emulate(
        prefers_color_scheme="dark" if look == "dark" else "light",
        forced_colors="active" if look == "forced" else "none",
    )
    button(page, "▶ epoch")
    at(page, 4)
    select_unit(page, "dense_1", 2)
    page.run(axe())
    for name in TABS:
        tab(page, name)
        page.until("return document.querySelector('#panel h2') !== null")
        assert page.run(AXE) == [], f"{name}, {look}"
    tab(page, "Run")
    page.until(READY)
    page.run(
        "document.querySelectorAll('.network .weight')[3].dispatchEvent(new MouseEvent('click', { bubbles: true }))"
    )
    page.until("return document.querySelector('[data-card=weight] input') !== null")
    page.run("document.querySelector('[data-card=weight] button').click()")
    button(page, "Check the health")
    page.until("return document.querySelector('.findings article, .findings p') !== null")
    page.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.run(AXE) == []
    tab(page, "Lesson")
    page.run("document.querySelector('.examples button').click()")
    page.until("return document.querySelector('.lesson .question') !== null")
    assert page.run(AXE) == []
    page.emulate(prefers_color_scheme="light", forced_colors="none")


def test_a_touch_screen_of_375_pixels(studio: Opened) -> None:
    with open_browser(phone=(375, 720)) as phone:
        phone.visit(studio.address)
        phone.until(READY)
        wide = "return document.documentElement.scrollWidth <= 375"
        assert phone.run(wide)
        phone.click("button[aria-label='one update forward']")
        at(phone, 1)
        phone.run("document.querySelector('.unit[data-layer=dense_1]').scrollIntoView({ block: 'center' })")
        phone.click(".unit[data-layer=dense_1][data-unit='1'] circle")
        phone.until("return document.querySelector('[data-card=unit]') !== null")
        assert phone.run(wide)
        phone.run(
            "[...document.querySelectorAll('.card button.link')].find((each) => each.textContent.includes('weight')).click()"
        )
        phone.until("return document.querySelector('[data-card=weight] input') !== null")
        phone.run(
            "const input = document.querySelector('[data-card=weight] input'); input.value = '0.5'; input.dispatchEvent(new Event('input', { bubbles: true }))"
        )
        phone.click("[data-card=weight] form button")
        phone.until(
            "return [...document.querySelectorAll('.runs option')].some((each) => each.textContent.includes('set to 0.5'))"
        )
        for name in TABS:
            tab(phone, name)
            assert phone.run(wide), name
        assert phone.complaints() == []


class Rogue(BaseHTTPRequestHandler):
    """Another site, on another port of this computer."""

    def do_GET(self) -> None:
        body = b"<!doctype html><title>rogue</title><body></body>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: Any) -> None:
        pass


ATTACKS = """const [own, token] = arguments, found = {};
const tried = async (name, attempt) => { try { found[name] = await attempt(); } catch (error) { found[name] = 'failed'; } };
const json = JSON.stringify({ do: 'step', count: 1 });
const headers = { Authorization: `Bearer ${token}` };
await tried('fetch', async () => (await fetch(`${own}api/do`, { method: 'POST', headers, body: json })).status);
await tried('simple', async () => (await fetch(`${own}api/do`, { method: 'POST', mode: 'no-cors', body: json })).type);
await tried('frames', async () => (await fetch(`${own}api/frames`, { headers })).status);
await tried('script', () => new Promise((done) => { const script = document.createElement('script'); script.src = `${own}main.js`; script.onload = () => done('loaded'); script.onerror = () => done('failed'); document.head.append(script); }));
await tried('socket', () => new Promise((done) => { const socket = new WebSocket(`${own.replace('http', 'ws')}api/frames`); socket.onopen = () => done('open'); socket.onerror = () => done('failed'); }));
await tried('iframe', () => new Promise((done) => { const frame = document.createElement('iframe'); frame.src = own; frame.onload = () => { let seen; try { seen = frame.contentDocument?.querySelector('#studio') ? 'shown' : 'failed'; } catch { seen = 'failed'; } done(seen); }; document.body.append(frame); }));
await tried('null', async () => { const frame = document.createElement('iframe'); frame.sandbox = 'allow-scripts'; frame.srcdoc = `<script>fetch('${own}api/do', { method: 'POST', headers: { Authorization: 'Bearer ${token}' }, body: '${json}' }).then((a) => parent.postMessage(a.status, '*'), () => parent.postMessage('failed', '*'))<\\/script>`; const heard = new Promise((done) => { addEventListener('message', (e) => done(e.data), { once: true }); }); document.body.append(frame); return heard; });
await tried('form', () => new Promise((done) => { const frame = document.createElement('iframe'); frame.name = 'into'; document.body.append(frame); const form = document.createElement('form'); form.action = `${own}api/do`; form.method = 'post'; form.enctype = 'text/plain'; form.target = 'into'; const input = document.createElement('input'); input.name = '{"do": "step", "count": 1, "x": "'; input.value = '"}'; form.append(input); document.body.append(form); frame.onload = () => done('sent'); form.submit(); setTimeout(() => done('sent'), 1500); }));
return found;"""


@contextlib.contextmanager
def rogue() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Rogue) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_a_page_of_another_origin_gets_nowhere(browser: Browser, studio: Opened) -> None:
    """Even one that knows the token."""
    with rogue() as port:
        browser.visit(f"http://127.0.0.1:{port}/")
        found = browser.run(ATTACKS, f"http://127.0.0.1:{studio.port}/", studio.token)
        browser.complaints()
    assert found.pop("simple") in ("opaque", "failed")
    assert found.pop("form") == "sent"
    assert set(found.values()) == {"failed"}, found
    look = json.dumps({"do": "look"}).encode()
    state = json.loads(studio.ask("POST", "/api/do", studio.headers(), look)[2])
    assert state["runs"][0]["update"] == 0  # none of it did anything


def test_a_name_that_leads_here_is_refused(studio: Opened) -> None:
    with open_browser("--host-resolver-rules=MAP evil.example 127.0.0.1") as window:
        window.visit(f"http://evil.example:{studio.port}/#{studio.token}")
        assert "127.0.0.1 and localhost" in window.run("return document.body.textContent")
        window.visit(f"http://localhost:{studio.port}/#{studio.token}")
        window.until(READY)


def test_a_studio_that_ended_says_so_and_a_new_one_is_found(browser: Browser) -> None:
    with open_studio(FOLDER / "iris.csv") as first:
        fresh(browser, first)
        browser.until(READY)
        first.process.kill()
        told = browser.until("return document.querySelector('[role=alert]')?.textContent")
        assert "no longer answers" in told
        button(browser, "▶ step")
        browser.until("return document.querySelectorAll('[role=alert]').length === 2")
    with open_studio(FOLDER / "iris.csv", "--port", str(first.port)) as second:
        browser.until(
            "return document.querySelector('.severe')?.textContent.includes('Open it again from where it was started')"
        )
        fresh(browser, second)
        browser.until(READY)
        assert browser.run("return location.hash") == ""
        browser.visit(f"http://127.0.0.1:{second.port}/")  # the page may be loaded again
        browser.until(READY)
    browser.complaints()


def test_a_lesson_as_a_learner(browser: Browser, tmp_path: Path) -> None:
    from ganglion.studio.lesson import FOLDER as LESSONS, Lesson, measure

    own = Studio(lesson=Lesson.shipped("3-training"))
    with open_studio(LESSONS / "3-training.json") as opened:
        fresh(browser, opened)
        for place in range(len(own.lesson.questions)):
            browser.until(
                "return document.querySelector('.lesson h2')?.textContent.includes(`question ${arguments[0]} of`)",
                place + 1,
            )
            browser.until("return document.querySelector('.lesson [role=status]') === null")
            assert "The numbers appear after your answer" in browser.run(
                "return document.querySelector('.arithmetic').textContent"
            )
            asked = own.lesson.question
            value = None if asked["kind"] == "choice" else measure(own.run(), own.view, asked["about"])
            if asked["kind"] == "sign":
                button(browser, "above zero" if value > 0 else "below zero")
            elif asked["kind"] == "choice":
                button(browser, asked["choices"][asked["right"]])
            else:
                browser.run("document.querySelector('.lesson input').focus()")
                browser.write(f"{value:.4g}")
                browser.press("\ue007")
            browser.until("return document.querySelector('.lesson .right')?.textContent.startsWith('Right.')")
            if value is not None:
                assert math.isclose(
                    float(browser.run("return document.querySelector('[data-truth]').dataset.truth")),
                    value,
                    rel_tol=1e-9,
                )
            button(browser, "Next question" if place + 1 < len(own.lesson.questions) else "Finish")
            own.do({"do": "next"})
        browser.until("return document.querySelector('.lesson').textContent.includes('5 of 5 right')")
        assert browser.complaints() == []
    own.close()


def test_exports_are_saved(page: Browser, studio: Opened, tmp_path: Path) -> None:
    page.run(
        "window.saved = []; URL.createObjectURL = (blob) => { window.saved.push(blob); return 'blob:nothing'; }; HTMLAnchorElement.prototype.click = () => {}"
    )
    button(page, "▶ epoch")
    at(page, 4)
    tab(page, "Export")
    button(page, "script")
    script = page.until(
        "return window.saved.length > 0 && !window.reading ? (window.reading = true, window.saved[0].text().then((text) => { window.text = text; }), false) : window.text"
    )
    (tmp_path / "again.py").write_text(script, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "again.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "", "HOME": str(tmp_path)},
    )
    assert "the same bits as in the studio" in done.stdout, done.stderr
    for kind in ("svg", "png"):
        tab(page, "Export")
        count = page.run("return window.saved.length")
        button(page, f"picture .{kind}")
        page.until("return window.saved.length > arguments[0]", count)
        found = page.run(
            "const blob = window.saved[window.saved.length - 1]; return new Promise((done) => { const reader = new FileReader(); reader.onload = () => done(reader.result); reader.readAsDataURL(blob); })"
        )
        contents = base64.b64decode(found.split(",")[1])
        assert contents.startswith(b"\x89PNG" if kind == "png" else b"<svg")
        assert len(contents) > 1000


def test_wide_layers_and_many_rows(browser: Browser, tmp_path: Path) -> None:
    """500 units and 50,000 rows: a strip with search, arithmetic while it plays, and memory that stays."""
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({f"x{i}": rng.normal(size=50_000).round(2) for i in range(8)})
    frame.with_columns(y=pl.sum_horizontal(pl.all().sin())).write_csv(tmp_path / "large.csv")
    with open_studio(tmp_path / "large.csv") as opened:
        fresh(browser, opened)
        browser.until(READY)
        state = json.loads(opened.ask("POST", "/api/do", opened.headers(), b'{"do": "look"}')[2])
        settings = {
            **state["settings"],
            "layers": [
                {"name": "dense", "units": 500, "activation": {"name": "relu"}, "weight_initializer": None}
            ],
            "epochs": 1000,
        }
        opened.ask(
            "POST", "/api/do", opened.headers(), json.dumps({"do": "new", "settings": settings}).encode()
        )
        browser.visit(opened.address.split("#")[0])
        browser.until("return document.querySelector('.strip canvas') !== null")
        button(browser, "▶ play")
        browser.until("return Number(document.querySelector('[data-update]').dataset.update) > 20")
        browser.run(
            "const input = document.querySelector('.strip input'); input.value = '321'; input.dispatchEvent(new Event('input', { bubbles: true })); input.dispatchEvent(new Event('change', { bubbles: true }))"
        )
        browser.until(
            "return document.querySelector('[data-card=unit] h3')?.textContent.startsWith('dense_1.a[321]')"
        )
        check_sums(browser)
        before = update(browser)
        browser.until(
            "return Number(document.querySelector('[data-update]').dataset.update) > arguments[0]", before
        )
        button(browser, "⏸ pause")
        browser.until(
            "return [...document.querySelectorAll('button')].some((each) => each.textContent.includes('▶ play'))"
        )
        assert browser.complaints() == []
