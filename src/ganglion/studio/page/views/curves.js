// The losses of the updates, and the measurements of the epochs.
import { html, useEffect, useRef } from "../vendor/preact.js";
import uPlot from "../vendor/uplot.js";
import { Table, figure, useAnswer } from "../parts.js";

/** @param {{page: any}} given */
export function Curves({ page }) {
  const found = useAnswer(page, page.hidden ? null : { ask: "curves" }, [page.version, page.beat, page.state.current, page.hidden]);
  return html`<section class="curves" aria-labelledby="curves-title"><h2 id="curves-title">Loss</h2>
    ${page.hidden ? html`<p>The curves appear after your answer.</p>` : found?.losses.length ? html`<${Chart} series=${[series(found, "")]} />${twin(found)}` : html`<p>There are no updates yet: step, or play.</p>`}
  </section>`;
}

/** One run's curves by update. @param {any} found @param {string} name */
export function series(found, name) {
  return { name, updates: found.updates, losses: found.losses, epochs: found.epochs, loss: found.loss, validation: found.validation };
}

/** Curves of one run or several. @param {{series: any[]}} given */
export function Chart({ series: all }) {
  const place = useRef(/** @type {any} */ (null));
  const chart = useRef(/** @type {any} */ (null));
  const key = all.map((each) => `${each.name}${each.validation.length > 0}`).join();
  const data = aligned(all);
  useEffect(() => {
    const style = getComputedStyle(place.current);
    const text = style.color, grid = style.getPropertyValue("--line") || "#8884";
    const lines = all.flatMap((each, i) => {
      const [color, other] = [["#2f6fb3", "#c4641a"], ["#4d7c2f", "#7b4fa3"]][i % 2], before = each.name ? `${each.name}: ` : "";
      return [
        { label: `${before}loss of the updates`, stroke: color, width: 1, spanGaps: true },
        ...(each.validation.length ? [{ label: `${before}validation loss`, stroke: other, width: 2, dash: [6, 4], spanGaps: true, points: { show: true, size: 5 } }] : []),
      ];
    });
    const axis = { stroke: text, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid } };
    chart.current = new uPlot({ width: place.current.clientWidth || 320, height: 190, series: [{ label: "update" }, ...lines], scales: { x: { time: false } }, axes: [axis, { ...axis, size: 60 }], legend: { live: false } }, data, place.current);
    const size = new ResizeObserver(() => chart.current?.setSize({ width: place.current.clientWidth || 320, height: 190 }));
    size.observe(place.current);
    return () => { size.disconnect(); chart.current?.destroy(); chart.current = null; };
  }, [key]);
  useEffect(() => chart.current?.setData(data));
  return html`<div class="chart" ref=${place} role="img" aria-label="curves of the losses; the table below has the numbers"></div>`;
}

/** @param {any[]} all */
function aligned(all) {
  const updates = [...new Set(all.flatMap((each) => [...each.updates, ...(each.validation.length ? each.epochs : [])]))].sort((a, b) => a - b);
  const place = new Map(updates.map((update, i) => [update, i]));
  const spread = (/** @type {number[]} */ at, /** @type {any[]} */ values) => {
    const line = new Array(updates.length).fill(null);
    at.forEach((update, i) => { line[/** @type {number} */ (place.get(update))] = values[i]; });
    return line;
  };
  return [updates, ...all.flatMap((each) => [spread(each.updates, each.losses), ...(each.validation.length ? [spread(each.epochs, each.validation)] : [])])];
}

/** @param {any} found */
function twin(found) {
  const names = Object.keys(found.metrics);
  const step = Math.max(1, Math.ceil(found.epochs.length / 20));
  const rows = found.epochs.map((/** @type {number} */ update, /** @type {number} */ i) => [i + 1, update, figure(found.loss[i]), figure(found.validation[i]), ...names.map((name) => figure(found.metrics[name][i]))])
    .filter((/** @type {any} */ _, /** @type {number} */ i) => i % step === 0 || i === found.epochs.length - 1);
  return html`<details><summary>as a table</summary><${Table} caption="measurements of the epochs" heads=${["epoch", "update", "loss", "validation", ...names]} rows=${rows} /></details>`;
}
