/* The arithmetic of the playground: one filter sliding over one plane of numbers.
 *
 * Pure functions in float64, with the same words and results as `striate.filters` in Python, so that one
 * can be tested against the other. A plane is {width, height, values}, values a Float64Array, row by row.
 * The filter is an array of rows and is laid on the picture as it is written (not turned round).
 */

import { GREY } from "./colour.js";

/** The grey plane of RGBA bytes (as a canvas gives them), 0 to 255; or one channel (0, 1, 2) of them. */
export function planeOf(rgba, width, height, channel = "grey") {
  const values = new Float64Array(width * height);
  for (let i = 0; i < values.length; i++) {
    const [red, green, blue] = [rgba[4 * i], rgba[4 * i + 1], rgba[4 * i + 2]];
    if (channel !== "grey") values[i] = rgba[4 * i + Number(channel)];
    else if (red === green && green === blue) values[i] = red; // the weights sum to 0.9999: grey stays as it is
    else values[i] = GREY[0] * red + GREY[1] * green + GREY[2] * blue;
  }
  return { width, height, values };
}

/** Pixels added before and after one side. padding: "valid", "same", "reflect" or a whole number. */
function margins(width, span, padding, stride) {
  if (padding === "valid") return [0, 0];
  if (padding !== "same" && padding !== "reflect") return [Number(padding), Number(padding)];
  const total = Math.max((Math.ceil(width / stride) - 1) * stride + span - width, 0);
  return [Math.floor(total / 2), total - Math.floor(total / 2)];
}

/** Along one side: {size, span, before, after, rest}; size is 0 where the filter does not fit.
 *
 * size = (W − F + 2P) / S + 1, rounded down; with dilation D the filter spans F = D·(cells − 1) + 1 pixels.
 * rest: the pixels at the end that no place of the filter reaches, because the division does not come out even.
 */
export function along(width, cells, { padding = "valid", stride = 1, dilation = 1 } = {}) {
  const span = dilation * (cells - 1) + 1;
  const [before, after] = margins(width, span, padding, stride);
  const room = width - span + before + after;
  // A mirror shows each pixel once and not the edge itself: it cannot be wider than the picture less one.
  const fits = room >= 0 && !(padding === "reflect" && Math.max(before, after) >= width);
  return { size: fits ? Math.floor(room / stride) + 1 : 0, span, before, after, rest: fits ? room % stride : 0 };
}

/** The output size worked in numbers: "((8 − 3 + 2·0) / 1) + 1 = 6"; ⌊ ⌋ where it is rounded down. */
export function sizeFormula(width, cells, settings) {
  const { size, span, before, after, rest } = along(width, cells, settings);
  const added = before === after ? `2·${before}` : `(${before} + ${after})`;
  const [left, right] = rest ? ["⌊", "⌋"] : ["(", ")"];
  return `${left}(${width} − ${span} + ${added}) / ${settings.stride}${right} + 1 = ${size}`;
}

/** The pixel index under a filter cell, or -1 in zero padding. */
function source(index, width, mirrored) {
  if (index >= 0 && index < width) return index;
  if (!mirrored) return -1;
  return index < 0 ? -index : 2 * (width - 1) - index;
}

/** The feature map (a plane) of `kernel` on `plane`; an empty plane where the filter does not fit.
 *
 * divisor: every sum is divided by it (1 leaves the weighted sum itself).
 */
export function convolve(plane, kernel, settings, divisor = 1) {
  const { stride, dilation } = settings;
  const mirrored = settings.padding === "reflect";
  const down = along(plane.height, kernel.length, settings);
  const across = along(plane.width, kernel[0].length, settings);
  const [height, width] = down.size && across.size ? [down.size, across.size] : [0, 0];
  const values = new Float64Array(width * height);
  const pixels = plane.values;
  kernel.forEach((weights, row) => weights.forEach((weight, column) => {
    if (weight === 0) return; // adds nothing
    const columns = Int32Array.from({ length: width }, (_, x) =>
      source(x * stride + column * dilation - across.before, plane.width, mirrored));
    const first = columns.findIndex((at) => at >= 0);
    const end = columns.findLastIndex((at) => at >= 0) + 1; // zeros of the padding are passed over
    for (let y = 0; y < height && first >= 0; y++) {
      const from = source(y * stride + row * dilation - down.before, plane.height, mirrored) * plane.width;
      const line = y * width;
      if (from >= 0) for (let x = first; x < end; x++) values[line + x] += pixels[from + columns[x]] * weight;
    }
  }));
  if (divisor !== 1) for (let i = 0; i < values.length; i++) values[i] /= divisor;
  return { width, height, values };
}

/** What happens at one place (y, x) of the map: {cells, sum, top, left}, cells as rows like the kernel's.
 *
 * Each cell is {row, column, pixel, weight, product, padded}; row and column are places on the picture
 * (outside it where padded). sum: the weighted sum before any divisor. top, left: the first cell's place.
 */
export function place(plane, kernel, settings, y, x) {
  const { stride, dilation } = settings;
  const mirrored = settings.padding === "reflect";
  const top = y * stride - along(plane.height, kernel.length, settings).before;
  const left = x * stride - along(plane.width, kernel[0].length, settings).before;
  let sum = 0;
  const cells = kernel.map((weights, i) => weights.map((weight, j) => {
    const [row, column] = [top + i * dilation, left + j * dilation];
    const [fromRow, fromColumn] = [source(row, plane.height, mirrored), source(column, plane.width, mirrored)];
    const inside = fromRow >= 0 && fromColumn >= 0;
    const pixel = inside ? plane.values[fromRow * plane.width + fromColumn] : 0;
    const product = weight === 0 ? 0 : pixel * weight;
    sum += product;
    return { row, column, pixel, weight, product, padded: row !== fromRow || column !== fromColumn };
  }));
  return { cells, sum, top, left };
}

/** max(0, value) everywhere. */
export function relu(plane) {
  return { ...plane, values: plane.values.map((value) => Math.max(0, value)) };
}

/** The largest value of every 2×2 patch, stride 2; a last row or column that fills no patch is left out. */
export function maxPool(plane) {
  const [width, height] = [Math.floor(plane.width / 2), Math.floor(plane.height / 2)];
  const values = new Float64Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const start = 2 * y * plane.width + 2 * x;
      const below = start + plane.width;
      values[y * width + x] = Math.max(
        plane.values[start], plane.values[start + 1], plane.values[below], plane.values[below + 1]);
    }
  }
  return { width, height, values };
}
