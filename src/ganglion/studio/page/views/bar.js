// The bar: play, step, the timeline with its keyframes and branches, and the runs.
import { html } from "../vendor/preact.js";
import { Choice, count, figure } from "../parts.js";

const SPEEDS = { "1 a second": 1, "10 a second": 10, "100 a second": 100, "as fast as it goes": 0 };

/** @param {{page: any}} given */
export function Bar({ page }) {
  const { run, state, act, playing, frame, hidden } = page;
  const update = playing && frame ? frame.update : run.update;
  const last = Math.max(run.total, run.reached);
  const loss = playing && frame ? frame.loss : run.loss;
  const names = state.runs.map((/** @type {any} */ each) => `${each.name}${each.note ? `: ${each.note}` : ""}`);
  const current = state.runs.findIndex((/** @type {any} */ each) => each.run === run.run);
  const speed = Object.entries(SPEEDS).find(([, value]) => value === state.speed)?.[0] ?? "as fast as it goes";
  return html`<section class="bar" aria-label="timeline">
    <div class="buttons" role="group" aria-label="steps">
      <button title="to the beginning" aria-label="to the beginning" disabled=${hidden || update <= run.origin} onClick=${() => act({ do: "seek", update: run.origin })}>|◀</button>
      <button title="one update back (←)" aria-label="one update back" disabled=${hidden || update <= run.origin} onClick=${() => act({ do: "back", count: 1 })}>◀ step</button>
      <button title="one update forward (→)" aria-label="one update forward" disabled=${hidden || run.ended} onClick=${() => act({ do: "step", count: 1 })}>▶ step</button>
      <button title="to the end of the epoch (shift →)" aria-label="to the end of the epoch" disabled=${hidden || run.ended} onClick=${() => act({ do: "epoch" })}>▶ epoch</button>
      <button class="play" title="play or pause (space)" disabled=${hidden || (run.ended && !playing)} aria-pressed=${playing} onClick=${() => act({ do: playing ? "pause" : "play" })}>${playing ? "⏸ pause" : "▶ play"}</button>
    </div>
    <p class="where"><strong data-update=${update}>update ${count(update)}</strong>, epoch ${playing && frame ? frame.epoch : run.epoch} of ${run.epochs}${" "}
      · loss${" "}<span data-loss=${loss ?? ""}>${page.hidden ? "?" : figure(loss)}</span>${run.validation !== null && !page.hidden && html`${" "}· validation ${figure(playing && frame ? frame.validation : run.validation)} after the last epoch`}</p>
    <${Choice} label="speed" names=${Object.keys(SPEEDS)} value=${speed} change=${(/** @type {keyof SPEEDS} */ name) => act({ do: "speed", speed: SPEEDS[name] })} />
    <div class="timeline">
      <input type="range" aria-label="update" disabled=${hidden} aria-valuetext=${`update ${update} of ${last}`} min=${run.origin} max=${last} value=${update}
        onChange=${(/** @type {any} */ e) => act({ do: "seek", update: Number(e.target.value) })} />
      <svg aria-hidden="true" viewBox="0 0 100 6" preserveAspectRatio="none">${marks(run, state.runs, last)}</svg>
    </div>
    <div class="runs">
      <${Choice} label="run" names=${names} value=${names[current]} change=${(/** @type {string} */ name) => act({ do: "choose", run: state.runs[names.indexOf(name)].run })} />
      <button disabled=${run.parent === null} onClick=${() => act({ do: "undo" })}>undo branch</button>
      <button disabled=${state.runs.length < 2} onClick=${() => act({ do: "remove", run: run.run })}>remove run</button>
    </div>
    ${run.ended && html`<p class=${run.failed ? "notice severe" : "because"}>The run ended: ${run.because}.</p>`}
  </section>`;
}

/** Keyframes as low ticks, branches and beginnings of findings as high ones. @param {any} run @param {any[]} runs @param {number} last */
function marks(run, runs, last) {
  const span = Math.max(1, last - run.origin);
  const place = (/** @type {number} */ update) => (100 * (update - run.origin)) / span;
  const branches = runs.filter((each) => each.parent === run.run);
  return html`${run.keyframes.map((/** @type {number} */ update) => html`<path class="keyframe" d=${`M${place(update)} 4V6`} />`)}
    ${Object.values(run.began).map((update) => html`<path class="began" d=${`M${place(/** @type {number} */ (update))} 0V6`} />`)}
    ${branches.map((each) => html`<path class="branch" d=${`M${place(each.origin)} 0V6`} />`)}`;
}
