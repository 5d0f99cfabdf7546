// Small parts that views share.
import { html, useEffect, useState } from "./vendor/preact.js";

/** A number as text, with four digits. @param {any} value @param {number} [digits] */
export function figure(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  if (Number.isNaN(value)) return "–";
  const isPlain = value === 0 || (Math.abs(value) < 1e7 && Math.abs(value) >= 1e-7);
  const text = isPlain ? String(Number(value.toPrecision(digits))) : value.toExponential(Math.max(0, digits - 1)).replace(/\.?0+e/, "e").replace("+", "");
  return text.replace("-", "−");
}

/** A whole number with separators. @param {number} value */
export const count = (value) => value.toLocaleString("en");

/** Orange above zero, blue below, pale near zero. @param {number} value @param {number} most */
export function tone(value, most) {
  const share = Math.min(1, Math.abs(value || 0) / (most || 1));
  const [r, g, b] = value >= 0 ? [196, 100, 26] : [47, 111, 179];
  const base = dark() ? 38 : 246;
  return `rgb(${[r, g, b].map((each) => Math.round(base + (each - base) * share)).join(" ")})`;
}

/** Black or white, whichever can be read on a tone. @param {number} value @param {number} most */
export function ink(value, most) {
  const share = Math.min(1, Math.abs(value || 0) / (most || 1));
  return dark() || share > 0.55 ? "#fff" : "#111";
}

const COLORS = ["#2f6fb3", "#c4641a", "#4d7c2f", "#7b4fa3", "#a3364a", "#3b7f86", "#8a6d1d", "#5c5c5c"];
const SHAPES = ["circle", "square", "triangle", "diamond", "cross", "down", "plus", "star"];
/** @param {number} number */
export const classColor = (number) => COLORS[number % COLORS.length];
/** @param {number} number */
export const classShape = (number) => SHAPES[number % SHAPES.length];

/** Whether the page is dark. */
export const dark = () => matchMedia("(prefers-color-scheme: dark)").matches;

/** The outline of a shape around a point, as an SVG path. @param {string} shape @param {number} x @param {number} y @param {number} r */
export function outline(shape, x, y, r) {
  const at = (/** @type {number[][]} */ points) => `M${points.map(([dx, dy]) => `${x + dx * r} ${y + dy * r}`).join("L")}Z`;
  switch (shape) {
    case "square": return at([[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]]);
    case "triangle": return at([[0, -1.1], [1, 0.8], [-1, 0.8]]);
    case "down": return at([[0, 1.1], [1, -0.8], [-1, -0.8]]);
    case "diamond": return at([[0, -1.2], [1.2, 0], [0, 1.2], [-1.2, 0]]);
    case "plus": return at([[-0.4, -1.2], [0.4, -1.2], [0.4, -0.4], [1.2, -0.4], [1.2, 0.4], [0.4, 0.4], [0.4, 1.2], [-0.4, 1.2], [-0.4, 0.4], [-1.2, 0.4], [-1.2, -0.4], [-0.4, -0.4]]);
    case "cross": return at([[-1, -0.6], [-0.6, -1], [0, -0.4], [0.6, -1], [1, -0.6], [0.4, 0], [1, 0.6], [0.6, 1], [0, 0.4], [-0.6, 1], [-1, 0.6], [-0.4, 0]]);
    case "star": return at([[0, -1.3], [0.35, -0.4], [1.2, -0.4], [0.5, 0.2], [0.8, 1.1], [0, 0.55], [-0.8, 1.1], [-0.5, 0.2], [-1.2, -0.4], [-0.35, -0.4]]);
    default: return `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0Z`;
  }
}

/** A choice among names. @param {{label: string, names: string[], value: string, change: (name: string) => void, hide?: boolean}} given */
export function Choice({ label, names, value, change, hide }) {
  return html`<label class="field"><span class=${hide ? "unseen" : ""}>${label}</span>
    <select value=${value} onChange=${(/** @type {any} */ e) => change(e.target.value)}>
      ${names.map((name) => html`<option value=${name} selected=${name === value}>${name}</option>`)}
    </select></label>`;
}

/** An input for a number; empty is null. @param {{label: string, value: any, change: (value: number | null) => void, step?: any, min?: number, max?: number}} given */
export function NumberField({ label, value, change, step = "any", min, max }) {
  const [text, write] = useState(value ?? "");
  useEffect(() => write(value ?? ""), [value]);
  return html`<label class="field"><span>${label}</span><input type="number" step=${step} min=${min} max=${max} value=${text}
    onInput=${(/** @type {any} */ e) => write(e.target.value)}
    onChange=${(/** @type {any} */ e) => change(e.target.value === "" ? null : Number(e.target.value))} /></label>`;
}

/** A table with a heading row. @param {{caption: string, heads: any[], rows: any[][], unseen?: boolean}} given */
export function Table({ caption, heads, rows, unseen }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${caption}><table>
    <caption class=${unseen ? "unseen" : ""}>${caption}</caption>
    <thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead>
    <tbody>${rows.map((row) => html`<tr>${row.map((cell, i) => (i ? html`<td>${cell}</td>` : html`<th scope="row">${cell}</th>`))}</tr>`)}</tbody>
  </table></div>`;
}

/** When something began, and the rows of that batch, each a button. @param {{found: any, page: any}} given */
export function Began({ found, page }) {
  return html`It began at update ${found.update}.${" "}
    <button class="link" onClick=${() => page.act({ do: "seek", update: found.update })}>Go there</button>
    ${found.rows?.length > 0 && html` Rows of that batch, and their part in its gradient:
    ${found.rows.slice(0, 5).map((/** @type {any} */ row) => html` <button class="link" onClick=${() => page.look({ row: row.row })}>row ${row.row}</button> (${figure(row.part, 2)})`)}`}`;
}

/** Numbers in lines, as a table that stands for a picture. @param {{caption: string, values: any[], wide: number}} given */
export function Grid({ caption, values, wide }) {
  const lines = Array.from({ length: Math.ceil(values.length / wide) }, (_, i) => [i * wide, ...values.slice(i * wide, (i + 1) * wide).map((value) => figure(value, 3))]);
  return html`<${Table} caption=${caption} heads=${["from", ...Array.from({ length: wide }, (_, i) => `+${i}`)]} rows=${lines} />`;
}

/** What a question's answer is, asked again whenever the inputs change. @param {any} page @param {any} question @param {any[]} inputs */
export function useAnswer(page, question, inputs) {
  const [found, keep] = useState(/** @type {any} */ (null));
  useEffect(() => {
    if (!question) { keep(null); return undefined; }
    let wanted = true;
    page.ask(question).then((/** @type {any} */ answer) => wanted && keep(answer), () => wanted && keep(null));
    return () => { wanted = false; };
  }, inputs);
  return found;
}

/** Save a blob as a file of the user's. @param {string} name @param {Blob} blob */
export function download(name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
