// The arithmetic of what is selected: a unit forward, or a weight from its term to its next value.
import { html, useEffect, useState } from "../vendor/preact.js";
import { Began, figure, useAnswer } from "../parts.js";

/** @param {{page: any}} given */
export function Arithmetic({ page }) {
  const { selection, version, beat, state } = page;
  const question = selection.parameter ? { ask: "weight", parameter: selection.parameter, index: selection.index }
    : selection.layer ? { ask: "unit", layer: selection.layer, unit: selection.unit } : null;
  const found = useAnswer(page, page.hidden ? null : question, [JSON.stringify(question), selection.row, version, beat, state.current, page.hidden]);
  return html`<section class="arithmetic" aria-labelledby="arithmetic-title"><h2 id="arithmetic-title">Arithmetic</h2>
    ${page.hidden ? html`<p>The numbers appear after your answer.</p>`
    : !question ? html`<p>Select a unit or a weight in the network to read its arithmetic on row ${selection.row}. <button onClick=${() => page.look({ layer: "loss", unit: 0, parameter: "" })}>The loss of this row</button></p>`
      : found?.card ? html`<${UnitCard} found=${found} page=${page} />`
        : found?.forward ? html`<${WeightCard} found=${found} page=${page} />` : html`<p role="status">…</p>`}
  </section>`;
}

/** @param {{found: any, page: any}} given */
function UnitCard({ found, page }) {
  const { engine } = found, { selection } = page;
  const [silence, tell] = useState(/** @type {any} */ (null));
  useEffect(() => tell(null), [selection.layer, selection.unit, page.version]);
  const search = async () => tell(await page.ask({ ask: "silenced", layer: selection.layer, unit: selection.unit }).catch(() => ({ update: null })));
  return html`<div class="card" data-card="unit">
    <h3>${found.card.title} = <span data-exact=${found.card.value}>${figure(found.card.value, 6)}</span></h3>
    <p>${found.card.words}</p>
    ${engine && html`<p class="engine">The engine itself has <span data-engine=${engine.value}>${figure(engine.value, 9)}</span> (${engine.dtype}), ${figure(Math.abs(engine.difference), 2)} away; rounding explains up to ${figure(engine.rounding, 2)}${engine.agrees ? "" : ", so that something is wrong"}.</p>`}
    ${found.card.value === 0 && selection.layer !== "loss" && html`<p><button onClick=${search}>Does it give 0 for every row, and since when?</button>
      ${silence && html` <span role="status">${silence.speaks ? "No: it gives something for other rows." : silence.update === null ? "The beginning was not found." : html`<${Began} found=${silence} page=${page} />`}</span>`}</p>`}
    ${found.card.equations.map((/** @type {any} */ each) => html`<${EquationView} equation=${each} page=${page} />`)}
  </div>`;
}

/** @param {{found: any, page: any}} given */
function WeightCard({ found, page }) {
  const { act, selection } = page;
  const [text, write] = useState(String(found.value));
  useEffect(() => write(String(found.value)), [found.value, found.symbol]);
  const set = (/** @type {Event} */ event) => {
    event.preventDefault();
    act({ do: "edit", parameter: selection.parameter, index: selection.index, value: Number(text) });
  };
  return html`<div class="card" data-card="weight">
    <h3>${found.symbol} = <span data-exact=${found.value}>${figure(found.value, 6)}</span></h3>
    <form class="fields" onSubmit=${set}><label class="field"><span>set it to</span><input type="number" step="any" required value=${text} onInput=${(/** @type {any} */ e) => write(e.target.value)} /></label>
      <button>Set on a branch</button> <button type="button" onClick=${() => page.look({ parameter: "", layer: found.layer, unit: found.unit })}>Show its unit</button></form>
    <h4>Its term, on row ${selection.row}</h4>
    ${found.forward.equations.slice(0, 2).map((/** @type {any} */ each) => html`<${EquationView} equation=${each} marked=${found.symbol} page=${page} />`)}
    ${found.gradient ? html`
      <h4>Its gradient, on the ${found.batch.length} rows of the next batch</h4><p>${found.gradient.words}</p>
      ${found.gradient.equations.map((/** @type {any} */ each) => html`<${EquationView} equation=${each} page=${page} />`)}
      <details><summary>the part of each row</summary><ul class="parts">${found.parts.map((/** @type {any} */ each) => html`<li><button onClick=${() => page.look({ row: each.row })}>row ${each.row}</button> <span data-part=${each.part}>${figure(each.part)}</span></li>`)}</ul></details>
      <h4>The next update</h4><p>${found.update.words}</p>
      ${found.update.equations.map((/** @type {any} */ each) => html`<${EquationView} equation=${each} page=${page} />`)}`
    : html`<p>${found.why}</p>`}
  </div>`;
}

/** One equation, its terms as a table that adds up. @param {{equation: import("../types.d.ts").Equation, page: any, marked?: string}} given */
function EquationView({ equation, page, marked }) {
  const { terms } = equation;
  const rule = equation.rule && equation.rule !== equation.name ? equation.rule : "";
  if (!terms) {
    const given = Object.entries(equation.arguments ?? {}).map(([name, value]) => `${name} = ${figure(value, 6)}`).join(", ");
    return html`<div class="equation"><p><b>${equation.name}</b> = ${rule && html`${rule} = `}<span data-value=${equation.value}>${figure(equation.value, 6)}</span>
      ${given && html` <span class="given">with ${given}</span>`}${equation.note && html` <em>(${equation.note})</em>`}</p></div>`;
  }
  return html`<div class="equation"><table data-total=${equation.value}><caption>${equation.name} = ${rule || "sum"}${equation.note && ` (${equation.note})`}</caption>
    <thead class="unseen"><tr><th scope="col">value</th><th scope="col">product</th><th scope="col">names</th></tr></thead>
    <tbody>${terms.map((term) => html`<tr class=${marked && term.factors.some((each) => each.name === marked) ? "selected" : ""} data-term=${term.value}>
      <td class=${(term.value ?? 0) < 0 ? "below" : ""}>${figure(term.value, 6)}</td>
      <td>${term.factors.length > 1 && html`= ${term.factors.map((each, i) => html`${i > 0 && " × "}<span data-factor=${each.value}>${figure(each.value, 6)}</span>`)}`}</td>
      <td>${term.factors.map((each, i) => html`${i > 0 && " · "}${name(each.name, page)}`)}${term.note && ` (${term.note})`}</td></tr>`)}</tbody>
    <tfoot><tr><td data-value=${equation.value}>${figure(equation.value, 6)}</td><td></td><td>= the sum</td></tr></tfoot></table></div>`;
}

/** A name in an equation: weights and units are buttons that select them. @param {string} text @param {any} page */
function name(text, page) {
  const found = /^(\w+)\.(weight|bias)\[([\d, ]+)\]$/.exec(text);
  if (found) {
    const index = found[3].split(",").map(Number);
    return html`<button class="link" onClick=${() => page.look({ layer: found[1], unit: index[index.length - 1], parameter: `${found[1]}/${found[2]}`, index })}>${text}</button>`;
  }
  const unit = /^(\w+)\.a\[(\d+)\]$/.exec(text);
  return unit ? html`<button class="link" onClick=${() => page.look({ layer: unit[1], unit: Number(unit[2]), parameter: "" })}>${text}</button>` : text;
}
