"use strict";
// What the model is stands in `model`, its numbers in `tables`, and its layers in `network(x)`.

const missingWords = new Set(model.missing);
const isMissing = (value) => value === null || value === undefined || missingWords.has(String(value).trim().toLowerCase());

/** The height of a curve of straight lines at a place. */
function curve(value, knots, heights) {
  let i = 1;
  if (value <= knots[0]) return heights[0];
  if (value >= knots[knots.length - 1]) return heights[knots.length - 1];
  while (knots[i] <= value) i++;
  return heights[i - 1] + ((value - knots[i - 1]) * (heights[i] - heights[i - 1])) / (knots[i] - knots[i - 1]);
}

/** A text as a number; in many countries the decimal sign is a comma. */
function numberOf(value) {
  const text = String(value).trim();
  return Number(/^[-+]?\d+,\d+$/.test(text) ? text.replace(",", ".") : text);
}

/** Year, month, day, weekday, hour and the days since 1970 of a date, or an error. */
function partsOf(text, name) {
  const found = /^(\d{4})-(\d{2})-(\d{2})(?:[ T](\d{2})(?::(\d{2})(?::(\d{2}(?:\.\d+)?))?)?)?$/.exec(String(text).trim());
  const [year, month, day, hour, minute, second] = found ? found.slice(1).map((each) => Number(each ?? 0)) : [];
  const date = found ? new Date(Date.UTC(2000, month - 1, day)) : null;
  if (date) date.setUTCFullYear(year, month - 1, day);
  if (!date || date.getUTCDate() !== day || date.getUTCMonth() !== month - 1 || hour > 23 || minute > 59) {
    throw new Error(`${name} must be a date such as 2026-01-31, got ${text}`);
  }
  const days = Math.round(date.getTime() / 86400000);
  const weekday = ((((days + 3) % 7) + 7) % 7) + 1;
  return { year, month, day, weekday, hour, elapsed: days + (hour * 3600 + minute * 60 + second) / 86400, missing: 0 };
}

const bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;

/** The words and signs of a text in lower case and composed form. */
function wordsOf(text, column) {
  if (!column.kinds) {
    column.kinds = new Uint8Array(0x110000);
    let at = 0;
    for (const [, kind, length] of column.letters.matchAll(/([A-Z])([0-9a-z]+)/g)) {
      const end = at + parseInt(length, 36);
      column.kinds.fill(kind.charCodeAt(0), at, end);
      at = end;
    }
  }
  const found = [];
  let word = [];
  const end = () => { if (word.length) found.push({ points: word, sign: false }); word = []; };
  for (const letter of text.normalize("NFC").toLowerCase().normalize("NFC")) {
    const point = letter.codePointAt(0), kind = String.fromCharCode(column.kinds[point]);
    if (kind === "G" || kind === "S") end();
    if (kind === "W") word.push(point);
    if (kind === "S") found.push({ points: [point], sign: true });
  }
  end();
  return found;
}

/** A hash of 64 bits in two halves (FNV-1a), with one more code point. */
function hashed([high, low], point) {
  low = (low ^ point) >>> 0;
  const product = low * 0x1b3, carry = Math.floor(product / 2 ** 32);
  return [(high * 0x1b3 + carry + ((low << 8) >>> 0)) % 2 ** 32, product % 2 ** 32];
}

/** The first bits of a hash, spread by a last multiplication with 0x9E3779B97F4A7C15. */
function bucketOf([high, low], bits) {
  low = (low ^ high) >>> 0;
  const [top, end] = [0x9e3779b9, 0x7f4a7c15];
  const middle = (low & 0xffff) * (end >>> 16) + (((low & 0xffff) * (end & 0xffff)) >>> 16);
  const rest = (low >>> 16) * (end & 0xffff) + (middle % 65536);
  const carried = (low >>> 16) * (end >>> 16) + Math.floor(middle / 65536) + Math.floor(rest / 65536);
  return ((carried + Math.imul(low, top) + Math.imul(high, end)) >>> 0) >>> (32 - bits);
}

