// The network and its training, with the library's own names and defaults, and the Python for it.
import { html, useEffect, useState } from "../vendor/preact.js";
import { Choice, NumberField } from "../parts.js";

/** @param {{page: any}} given */
export function SettingsPanel({ page }) {
  const { state, act, open } = page;
  const key = `settings of ${state.data.name}, run ${state.current}`;
  const [draft, keep] = useState(/** @type {any} */ (page.drafts[key] ?? structuredClone(state.settings)));
  const change = (/** @type {any} */ next) => keep((/** @type {any} */ before) => {
    page.drafts[key] = typeof next === "function" ? next(before) : next;
    return page.drafts[key];
  });
  const [copied, tell] = useState("");
  useEffect(() => keep(page.drafts[key] ?? structuredClone(state.settings)), [key]);
  const { catalog } = state;
  if (!catalog || !draft) return html`<p role="status">…</p>`;
  const set = (/** @type {any} */ part) => change((/** @type {any} */ before) => ({ ...before, ...part }));
  const layer = (/** @type {number} */ i, /** @type {any} */ part) => set({ layers: draft.layers.map((/** @type {any} */ each, /** @type {number} */ n) => (n === i ? { ...each, ...part } : each)) });
  const same = JSON.stringify(draft) === JSON.stringify(state.settings);
  const send = async (/** @type {string} */ what) => { if (await act({ do: what, settings: draft })) open("Run"); };
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(state.code);
      tell("copied");
    } catch {
      tell("select the text to copy it");
    }
  };
  const find = (/** @type {any[]} */ list, /** @type {string} */ name) => structuredClone(list.find((each) => each.name === name).settings);
  const { optimizer } = draft, schedule = optimizer.learning_rate;
  return html`<section class="panel settings" aria-labelledby="settings-title"><h2 id="settings-title">Network</h2>
    <h3>Layers</h3><ol class="layers">${draft.layers.map((/** @type {any} */ each, /** @type {number} */ i) => html`<li><fieldset><legend>${each.name} ${i + 1}</legend>
      ${"units" in each && html`<${NumberField} label="units" value=${each.units} step=${1} min=${1} max=${catalog.limits.units} change=${(/** @type {any} */ units) => layer(i, { units: units ?? 1 })} />`}
      ${"activation" in each && html`<${Choice} label="activation" names=${names(catalog.activations, each.activation.name)} value=${each.activation.name} change=${(/** @type {string} */ name) => layer(i, { activation: { name } })} />`}
      ${"rate" in each && html`<${NumberField} label="rate" value=${each.rate} min=${0} max=${0.95} change=${(/** @type {any} */ rate) => layer(i, { rate: rate ?? 0 })} />`}
      <button onClick=${() => set({ layers: draft.layers.filter((/** @type {any} */ _, /** @type {number} */ n) => n !== i) })} aria-label=${`remove ${each.name} ${i + 1}`}>remove</button></fieldset></li>`)}
      <li>outputs: ${state.data.classes ? `dense with ${state.data.classes.length} units, softmax` : "dense with 1 unit"}</li></ol>
    <div class="buttons">${catalog.layers.map((/** @type {any} */ each) => html`<button onClick=${() => set({ layers: [...draft.layers, structuredClone(each.settings)] })}>add ${each.name}</button>`)}</div>
    <h3>Training</h3><div class="fields">
      <${Choice} label="optimizer" names=${catalog.optimizers.map((/** @type {any} */ e) => e.name)} value=${optimizer.name} change=${(/** @type {string} */ name) => set({ optimizer: find(catalog.optimizers, name) })} />
      <${Fields} part=${optimizer} besides=${["name", "learning_rate"]} change=${(/** @type {any} */ part) => set({ optimizer: { ...optimizer, ...part } })} />
      <${Choice} label="schedule" names=${catalog.schedules.map((/** @type {any} */ e) => e.name)} value=${schedule.name} change=${(/** @type {string} */ name) => set({ optimizer: { ...optimizer, learning_rate: { ...find(catalog.schedules, name), learning_rate: schedule.learning_rate } } })} />
      <${Fields} part=${schedule} besides=${["name"]} of="schedule" change=${(/** @type {any} */ part) => set({ optimizer: { ...optimizer, learning_rate: { ...schedule, ...part } } })} />
      <${Choice} label="loss" names=${catalog.losses.map((/** @type {any} */ e) => e.name)} value=${draft.loss.name} change=${(/** @type {string} */ name) => set({ loss: find(catalog.losses, name) })} />
      <${Fields} part=${draft.loss} besides=${["name"]} change=${(/** @type {any} */ part) => set({ loss: { ...draft.loss, ...part } })} />
      <${Fields} part=${draft.regularization} besides=${[]} change=${(/** @type {any} */ part) => set({ regularization: { ...draft.regularization, ...part } })} />
      <${NumberField} label="epochs" value=${draft.epochs} step=${1} min=${1} change=${(/** @type {any} */ epochs) => set({ epochs })} />
      <${NumberField} label="batch_size" value=${draft.batch_size} step=${1} min=${1} change=${(/** @type {any} */ batch_size) => set({ batch_size })} />
      <${NumberField} label="seed" value=${draft.seed} step=${1} min=${0} change=${(/** @type {any} */ seed) => set({ seed })} />
      <${Choice} label="dtype" names=${["float32", "float64"]} value=${draft.dtype} change=${(/** @type {string} */ dtype) => set({ dtype })} /></div>
    <div class="buttons"><button disabled=${same} onClick=${() => send("change")}>Branch here with these settings</button>
      <button onClick=${() => send("new")}>New run from the beginning</button><button disabled=${same} onClick=${() => change(structuredClone(state.settings))}>Discard changes</button></div>
    <p class="note">Other layers, another seed or type make another network: it begins at update 0.</p>
    <h3>The same in Python</h3><div class="scroll" tabindex="0" role="region" aria-label="Python code"><pre class="code">${state.code}</pre></div>
    <button onClick=${copy}>Copy</button> <span role="status">${copied}</span></section>`;
}

/** @param {string[]} list @param {string} own */
const names = (list, own) => (list.includes(own) ? list : [...list, own]);

/** The numbers and flags of a part. @param {{part: any, besides: string[], change: (part: any) => void, of?: string}} given */
function Fields({ part, besides, change, of = "" }) {
  return Object.entries(part).filter(([name, value]) => !besides.includes(name) && (value === null || typeof value !== "object"))
    .map(([name, value]) => (typeof value === "boolean"
      ? html`<label class="field check"><input type="checkbox" checked=${value} onChange=${(/** @type {any} */ e) => change({ [name]: e.target.checked })} /><span>${name}</span></label>`
      : typeof value === "string" ? null : html`<${NumberField} label=${of && name !== "learning_rate" ? `${of}: ${name}` : name} value=${value} change=${(/** @type {any} */ number) => change({ [name]: number })} />`));
}
