// The parts of the page. `mount(element, transport)` draws them into an element; `transport` has `begin`, what is
// known at first, `ask(question)`, which returns a promise of the answer, and `follow(draw)`, which draws the
// curves now and whenever they change. Nothing here knows where the answers come from.

const make = (tag, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};
const drawn = (tag, attributes = {}, ...children) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
};
const figure = (value) => (value === null || value === undefined ? "–" : String(Number(Number(value).toPrecision(4))));

/** Orange for positive, blue for negative numbers, pale near 0. */
function color(value, most) {
  const share = 0.7 * Math.min(1, Math.abs(value ?? 0) / (most || 1));  // dark enough to see, and to read on
  const [r, g, b] = (value ?? 0) >= 0 ? [196, 100, 26] : [47, 111, 179];
  return `rgb(${[r, g, b].map((each) => Math.round(245 + (each - 245) * share)).join(" ")})`;
}

/** Curves by epoch, as lines of different dashes, with a table of their last values. */
export function curvesPart(curves) {
  const names = Object.keys(curves);
  const part = make("div", { className: "gg-curves" });
  const all = names.flatMap((name) => curves[name]).filter((value) => value !== null);
  if (!all.length) {
    part.append(make("p", {}, "There are no curves yet: fit the network."));
    return part;
  }
  const [wide, high] = [420, 180], low = Math.min(...all), span = Math.max(...all) - low || 1;
  const picture = drawn("svg", { viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": `curves of ${names.join(", ")}` });
  names.forEach((name, which) => {
    const values = curves[name];
    const points = values.map((value, i) => (value === null ? null
      : `${(10 + (wide - 20) * (values.length > 1 ? i / (values.length - 1) : 0.5)).toFixed(1)},${(10 + (high - 20) * (1 - (value - low) / span)).toFixed(1)}`));
    picture.append(drawn("polyline", {
      points: points.filter(Boolean).join(" "), fill: "none", stroke: ["#2f6fb3", "#c4641a", "#777777"][which % 3],
      "stroke-width": 2, "stroke-dasharray": ["", "6 3", "2 3"][Math.floor(which / 3) % 3],
    }));
  });
  const rows = names.map((name) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, figure(curves[name].at(-1)))));
  part.append(picture, make("table", {}, make("caption", {}, `after ${curves[names[0]].length} epochs`), ...rows));
  return part;
}

/** An output over two inputs, as a picture of colors with the rows as points. */
export function surfacePart(found, names) {
  const { size, values, ends } = found;
  const canvas = make("canvas", { width: size, height: size });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `the output over ${names[0]} and ${names[1]}, from ${figure(Math.min(...values))} to ${figure(Math.max(...values))}`);
  const context = canvas.getContext("2d"), pixels = context.createImageData(size, size);
  const low = Math.min(...values), span = Math.max(...values) - low || 1;
  values.forEach((value, i) => {
    const place = ((size - 1 - Math.floor(i / size)) * size + (i % size)) * 4;
    const share = (value - low) / span;
    const tone = share > 0.5 ? [196, 100, 26] : [47, 111, 179], strength = Math.abs(share - 0.5) * 2;
    tone.forEach((each, c) => { pixels.data[place + c] = 245 + (each - 245) * strength; });
    pixels.data[place + 3] = 255;
  });
  context.putImageData(pixels, 0, 0);
  const position = ([x, y]) => [(x - ends[0][0]) / (ends[0][1] - ends[0][0]), 1 - (y - ends[1][0]) / (ends[1][1] - ends[1][0])].map((each) => each * 100);
  const dots = drawn("svg", { viewBox: "0 0 100 100", "aria-hidden": "true" });
  for (const point of found.points.slice(0, 400)) {
    const [cx, cy] = position(point);
    dots.append(drawn("circle", { cx, cy, r: 0.8, fill: "none", stroke: "#0008", "stroke-width": 0.4 }));
  }
  const [cx, cy] = position(found.here);
  dots.append(drawn("path", { d: `M${cx - 3} ${cy}h6M${cx} ${cy - 3}v6`, stroke: "#000", "stroke-width": 1 }));
  return make("div", { className: "gg-surface" }, make("div", { className: "gg-square" }, canvas, dots),
    make("p", {}, `${names[0]}: ${figure(ends[0][0])} to ${figure(ends[0][1])} across; ${names[1]}: ${figure(ends[1][0])} to ${figure(ends[1][1])} up; the cross is this row`));
}

