// A layer of many units as a heat map, with a field to find one.
import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { Grid, NumberField, figure, tone } from "../parts.js";

const PER_LINE = 64, SIZE = 8;

/** @param {{layer: any, selected: number, choose: (unit: number) => void}} given */
export function Strip({ layer, selected, choose }) {
  const canvas = useRef(/** @type {any} */ (null));
  const [table, show] = useState(false);
  const linesOf = Math.ceil(layer.count / PER_LINE);
  const most = Math.max(1e-9, ...layer.values.map((/** @type {number} */ value) => Math.abs(value ?? 0)));
  useEffect(() => {
    const context = canvas.current.getContext("2d");
    context.clearRect(0, 0, PER_LINE * SIZE, linesOf * SIZE);
    layer.values.forEach((/** @type {number} */ value, /** @type {number} */ unit) => {
      const [x, y] = [(unit % PER_LINE) * SIZE, Math.floor(unit / PER_LINE) * SIZE];
      context.fillStyle = tone(value, most);
      context.fillRect(x, y, SIZE, SIZE);
      if (unit === selected) {
        context.strokeStyle = "#d00";
        context.lineWidth = 2;
        context.strokeRect(x + 1, y + 1, SIZE - 2, SIZE - 2);
      }
    });
  });
  const pick = (/** @type {any} */ event) => {
    const box = canvas.current.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * PER_LINE), line = Math.floor(((event.clientY - box.top) / box.height) * linesOf);
    const unit = line * PER_LINE + column;
    if (unit >= 0 && unit < layer.count) choose(unit);
  };
  const shown = selected < 0 ? "" : `, unit ${selected} gives ${figure(layer.values[selected])}`;
  return html`<figure class="strip"><figcaption>${layer.title}: ${layer.count} units${shown}</figcaption>
    <canvas ref=${canvas} width=${PER_LINE * SIZE} height=${linesOf * SIZE} role="img" aria-label=${`${layer.title}, ${layer.count} units as colors${shown}`} onClick=${pick}></canvas>
    <details onToggle=${(/** @type {any} */ e) => show(e.target.open)}><summary>as a table</summary>${table && html`<${Grid} caption=${`units of ${layer.title}`} values=${layer.values} wide=${16} />`}</details>
    ${layer.name && html`<${NumberField} label=${`unit of ${layer.name}`} value=${Math.max(selected, 0)} step=${1} min=${0} max=${layer.count - 1}
      change=${(/** @type {any} */ unit) => unit !== null && unit >= 0 && unit < layer.count && choose(Math.floor(unit))} />`}
  </figure>`;
}
