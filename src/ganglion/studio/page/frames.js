// What the numbers of a frame mean. The other end is `Run.frame` of the studio's `run.py`.
const HEAD = ["run", "update", "epoch", "position", "total", "loss", "validation", "playing", "ended"];
const PARTS = /** @type {const} */ (["weights", "activations", "surface"]);

/**
 * @param {ArrayBuffer} bytes
 * @returns {import("./types.d.ts").Frame}
 */
export function readFrame(bytes) {
  const numbers = new Float32Array(bytes);
  /** @type {any} */
  const frame = {};
  HEAD.forEach((name, i) => { frame[name] = numbers[i]; });
  let first = HEAD.length + PARTS.length;
  PARTS.forEach((name, i) => {
    const size = numbers[HEAD.length + i];
    frame[name] = numbers.subarray(first, first + size);
    first += size;
  });
  return frame;
}
