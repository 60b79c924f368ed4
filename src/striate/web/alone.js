/* An exported page: the network computes in it, and nothing leaves it. Everything about the model stands in #model. */

import { card, classesOf, dropping, head } from "./answers.js";
import { GREY, useTables } from "./colour.js";
import { button, digits, fill, h, note, panel, perFrame } from "./dom.js";
import { compute } from "./graph.js";
import { createWithin } from "./within.js";

const SIDE = 280; // pixels of the drawing
const LARGEST = 1e-3, QUICK = 50; // of the answer's size, that may be off; milliseconds of an answer that comes while one draws
const painted = () => new Promise((go) => { requestAnimationFrame(() => setTimeout(go)); });

function bytes(base64) {
  const letters = atob(base64), out = new Uint8Array(letters.length);
  for (let i = 0; i < out.length; i++) out[i] = letters.charCodeAt(i);
  return out;
}

/* How much of each old pixel goes into each new one along a side: a triangle two pixels wide, new or old, whichever are larger. */
const shares = (from, to) => Array.from({ length: to }, (_, place) => {
  const reach = Math.max(from / to, 1), centre = (place + 0.5) * from / to;
  const first = Math.max(0, Math.floor(centre - reach + 0.5)), end = Math.min(from, Math.floor(centre + reach + 0.5));
  const weights = Array.from({ length: end - first }, (_, i) => Math.max(0, 1 - Math.abs(first + i + 0.5 - centre) / reach));
  const sum = weights.reduce((a, b) => a + b);
  return [first, weights.map((weight) => weight / sum)];
});

/* Bytes (outer, from, inner) as (outer, to, inner). */
function resampled(pixels, outer, from, inner, to) {
  const out = new Uint8Array(outer * to * inner);
  shares(from, to).forEach(([first, weights], place) => {
    for (let block = 0; block < outer; block++)
      for (let i = 0; i < inner; i++) {
        let sum = 0.5;
        weights.forEach((weight, k) => { sum += weight * pixels[(block * from + first + k) * inner + i]; });
        out[(block * to + place) * inner + i] = Math.floor(sum);
      }
  });
  return out;
}

/* What the network is given of a canvas: the channels and the size that it was trained on. */
function prepared(canvas, { channels, height, width }) {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const pixels = new Uint8Array(canvas.width * canvas.height * channels);
  for (let i = 0; i * channels < pixels.length; i++) {
    const colour = [data[4 * i], data[4 * i + 1], data[4 * i + 2]];
    if (channels === 3) pixels.set(colour, 3 * i);
    else pixels[i] = Math.round(GREY.reduce((sum, weight, k) => sum + weight * colour[k], 0));
  }
  const wide = resampled(pixels, canvas.height, canvas.width, channels, width);
  return Float32Array.from(resampled(wide, 1, canvas.height, width * channels, height));
}

/* The numbers that the network is given, as a picture of large pixels. */
function seenAs(pixels, { channels, height, width }) {
  const canvas = h("canvas", { class: "pixels", width, height, role: "img", "aria-label": "What the network sees" }), image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++)
    for (let k = 0; k < 4; k++) image.data[4 * i + k] = k === 3 ? 255 : pixels[i * channels + Math.min(k, channels - 1)];
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/* A picture file upright on a white canvas, its values as they are in the file. */
async function canvasOf(file) {
  const image = await createImageBitmap(file, { colorSpaceConversion: "none" });
  const canvas = h("canvas", { width: image.width, height: image.height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0);
  image.close();
  if (context.getImageData(0, 0, 1, 1).data[3] !== 255) throw new Error("it is too large for this browser"); // which then draws nothing
  return canvas;
}

/* The network's numbers as an answer: named as in a prediction. */
function told(values, { classes, ending, facts }) {
  const probabilities = Object.fromEntries(classes.map((name, k) => [name, values[k]]));
  if (ending === "numbers") {
    const half = (value, k) => facts.reach[k] * (facts.peaked[k] ? 1 + Math.abs((value - facts.centres[k]) / facts.scales[k]) : 1);
    const ends = (value, k) => [value - half(value, k), value + half(value, k)];
    const intervals = facts.reach.length ? Object.fromEntries(classes.map((name, k) => [name, ends(values[k], k)])) : null;
    return { said: classes.map((name, k) => (classes.length > 1 ? `${name} ` : "") + digits(values[k])).join(", "), confidence: null, probabilities, intervals };
  }
  if (ending === "sigmoid") {
    const said = classes.filter((_, k) => values[k] >= (facts.thresholds[k] ?? 0.5)).sort();
    if (said.every((name) => /^[+-]?\d{1,18}$/.test(name))) said.sort((one, other) => one - other);
    return { said: said.join("; ") || "nothing", confidence: null, probabilities };
  }
  const best = values.indexOf(Math.max(...values));
  return { said: classes[best], confidence: values[best], probabilities };
}

function ask(model, pixels) {
  const { height, width, channels } = model.shape;
  return compute(model.nodes, model.constants, { pictures: { dims: [1, height, width, channels], data: pixels } });
}

/* A place to draw on with a finger, pen or mouse, for networks that see grey; show(canvas) after every stroke, and while
   it is drawn where answers come quickly. */
function drawing({ shape, dark }, quick, show) {
  const { height, width } = shape, ground = dark ? "#000" : "#fff";
  const canvas = h("canvas", { class: "pad", width: SIDE, height: Math.round(SIDE * height / width), role: "img", "aria-label": "Draw here" });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const clear = () => { context.fillStyle = ground; context.fillRect(0, 0, canvas.width, canvas.height); };
  Object.assign(context, { lineWidth: SIDE / 10, lineCap: "round", lineJoin: "round", strokeStyle: dark ? "#fff" : "#000" });
  const at = ({ offsetX, offsetY }) => [offsetX * canvas.width / canvas.clientWidth, offsetY * canvas.height / canvas.clientHeight];
  const soon = perFrame(() => show(canvas));
  const draw = (event) => {
    if (!canvas.hasPointerCapture(event.pointerId)) return;
    context.lineTo(...at(event));
    context.stroke();
    if (quick) soon();
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    const [x, y] = at(event);
    context.beginPath();
    context.moveTo(x - 0.1, y); // so that a tap leaves a dot
    draw(event);
  });
  canvas.addEventListener("pointermove", draw);
  canvas.addEventListener("pointerup", soon);
  clear();
  return panel("Or draw", canvas, button("Clear", clear));
}

