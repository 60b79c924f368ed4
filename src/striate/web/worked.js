/* The playground's sums in words and tables.

   A job is what was set and what follows from it: {kernel, stride, padding, dilation, divisor, relu, plane, sums, map, pooled}.

   sizeNote(job)         the output size, worked with the real numbers
   sumOf(job, y, x)      one place of the map in full
   poolPatch(job, y, x)  {row, column, values, largest} of the 2 × 2 patch with that place, or null if it fills none */

import { Scale } from "./colour.js";
import * as arithmetic from "./convolve.js";
import { digits, h, note, number } from "./dom.js";
import { numberGrid } from "./numbers.js";

const MOST_WRITTEN = 9; // products that are written out as a sum

/* ((W − F + 2P) / S) + 1 with the real numbers, for both sides. */
export function sizeNote({ plane, kernel, stride, padding, dilation }) {
  const settings = { stride, padding, dilation };
  const lines = [["width", plane.width, kernel[0].length], ["height", plane.height, kernel.length]];
  const remarks = lines.map(([side, width, cells]) => {
    const { size, rest, span } = arithmetic.along(width, cells, settings);
    if (!size) {
      return note(`The filter spans ${span} pixels and does not fit into the ${side} of ${width}. `
        + "Choose a smaller filter, less dilation, or other padding.", "error");
    }
    return rest ? h("p", { class: "quiet" }, `The ${side} does not divide evenly: rounded down, `
      + `${rest} of its pixels (with padding) ${rest === 1 ? "is" : "are"} left over at the end.`) : null;
  });
  return [
    h("p", { class: "mono" }, "((W − F + 2P) / S) + 1"),
    h("dl", { class: "play-sizes" }, lines.map(([side, width, cells]) =>
      [h("dt", {}, side), h("dd", { class: "mono" }, arithmetic.sizeFormula(width, cells, settings))])),
    dilation > 1 ? h("p", { class: "quiet" }, `With dilation ${dilation} the ${kernel.length} × ${kernel[0].length} cells span `
      + `${dilation * (kernel.length - 1) + 1} × ${dilation * (kernel[0].length - 1) + 1} pixels: that is F.`) : null,
    remarks,
  ];
}

/* The sum with all its products, where they are few enough to be read; weights of 0 are left out. */
function inFull(cells) {
  const told = cells.filter(({ weight }) => weight !== 0);
  if (!told.length || told.length > MOST_WRITTEN) return "Σ of the products";
  return told.map(({ pixel, weight }) => `${digits(pixel)}·${weight < 0 ? `(${digits(weight)})` : digits(weight)}`).join(" + ");
}

const sign = (glyph, words) => h("span", { class: "play-sign", role: "img", "aria-label": words }, glyph);

/* One place in full: pixels ⊙ weights = products, then their sum and what follows. */
export function sumOf(job, y, x) {
  const { cells, sum, top, left } = arithmetic.place(job.plane, job.kernel, job, y, x);
  const last = cells.at(-1).at(-1);
  const rows = (name) => cells.map((row) => row.map((cell) => cell[name]));
  const about = { origin: [top, left], step: [job.dilation, job.dilation], padding: rows("padded") };
  const reach = (name) => new Scale({ high: Math.max(...rows(name).flat().map(Math.abs)) || 1, signed: true });
  const at = y * job.map.width + x;
  const steps = [[inFull(cells.flat()), sum]];
  if (job.divisor !== 1) steps.push([`÷ ${digits(job.divisor)}`, job.sums.values[at]]);
  if (job.relu) steps.push([`max(0, ${digits(job.sums.values[at])})`, job.map.values[at]]);
  const patch = job.pooled ? poolPatch(job, y, x) : null;
  if (patch) steps.push([`largest of ${patch.values.map((v) => digits(v)).join(", ")}`, patch.largest]);
  return [
    h("p", { class: "quiet" }, `Map place: row ${y}, column ${x}. Under the filter: rows ${digits(top)} to ${last.row}, `
      + `columns ${digits(left)} to ${last.column} of the picture.`),
    h("div", { class: "play-work" }, h("div", { class: "play-sum" },
      numberGrid("pixels", rows("pixel"), { ...about, scale: Scale.greys(0, 255) }), sign("⊙", "times"),
      numberGrid("weights", rows("weight"), { scale: reach("weight") }), sign("=", "is"),
      numberGrid("products", rows("product"), { ...about, scale: reach("product") })),
    h("ol", { class: "play-steps" }, steps.map(([words, v], i) => h("li", {}, h("span", {}, words), " = ",
      number(v, i === steps.length - 1 ? { class: "number play-answer" } : undefined))))),
    job.pooled && !patch ? h("p", { class: "quiet" }, "This place fills no whole 2 × 2 patch: max pooling leaves it out.") : null,
  ];
}

export function poolPatch({ map, pooled }, y, x) {
  const [row, column] = [Math.floor(y / 2), Math.floor(x / 2)];
  if (row >= pooled.height || column >= pooled.width) return null;
  const values = [0, 1].flatMap((i) => [0, 1].map((j) => map.values[(2 * row + i) * map.width + 2 * column + j]));
  return { row, column, values, largest: Math.max(...values) };
}
