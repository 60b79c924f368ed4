/* A grid of numbers as a real table: one tab stop, arrows move, every cell knows its exact value.

   numberGrid(caption, rows, {scale, padding, chosen, within, origin, step, place, gaps, frames, places}) -> <figure>
     scale    a Scale for the cells' ground (default: from the numbers themselves)
     padding  rows of booleans: these cells lie outside the map and are hatched
     chosen   [row, column] outlined; within(i, j) whether a cell is framed; places  digits shown (4, in wide grids 3)
     origin, step  position of the first cell and the distance to the next, for the reader; of a volume with its frame first,
                   in place, gaps, and frames says how many lie one under the other
   scaleOf(rows, signed)   a Scale that holds all the numbers; weights and products have a sign even if none is negative
   inPlane(explanation or term)   numbers of any number of axes as rows: a vector's 1 × 1, a line's 1 × n, a block's slices one
                   under the other; origin, step and chosen likewise as [row, column]
 */

import { paintMap } from "./atlas.js";
import { range, Scale } from "./colour.js";
import { digits, exact, h } from "./dom.js";

const LARGEST = 12; // a longer side is drawn as a picture instead
const PICTURE = 168, WIDE = 5;

export function scaleOf(rows, signed = false) {
  const found = range(Float64Array.from(rows.flat().map(Number)));
  return Scale.of(found, signed || found.minimum < 0);
}

function drawn(caption, rows, scale) {
  const height = rows.length, width = rows[0].length;
  const canvas = paintMap(h("canvas", { role: "img", "aria-label": `${caption}, ${height} × ${width} numbers` }),
    Float64Array.from(rows.flat().map(Number)), width, height, scale, Math.max(1, Math.floor(PICTURE / Math.max(height, width))));
  return h("figure", { class: "numbers" }, h("figcaption", {}, caption), canvas);
}

export function numberGrid(caption, rows, { scale = scaleOf(rows), padding, chosen, within, origin, step = [1, 1], place, gaps, frames = 1, places = rows[0].length > WIDE ? 3 : 4 } = {}) {
  if (Math.max(rows.length, rows[0].length) > LARGEST) return drawn(caption, rows, scale);
  const high = rows.length / frames;
  const where = (i, j) => !origin ? `row ${i}, column ${j}` : (place ? `frame ${place[0] + Math.floor(i / high) * gaps[0] + 1}, ` : "")
    + `row ${(place?.[1] ?? origin[0]) + i % high * step[0]}, column ${origin[1] + j * step[1]}`;
  const cells = rows.map((row, i) => row.map((value, j) => {
    const outside = padding?.[i]?.[j];
    const best = chosen && chosen[0] === i && chosen[1] === j;
    return h("td", {
      class: [outside ? "padding" : "", best ? "chosen" : "", within?.(i, j) ? "within" : ""].join(" ").trim() || null,
      style: outside ? null : { background: scale.css(value), color: scale.ink(value) },
      title: `${where(i, j)}: ${exact(value)}${outside ? " (padding)" : ""}`, data: { exact: exact(value), row: i, column: j },
      tabindex: i || j ? -1 : 0,
    }, digits(value, places), outside ? h("span", { class: "unseen" }, " padding") : null, best ? h("span", { class: "unseen" }, " largest") : null);
  }));
  const table = h("table", { class: "grid-table", on: { keydown(event) { move(event, cells); } } },
    h("caption", {}, caption), h("tbody", {}, cells.map((row, i) => h("tr", { class: i && i % high === 0 ? "frame" : null }, row))));
  return h("figure", { class: "numbers" }, table);
}

function move(event, cells) {
  const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  const cell = event.target.closest("td");
  if (!step || !cell) return;
  const next = cells[Number(cell.dataset.row) + step[0]]?.[Number(cell.dataset.column) + step[1]];
  event.preventDefault();
  if (!next) return;
  cell.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

const asRows = (part) => !Array.isArray(part) ? [[part]] : !Array.isArray(part[0]) ? [part] : !Array.isArray(part[0][0]) ? part : part.flatMap(asRows);
const lastTwo = (place, missing) => [missing, missing, ...place].slice(-2);

export function inPlane(given) {
  if (given.terms) {
    const [slice, row, column] = [0, 0, 0, ...given.chosen ?? []].slice(-3);
    return { ...given, chosen: given.chosen && [slice * (given.terms[0].patch?.[0].length ?? 0) + row, column], terms: given.terms.map(inPlane) };
  }
  const rows = (part) => part && asRows(part);
  return { ...given, patch: rows(given.patch), kernel: rows(given.kernel), padding: rows(given.padding), origin: lastTwo(given.origin, 0), step: lastTwo(given.step, 1) };
}
