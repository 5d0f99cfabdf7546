// The page: its state, the tabs, the keyboard. `mount(element, transport)` draws it; nothing here knows of HTTP.
import { html, render, useCallback, useEffect, useMemo, useRef, useState } from "./vendor/preact.js";
import { download, figure } from "./parts.js";
import { Arithmetic } from "./views/arithmetic.js";
import { Bar } from "./views/bar.js";
import { Compare } from "./views/compare.js";
import { Curves } from "./views/curves.js";
import { DataPanel } from "./views/data.js";
import { ExportPanel } from "./views/export.js";
import { Findings } from "./views/findings.js";
import { LessonCard, LessonPanel } from "./views/lesson.js";
import { NetworkView } from "./views/network.js";
import { Rows } from "./views/rows.js";
import { SettingsPanel } from "./views/settings.js";
import { SurfaceView } from "./views/surface.js";

const TABS = ["Data", "Network", "Run", "Compare", "Lesson", "Export"];
const BEAT = 500; // milliseconds between two answers while it plays
const SOON = 100;
const NOTHING = { row: 0, layer: "", unit: 0, parameter: "", index: [] };

/** @param {HTMLElement} element @param {import("./types.d.ts").Transport} transport */
export function mount(element, transport) {
  element.replaceChildren();
  render(html`<${App} transport=${transport} />`, element);
}

/** @param {{transport: import("./types.d.ts").Transport}} given */
function App({ transport }) {
  const [state, keep] = useState(/** @type {any} */ (null));
  const [frame, draw] = useState(/** @type {any} */ (null));
  const [tab, open] = useState("Run");
  const [selection, select] = useState(/** @type {any} */ (NOTHING));
  const [notice, warn] = useState(/** @type {any} */ (null));
  const [lost, lose] = useState(/** @type {string | null} */ (null));
  const [spoken, say] = useState("");
  const [version, renew] = useState(0);
  const [beat, next] = useState(0);
  const [busy, work] = useState(false);
  const last = useRef({ beat: 0, known: "" });

  const queue = useRef(Promise.resolve());
  const act = useCallback(async (/** @type {any} */ command) => {
    work(true);
    // One after the other, in the order they came; a pause may interrupt the one before.
    const turn = command.do === "pause" ? transport.do(command) : queue.current.then(() => transport.do(command));
    queue.current = turn.then(() => {}, () => {});
    try {
      const found = await turn;
      keep(found);
      const known = JSON.stringify(found);
      if (known !== last.current.known) renew((before) => before + 1);  // or all views would ask anew
      last.current.known = known;
      warn(null);
      return found;
    } catch (/** @type {any} */ error) {
      warn({ words: error.message, hint: error.hint ?? "" });
      return null;
    } finally {
      work(false);
    }
  }, [transport]);
  const ask = useCallback((/** @type {any} */ question) => transport.do(question), [transport]);

  useEffect(() => { act({ do: "look" }); }, []);
  const isLost = useRef(false);
  useEffect(() => transport.follow((found) => {
    draw(found);
    const now = performance.now();
    if (now - last.current.beat > BEAT) { last.current.beat = now; next((before) => before + 1); }
  }, (words) => {
    lose(words);
    if (words === null && isLost.current) act({ do: "look" });
    isLost.current = words !== null;
  }), [transport]);

  useEffect(() => {  // the run ended or paused by itself: the newest frame knows it before the state does
    if (!state?.playing || !frame || frame.playing) return undefined;
    const asked = setTimeout(() => act({ do: "look" }), SOON);
    return () => clearTimeout(asked);
  }, [state, frame]);

  const run = state?.runs?.find((/** @type {any} */ each) => each.run === state.current) ?? null;
  useEffect(() => {
    if (!run || run.loss === null) return;
    const change = run.before === null ? 0 : run.loss - run.before;
    say(`update ${run.update}, loss ${figure(run.loss)}${change ? `, ${change < 0 ? "down" : "up"} ${figure(Math.abs(change))}` : ""}${run.ended ? `. ${run.because}` : ""}`);
  }, [run?.run, run?.update, run?.ended]);
  useEffect(() => { if (state?.problem) warn({ words: state.problem, hint: "" }); }, [state?.problem]);

  const look = useCallback((/** @type {any} */ change) => {
    select((/** @type {any} */ before) => ({ ...before, ...change }));
    if (change.row !== undefined && change.row !== selection.row) act({ do: "view", ...view(state), row: change.row });
  }, [selection.row, state]);
  useEffect(() => { if (state?.view) select((/** @type {any} */ before) => ({ ...before, row: state.view.row })); }, [state?.view?.row]);
  useEffect(() => { select((/** @type {any} */ before) => ({ ...NOTHING, row: state?.view?.row ?? 0, ...kept(before, state) })); }, [state?.data?.name, run?.parameters]);

  const playing = frame && run && frame.run === run.run && !busy ? Boolean(frame.playing) : Boolean(state?.playing);
  const hidden = Boolean(state?.lesson?.question) && !state.lesson.judged;
  const drafts = useRef({});  // what was changed on a panel and not sent yet
  /** @type {any} */
  const page = {
    drafts: drafts.current,
    state, run, frame: frame?.run === run?.run ? frame : null, selection, busy, version, beat: playing ? beat : 0, playing, hidden,
    act, ask, look, open, say,
    async upload(/** @type {File} */ file) {
      work(true);
      try {
        keep(await transport.upload(file));
        renew((before) => before + 1);
        warn(null);
        open("Run");
      } catch (/** @type {any} */ error) {
        warn({ words: error.message, hint: error.hint ?? "" });
      } finally {
        work(false);
      }
    },
    async save(/** @type {any} */ command) {
      work(true);
      try {
        const { name, blob } = await transport.export(command);
        download(name, blob);
        warn(null);
        say(`${name} is saved`);
      } catch (/** @type {any} */ error) {
        warn({ words: error.message, hint: error.hint ?? "" });
      } finally {
        work(false);
      }
    },
  };
  useKeys(page);
  // What does not follow every frame is drawn only when something else changes.
  const calm = [state, selection, version, page.beat, playing, hidden];
  page.calm = {
    rows: useMemo(() => state?.data && html`<${Rows} page=${page} />`, calm),
    lower: useMemo(() => state?.data && html`<${Arithmetic} page=${page} /><${Curves} page=${page} /><${Findings} page=${page} />`, calm),
  };

  if (!state) return html`<main><h1 class="unseen">ganglion studio</h1><p role="status">${lost ?? notice?.words ?? "The studio is starting …"}</p></main>`;
  return html`
    <header><h1>ganglion <span>studio</span></h1>
      <nav role="tablist" aria-label="panels" onKeyDown=${(/** @type {any} */ e) => alongTabs(e, tab, open)}>
        ${TABS.map((name) => html`<button role="tab" id=${`tab-${name}`} aria-selected=${name === tab} aria-controls="panel"
          tabindex=${name === tab ? 0 : -1} onClick=${() => open(name)}>${name}</button>`)}
      </nav></header>
    <main class=${playing ? "playing" : ""}>
    ${lost && html`<p class="notice severe" role="alert">${lost}</p>`}
    ${notice && html`<p class="notice" role="alert"><span>${notice.words}${notice.hint && html` <em>${notice.hint}</em>`}</span>
      <button onClick=${() => warn(null)}>Close</button></p>`}
    <p class="unseen" role="status" aria-live="polite">${playing ? "" : spoken}</p>
    ${run && html`<${Bar} page=${page} />`}
    <div id="panel" role="tabpanel" aria-labelledby=${`tab-${tab}`} tabindex="-1">${panel(tab, page)}</div>
    </main>`;
}

