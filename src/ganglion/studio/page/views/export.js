// What one leaves with: the script that makes this run again, the model, other programs' files, pictures.
import { html, useState } from "../vendor/preact.js";
import { download } from "../parts.js";

const FILES = {
  script: "The script that makes this run again, bit for bit, and checks that it did",
  model: "The model, for `ganglion predict`, `serve` and `gg.TableModel.load`",
  report: "The report on the rows that it has not learned from",
  lesson: "A lesson that begins here, with one question about what is selected; change its words in a text editor",
  ".html": "A page that works by itself",
  ".py": "Python that needs NumPy alone",
  ".c": "C99 without allocation",
  ".onnx": "ONNX",
  ".sql": "A query, of small networks",
  ".npz": "The numbers, for NumPy",
};

/** @param {{page: any}} given */
export function ExportPanel({ page }) {
  const { state, save, act, busy } = page;
  const [trained, keep] = useState(/** @type {any} */ (null));
  const train = async () => { const found = await act({ do: "train" }); if (found) keep(found.trained); };
  return html`<section class="panel" aria-labelledby="export-title"><h2 id="export-title">Export</h2>
    <p>${page.run.name}, update ${page.run.update}: the network as it stands.</p>
    <ul class="examples">${Object.entries(FILES).map(([format, words]) => html`<li><button disabled=${busy} onClick=${() => save({ format, layer: page.selection.layer, unit: page.selection.unit, parameter: page.selection.parameter, index: page.selection.index })}>${format}</button> ${words}</li>`)}
      <li><button onClick=${() => picture("svg", page)}>picture .svg</button> The network, row ${page.selection.row}</li>
      <li><button onClick=${() => picture("png", page)}>picture .png</button> The surface</li></ul>
    <h3>As the command line trains it</h3>
    <p><code>ganglion train</code> uses the same table, split and settings; from 1,000 rows on it trains once more on the rows to validate with as well, and with fewer it tests every row by cross-validation.</p>
    <button disabled=${busy} onClick=${train}>Train like the command line</button>
    ${trained && html`<div class="scroll" tabindex="0" role="region" aria-label="report"><pre class="code" data-digest=${trained.digest}>${trained.report}</pre></div><p>${trained.advice}</p>`}
    <h3>The same in Python</h3><div class="scroll" tabindex="0" role="region" aria-label="Python code"><pre class="code">${state.code}</pre></div></section>`;
}

/** Pictures are made of what the Run tab shows. @param {string} kind @param {any} page */
async function picture(kind, page) {
  page.open("Run");
  await new Promise((done) => setTimeout(done, 700));
  const name = page.run.name.replace(/[^\p{L}\p{N}_-]+/gu, "_");
  const svg = document.querySelector(".network svg"), canvas = /** @type {HTMLCanvasElement | null} */ (document.querySelector(".surface canvas"));
  if (kind === "svg" && svg) {
    const copy = /** @type {SVGElement} */ (svg.cloneNode(true));
    const own = [svg, ...svg.querySelectorAll("*")], others = [copy, ...copy.querySelectorAll("*")];
    own.forEach((each, i) => {
      const style = getComputedStyle(each);
      for (const name of ["fill", "stroke", "stroke-width", "stroke-dasharray", "font-size", "font-family", "text-anchor", "opacity"]) others[i].setAttribute(name, style.getPropertyValue(name));
    });
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    download(`${name}_network.svg`, new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" }));
  }
  if (kind === "png" && canvas) {
    const large = document.createElement("canvas"), scale = Math.ceil(512 / canvas.width);
    [large.width, large.height] = [canvas.width * scale, canvas.height * scale];
    const context = /** @type {CanvasRenderingContext2D} */ (large.getContext("2d"));
    context.imageSmoothingEnabled = false;
    context.drawImage(canvas, 0, 0, large.width, large.height);
    large.toBlob((blob) => blob && download(`${name}_surface.png`, blob));
  }
  page.open("Export");
}