/** How often each bucket occurs in a text. */
function bucketsOf(words, [characters, least, most], bits) {
  const counts = new Map();
  const units = characters
    ? words.filter(({ sign }) => !sign).map(({ points }) => [2, ...points, 3].map((point) => [point]))
    : [words.map(({ points }) => points)];
  for (const own of units) {
    for (let first = 0; first < own.length; first++) {
      let hash = hashed([0xcbf29ce4, 0x84222325], characters ? 2 : 1);
      for (let place = first; place < Math.min(first + most, own.length); place++) {
        if (!characters && place > first) hash = hashed(hash, 32);
        for (const point of own[place]) hash = hashed(hash, point);
        if (place - first + 1 < least) continue;
        const bucket = bucketOf(hash, bits);
        counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
      }
    }
  }
  return counts;
}

/** A table of numbers of n-grams, with its bytes as arrays. */
function readable(table) {
  if (!table.places) {
    table.places = new Map(Array.from(new Uint32Array(bytesOf(table.buckets)), (bucket, row) => [bucket, row]));
    table.bytes = new Int8Array(bytesOf(table.weights));
    for (const name of ["rarity", "scales", "bias"]) table[name] = new Float32Array(bytesOf(table[name]));
  }
  return table;
}

/** The sum of the numbers of a text's n-grams, each times its weight, and how many are known. */
function summed(words, table) {
  const total = Float64Array.from(table.bias), units = total.length;
  let known = 0;
  for (const kind of table.kinds) {
    const found = [];
    let squares = 0;
    for (const [bucket, count] of bucketsOf(words, kind, table.bits)) {
      const row = table.places.get(bucket);
      if (row === undefined) continue;
      const weight = (1 + Math.log(count)) * table.rarity[row];
      found.push([row, weight]);
      squares += weight * weight;
    }
    for (const [row, weight] of found) {
      const factor = (weight / Math.sqrt(squares)) * table.scales[row];
      for (let unit = 0; unit < units; unit++) total[unit] += factor * table.bytes[row * units + unit];
    }
    known += found.length;
  }
  return { total, known };
}

const periods = { month: 12, weekday: 7, hour: 24 };
const encoders = {
  number(column, value, x, first) {
    const absent = isMissing(value);
    const number = absent ? column.fill : numberOf(value);
    if (!Number.isFinite(number)) throw new Error(`${column.name} must be a number, got ${value}`);
    x[first] = column.knots.length ? curve(number, column.knots, column.heights) : (number - column.center) / column.scale;
    if (column.flag) x[first + 1] = absent ? 1 : 0;
  },
  word(column, value, x, first) {
    column.places ??= new Map(column.words.map((word, place) => [word, place]));
    let row = column.missing;
    if (!isMissing(value)) {
      let word = String(value);
      if (column.numeric) word = String(Number(word.trim()));
      if (column.fold) word = word.trim().toLowerCase();
      const known = column.numeric ? column.words.findIndex((each) => Number(each) === Number(word)) : column.places.get(word);
      if (known !== undefined && known >= 0) {
        for (let i = 0; i < column.width; i++) x[first + i] = column.rows ? column.rows[known][i] : Number(i === known);
        return;
      }
      if (column.unknown === null) throw new Error(`${column.name} must be one of ${column.words.join(", ")}, got ${value}`);
      row = column.unknown;
    }
    for (let i = 0; i < column.width; i++) x[first + i] = row[i];
  },
  date(column, value, x, first) {
    const known = isMissing(value) ? null : partsOf(value, column.name);
    column.parts.forEach((part, i) => {
      const [what, turn] = part.split(" ");
      let number = known === null ? column.fill[i] : known[what];
      if (known !== null && turn) number = Math[turn === "sine" ? "sin" : "cos"]((2 * Math.PI * known[what]) / periods[what]);
      x[first + i] = column.scale[i] > 0 ? (number - column.center[i]) / column.scale[i] : 0;
    });
  },
  text(column, value, x, first) {
    const words = isMissing(value) ? [] : wordsOf(String(value), column);
    const sums = column.tables.map((table) => summed(words, readable(table)));
    sums.flatMap(({ total }) => Array.from(total)).forEach((sum, i) => {
      x[first + i] = sums[0].known ? (sum - column.center[i]) / column.scale[i] : 0;
    });
  },
  picture(column, value, x, first) {
    if (isMissing(value)) throw new Error("choose a picture");
    const channels = column.shape[2];
    for (let i = 0; i < column.width; i++) x[first + i] = value[i] * column.factors[i % channels] + column.shifts[i % channels];
  },
};

