/* Small builders for the page's elements.

   h(tag, props, ...children)   an element; props: class, text, on {event: fn}, style {property: value}, data {}, else
                                attributes (null and false are left out, true becomes ""); children: nodes, text, arrays
   svg(tag, props, ...children) the same in the SVG name space; mark() the sign of the house
   fill(node, ...children)      replaces what is in a node
   button(label, onClick, props)                         a button of the page's look
   segmented(label, [[value, text, hint?]...], value, onChange)   one choice of a few -> {element, set(value)}
   select(label, [[value, text]...], value, onChange)    one choice of many, with a visible label -> {element, set, options}
   check(label, value, onChange)                         a tick box -> {element, set}
   panel(title, ...children)    a titled card; empty(title, text) an empty state; note(text, "error" | "info" | "good")
   digits(v), exact(v)          4 significant digits; every digit. Non-finite numbers come as "NaN", "Infinity"
   mapDigits(v, header)         digits of a number of maps; of those that were sent in half precision fewer, behind ≈
   percent(share)               with a decimal where a whole number would read 0, 100 or too coarse
   number(v, props, text)       <data> with text (default: digits(v)) shown and the exact value in its title and value
   signedBar(value, most)       a bar from the middle to the right (plus) or left (minus)
   shapeText([3, 8, 8])         "3 × 8 × 8"
   placeText(y, x, shape)       "row 3, column 4", of a block "frame 2, row 3, column 4", of a line "position 4";  inputShape(layers) of what a network is given
   worded(text)                 text with the word picture as that for what the run learned from; useNouns([one, several]) says which;
                                what has one axis has positions, no pixels
   letterOf(channel)            " “e”" for the channel of that letter in a text's input, "" elsewhere; useSymbols(letters) says which
   inWords(text, model)         a cell of a run's tables as the page says it: numbers by the names of their columns
   typesIn(event)               whether a key was meant for a control or a dialog, not for the page
   perFrame(fn)                 fn at most once per frame, with the latest arguments
   dropped(over, take)          files dropped anywhere on the page: over(whether some are held above it), then take(files) */

const SVG = "http://www.w3.org/2000/svg";

function set(node, props) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") node.textContent = value;
    else if (name === "on") for (const [event, fn] of Object.entries(value)) node.addEventListener(event, fn);
    else if (name === "style") Object.assign(node.style, value);
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "value" && "value" in node && node.tagName !== "DATA") node.value = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
}

function make(node, props, children) {
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  set(node, props);
  return node;
}

export const h = (tag, props, ...children) => make(document.createElement(tag), props, children);
export const svg = (tag, props, ...children) => make(document.createElementNS(SVG, tag), props, children);
export const mark = () => svg("svg", { class: "brand-mark", viewBox: "0 0 36 32", "aria-hidden": "true" },
  [0, 1, 2, 3].map((i) => svg("rect", { x: 5 + 7 * i, y: 5, width: 4, height: 22, rx: 2 })));

export function fill(node, ...children) {
  node.replaceChildren();
  return make(node, null, children);
}

export const button = (label, onClick, props) =>
  h("button", { type: "button", ...props, on: { click: onClick, ...props?.on } }, label);

export function segmented(label, options, value, onChange) {
  const buttons = options.map(([key, text, hint]) =>
    button(text, () => onChange(key), { data: { key }, title: hint, "aria-pressed": "false" }));
  const element = h("div", { class: "segmented", role: "group", "aria-label": label }, buttons);
  const control = {
    element,
    set(chosen) {
      for (const one of buttons) one.setAttribute("aria-pressed", String(one.dataset.key === String(chosen)));
    },
  };
  control.set(value);
  return control;
}

export function select(label, options, value, onChange) {
  const box = h("select", { on: { change: () => onChange(box.value) } });
  const control = {
    element: h("label", { class: "field" }, h("span", {}, label), box),
    set: (chosen) => { box.value = String(chosen ?? ""); },
    options(list) {
      fill(box, list.map(([key, text]) => h("option", { value: key }, text)));
    },
  };
  control.options(options);
  control.set(value);
  return control;
}

export function check(label, value, onChange) {
  const box = h("input", { type: "checkbox", on: { change: () => onChange(box.checked) } });
  box.checked = value;
  return { element: h("label", { class: "check" }, box, label), set: (on) => { box.checked = on; } };
}

