// How the page talks with the studio over HTTP. Another transport, such as a notebook's, has the same methods.
import { readFrame } from "./frames.js";

/** An answer that says what was wrong and what to do. */
export class Refused extends Error {
  /** @param {string} message @param {string} hint @param {number} status */
  constructor(message, hint, status) {
    super(message);
    this.hint = hint;
    this.status = status;
  }
}

/**
 * @param {string} token
 * @returns {import("./types.d.ts").Transport}
 */
export function httpTransport(token) {
  const headers = { Authorization: `Bearer ${token}` };

  /** @param {string} path @param {BodyInit} body */
  async function post(path, body) {
    let answer;
    try {
      answer = await fetch(path, { method: "POST", headers, body });
    } catch {
      throw new Refused("The studio no longer answers.", "Was it ended in the terminal? Start it again there, and open its address.", 0);
    }
    if (answer.ok) return answer;
    const text = await answer.text();
    let found = { error: text, hint: "" };
    try {
      found = JSON.parse(text);
    } catch { /* the gate answers in plain text */ }
    throw new Refused(found.error, found.hint, answer.status);
  }

  return {
    async do(command) {
      return (await post("/api/do", JSON.stringify(command))).json();
    },
    async upload(file) {
      const kind = file.name.split(".").pop()?.toLowerCase() ?? "";
      const query = new URLSearchParams({ kind, name: file.name });
      return (await post(`/api/table?${query}`, file)).json();
    },
    async export(command) {
      const answer = await post("/api/export", JSON.stringify(command));
      const name = decodeURIComponent(answer.headers.get("X-File-Name") ?? "file");
      return { name, blob: await answer.blob() };
    },
    follow(draw, lost) {
      let ended = false;
      const read = async () => {
        while (!ended) {
          try {
            const answer = await fetch("/api/frames", { headers });
            if (!answer.ok || !answer.body) throw new Refused(await answer.text(), "", answer.status);
            lost(null);
            await frames(answer.body.getReader(), draw);
          } catch (error) {
            if (error instanceof Refused && error.status === 401) {
              lost("The studio does not know this page. Open it again from where it was started.");
              return;
            }
          }
          if (!ended) lost("The studio no longer answers. Was it ended in the terminal? This page goes on when it is back.");
          await new Promise((done) => setTimeout(done, 1000));
        }
      };
      read();
      return () => { ended = true; };
    },
  };
}

/**
 * Read frames, each after its length in bytes.
 * @param {ReadableStreamDefaultReader<Uint8Array>} reader
 * @param {(frame: import("./types.d.ts").Frame) => void} draw
 */
async function frames(reader, draw) {
  let kept = new Uint8Array(0);
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const joined = new Uint8Array(kept.length + value.length);
    joined.set(kept);
    joined.set(value, kept.length);
    kept = joined;
    let newest = null;
    while (kept.length >= 4) {
      const size = new DataView(kept.buffer, kept.byteOffset).getUint32(0, true);
      if (kept.length < 4 + size) break;
      newest = kept.slice(4, 4 + size);
      kept = kept.slice(4 + size);
    }
    if (newest?.length) draw(readFrame(newest.buffer));
  }
}
