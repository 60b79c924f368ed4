/* Numbers become colours, and the legend comes from the same object as the pixels.

   useTables(model.colours)     once, at the start
   new Scale({low, high, signed})   signed: diverging and symmetric about 0 (low is ignored: it is -high);
                                otherwise sequential from low to high. Values beyond the ends get end-cap colours, NaN magenta.
   Scale.of({minimum, maximum}, signed)   the scale of a range; signed by default where any value is negative, else it starts at 0
   Scale.greys(low, high)       from black to white; Scale.grey(header, channel)  the same, as the header's display
                                {minimum: [...], maximum: [...]} says: for the input's own numbers
   scale.pixels(values, from, count, target, at)    writes colours (Uint32, ABGR) into a Uint32Array, and counts in
                                scale.beyond what lies beyond the ends
   scale.colour(value)          [r, g, b]; scale.css(value) "rgb(...)"; scale.ink(value) black or white text on it
   scale.legend(title)          a figure: ramp, ends, zero, and the end caps if anything lies beyond
   range(values, from, count)   {minimum, maximum} of finite values; robust(values, from, count) the 1st and 99th percentile
   inputBytes(input, from)      [r, g, b] of every flat pixel that `from` names (-1: none) of a prepared picture, as the picture itself
                                is drawn: grey, colours, or any other number of channels each in a hue; of a line the mean of its channels
   weightColours(data, size, reach)   looks like a Scale: filters of three channels, `size` weights each, as colours around middle grey */

import { digits, h } from "./dom.js";

export const GREY = [0.2989, 0.587, 0.114]; // Rec. 601 luma of red, green and blue, as the tutorials write it
const NOT_A_NUMBER = [255, 0, 255], ABOVE = [220, 20, 60], BELOW = [0, 225, 225];
const SAMPLE = 40000;
let tables = null;

export const useTables = (colours) => { tables = colours; };
const dark = () => matchMedia("(prefers-color-scheme: dark)").matches;

const packed = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;

export function range(values, from = 0, count = values.length) {
  let minimum = Infinity, maximum = -Infinity;
  for (let i = from; i < from + count; i++) {
    const value = values[i];
    if (value - value !== 0) continue;
    if (value < minimum) minimum = value;
    if (value > maximum) maximum = value;
  }
  return minimum > maximum ? { minimum: 0, maximum: 0 } : { minimum, maximum };
}

export function robust(values, from = 0, count = values.length) {
  const step = Math.max(1, Math.floor(count / SAMPLE));
  const some = [];
  for (let i = from; i < from + count; i += step) if (Number.isFinite(values[i])) some.push(values[i]);
  some.sort((a, b) => a - b);
  const at = (share) => some[Math.round(share * (some.length - 1))] ?? 0;
  return { minimum: at(0.01), maximum: at(0.99) };
}

/* As draw/pixels.py gives channels their hues. */
const hue = (turn) => Math.min(1, Math.max(0, Math.abs(6 * (turn % 1) - 3) - 1));
export function inputBytes({ shape: [channels, height, width], data, header: { display: { minimum, maximum } } }, from) {
  const even = channels === 1 || height === 1, size = height * width, bytes = new Uint8ClampedArray(3 * from.length);
  const inks = Array.from({ length: channels }, (_, c) => [0, 2, 1].map((third) => even ? 1 / channels : hue(c / channels + third / 3) / Math.max(1, channels / 4)));
  from.forEach((i, at) => {
    if (i < 0) return;
    let red = 0, green = 0, blue = 0;
    for (let c = 0; c < channels; c++) {
      const level = Math.min(255, Math.max(0, 255 * (data[c * size + i] - minimum[c]) / (maximum[c] - minimum[c] || 1)));
      red += level * inks[c][0]; green += level * inks[c][1]; blue += level * inks[c][2];
    }
    bytes[3 * at] = red; bytes[3 * at + 1] = green; bytes[3 * at + 2] = blue;
  });
  return bytes;
}

