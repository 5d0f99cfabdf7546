// Lessons: a question before the numbers, then the numbers, and a hint that fits the mistake.
import { html, useEffect, useState } from "../vendor/preact.js";
import { Table, figure } from "../parts.js";

/** @param {{page: any}} given */
export function LessonPanel({ page }) {
  const { state, act, open } = page;
  return html`<section class="panel" aria-labelledby="lesson-title"><h2 id="lesson-title">Lessons</h2>
    <p>A lesson asks before it shows: say what a number will be, then see it, with all its arithmetic. Every learner sees the same numbers.</p>
    <ul class="examples">${Object.entries(state.lessons).map(([name, title]) => html`<li><button onClick=${() => act({ do: "lesson", name }).then((/** @type {any} */ ok) => ok && open("Run"))}>${title}</button></li>`)}</ul>
    <p>A lesson is one file without code; drop one on the Data tab to open it.</p></section>`;
}

/** @param {any[][]} known */
const heads = (known) => Array.from({ length: Math.max(...known.map((each) => each.length)) }, (_, i) => (i % 2 ? "value" : "name"));

/** @param {{page: any}} given */
export function LessonCard({ page }) {
  const { lesson } = page.state;
  const [given, give] = useState("");
  useEffect(() => give(""), [lesson.place, lesson.title]);
  const { question, judged } = lesson;
  const leave = html`<button onClick=${() => page.act({ do: "leave" })}>Leave the lesson</button>`;
  if (!question) return html`<section class="lesson" aria-label="lesson"><h2>${lesson.title}</h2><p>This was the last question: ${lesson.right} of ${lesson.count} right. The network is yours now: step, select, change a weight.</p>${leave}</section>`;
  const answer = async (/** @type {any} */ value) => {
    const found = await page.act({ do: "answer", answer: value });
    if (!found) return;
    const about = question.about ?? {};
    if (about.parameter) page.look({ parameter: about.parameter, index: about.index, layer: about.parameter.split("/")[0] });
    else if (about.layer) page.look({ layer: about.layer, unit: about.unit ?? 0, parameter: "" });
  };
  const send = (/** @type {Event} */ event) => { event.preventDefault(); answer(Number(given)); };
  return html`<section class="lesson" aria-labelledby="question-title"><h2 id="question-title">${lesson.title}, question ${lesson.place + 1} of ${lesson.count}</h2>
    ${lesson.place === 0 && !judged && html`<p>${lesson.words}</p>`}
    <p class="question">${question.words}</p>
    ${!judged && question.known.length > 0 && html`<${Table} caption="What is known" heads=${heads(question.known)} rows=${question.known.map((/** @type {any[]} */ each) => each.map((cell) => figure(cell, 6)))} />`}
    ${!judged && question.kind === "sign" && html`<div class="buttons" role="group" aria-label="your answer">
      <button onClick=${() => answer(-1)}>below zero</button><button onClick=${() => answer(0)}>zero</button><button onClick=${() => answer(1)}>above zero</button></div>`}
    ${!judged && question.kind === "choice" && html`<div class="buttons" role="group" aria-label="your answer">${question.choices.map((/** @type {string} */ choice, /** @type {number} */ i) => html`<button onClick=${() => answer(i)}>${choice}</button>`)}</div>`}
    ${!judged && question.kind === "number" && html`<form class="fields" onSubmit=${send}><label class="field"><span>your answer</span><input type="number" step="any" required value=${given} onInput=${(/** @type {any} */ e) => give(e.target.value)} /></label><button>Answer</button></form>`}
    ${judged && html`<div role="status" class=${judged.right ? "right" : "missed"}><p><b>${judged.right ? "Right." : "Not quite."}</b> It is <span data-truth=${judged.truth}>${question.kind === "sign" ? (judged.truth > 0 ? "above zero" : judged.truth < 0 ? "below zero" : "zero") : figure(judged.truth, 6)}</span>.</p>
      ${judged.hint && html`<p>${judged.hint}</p>`}${judged.after && html`<p>${judged.after}</p>`}</div>
      <button onClick=${() => page.act({ do: "next" })}>${lesson.place + 1 < lesson.count ? "Next question" : "Finish"}</button>`}
    <p>${leave}</p>
  </section>`;
}
