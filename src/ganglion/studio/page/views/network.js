// The network: units as circles, weights as lines; layers of many units as strips.
import { html, useRef, useState } from "../vendor/preact.js";
import { figure, ink, tone, useAnswer } from "../parts.js";
import { Strip } from "./strip.js";

const MOST_UNITS = 64, MOST_LINES = 1500, WIDE = 120;

/** @param {{page: any}} given */
export function NetworkView({ page }) {
  const { version, state, selection, frame, look } = page;
  const found = useAnswer(page, { ask: "network" }, [version, state.current, selection.row]);
  const [focus, move] = useState("0/0");
  const svg = useRef(null);
  if (!found) return html`<section class="network" aria-label="network"><h2>Network</h2></section>`;
  const weights = frame && frame.weights.length === found.weights.length && found.weights.length ? frame.weights : found.weights;
  const units = frame && frame.activations.length === found.activations.length && found.activations.length ? frame.activations : found.activations;
  const layers = columns(found, units, page.hidden);
  const tallest = Math.max(3, ...layers.filter((each) => each.count <= MOST_UNITS).map((each) => each.count));
  const gap = Math.max(17, Math.min(34, 560 / tallest)), radius = Math.min(13, 0.45 * gap);
  const height = gap * tallest + 34;
  const wide = WIDE * layers.length + 110;
  layers.forEach((layer, i) => { layer.x = 100 + WIDE * i; });
  const y = (/** @type {any} */ layer, /** @type {number} */ unit) => 34 + (height - 34) * ((unit + 0.5) / Math.min(layer.count, MOST_UNITS));
  const choose = (/** @type {any} */ layer, /** @type {number} */ unit) => (layer.name ? look({ layer: layer.name, unit, parameter: "", index: [] }) : null);
  const keys = (/** @type {KeyboardEvent} */ event) => {
    const [column, unit] = focus.split("/").map(Number);
    const near = layers.map((layer, i) => (layer.count <= MOST_UNITS ? i : -1)).filter((i) => i >= 0);
    let to = null;
    if (event.key === "ArrowDown") to = [column, Math.min(unit + 1, layers[column].count - 1)];
    if (event.key === "ArrowUp") to = [column, Math.max(unit - 1, 0)];
    const across = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (across) {
      const other = near[Math.max(0, Math.min(near.length - 1, near.indexOf(column) + across))];
      to = [other, Math.min(unit, layers[other].count - 1)];
    }
    if (event.key === "Enter" || event.key === " ") choose(layers[column], unit);
    else if (!to) return;
    if (to) {
      move(to.join("/"));
      /** @type {any} */ (svg.current)?.querySelector(`[data-place="${to.join("/")}"]`)?.focus();
    }
    event.preventDefault();
    event.stopPropagation();
  };
  const most = Math.max(1e-9, ...Array.from(weights, Math.abs));
  return html`<section class="network" aria-labelledby="network-title"><h2 id="network-title">Network</h2>
    <p class="words">row ${selection.row}: ${state.data.target} is <b>${figure(found.words.target)}</b>${!page.hidden && html`, predicted <b>${figure(found.words.prediction)}</b>, loss ${figure(found.words.loss)}`}</p>
    <div class="scroll picture"><svg ref=${svg} role="application" aria-label="network: arrows move between units, Enter selects" viewBox=${`0 0 ${wide} ${height}`} style=${`width: clamp(${0.8 * wide}px, 100%, ${1.4 * wide}px)`} onKeyDown=${keys}>
      ${lines(found, layers, weights, most, y, page)}
      ${layers.map((layer, i) => html`<text class="name" x=${layer.x} y="14">${layer.title}</text>
        ${layer.count > MOST_UNITS ? html`<text class="name" x=${layer.x} y="32">${layer.count} units, below</text>` : Array.from({ length: layer.count }, (_, unit) => {
    const place = `${i}/${unit}`, value = layer.values[unit], size = Math.max(1e-9, ...layer.values.map((/** @type {number} */ v) => Math.abs(v ?? 0)));
    const picked = layer.name === selection.layer && unit === selection.unit && layer.name;
    return html`<g class=${`unit${picked ? " selected" : ""}`} role="button" data-place=${place} data-layer=${layer.name} data-unit=${unit} data-value=${value ?? ""}
      tabindex=${place === focus ? 0 : -1} aria-pressed=${Boolean(picked)} aria-label=${`${layer.names[unit]}${value === null ? "" : `: ${figure(value)}`}`}
      onFocus=${() => move(place)} onClick=${() => choose(layer, unit)}>
      <circle cx=${layer.x} cy=${y(layer, unit)} r=${radius} fill=${value === null ? "Canvas" : tone(value, size)} />
      <text class="value" x=${layer.x} y=${y(layer, unit) + 3.5} fill=${value === null ? "CanvasText" : ink(value, size)}>${value === null ? "?" : short(value)}</text>
      ${layer.labels[unit] && html`<text class=${i ? "after" : "before"} x=${i ? layer.x + radius + 4 : layer.x - radius - 4} y=${y(layer, unit) + 4}><title>${layer.labels[unit]}</title>${shorter(layer.labels[unit])}</text>`}
    </g>`;
  })}`)}
    </svg></div>
    ${layers.filter((layer) => layer.count > MOST_UNITS).map((layer) => html`<${Strip} layer=${layer} selected=${layer.name === selection.layer ? selection.unit : -1} choose=${(/** @type {number} */ unit) => choose(layer, unit)} />`)}
  </section>`;
}

