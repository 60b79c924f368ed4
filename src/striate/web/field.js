/* The picture as the network gets it, with what the chosen pixel can see of it, and its numbers.

   createField({inks, onPick(shareY, shareX), onActual(on), onStored(on)}) -> field; field.element; inks: the colours of the lines of a series
   field.draw(input, frames)  input: {shape: [c, h, w], data, header: {display: {minimum: [c], maximum: [c]}, stored: the same two in values of the file}}; of a volume its
                              frames lie one below the other, and one of them is seen at a time
   field.show(box, actual, asStored)    the possible field (half-open [y0, y1, x0, x1]) and, if given, the actual one; whether numbers
                              are those of the file */

import { inputBytes, range, Scale } from "./colour.js";
import { button, check, digits, fill, h, letterOf, select, shapeText, worded } from "./dom.js";
import { numberGrid } from "./numbers.js";

const SIDE = 232, PATCH = 5, ROW = 40, THIN = 3, LANES = 12, MOST = 8;
const NAMES = { 1: ["grey"], 3: ["red", "green", "blue"] }; // of pictures; lines have none

/* Rows `from` to `to` of every channel. */
function rowsOf({ shape, data, header }, from, to) {
  const [height, width] = shape.slice(-2);
  const planes = Array.from({ length: data.length / (height * width) }, (_, at) => data.subarray((at * height + from) * width, (at * height + to) * width));
  const cut = new data.constructor(planes.length * (to - from) * width);
  planes.forEach((plane, at) => cut.set(plane, at * plane.length));
  return { shape: [...shape.slice(0, -2), to - from, width], data: cut, header };
}

/* Prepared numbers back to what a screen can show: a picture, or one grey row for each channel of a line. */
function rgba(input) {
  const { shape: [channels, height, width], data, header: { display: { minimum, maximum } } } = input;
  const flat = height === 1, size = flat ? channels * width : height * width;
  const image = new ImageData(width, size / width);
  const bytes = flat ? null : inputBytes(input, Int32Array.from({ length: size }, (_, i) => i));
  const level = (value, channel) => 255 * (value - minimum[channel]) / (maximum[channel] - minimum[channel] || 1);
  for (let i = 0; i < size; i++) {
    for (let part = 0; part < 3; part++) image.data[4 * i + part] = flat ? level(data[i], Math.floor(i / width)) : bytes[3 * i + part];
    image.data[4 * i + 3] = 255;
  }
  return image;
}

/* A series as one line per channel, each in a lane of its own, between the values that stand for black and white. */
function drawLines(canvas, { shape: [channels, , width], data, header }, inks) {
  const ratio = 2, high = channels * ROW * ratio;
  Object.assign(canvas, { width: SIDE * ratio, height: high });
  const pen = canvas.getContext("2d");
  pen.lineWidth = 1.5 * ratio;
  pen.lineJoin = "round";
  for (let channel = 0; channel < channels; channel++) {
    const low = header.display.minimum[channel], reach = header.display.maximum[channel] - low || 1;
    pen.strokeStyle = inks[channel % inks.length];
    pen.beginPath();
    for (let x = 0; x < width; x++) {
      const share = (data[channel * width + x] - low) / reach;
      pen.lineTo((x + 0.5) / width * canvas.width, (channel + 0.95 - 0.9 * share) * ROW * ratio);
    }
    pen.stroke();
  }
}