/** Draw a network and some rows into an element. */
export function mount(element, { begin, ask, follow }) {
  const row = make("input", { type: "number", min: 0, max: begin.rows - 1, value: 0 });
  const choice = (names, chosen) => make("select", {}, ...names.map((name, i) => make("option", { value: i, selected: i === chosen }, name)));
  const across = choice(begin.names, 0), down = choice(begin.names, Math.min(1, begin.names.length - 1)), output = choice(begin.outputs, begin.outputs.length - 1);
  const units = make("div", { className: "gg-units" });
  const told = make("p", { role: "status" });
  const arithmetic = make("pre", { className: "gg-arithmetic", tabIndex: 0 }, "Choose a unit to read its arithmetic.");
  const surface = make("div"), curves = make("div");
  let selected = null;
  const current = () => Math.max(0, Math.min(begin.rows - 1, Math.round(Number(row.value) || 0)));
  const asked = async (question, draw) => {
    const found = await ask({ row: current(), ...question });
    if (found.error) told.textContent = found.error; else draw(found);
  };
  const showUnit = () => selected && asked({ kind: "unit", ...selected }, (found) => { arithmetic.textContent = found.text; });
  const showSurface = () => begin.names.length > 1 && asked(
    { kind: "surface", across: Number(across.value), down: Number(down.value), output: Number(output.value) },
    (found) => surface.replaceChildren(surfacePart(found, [begin.names[across.value], begin.names[down.value]])));
  const showRow = () => asked({ kind: "row" }, (found) => {
    told.textContent = [found.target === null ? "" : `target ${found.target}`, found.loss === null ? "" : `loss ${figure(found.loss)}`].filter(Boolean).join(", ");
    const inputs = make("div", { className: "gg-layer" }, make("h4", {}, "inputs"), ...found.inputs.map((value, i) =>
      make("span", { className: "gg-cell", title: begin.names[i], style: `background:${color(value, Math.max(...found.inputs.map(Math.abs)))}` }, figure(value))));
    units.replaceChildren(inputs, ...found.layers.map((values, layer) => {
      const most = Math.max(...values.map((value) => Math.abs(value ?? 0)));
      const cells = values.map((value, unit) => {
        const cell = make("button", { type: "button", className: "gg-cell", style: `background:${color(value, most)}` }, figure(value));
        cell.setAttribute("aria-label", `${begin.layers[layer].name}, unit ${unit}: ${figure(value)}`);
        cell.setAttribute("aria-pressed", String(selected?.layer === layer && selected.unit === unit));
        cell.onclick = () => {
          selected = { layer, unit };
          for (const each of units.querySelectorAll("button")) each.setAttribute("aria-pressed", String(each === cell));
          showUnit();
        };
        return cell;
      });
      return make("div", { className: "gg-layer" }, make("h4", {}, `${begin.layers[layer].name} (${begin.layers[layer].what})`), ...cells);
    }));
  });
  const all = () => { showRow(); showUnit(); showSurface(); };
  row.oninput = all;
  for (const each of [across, down, output]) each.onchange = showSurface;
  const labelled = (text, control) => make("label", {}, `${text} `, control);
  element.replaceChildren(make("div", { className: "gg-explore" },
    make("div", { className: "gg-controls" }, labelled(`row, of ${begin.rows}`, row), told),
    units, arithmetic,
    ...(begin.names.length > 1 ? [make("div", { className: "gg-controls" }, labelled("across", across), labelled("up", down), labelled("output", output)), surface] : []),
    curves));
  follow((found) => curves.replaceChildren(curvesPart(found)));
  all();
}

/** What a notebook calls: `model` has what the kernel sends, `el` is the place for the widget. */
function render({ model, el }) {
  const begin = model.get("subject");
  if (!begin.rows) {
    const draw = () => el.replaceChildren(curvesPart(model.get("curves")));
    model.on("change:curves", draw);
    draw();
    return;
  }
  const waiting = new Map();
  let number = 0;
  model.on("msg:custom", (message) => {
    waiting.get(message.number)?.(message.answer);
    waiting.delete(message.number);
  });
  mount(el, {
    begin,
    ask: (question) => new Promise((done) => {
      number += 1;
      waiting.set(number, done);
      model.send({ number, question });
    }),
    follow: (draw) => draw(begin.curves),
  });
}

export default { render };
