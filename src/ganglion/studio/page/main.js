// The start: takes the token out of the address, and mounts the page.
import { mount } from "./app.js";
import { httpTransport } from "./transport.js";

const KEY = "ganglion-studio-token";
const handed = location.hash.slice(1);
if (/^[0-9a-f]{64}$/.test(handed)) {
  sessionStorage.setItem(KEY, handed);
  history.replaceState(null, "", location.pathname);
}
mount(/** @type {HTMLElement} */ (document.getElementById("studio")), httpTransport(sessionStorage.getItem(KEY) ?? ""));
