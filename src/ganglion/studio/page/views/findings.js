// What the health check finds, where it began, and remedies to try on a branch.
import { html, useEffect, useState } from "../vendor/preact.js";
import { Began } from "../parts.js";

/** @param {{page: any}} given */
export function Findings({ page }) {
  const { act, ask, run, state } = page;
  const [found, keep] = useState(/** @type {any} */ (null));
  const [began, mark] = useState(/** @type {any} */ ({}));
  useEffect(() => { keep(null); mark({}); }, [state.current, state.data.name]);
  const check = async () => {
    try {
      keep(await ask({ ask: "findings" }));
      mark({});
    } catch (/** @type {any} */ error) {
      keep({ findings: [], failed: error.message });
    }
  };
  useEffect(() => { if (run.failed) check(); }, [run.failed, run.run]);
  const search = async (/** @type {string} */ name) => {
    mark((/** @type {any} */ before) => ({ ...before, [name]: { busy: true } }));
    const answer = await ask({ ask: "began", name }).catch(() => ({ update: null }));
    mark((/** @type {any} */ before) => ({ ...before, [name]: answer }));
    act({ do: "look" });
  };
  return html`<section class="findings" aria-labelledby="findings-title"><h2 id="findings-title">Findings</h2>
    <button disabled=${page.hidden} onClick=${check}>Check the health at update ${run.update}</button>
    ${found?.failed && html`<p>${found.failed}</p>`}
    ${found && !found.failed && !found.findings.length && html`<p>Nothing looks wrong at update ${found.update}.</p>`}
    ${found?.findings.map((/** @type {any} */ each) => {
    const start = began[each.name];
    return html`<article class=${each.severity} data-finding=${each.name}><h3>${each.title}</h3>
      <p><b>${each.severity}</b>, at update ${found.update}: ${each.evidence}</p><p>${each.cause}</p><p><b>Remedy:</b> ${each.remedy}</p>
      ${start && !start.busy && html`<p role="status">${start.update === null ? "The beginning was not found." : html`<${Began} found=${start} page=${page} />`}</p>`}
      <div class="buttons">${each.dated && html`<button disabled=${start?.busy} onClick=${() => search(each.name)}>${start?.busy ? "Searching …" : "When did it begin?"}</button>`}
        ${each.try && html`<button onClick=${() => act({ do: "remedy", name: each.name, ...(start?.update ? { update: Math.max(run.origin, start.update - 1) } : {}) })}>Try ${each.try} as a branch</button>`}</div></article>`;
  })}
  </section>`;
}
