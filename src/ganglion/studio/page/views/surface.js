// The answer over two columns as a picture, with the rows on it.
import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { Choice, Grid, Table, classColor, classShape, dark, figure, outline, useAnswer } from "../parts.js";

const MOST_DOTS = 400;

/** @param {{page: any}} given */
export function SurfaceView({ page }) {
  const { state, version, selection, frame, act, look } = page;
  const { view } = state;
  const found = useAnswer(page, view.columns ? { ask: "surface" } : null, [version, state.current, selection.row]);
  const [table, show] = useState(false);
  if (!view.columns) return html`<section class="surface"><h2>Surface</h2><p>A surface needs two columns that vary.</p></section>`;
  const columns = state.data.surface, outputs = state.data.classes ?? [state.data.target];
  const change = (/** @type {any} */ part) => act({ do: "view", columns: view.columns, output: view.output, fixed_at_row: view.fixed_at_row, row: selection.row, ...part });
  const pair = (/** @type {string} */ across, /** @type {string} */ up) => change({ columns: across === up ? [across, view.columns.find((/** @type {string} */ n) => n !== across)] : [across, up] });
  const live = found && frame && frame.surface.length === found.values.length ? frame.surface : found?.values;
  const image = useAnswer(page, state.data.image ? { ask: "network" } : null, [state.data.image, selection.row, state.current]);
  return html`<section class="surface" aria-labelledby="surface-title"><h2 id="surface-title">Surface</h2>
    ${image?.image && html`<${Pixels} values=${image.image} size=${state.data.image} row=${selection.row} />`}
    <div class="fields"><${Choice} label="across" names=${columns} value=${view.columns[0]} change=${(/** @type {string} */ name) => pair(name, view.columns[1] === name ? view.columns[0] : view.columns[1])} />
      <${Choice} label="up" names=${columns} value=${view.columns[1]} change=${(/** @type {string} */ name) => pair(view.columns[0] === name ? view.columns[1] : view.columns[0], name)} />
      ${outputs.length > 1 && html`<${Choice} label="output" names=${outputs} value=${outputs[view.output]} change=${(/** @type {string} */ name) => change({ output: outputs.indexOf(name) })} />`}
      <${Choice} label="others" names=${["means of the rows", "as in the row"]} value=${view.fixed_at_row ? "as in the row" : "means of the rows"} change=${(/** @type {string} */ name) => change({ fixed_at_row: name === "as in the row" })} /></div>
    ${found && !page.hidden && html`<${Picture} found=${found} values=${live} classes=${state.data.classes} row=${selection.row} look=${look} />
      <details onToggle=${(/** @type {any} */ e) => show(e.target.open)}><summary>as a table</summary>${table && twin(found, live)}</details>`}
    ${page.hidden && html`<p>The surface appears after your answer.</p>`}
  </section>`;
}