/** The inputs of the network for the values of a row by column. */
function encode(row) {
  const x = new Float32Array(model.columns.reduce((sum, column) => sum + column.width, 0));
  let first = 0;
  for (const column of model.columns) {
    encoders[column.kind](column, row[column.name], x, first);
    first += column.width;
  }
  return x;
}

/** What the outputs of the network mean: for each target a prediction, and probabilities for classes. */
function answersOf(outputs) {
  return model.answers.map((answer) => {
    let own = Array.from(outputs.subarray(answer.first, answer.last));
    if (!answer.labels.length) return { name: answer.name, prediction: own[0] * answer.scale + answer.center, probabilities: [] };
    const weights = answer.weights.length ? answer.weights : own.map(() => 1);
    if (answer.temperature !== 1 || answer.weights.length) {
      const powers = own.map((p, i) => Math.log(Math.max(p, 1.1754943508222875e-38)) / answer.temperature - Math.log(weights[i]));
      const most = Math.max(...powers);
      const odds = powers.map((power) => Math.exp(power - most));
      const sum = odds.reduce((a, b) => a + b, 0);
      own = odds.map((each) => each / sum);
    }
    let best = 0;
    own.forEach((p, i) => { if (p * weights[i] > own[best] * weights[best]) best = i; });
    if (answer.threshold !== null) best = own[answer.positive] >= answer.threshold ? answer.positive : 1 - answer.positive;
    return { name: answer.name, prediction: answer.labels[best], best, probabilities: own };
  });
}

/** The answers for the values of a row by column. */
function predict(row) {
  return answersOf(network(encode(row)));
}

/** How far each column moves the first answer: its number now, less that with the column at its typical value. */
function reasonsFor(row) {
  const x = encode(row);
  const shown = (answers) => (model.answers[0].labels.length ? answers[0].probabilities[best] : answers[0].prediction);
  const whole = answersOf(network(x));
  const best = whole[0].best;
  let first = 0;
  return model.columns.map((column) => {
    const other = x.slice();
    other.fill(0, first, first + column.width);
    first += column.width;
    return { name: column.name, moved: shown(whole) - shown(answersOf(network(other))) };
  }).sort((a, b) => Math.abs(b.moved) - Math.abs(a.moved));
}

/** The rows of a CSV file as objects by column. */
function parseCsv(text) {
  const head = text.slice(0, text.search(/[\r\n]|$/));
  const sign = [",", ";", "\t"].sort((a, b) => head.split(b).length - head.split(a).length)[0];
  const rows = [];
  let row = [], cell = "", quoted = false;
  const plain = text.replace(/^\uFEFF/, "");
  for (let i = 0; i <= plain.length; i++) {
    const c = plain[i];
    if (quoted && c !== undefined) {
      if (c !== '"') cell += c;
      else if (plain[i + 1] === '"') { cell += '"'; i++; } else quoted = false;
    } else if (c === '"' && cell === "") quoted = true;
    else if (c === sign) { row.push(cell); cell = ""; }
    else if (c === "\n" || c === "\r" || c === undefined) {
      if (c === "\r" && plain[i + 1] === "\n") i++;
      row.push(cell);
      if (row.length > 1 || cell !== "") rows.push(row);
      row = []; cell = "";
    } else cell += c;
  }
  const names = rows.shift() ?? [];
  return rows.map((cells) => Object.fromEntries(names.map((name, i) => [name, cells[i] ?? ""])));
}