export const weightColours = (data, size, reach) => ({ pixels(_, from, count, target, at) {
  const level = (weight) => Math.min(255, Math.max(0, Math.round(127.5 + 127.5 * weight / (reach || 1))));
  for (let i = 0; i < count; i++) target[at + i] = packed([0, 1, 2].map((part) => level(data[3 * from + part * size + i])));
} });

export class Scale {
  constructor({ low = 0, high, signed = false }) {
    const name = signed ? (dark() && tables.diverging_dark ? "diverging_dark" : "diverging") : "sequential";
    this.signed = signed;
    this.high = high;
    this.low = signed ? -high : low;
    this.lut = Uint32Array.from(tables[name], packed);
    this.caps = [packed(BELOW), packed(ABOVE), packed(NOT_A_NUMBER)];
    this.beyond = [0, 0, 0];
  }

  static of({ minimum, maximum }, signed = minimum < 0) {
    return new Scale({ low: Math.min(0, minimum), high: signed ? Math.max(Math.abs(minimum), Math.abs(maximum)) : maximum, signed });
  }

  static greys(low, high) {
    const scale = new Scale({ low, high });
    scale.lut = Uint32Array.from({ length: 256 }, (_, level) => packed([level, level, level]));
    return scale;
  }

  static grey({ display }, channel = 0) {
    return Scale.greys(display.minimum[channel], display.maximum[channel]);
  }

  pixels(values, from, count, target, at, beyond = this.beyond) {
    const { low, high, lut, caps } = this;
    const last = lut.length - 1;
    const span = high - low;
    // A hair of room: the ends themselves, rounded to float16 on their way, are not "beyond".
    const room = 1e-3 * Math.max(Math.abs(low), Math.abs(high)) + 1e-30;
    const factor = span > 0 ? last / span : 0;
    const flat = this.signed ? last / 2 : 0;
    for (let i = 0; i < count; i++) {
      const value = values[from + i];
      if (value !== value) { target[at + i] = caps[2]; beyond[2]++; continue; }
      if (value > high + room) { target[at + i] = caps[1]; beyond[1]++; continue; }
      if (value < low - room) { target[at + i] = caps[0]; beyond[0]++; continue; }
      const index = factor ? Math.round((value - low) * factor) : Math.round(flat);
      target[at + i] = lut[index < 0 ? 0 : index > last ? last : index];
    }
  }

  colour(value) {
    const one = new Uint32Array(1);
    this.pixels([Number(value)], 0, 1, one, 0, []);
    return [one[0] & 255, (one[0] >> 8) & 255, (one[0] >> 16) & 255];
  }

  css(value) { return `rgb(${this.colour(value).join(" ")})`; }

  ink(value) {
    const [r, g, b] = this.colour(value).map((part) => (part / 255) ** 2.2);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? "#000" : "#fff";
  }

  legend(title = "") {
    const ramp = h("canvas", { width: 256, height: 1, class: "ramp", "aria-hidden": "true" });
    const pixels = new Uint32Array(256), { beyond } = this;
    this.pixels(Float32Array.from({ length: 256 }, (_, i) => this.low + (this.high - this.low) * i / 255), 0, 256, pixels, 0, []);
    ramp.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), 256, 1), 0, 0);
    const cap = (colour, text) => h("span", { class: "cap" }, h("i", { style: { background: `rgb(${colour.join(" ")})` } }), text);
    return h("figure", { class: "legend", data: { low: this.low, high: this.high } },
      title ? h("figcaption", {}, title) : null, ramp,
      h("div", { class: "ends" }, h("span", {}, digits(this.low)), this.signed ? h("span", {}, "0") : null, h("span", {}, digits(this.high))),
      beyond.some(Boolean) ? h("div", { class: "caps" },
        beyond[0] ? cap(BELOW, "below") : null, beyond[1] ? cap(ABOVE, "above") : null, beyond[2] ? cap(NOT_A_NUMBER, "not a number") : null) : null);
  }
}