/** @param {{found: any, values: any, classes: string[] | null, row: number, look?: any}} given */
export function Picture({ found, values, classes, row, look }) {
  const canvas = useRef(/** @type {any} */ (null));
  const wide = found.across.length, high = found.up.length;
  const list = /** @type {number[]} */ (Array.from(values));
  const [low, top] = classes ? [0, 1] : [Math.min(...list), Math.max(...list)];
  useEffect(() => {
    const context = canvas.current.getContext("2d"), pixels = context.createImageData(wide, high);
    const base = dark() ? 34 : 247;
    list.forEach((value, i) => {
      const share = Math.max(0, Math.min(1, (value - low) / (top - low || 1)));
      const strength = classes ? 0.75 * share : Math.abs(share - 0.5) * 1.5;  // a class has its own color
      const place = ((high - 1 - Math.floor(i / wide)) * wide + (i % wide)) * 4;
      (classes ? rgb(classColor(found.output)) : share >= 0.5 ? [196, 100, 26] : [47, 111, 179]).forEach((each, c) => { pixels.data[place + c] = base + (each - base) * strength; });
      pixels.data[place + 3] = 255;
    });
    context.putImageData(pixels, 0, 0);
  });
  const { points } = found;
  const place = (/** @type {any[]} */ axis, /** @type {any} */ value) => (typeof axis[0] === "number" && axis.length > 1
    ? ((value - axis[0]) / (axis[axis.length - 1] - axis[0])) * ((axis.length - 1) / axis.length) + 0.5 / axis.length
    : (axis.findIndex((each) => each === value) + 0.5) / axis.length);
  const step = Math.max(1, Math.ceil(points.rows.length / MOST_DOTS));
  const shown = points.rows.map((/** @type {number} */ each, /** @type {number} */ i) => i).filter((/** @type {number} */ i) => i % step === 0 || points.rows[i] === row);
  const words = `${classes ? `probability of ${found.outputs[found.output]}` : found.outputs[0]} over ${found.names[0]} and ${found.names[1]}, from ${figure(Math.min(...list))} to ${figure(Math.max(...list))}${classes ? ", the stronger the more probable" : ", blue for low and orange for high numbers"}`;
  return html`<figure><div class="square"><canvas ref=${canvas} width=${wide} height=${high} role="img" aria-label=${words} data-low=${low} data-top=${top}></canvas>
    <svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">${shown.map((/** @type {number} */ i) => {
    const x = 100 * place(found.across, points.across[i]), y = 100 - 100 * place(found.up, points.up[i]), own = points.rows[i] === row;
    if (!Number.isFinite(x + y)) return null;
    const group = points.classes ? points.classes[i] : 0;
    return html`<path class=${own ? "dot selected" : "dot"} d=${outline(classShape(group), x, y, own ? 2.4 : 1.2)} fill=${points.classes ? classColor(group) : "none"} onClick=${() => look?.({ row: points.rows[i] })} />`;
  })}</svg></div>
    <figcaption>${words}. ${typeof found.across[0] === "number" ? `${found.names[0]}: ${figure(found.across[0])} to ${figure(found.across[wide - 1])}` : `${found.names[0]}: ${several(found.across)}`};
      ${typeof found.up[0] === "number" ? ` ${found.names[1]}: ${figure(found.up[0])} to ${figure(found.up[high - 1])}` : ` ${found.names[1]}: ${several(found.up)}`}.
      ${classes && html`<span class="legend">${classes.map((name, i) => html`<span><svg viewBox="-2 -2 4 4" aria-hidden="true"><path d=${outline(classShape(i), 0, 0, 1.3)} fill=${classColor(i)} /></svg> ${name}</span>`)}</span>`}</figcaption></figure>`;
}

/** @param {string} color such as #2f6fb3 */
const rgb = (color) => [1, 3, 5].map((first) => parseInt(color.slice(first, first + 2), 16));

/** Values in words, the first and the last if they are many. @param {any[]} values */
const several = (values) => (values.length > 12 ? `${values.length} values from ${values[0]} to ${values[values.length - 1]}; other rows are not shown` : values.join(", "));

/** A row that is an image. @param {{values: number[], size: number[], row: number}} given */
function Pixels({ values, size: [high, wide], row }) {
  const canvas = useRef(/** @type {any} */ (null));
  useEffect(() => {
    const context = canvas.current.getContext("2d"), pixels = context.createImageData(wide, high), most = Math.max(...values) || 1;
    values.forEach((value, i) => pixels.data.set([0, 0, 0, 255].map((each, c) => (c < 3 ? 255 * (1 - value / most) : each)), 4 * i));
    context.putImageData(pixels, 0, 0);
  });
  return html`<div class="square image"><canvas ref=${canvas} width=${wide} height=${high} role="img" aria-label=${`row ${row} as an image of ${wide} × ${high} pixels`}></canvas></div>
    <details><summary>the pixels as a table</summary><${Grid} caption=${`pixels of row ${row}`} values=${values} wide=${wide} /></details>`;
}

/** Some of the numbers of a surface as a table. @param {any} found @param {any} values */
function twin(found, values) {
  const some = (/** @type {number} */ count) => [...new Set(Array.from({ length: Math.min(8, count) }, (_, i) => Math.round((i * (count - 1)) / (Math.min(8, count) - 1 || 1))))];
  const across = some(found.across.length), up = some(found.up.length).reverse();
  return html`<${Table} caption=${`${found.outputs[found.output] ?? ""}: ${found.names[0]} across, ${found.names[1]} down`} heads=${["", ...across.map((i) => figure(found.across[i], 3))]}
    rows=${up.map((j) => [figure(found.up[j], 3), ...across.map((i) => figure(values[j * found.across.length + i], 3))])} />`;
}