/** The predictions for many rows, as rows of text with names first. */
function predictAll(rows) {
  const lacking = model.columns.map((column) => column.name).filter((name) => rows.length && !(name in rows[0]));
  if (!rows.length) throw new Error("the file has no rows");
  if (lacking.length) throw new Error(`the file lacks the columns ${lacking.join(", ")}`);
  const several = model.answers.length > 1;
  const head = model.answers.flatMap(({ name, labels }) => {
    const own = several ? `_${name}` : "";
    return [`prediction${own}`, ...labels.map((label) => `probability${own}_${label}`)];
  });
  return [head, ...rows.map((row, i) => {
    try {
      return predict(row).flatMap((answer) => [answer.prediction, ...answer.probabilities]);
    } catch (error) {
      throw new Error(`row ${i}: ${error.message}`);
    }
  })];
}

/** A picture's pixels at the size of the model: averaged as it shrinks, between neighbors as it grows. */
function resized(data, width, height, wide, high, box) {
  const axis = (size, from, across) => Array.from({ length: size }, (_, i) => {
    const scale = across / size, reach = Math.max(scale, 1), center = from + (i + 0.5) * scale;
    const weights = [];
    for (let place = Math.floor(center - reach); place <= Math.ceil(center + reach); place++) {
      const weight = 1 - Math.abs(place + 0.5 - center) / reach;
      if (weight > 0) weights.push([place, weight]);
    }
    return weights;
  });
  const pass = (source, length, lines, taps, step, line) => {
    const found = new Float64Array(lines * taps.length * 3);
    for (let y = 0; y < lines; y++) {
      taps.forEach((weights, x) => {
        let sum = 0;
        for (const [place, weight] of weights) {
          if (place < 0 || place >= length) continue;
          sum += weight;
          for (let c = 0; c < 3; c++) found[(y * taps.length + x) * 3 + c] += weight * source[y * line + place * step + c];
        }
        for (let c = 0; c < 3; c++) found[(y * taps.length + x) * 3 + c] = Math.round(found[(y * taps.length + x) * 3 + c] / sum);
      });
    }
    return found;
  };
  const across = pass(data, width, height, axis(wide, box[0], box[2]), 4, width * 4);
  const down = new Float64Array(wide * height * 3);
  for (let y = 0; y < height; y++) for (let x = 0; x < wide; x++) for (let c = 0; c < 3; c++) down[(x * height + y) * 3 + c] = across[(y * wide + x) * 3 + c];
  const both = pass(down, height, wide, axis(high, box[1], box[3]), 3, height * 3);
  const found = new Uint8ClampedArray(wide * high * 3);
  for (let y = 0; y < high; y++) for (let x = 0; x < wide; x++) for (let c = 0; c < 3; c++) found[(y * wide + x) * 3 + c] = both[(x * high + y) * 3 + c];
  return found;
}

/** The bytes of a picture as the model takes them. */
function pixelsOf(image, column) {
  const [high, wide, channels] = column.shape;
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0);
  const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
  let color;
  if (column.fit === "crop" || (image.width === wide && image.height === high)) {
    const scale = Math.max(wide / image.width, high / image.height);
    const across = Math.min(image.width, wide / scale), down = Math.min(image.height, high / scale);
    color = resized(data, image.width, image.height, wide, high, [(image.width - across) / 2, (image.height - down) / 2, across, down]);
  } else {
    const scale = Math.min(wide / image.width, high / image.height);
    const inner = [image.width, image.height].map((side, i) => Math.min([wide, high][i], Math.max(1, Math.round(side * scale))));
    const small = resized(data, image.width, image.height, inner[0], inner[1], [0, 0, image.width, image.height]);
    const left = Math.floor((wide - inner[0]) / 2), top = Math.floor((high - inner[1]) / 2);
    color = new Uint8ClampedArray(wide * high * 3);
    for (let y = 0; y < inner[1]; y++) color.set(small.subarray(y * inner[0] * 3, (y + 1) * inner[0] * 3), ((y + top) * wide + left) * 3);
  }
  if (channels === 3) return color;
  return Uint8ClampedArray.from({ length: wide * high }, (_, i) =>
    (color[i * 3] * 19595 + color[i * 3 + 1] * 38470 + color[i * 3 + 2] * 7471 + 0x8000) >> 16);
}