export const panel = (title, ...children) => h("section", { class: "panel" }, title ? h("h2", {}, title) : null, children);
export const empty = (title, text) => h("div", { class: "empty" }, h("strong", {}, title), text ? h("p", {}, text) : null);
export const note = (text, kind = "info") => h("p", { class: `note ${kind}`, role: kind === "error" ? "alert" : null }, text);

const sign = (text) => text.replace("-", "−").replace("e-", "e−").replace("e+", "e");

export function digits(value, places = 4) {
  const number = Number(value);
  if (!Number.isFinite(number)) return Number.isNaN(number) ? "NaN" : number > 0 ? "∞" : "−∞";
  const short = String(number);
  if (short.replace(/[-.]/g, "").replace(/^0+/, "").length <= places && !short.includes("e")) return sign(short);
  const size = Math.abs(number);
  if (size < 1e-3 || size >= 1e6) return sign(number.toExponential(places - 1));
  const rounded = number.toPrecision(places);
  return sign(rounded.includes("e") ? String(Number(rounded)) : rounded);
}

export const mapDigits = (value, { dtype }) => dtype === "float16" ? `≈ ${digits(value, 3)}` : digits(value);
export const percent = (share) => `${(100 * share).toFixed(share >= 0.995 || share < 0.0995 ? 1 : 0)} %`;
export const exact = (value) => String(Number(value));
export const number = (value, props, text = digits(value)) =>
  h("data", { class: "number", value: exact(value), title: exact(value), ...props }, text);

/* A bar to the right for what adds, to the left for what takes away. */
export function signedBar(value, most) {
  const share = most > 0 ? Math.min(50, 50 * Math.abs(value) / most) : 0;
  return h("span", { class: "signed-bar", "aria-hidden": "true" },
    h("i", { class: value < 0 ? "minus" : "plus", style: { width: `${share}%`, [value < 0 ? "right" : "left"]: "50%" } }));
}

let symbols = "";
export const useSymbols = (given) => { symbols = given ?? ""; };
export const letterOf = (channel) => symbols && (channel < symbols.length ? ` “${symbols[channel]}”` : " (other letters)");

const LINES = ["series", "text"];
let nouns = ["picture", "pictures"];
export const useNouns = (given) => { nouns = given; };
export const worded = (text) => text.replace(/(?<![/\\])\b(picture|Picture|PICTURE)([sS]?)\b(?![/\\])/g, (_, word, many) => {
  const noun = nouns[many ? 1 : 0];
  if (word === "PICTURE") return noun.toUpperCase();
  return word === "Picture" ? noun[0].toUpperCase() + noun.slice(1) : noun;
}).replace(/\b([Pp])ixel/g, (pixel, first) => !LINES.includes(nouns[0]) ? pixel : first === "P" ? "Position" : "position");
export const inWords = (text, { classes, shares }) => {
  const cells = (text ?? "").split("; ");
  if (shares || cells.length !== classes.length || cells.includes("")) return text || "nothing";
  return cells.map((cell, i) => `${cells.length > 1 ? `${classes[i]} ` : ""}${digits(cell)}`).join(", ");
};

export const shapeText = (shape) => shape.join(" × ");
/* A place on a flat map in words; a line has positions, the frames of a block [c, d, h, w] lie one under the other, and are counted from 1. */
export const placeText = (y, x, shape) => shape.length === 4 ? `frame ${Math.floor(y / shape[2]) + 1}, row ${y % shape[2]}, column ${x}` : shape.length === 2 ? `position ${x}` : `row ${y}, column ${x}`;
/* The rows of one frame of such a block; undefined for any other shape. */
export const frameRows = (shape) => shape.length === 4 ? shape[2] : undefined;
/* The shape of what a network is given. */
export const inputShape = (layers) => layers.find(({ inputs }) => inputs.includes(-1)).input_shape;

export const typesIn = ({ target }) => target.matches("select, textarea, input:not([type=range], [type=checkbox])") || Boolean(document.querySelector("dialog[open]"));

export function perFrame(fn) {
  let waiting = null;
  return (...given) => {
    if (waiting === null) requestAnimationFrame(() => { const latest = waiting; waiting = null; fn(...latest); });
    waiting = given;
  };
}

export function dropped(over, take) {
  const carries = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragover", (event) => { if (carries(event)) { event.preventDefault(); over(true); } });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) over(false); });
  addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    over(false);
    if (event.dataTransfer.files.length) take([...event.dataTransfer.files]);
  });
}