export function createField({ inks, onPick, onActual, onStored }) {
  const canvas = h("canvas", { role: "img" });
  const overlay = h("canvas", { class: "overlay", "aria-hidden": "true" });
  const frame = h("i", { class: "field-box" });
  const stage = h("div", { class: "field-stage" }, canvas, overlay, frame);
  const actual = check(worded("actual field, for this picture only"), false, onActual);
  const stored = check("values of the file", false, onStored);
  const text = h("p", { class: "quiet" });
  const slider = h("input", { type: "range", min: 1, step: 1, "aria-label": "Frame", on: { input: () => turnTo(slider.value - 1) } });
  const frameText = h("output", {});
  const frameRow = h("label", { class: "field", hidden: true }, frameText, slider);
  const about = h("p", { class: "quiet" });
  const grid = h("div", { class: "scroll" });
  const channelRow = h("div", { class: "segmented", role: "group", "aria-label": "Channel of the numbers" });
  const element = h("section", { class: "panel field-panel" },
    h("div", {}, h("h2", {}, worded("What the pixel sees")), about), stage, frameRow, text, actual.element,
    h("div", { class: "spread" }, h("h3", {}, "What the network gets"), channelRow), stored.element, grid);
  const names = () => high > 1 ? NAMES[input.shape[0]] : undefined;
  const asLines = () => high === 1 && input.shape[0] <= LANES;
  let input = null, box = null, channel = 0, frames = 1, high = 1, current = 0, touched = null, asStored = false; // high: rows of one frame

  stage.addEventListener("click", (event) => {
    const area = canvas.getBoundingClientRect();
    onPick((current + (event.clientY - area.top) / area.height) / frames, (event.clientX - area.left) / area.width);
  });

  /* The numbers in the middle of the field, at most 5 × 5 of them. */
  function numbers() {
    const width = input.shape[2];
    const middle = (from, to, all) => {
      const size = Math.min(PATCH, all);
      return [Math.max(0, Math.min(all - size, Math.round((from + to - size) / 2))), size];
    };
    const { sides: [y0, y1, x0, x1], isHere } = boxHere();
    const [top, rows] = middle(y0, y1, high), [left, columns] = middle(x0, x1, width);
    const ends = (of) => [input.header[of].minimum[channel], input.header[of].maximum[channel]];
    const [low, most] = ends("display"), [from, to] = ends(asStored ? "stored" : "display");
    const at = (y, x) => {
      const value = input.data[(channel * input.shape[1] + current * high + y) * width + x];
      return asStored ? Number((from + (value - low) / (most - low || 1) * (to - from)).toPrecision(6)) : value; // single precision has no more digits
    };
    const cut = Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (_, j) => at(top + i, left + j)));
    fill(grid, numberGrid(`${names()?.[channel] ?? `channel ${channel}${letterOf(channel)}`}, ${frames > 1 ? `frame ${current + 1}, ` : ""}${high === 1 ? "positions" : `rows ${top}–${top + rows - 1}, columns`} ${left}–${left + columns - 1}`, cut, { scale: Scale.greys(from, to), origin: [top, left], places: 3,
      within: isHere && y1 - y0 >= rows && x1 - x0 >= columns ? null : (i, j) => isHere && top + i >= y0 && top + i < y1 && left + j >= x0 && left + j < x1 }));
  }

  function channels() {
    const count = input.shape[0];
    channelRow.hidden = count === 1;
    if (count > MOST) {
      const all = Array.from({ length: count }, (_, index) => [index, `${index}${letterOf(index)}`]);
      return void fill(channelRow, select("Channel", all, channel, (index) => { channel = Number(index); numbers(); }).element);
    }
    fill(channelRow, Array.from({ length: count }, (_, index) =>
      button(names()?.[index]?.[0].toUpperCase() ?? String(index), () => { channel = index; channels(); numbers(); channelRow.children[index].focus(); },
        { "aria-pressed": String(index === channel), "aria-label": names()?.[index] ?? `channel ${index}` })));
  }

  /* The box on the frame that is seen, and from which frame to which it reaches. */
  function boxHere() {
    const [y0, y1, ...sides] = box;
    const first = Math.floor(y0 / high), last = Math.floor((y1 - 1) / high);
    return { first, last, isEmpty: last < first || sides[0] >= sides[1], isHere: first <= current && current <= last, sides: [y0 - first * high, y1 - last * high, ...sides] };
  }

  function drawActual(field) {
    overlay.hidden = !field;
    stage.classList.toggle("dimmed", Boolean(field));
    if (!field) return "";
    const width = field.shape.at(-1), { maximum } = range(field.data);
    const { data } = rowsOf(field, current * high, (current + 1) * high);
    const image = new ImageData(width, high);
    for (let i = 0; i < high * width; i++) image.data.set([255, 120, 0, maximum > 0 ? 235 * Math.sqrt(data[i] / maximum) : 0], 4 * i);
    Object.assign(overlay, { width, height: high });
    overlay.getContext("2d").putImageData(image, 0, 0);
    const count = field.data.reduce((sum, value) => sum + (value !== 0), 0);
    return maximum > 0 ? ` ${count} of ${field.data.length} positions change it; the strongest by ${digits(maximum)} per unit.` : " No position changes it here.";
  }

  function paint() {
    if (asLines()) return drawLines(canvas, input, inks);
    const image = rgba(frames > 1 ? rowsOf(input, current * high, (current + 1) * high) : input);
    Object.assign(canvas, { width: image.width, height: image.height });
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  /* Another frame of a volume: the picture, the box where it reaches there, and the numbers. */
  function turnTo(next) {
    current = next;
    slider.value = next + 1;
    frameText.textContent = `frame ${next + 1} of ${frames}`;
    paint();
    if (box) mark();
  }

  function mark() {
    const width = input.shape[2];
    const { first, last, isEmpty, isHere, sides: [y0, y1, x0, x1] } = boxHere();
    const percent = (part, whole) => `${100 * part / whole}%`;
    frame.hidden = isEmpty || !isHere;
    Object.assign(frame.style, { top: percent(y0, high), height: percent(y1 - y0, high), left: percent(x0, width), width: percent(x1 - x0, width) });
    const size = isEmpty ? "nothing, this is padding" : high === 1 ? `${x1 - x0} ${x1 - x0 === 1 ? "position" : "positions"}` : `${y1 - y0} × ${x1 - x0} pixels`;
    const where = frames === 1 || isEmpty ? "" : first === last ? ` in frame ${first + 1}` : ` in frames ${first + 1} to ${last + 1}`;
    text.textContent = `Possible field: ${size}${where}.${drawActual(touched)}`;
    numbers();
  }

  return {
    element,
    draw(given, depth) {
      const [count, all, width] = given.shape;
      [input, frames, high] = [given, depth, all / depth];
      box = touched = null;
      channel = Math.min(channel, count - 1);
      frameRow.hidden = frames === 1;
      slider.max = frames;
      turnTo(frames >> 1);
      canvas.classList.toggle("smooth", asLines());
      const zoom = SIDE / Math.max(width, high);
      const whole = high === 1 ? SIDE / width : zoom >= 1 ? Math.floor(zoom) : zoom;
      Object.assign(stage.style, { width: `${width * whole}px`, height: high === 1 ? `${(asLines() ? ROW : THIN) * count}px` : `${high * whole}px` });
      const shape = shapeText(frames > 1 ? [count, frames, high, width] : high === 1 ? [count, width] : input.shape);
      canvas.setAttribute("aria-label", worded(`The picture as the network gets it, ${shape}`));
      about.textContent = `Network input ${shape}`;
      channels();
    },
    show(possible, field, raw) {
      const isNew = possible.join() !== box?.join();
      box = possible;
      touched = field;
      asStored = raw;
      actual.set(Boolean(field));
      stored.set(raw);
      const { first, last, isEmpty } = boxHere();
      if (isNew && frames > 1 && !isEmpty) turnTo((first + last) >> 1); else mark();
    },
  };
}