/* Whether this browser reads the pixels that were drawn, and computes what torch computed, for a picture of noise; and
   whether that is quickly done. */
function checked(model) {
  const pixels = Float32Array.from(bytes(model.check.picture)), read = prepared(seenAs(pixels, model.shape), model.shape);
  if (read.some((value, i) => value !== pixels[i]))
    return { said: note("This browser changes the pixels that pages read, to protect you. The answers here are not to be trusted.", "error"), quick: false };
  const begun = performance.now(), { data } = ask(model, pixels).get(model.gives);
  const most = Math.max(1, ...model.check.answer.map(Math.abs));
  const apart = Math.max(...model.check.answer.map((value, k) => Math.abs(value - data[k])));
  const said = apart <= LARGEST * most
    ? h("p", { class: "quiet" }, `The network computes on this device and sends nothing. Held against torch just now: within ${digits(apart, 1)}.`)
    : note(`This browser computes something else than torch: ${digits(apart)} apart. Its answers are not to be trusted.`, "error");
  return { said, quick: performance.now() - begun < QUICK };
}

async function start(app) {
  const model = JSON.parse(document.getElementById("model").textContent);
  for (const one of Object.values(model.constants)) if (typeof one.data === "string") one.data = new Float32Array(bytes(one.data).buffer);
  useTables(model.colours);
  const first = head(model), within = createWithin(model);
  let latest = null; // all values of the last answer, whose maps are shown
  const showMaps = () => {
    if (!latest) return;
    within.element.hidden = false;
    within.show(latest);
  };
  const answer = (name, canvas, image, most) => {
    const pixels = prepared(canvas, model.shape), values = ask(model, pixels);
    latest = values;
    return card(name, image ?? seenAs(pixels, model.shape), told([...values.get(model.gives).data], model), model, most);
  };
  const answerFile = async (file, most) => {
    let canvas = null;
    try { canvas = await canvasOf(file); } catch (error) {
      return panel(file.name, note(`This browser cannot read it as a picture (${error.message}). It takes PNG, JPEG, WebP and the like.`, "error"));
    }
    try {
      const src = URL.createObjectURL(file), image = h("img", { src, alt: file.name, on: { load: () => URL.revokeObjectURL(src) } });
      return answer(file.name, canvas, image, most);
    } catch (error) {
      return panel(file.name, note(`This browser could not compute it: ${error.message}`, "error"));
    } finally { canvas.width = canvas.height = 0; } // gives its memory back
  };
  const { zone, answers, gone } = dropping(async (files, add) => {
    for (const file of files) {
      await painted();
      add(await answerFile(file, classesOf(files.length)));
    }
    showMaps();
  });
  let sketch = null;
  const drawn = (canvas) => {
    const one = answer("Drawing, as the network sees it", canvas, null, classesOf(1));
    if (sketch?.isConnected) sketch.replaceWith(one); else answers.prepend(one);
    sketch = one;
    showMaps();
  };
  fill(app, first, note("The network is held against torch …"));
  await painted();
  const { said, quick } = checked(model), pad = model.shape.channels === 1 ? drawing(model, quick, drawn) : null;
  within.element.hidden = true;
  fill(app, first, h("div", { class: "given" }, zone, pad), answers, gone, within.element, said);
}

const app = document.getElementById("predict");
start(app).catch((error) => fill(app, note(String(error), "error")));
