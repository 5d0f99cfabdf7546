// The rows of the table: choose one to follow it through the network.
import { html, useEffect, useState } from "../vendor/preact.js";
import { count, figure, useAnswer } from "../parts.js";

const AT_ONCE = 200;

/** @param {{page: any}} given */
export function Rows({ page }) {
  const { state, selection, look, version } = page;
  const [first, turn] = useState(0);
  const height = state.data.height;
  useEffect(() => { turn(Math.floor(selection.row / AT_ONCE) * AT_ONCE); }, [selection.row]);
  const found = useAnswer(page, { ask: "rows", first }, [first, version, state.current]);
  const batch = useAnswer(page, { ask: "batch" }, [version, state.current]);
  const next = new Set(batch?.rows ?? []);
  const shown = (found?.rows ?? []).map((/** @type {any} */ each) => each.row);
  const here = shown.includes(selection.row) ? selection.row : shown[0];  // one button alone takes part in Tab
  const keys = (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key], row = Number(/** @type {HTMLElement} */ (event.target).closest("tr")?.dataset.row);
    if (!step || Number.isNaN(row)) return;
    /** @type {any} */ (event.currentTarget).querySelector(`tr[data-row="${row + step}"] button`)?.focus();
    event.preventDefault();
  };
  const target = found ? found.columns.indexOf(state.data.target) : -1;
  return html`<section class="rows" aria-labelledby="rows-title"><h2 id="rows-title">Rows</h2>
    <p class="counts">${Object.entries(state.data.rows).filter(([, n]) => n).map(([name, n]) => `${count(/** @type {number} */ (n))} ${name}`).join(", ")}${state.data.shared ? ", which also validate" : ""}</p>
    <div class="scroll" tabindex="0" role="region" aria-label="rows of the table; up and down move between rows" onKeyDown=${keys}><table>
      <caption class="unseen">rows ${first} to ${Math.min(first + AT_ONCE, height) - 1} of ${height}; a dot marks those of the next batch</caption>
      <thead><tr><th scope="col">row</th><th scope="col">${state.data.target}</th><th scope="col">predicted</th>
        ${(found?.columns ?? []).map((/** @type {string} */ name, /** @type {number} */ i) => (i === target ? null : html`<th scope="col">${name}</th>`))}</tr></thead>
      <tbody>${(found?.rows ?? []).map((/** @type {any} */ each) => html`<tr class=${each.row === selection.row ? "selected" : ""} data-row=${each.row}>
        <th scope="row"><button tabindex=${each.row === here ? 0 : -1} aria-pressed=${each.row === selection.row} onClick=${() => look({ row: each.row })}
          aria-label=${`row ${each.row}, ${each.part}${next.has(each.row) ? ", in the next batch" : ""}`}>${each.row}</button>
          <span class=${`part ${each.part}`} title=${each.part} aria-hidden="true">${each.part.slice(0, 2)}</span>${next.has(each.row) && html`<span class="next" title="in the next batch" aria-hidden="true">•</span>`}</th>
        <td>${figure(each.cells[target])}</td>
        <td class=${state.data.classes && !page.hidden && String(each.prediction) !== String(each.cells[target]) ? "wrong" : ""}>${page.hidden ? "?" : figure(each.prediction)}</td>
        ${each.cells.map((/** @type {any} */ cell, /** @type {number} */ i) => (i === target ? null : html`<td>${figure(cell)}</td>`))}</tr>`)}</tbody></table></div>
    <div class="buttons"><button disabled=${first === 0} onClick=${() => turn(first - AT_ONCE)}>earlier rows</button>
      <button disabled=${first + AT_ONCE >= height} onClick=${() => turn(first + AT_ONCE)}>later rows</button></div>
  </section>`;
}
