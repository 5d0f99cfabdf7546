// Two runs side by side: curves, surfaces, scores, and what differs in their settings.
import { html, useState } from "../vendor/preact.js";
import { Choice, Table, figure, useAnswer } from "../parts.js";
import { Chart, series } from "./curves.js";
import { Picture } from "./surface.js";

/** @param {{page: any}} given */
export function Compare({ page }) {
  const { state, act, version, run } = page;
  const [chosen, choose] = useState(/** @type {number | null} */ (null));
  const [name, write] = useState(run.name);
  const others = state.runs.filter((/** @type {any} */ each) => each.run !== run.run);
  const other = others.find((/** @type {any} */ each) => each.run === chosen) ?? others[0] ?? null;
  const pair = other ? [run, other] : [run];
  const ask = (/** @type {string} */ kind, /** @type {any} */ of) => useAnswer(page, of && !(kind === "surface" && !state.view.columns) ? { ask: kind, run: of.run } : null, [of?.run, version]);
  const curves = [ask("curves", run), ask("curves", other)], scores = [ask("scores", run), ask("scores", other)], surfaces = [ask("surface", run), ask("surface", other)];
  const differing = useAnswer(page, other ? { ask: "differences", run: run.run, other: other.run } : null, [run.run, other?.run, version]);
  const label = (/** @type {any} */ each) => `${each.name}${each.note ? `: ${each.note}` : ""}`;
  return html`<section class="panel" aria-labelledby="compare-title"><h2 id="compare-title">Compare</h2>
    <form class="fields" onSubmit=${(/** @type {Event} */ e) => { e.preventDefault(); act({ do: "name", run: run.run, name }); }}>
      <label class="field"><span>name of this run</span><input value=${name} maxlength="60" required onInput=${(/** @type {any} */ e) => write(e.target.value)} /></label><button>Name it</button>
      ${others.length > 0 && html`<${Choice} label="compare with" names=${others.map(label)} value=${label(other)} change=${(/** @type {string} */ text) => choose(others[others.map(label).indexOf(text)].run)} />`}</form>
    ${!other && html`<p>There is one run only. Change a setting or a weight, and both can be compared here.</p>`}
    ${curves[0] && (!other || curves[1]) && html`<${Chart} series=${pair.map((each, i) => series(curves[i], each.name))} />`}
    ${scores[0] && (!other || scores[1]) && html`<${Table} caption="Scores where the runs stand" heads=${["", ...pair.map((each) => `${each.name}, update ${each.update}`)]}
      rows=${Object.keys(scores[0].scores).flatMap((part) => [["loss", "loss"], ["score", scores[0].metric]].map(([key, words]) => [`${part}: ${words}`, ...pair.map((_, i) => figure(scores[i].scores[part]?.[key]))]))} />`}
    ${differing && html`<${Table} caption="What differs" heads=${["setting", run.name, other.name]} rows=${differing.differences.length ? differing.differences : [["nothing", "", ""]]} />`}
    <div class="pair">${pair.map((each, i) => surfaces[i]?.values?.length > 0 && html`<div><h3>${label(each)}</h3><${Picture} found=${surfaces[i]} values=${surfaces[i].values} classes=${state.data.classes} row=${page.selection.row} /></div>`)}</div>
  </section>`;
}
