// The table: a file or an example, the roles of its columns, and the split of its rows.
import { html, useEffect, useState } from "../vendor/preact.js";
import { Choice, NumberField, count } from "../parts.js";

const ROLES = ["input", "category", "text", "left out"];

/** @param {{page: any}} given */
export function DataPanel({ page }) {
  const { state, act, upload } = page;
  const { data } = state;
  const drop = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    const file = event.dataTransfer?.files[0];
    if (file) upload(file);
  };
  return html`<section class="panel" aria-labelledby="data-title"><h2 id="data-title">Data</h2>
    ${state.waiting && html`<p class="notice">${state.waiting}</p>`}
    <div class="drop" onDragOver=${(/** @type {Event} */ e) => e.preventDefault()} onDrop=${drop}>
      <label class="field"><span>Your own table: drop a file here, or choose one (CSV, Excel, Parquet, JSON). It stays on this computer.</span>
        <input type="file" accept=".csv,.tsv,.txt,.json,.jsonl,.parquet,.arrow,.xlsx" onChange=${(/** @type {any} */ e) => e.target.files[0] && upload(e.target.files[0])} /></label></div>
    <p>Or a table that comes with ganglion:</p>
    <ul class="examples">${Object.entries(state.examples).map(([name, title]) => html`<li><button onClick=${() => act({ do: "example", name }).then((/** @type {any} */ ok) => ok && page.open("Run"))}>${name}</button> ${title}</li>`)}</ul>
    ${data && html`<${Roles} data=${data} page=${page} />`}
  </section>`;
}

/** @param {{data: any, page: any}} given */
function Roles({ data, page }) {
  const [target, aim] = useState(data.target);
  const key = `roles of ${data.name}, ${data.target}`;
  const [roles, keep] = useState(/** @type {Record<string, string>} */ (page.drafts[key] ?? {}));
  const assign = (/** @type {Record<string, string>} */ next) => { page.drafts[key] = next; keep(next); };
  const [seed, sow] = useState(/** @type {number | null} */ (0));
  useEffect(() => { aim(data.target); keep(page.drafts[key] ?? {}); sow(page.state.settings?.seed ?? 0); }, [data.name, data.target]);
  const role = (/** @type {any} */ column) => roles[column.name] ?? column.role;
  const prepare = () => {
    const given = Object.fromEntries(data.columns.filter((/** @type {any} */ c) => c.name !== target && (roles[c.name] || c.given)).map((/** @type {any} */ c) => [c.name, role(c)]));
    return page.act({ do: "prepare", target, roles: given, seed: seed ?? 0 });
  };
  return html`<h3>${data.name}: ${data.task} of ${data.target}</h3>
    <p>${Object.entries(data.rows).filter(([, n]) => n).map(([name, n]) => `${count(/** @type {number} */ (n))} rows to ${name === "validation" ? "validate" : name}`).join(", ")}${data.shared ? ", which also validate: with fewer than 1,000 rows, none are spent on both" : ""}; ${data.features.length} inputs of the network.</p>
    ${data.notes.map((/** @type {string} */ note) => html`<p class="note">${note}</p>`)}
    <${Choice} label="column to predict" names=${data.columns.map((/** @type {any} */ c) => c.name)} value=${target} change=${aim} />
    <div class="scroll" tabindex="0" role="region" aria-label="columns and their roles"><table><caption>The columns, with the roles that training found</caption>
      <thead><tr><th scope="col">column</th><th scope="col">role</th><th scope="col">kind</th><th scope="col">inputs</th><th scope="col">why</th></tr></thead>
      <tbody>${data.columns.map((/** @type {any} */ column) => html`<tr><th scope="row">${column.name}</th>
        <td>${column.name === target ? "target" : html`<select aria-label=${`role of ${column.name}`} value=${role(column) === "target" ? "input" : role(column)} onChange=${(/** @type {any} */ e) => assign({ ...roles, [column.name]: e.target.value })}>
          ${ROLES.map((name) => html`<option value=${name} selected=${name === role(column)}>${name}</option>`)}</select>`}</td>
        <td>${column.kind}</td><td>${column.numbers || ""}</td><td>${column.reason}</td></tr>`)}</tbody></table></div>
    <div class="fields"><${NumberField} label="seed of the split" value=${seed} step=${1} min=${0} change=${sow} /></div>
    <button onClick=${prepare}>Prepare the table with these roles</button> <span class="note">All runs begin anew.</span>`;
}