// The page.

const element = (tag, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};
const figure = (value) => (typeof value === "number" ? String(Number(value.toPrecision(6))) : String(value));
const row = {};

const fields = {
  number(column, id) {
    const step = column.whole ? 1 : "any";
    const box = element("input", { id, type: "number", step, placeholder: "missing" });
    const slider = element("input", { type: "range", min: column.low, max: column.high, step: column.whole ? 1 : (column.high - column.low) / 200 || 1 });
    slider.setAttribute("aria-label", `${column.name}, slider`);
    const start = Number((column.whole ? Math.round(column.fill) : column.fill).toPrecision(6));
    box.value = slider.value = start;
    row[column.name] = String(start);
    box.oninput = () => { row[column.name] = box.value; if (box.value !== "") slider.value = box.value; show(); };
    slider.oninput = () => { box.value = slider.value; row[column.name] = slider.value; show(); };
    return element("span", {}, slider, box);
  },
  word(column, id) {
    const few = column.words.length <= 100;
    row[column.name] = column.words[0];
    if (!few) {
      const list = element("datalist", { id: `${id}-words` }, ...column.words.map((word) => element("option", { value: word })));
      const box = element("input", { id, value: column.words[0] });
      box.setAttribute("list", list.id);
      box.oninput = () => { row[column.name] = box.value; show(); };
      return element("span", {}, box, list);
    }
    const shown = column.choices ?? column.words;
    const choice = element("select", { id }, ...shown.map((word) => element("option", { value: word }, word)), element("option", { value: "" }, "(missing)"));
    if (column.unknown !== null) choice.append(element("option", { value: column.other }, "(another value)"));
    row[column.name] = shown[0];
    choice.oninput = () => { row[column.name] = choice.value; show(); };
    return choice;
  },
  text(column, id) {
    const box = element("textarea", { id, rows: 4, placeholder: "missing" });
    row[column.name] = "";
    box.oninput = () => { row[column.name] = box.value; show(); };
    return box;
  },
  date(column, id) {
    const box = element("input", { id, type: column.hours ? "datetime-local" : "date", value: column.start });
    row[column.name] = column.start;
    box.oninput = () => { row[column.name] = box.value; show(); };
    return box;
  },
  picture(column, id) {
    const box = element("input", { id, type: "file", accept: "image/*" });
    const view = element("canvas", { width: column.shape[1], height: column.shape[0] });
    view.setAttribute("aria-label", "the picture as the model sees it");
    const zone = element("label", { className: "drop", htmlFor: id }, "Drop a picture here, or choose one ", box);
    takeDrops(zone, box, async (file) => {
      const image = await createImageBitmap(file);
      const bytes = pixelsOf(image, column), channels = column.shape[2];
      const seen = view.getContext("2d").createImageData(view.width, view.height);
      for (let i = 0; i < view.width * view.height; i++) {
        for (let c = 0; c < 3; c++) seen.data[i * 4 + c] = bytes[i * channels + (channels === 3 ? c : 0)];
        seen.data[i * 4 + 3] = 255;
      }
      view.getContext("2d").putImageData(seen, 0, 0);
      row[column.name] = bytes;
      show();
    });
    return element("div", {}, zone, view);
  },
};

/** Call a function with a file that is dropped on a zone or chosen in a box. */
function takeDrops(zone, box, take) {
  const given = (file) => { if (file) Promise.resolve(take(file)).catch((error) => tell(error)); };
  box.onchange = () => { const [file] = box.files; box.value = ""; given(file); };  // so that it can be chosen again
  zone.ondragover = (event) => { event.preventDefault(); zone.classList.add("over"); };
  zone.ondragleave = () => zone.classList.remove("over");
  zone.ondrop = (event) => { event.preventDefault(); zone.classList.remove("over"); given(event.dataTransfer.files[0]); };
}

