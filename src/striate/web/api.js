/* Talking with the server: at most four requests at a time, answers kept while memory allows.

   api.json(path, {slot, keep})    parsed JSON
   api.binary(path, {slot, keep})  {header, shape, data}: data is Float32Array (float16 is widened) or Uint8Array
   api.post(path, body, headers)   parsed JSON, never kept
   api.events(path, {name: fn})    Server-Sent Events; fn(data) with parsed JSON -> a function that closes the stream
   slot   a name: a newer request in the same slot cancels the older one, whose promise is rejected with an AbortError
   keep   false: ask again every time (default true)
   cancelled(error)                whether an error is only such a cancellation
   A refused request is rejected with an Error whose message is the server's own sentence and whose .status is the code. */

const AT_ONCE = 4;
const MOST_BYTES = 192e6;

export const cancelled = (error) => error?.name === "AbortError";

let widening = null;
function widen(halves) {
  widening ??= Float32Array.from({ length: 65536 }, (_, bits) => {
    const exponent = (bits >> 10) & 31, fraction = bits & 1023, sign = bits & 32768 ? -1 : 1;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
  });
  const values = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) values[i] = widening[halves[i]];
  return values;
}

function parseBinary(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const start = Math.ceil((4 + length) / 8) * 8;
  const count = header.shape.reduce((product, side) => product * side, 1);
  const data = header.dtype === "float16" ? widen(new Uint16Array(buffer, start, count))
    : header.dtype === "float32" ? new Float32Array(buffer, start, count) : new Uint8Array(buffer, start, count);
  return { header, shape: header.shape, data };
}

async function ask(path, options) {
  let response;
  try { response = await fetch(path, options); } catch (error) {
    throw cancelled(error) ? error : new Error("The server does not answer. Is striate open still running in its terminal?");
  }
  if (response.ok) return response;
  let text = `${response.status} ${response.statusText}`;
  try { text = (await response.json()).error ?? text; } catch { /* not JSON: the status has to do */ }
  throw Object.assign(new Error(text), { status: response.status });
}

export function createApi() {
  const kept = new Map();
  const slots = new Map();
  const queue = [];
  let running = 0, bytes = 0;

  const next = () => {
    while (running < AT_ONCE && queue.length) {
      running++;
      queue.shift()().finally(() => { running--; next(); });
    }
  };
  const inTurn = (work) => new Promise((resolve, reject) => { queue.push(() => work().then(resolve, reject)); next(); });

  const remember = (path, value, size) => {
    kept.set(path, { value, size });
    bytes += size;
    for (const [oldest, entry] of kept) {
      if (bytes <= MOST_BYTES || oldest === path) break;
      kept.delete(oldest);
      bytes -= entry.size;
    }
    return value;
  };
  const get = (path, read, { slot, keep = true } = {}) => {
    const before = slots.get(slot);
    if (before?.path === path && keep) return before.answer;
    before?.control.abort();
    slots.delete(slot);
    const found = kept.get(path);
    if (found && keep) {
      kept.delete(path);
      kept.set(path, found);
      return Promise.resolve(found.value);
    }
    const control = new AbortController();
    const answer = inTurn(async () => {
      control.signal.throwIfAborted();
      const { value, size } = await read(await ask(path, { signal: control.signal }));
      return keep ? remember(path, value, size) : value;
    });
    if (slot) {
      slots.set(slot, { path, control, answer });
      const leave = () => { if (slots.get(slot)?.control === control) slots.delete(slot); };
      answer.then(leave, leave);
    }
    return answer;
  };
  const readJson = async (response) => { const text = await response.text(); return { value: JSON.parse(text), size: 2 * text.length }; };
  const readBinary = async (response) => {
    const buffer = await response.arrayBuffer();
    return { value: parseBinary(buffer), size: buffer.byteLength };
  };
  return {
    json: (path, options) => get(path, readJson, options),
    binary: (path, options) => get(path, readBinary, options),
    async post(path, body, headers = {}) {
      return (await ask(path, { method: "POST", body, headers })).json();
    },
    events(path, handlers) {
      const source = new EventSource(path);
      for (const [name, fn] of Object.entries(handlers)) source.addEventListener(name, (event) => fn(JSON.parse(event.data)));
      return () => source.close();
    },
  };
}