/** A number that fits into a circle. @param {number} value */
const short = (value) => (value !== 0 && Math.abs(value) < 0.01 ? "~0" : figure(value, Math.abs(value) >= 1e7 ? 1 : 2));

/** @param {string} text */
const shorter = (text) => (text.length > 13 ? `${text.slice(0, 5)}…${text.slice(-7)}` : text);

/** The inputs and the layers as columns of units. @param {any} found @param {any} units @param {boolean} hidden @returns {any[]} */
function columns(found, units, hidden) {
  const inputs = { name: "", title: "inputs", count: found.inputs.length, values: found.values, names: found.inputs, labels: found.inputs, number: -1 };
  let first = 0;
  const layers = found.steps.map((/** @type {any} */ step, /** @type {number} */ number) => {
    const values = Array.from({ length: step.units }, (_, i) => (hidden ? null : units[first + i] ?? null));
    first += step.units;
    const isLast = number === found.steps.length - 1;
    return {
      name: step.name, title: step.name, count: step.units, values, number, words: step.words,
      names: values.map((_, i) => `${step.name} unit ${i}${isLast ? `, ${found.outputs[i] ?? ""}` : ""}`),
      labels: isLast ? values.map((_, i) => String(found.outputs[i] ?? "")) : [],
    };
  });
  return [inputs, ...layers];
}

/** The weights of dense layers as lines: orange and whole above zero, blue and dashed below. @param {any} found @param {any[]} layers @param {any} weights @param {number} most @param {any} y @param {any} page */
function lines(found, layers, weights, most, y, page) {
  const { selection, look } = page;
  /** @type {any[]} */
  const drawn = [];
  found.steps.forEach((/** @type {any} */ step, /** @type {number} */ number) => {
    const to = layers[number + 1], from = layers[number], entry = found.parameters.find((/** @type {any} */ each) => each.name === `${step.name}/weight`);
    if (to.count > MOST_UNITS || from.count > MOST_UNITS) return;
    if (!entry || entry.shape.length !== 2 || entry.shape[0] !== from.count) {
      if (from.count === to.count) Array.from({ length: to.count }, (_, i) => drawn.push(html`<path class="through" d=${`M${from.x} ${y(from, i)}L${to.x} ${y(to, i)}`} />`));
      return;
    }
    if (entry.shape[0] * entry.shape[1] > MOST_LINES || !weights.length) return;
    for (let i = 0; i < entry.shape[0]; i += 1) {
      for (let j = 0; j < entry.shape[1]; j += 1) {
        const value = weights[entry.start + i * entry.shape[1] + j], path = `M${from.x} ${y(from, i)}L${to.x} ${y(to, j)}`;
        const picked = selection.parameter === entry.name && selection.index[0] === i && selection.index[1] === j;
        drawn.push(html`<g class=${`weight${picked ? " selected" : ""}${value < 0 ? " below" : ""}`} onClick=${() => look({ layer: step.name, unit: j, parameter: entry.name, index: [i, j] })}>
          <path class="hit" d=${path} /><path class="line" d=${path} stroke-width=${0.4 + 3.6 * Math.abs(value) / most} /></g>`);
      }
    }
  });
  return drawn;
}