function tell(error) {
  document.getElementById("answer").replaceChildren(element("p", { className: "error" }, error.message));
  document.getElementById("reasons").replaceChildren();
}

/** A table row with a name, a number and a bar of a fraction. */
function barred(name, number, fraction, down = false) {
  const bar = element("i", { className: down ? "down" : "" });
  bar.style.width = `${Math.max(0, Math.min(1, fraction)) * 100}%`;
  return element("tr", {}, element("th", { scope: "row" }, name), element("td", { className: "number" }, number), element("td", { className: "bar" }, bar));
}

/** Show the answer for the row in the form. */
function show() {
  let answers;
  try {
    answers = predict(row);
  } catch (error) {
    tell(error);
    return;
  }
  document.getElementById("answer").replaceChildren(...answers.flatMap((answer, which) => {
    const labels = model.answers[which].labels;
    const order = answer.probabilities.map((p, i) => [p, i]).sort((a, b) => b[0] - a[0]).slice(0, 12);
    return [
      element("h2", {}, answer.name),
      element("div", { className: "prediction" }, figure(answer.prediction)),
      element("table", {}, ...order.map(([p, i]) => barred(labels[i], `${(p * 100).toFixed(1)} %`, p))),
    ];
  }));
  const place = document.getElementById("reasons");
  if (model.columns[0].kind === "picture") return;
  const reasons = reasonsFor(row).slice(0, 12), most = Math.abs(reasons[0].moved) || 1;
  const what = model.answers[0].labels.length ? `the probability of ${answers[0].prediction}` : model.answers[0].name;
  place.replaceChildren(
    element("h2", {}, "What moves it"),
    element("p", {}, `What each column adds to ${what}, compared with its typical value:`),
    element("table", {}, ...reasons.map(({ name, moved }) =>
      barred(name, `${moved < 0 ? "−" : "+"}${figure(Math.abs(moved))}`, Math.abs(moved) / most, moved < 0))),
  );
}

/** Predict the rows of a file, and offer them to be saved. */
async function takeTable(file) {
  const told = document.getElementById("told"), save = document.getElementById("save");
  try {
    const rows = parseCsv(await file.text());
    const found = predictAll(rows);
    const quoted = (cell) => (/[",\r\n]/.test(String(cell)) ? `"${String(cell).replaceAll('"', '""')}"` : String(cell));
    const text = found.map((cells) => cells.map(quoted).join(",")).join("\n") + "\n";
    URL.revokeObjectURL(save.href);
    save.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    save.download = "predictions.csv";
    save.hidden = false;
    told.className = "";
    told.textContent = `${rows.length} rows of ${file.name}${rows.length > 20 ? ", the first 20" : ""}:`;
    const [head, ...body] = found.slice(0, 21);
    document.getElementById("rows").replaceChildren(
      element("thead", {}, element("tr", {}, ...head.map((name) => element("th", { scope: "col" }, name)))),
      element("tbody", {}, ...body.map((cells) => element("tr", {}, ...cells.map((cell) => element("td", {}, figure(cell)))))),
    );
  } catch (error) {
    told.className = "error";
    told.textContent = `${file.name}: ${error.message}`;
    save.hidden = true;
    document.getElementById("rows").replaceChildren();
  }
}

model.columns.forEach((column, i) => {
  const id = `field-${i}`;
  document.getElementById("form").append(element("div", { className: "field" }, element("label", { htmlFor: id }, column.name), fields[column.kind](column, id)));
});
document.getElementById("form").onsubmit = (event) => event.preventDefault();
if (model.columns[0].kind !== "picture") {
  document.getElementById("batch").hidden = false;
  takeDrops(document.getElementById("drop"), document.getElementById("file"), takeTable);
  show();
} else tell(new Error("Choose a picture."));