/** The settings of the view as the server has them. @param {any} state */
const view = (state) => ({ columns: state.view.columns, output: state.view.output, fixed_at_row: state.view.fixed_at_row });

/** What stays selected when the network changes. @param {any} before @param {any} state */
const kept = (before, state) => (state?.runs?.length > 1 ? { layer: before.layer, unit: before.unit, parameter: before.parameter, index: before.index } : {});

/** @param {string} tab @param {any} page */
function panel(tab, page) {
  if (!page.run && tab !== "Lesson") return html`<${DataPanel} page=${page} />`;
  switch (tab) {
    case "Data": return html`<${DataPanel} page=${page} />`;
    case "Network": return html`<${SettingsPanel} page=${page} />`;
    case "Compare": return page.hidden ? html`<p>The numbers appear after your answer.</p>` : html`<${Compare} page=${page} />`;
    case "Lesson": return html`<${LessonPanel} page=${page} />`;
    case "Export": return html`<${ExportPanel} page=${page} />`;
    default: return html`
      ${page.state.lesson && html`<${LessonCard} page=${page} />`}
      <div class="upper">${page.calm.rows}<${NetworkView} page=${page} /><${SurfaceView} page=${page} /></div>
      <div class="lower">${page.calm.lower}</div>`;
  }
}

/** @param {KeyboardEvent} event @param {string} tab @param {(name: string) => void} open */
function alongTabs(event, tab, open) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const name = TABS[(TABS.indexOf(tab) + step + TABS.length) % TABS.length];
  open(name);
  document.getElementById(`tab-${name}`)?.focus();
  event.preventDefault();
  event.stopPropagation();
}

/** Space plays, and arrows step, wherever the focus has no use for them itself. @param {any} page */
function useKeys(page) {
  const latest = useRef(page);
  latest.current = page;
  useEffect(() => {
    const press = (/** @type {KeyboardEvent} */ event) => {
      const { run, playing, act } = latest.current;
      const target = /** @type {HTMLElement} */ (event.target);
      if (!run || latest.current.hidden || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (target.closest("input, select, textarea, [role=tablist], [role=application], summary")) return;
      if (event.key === " " && !target.closest("button, a")) act({ do: playing ? "pause" : "play" });
      else if (event.key === "ArrowRight") act({ do: "step", count: event.shiftKey ? run.steps : 1 });
      else if (event.key === "ArrowLeft") act({ do: "back", count: event.shiftKey ? run.steps : 1 });
      else return;
      event.preventDefault();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
}
