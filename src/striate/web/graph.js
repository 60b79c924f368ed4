/* The network of an exported page: a graph of ONNX's nodes, computed here, for one picture at a time.
 *
 * compute(nodes, constants, given) gives a Map of every value by its name. A value is {dims, data}, data row by row in a
 * Float32Array, or an array of whole numbers where it is about sizes and places. Sums are added up in float64.
 * sigmoid(x) and erf(x) are those of its layers.
 * resize([{dims: [1, maps, height, width], data}, , , {data: sizes}]) gives the maps at other sizes. */

const count = (dims) => dims.reduce((product, size) => product * size, 1);
const made = (dims) => ({ dims, data: new Float32Array(count(dims)) });
const one = (fn) => ([x], how) => ({ dims: x.dims, data: x.data.map((value) => fn(value, how)) });
export const sigmoid = (value) => 1 / (1 + Math.exp(-value));

/* How far apart neighbours along each axis lie. */
function strides(dims) {
  const steps = Array(dims.length).fill(1);
  for (let axis = dims.length - 2; axis >= 0; axis--) steps[axis] = steps[axis + 1] * dims[axis + 1];
  return steps;
}

/* visit(to, from) for every number of an array of `dims`; from: one place for each of `ways`, the steps of another array. */
function walk(dims, ways, visit) {
  const at = Array(dims.length).fill(0), from = ways.map(() => 0), total = count(dims);
  for (let to = 0; to < total; to++) {
    visit(to, from);
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const more = ++at[axis] < dims[axis];
      ways.forEach((steps, way) => { from[way] += more ? steps[axis] : -steps[axis] * (dims[axis] - 1); });
      if (more) break;
      at[axis] = 0;
    }
  }
}

/* Two arrays number by number, the smaller one repeated along the axes that it lacks. */
const both = (fn) => ([a, b]) => {
  if (a.dims.join() === b.dims.join()) return { dims: a.dims, data: a.data.map((value, i) => fn(value, b.data[i])) };
  const rank = Math.max(a.dims.length, b.dims.length);
  const full = [a, b].map(({ dims }) => [...Array(rank - dims.length).fill(1), ...dims]);
  const out = made(full[0].map((size, axis) => Math.max(size, full[1][axis])));
  const ways = full.map((dims) => strides(dims).map((step, axis) => (dims[axis] === 1 ? 0 : step)));
  walk(out.dims, ways, (to, [i, j]) => { out.data[to] = fn(a.data[i], b.data[j]); });
  return out;
};

function transpose([x], { perm }) {
  const out = made(perm.map((axis) => x.dims[axis])), steps = strides(x.dims);
  walk(out.dims, [perm.map((axis) => steps[axis])], (to, [from]) => { out.data[to] = x.data[from]; });
  return out;
}

/* Backwards along one axis, which is all that these graphs slice. */
function reversed([x, , , axes]) {
  const out = made(x.dims), steps = strides(x.dims), axis = axes.data[0];
  const last = steps[axis] * (x.dims[axis] - 1);
  walk(x.dims, [steps.map((step, which) => (which === axis ? -step : step))], (to, [from]) => { out.data[to] = x.data[from + last]; });
  return out;
}

function gather([x, places], { axis = 0 }) {
  const dims = x.dims.with(axis, places.data.length), inner = count(x.dims.slice(axis + 1));
  const data = Array.isArray(x.data) ? [] : new Float32Array(count(dims));
  for (let outer = 0, to = 0; outer < count(x.dims.slice(0, axis)); outer++)
    for (const place of places.data)
      for (let i = 0; i < inner; i++) data[to++] = x.data[(outer * x.dims[axis] + place) * inner + i];
  return { dims, data };
}

/* One after the other along the first axis that has more than one picture: the batch is one. */
function concat(inputs, { axis }) {
  const dims = inputs[0].dims.with(axis, inputs.reduce((sum, { dims }) => sum + dims[axis], 0));
  if (Array.isArray(inputs[0].data)) return { dims, data: inputs.flatMap(({ data }) => data) };
  const out = made(dims);
  inputs.reduce((first, { data }) => { out.data.set(data, first); return first + data.length; }, 0);
  return out;
}

function reshape([x, sizes]) {
  const dims = sizes.data.map((size, axis) => (size === 0 ? x.dims[axis] : size));
  const open = dims.indexOf(-1);
  if (open >= 0) dims[open] = count(x.dims) / -count(dims);
  return { dims, data: x.data };
}

const places = (size, kernel, stride, pads, dilation = 1, up = false) =>
  Math[up ? "ceil" : "floor"]((size + pads - dilation * (kernel - 1) - 1) / stride) + 1;

/* The part first ... end of the places along a side whose cell lies inside of the picture. */
function inside(places, size, stride, shift) {
  const first = Math.max(0, Math.ceil(-shift / stride));
  return [first, Math.max(first, Math.min(places, Math.floor((size - 1 - shift) / stride) + 1))];
}

function conv([x, weight, bias], { strides: [down, right], pads, dilations: [far, wide], group }) {
  const [, channels, height, width] = x.dims, [filters, each, rows, columns] = weight.dims;
  const tall = places(height, rows, down, pads[0] + pads[2], far), broad = places(width, columns, right, pads[1] + pads[3], wide);
  const out = made([1, filters, tall, broad]), sum = new Float64Array(tall * broad), own = filters / group;
  for (let filter = 0; filter < filters; filter++) {
    sum.fill(bias ? bias.data[filter] : 0);
    for (let channel = 0; channel < each; channel++) {
      const map = (Math.floor(filter / own) * (channels / group) + channel) * height * width;
      for (let row = 0; row < rows; row++) {
        const above = row * far - pads[0], [top, bottom] = inside(tall, height, down, above);
        for (let column = 0; column < columns; column++) {
          const factor = weight.data[((filter * each + channel) * rows + row) * columns + column];
          const before = column * wide - pads[1], [left, end] = inside(broad, width, right, before);
          for (let y = top; y < bottom; y++) {
            let from = map + (y * down + above) * width + left * right + before;
            for (let to = y * broad + left; to < y * broad + end; to++, from += right) sum[to] += factor * x.data[from];
          }
        }
      }
    }
    out.data.set(sum, filter * tall * broad);
  }
  return out;
}

/* What a window that slides over every map makes of the numbers in it. */
const pool = (begin, add, close) => ([x], { kernel_shape: [rows, columns], strides: [down, right], pads, ceil_mode: up, count_include_pad: counted }) => {
  const [, channels, height, width] = x.dims;
  const tall = places(height, rows, down, pads[0] + pads[2], 1, up), broad = places(width, columns, right, pads[1] + pads[3], 1, up);
  const out = made([1, channels, tall, broad]);
  for (let channel = 0, to = 0; channel < channels; channel++)
    for (let y = 0; y < tall; y++)
      for (let x0 = 0; x0 < broad; x0++) {
        const top = y * down - pads[0], left = x0 * right - pads[1];
        const [first, last, start, end] = [Math.max(top, 0), Math.min(top + rows, height), Math.max(left, 0), Math.min(left + columns, width)];
        let value = begin;
        for (let row = first; row < last; row++)
          for (let column = start; column < end; column++) value = add(value, x.data[(channel * height + row) * width + column]);
        const all = (Math.min(top + rows, height + pads[2]) - top) * (Math.min(left + columns, width + pads[3]) - left);
        out.data[to++] = close(value, counted ? all : (last - first) * (end - start));
      }
  return out;
};

function pad([x, amounts, value]) {
  const [, , top, left, , , bottom, right] = amounts.data, [, channels, height, width] = x.dims;
  const out = made([1, channels, height + top + bottom, width + left + right]);
  out.data.fill(value.data[0]);
  for (let row = 0; row < channels * height; row++) {
    const to = (Math.floor(row / height) * out.dims[2] + (row % height) + top) * out.dims[3] + left;
    out.data.set(x.data.subarray(row * width, (row + 1) * width), to);
  }
  return out;
}

function gemm([x, weight, bias]) {
  const [outputs, inputs] = weight.dims, out = made([1, outputs]);
  for (let output = 0; output < outputs; output++) {
    let sum = bias ? bias.data[output] : 0;
    for (let input = 0; input < inputs; input++) sum += x.data[input] * weight.data[output * inputs + input];
    out.data[output] = sum;
  }
  return out;
}

/* fn(maps of one channel, its number) for each, the second axis of x. */
function perChannel(x, fn) {
  const out = made(x.dims), size = count(x.dims.slice(2));
  for (let channel = 0; channel < x.dims[1]; channel++)
    out.data.set(fn(x.data.subarray(channel * size, (channel + 1) * size), channel), channel * size);
  return out;
}

const batchNorm = ([x, scale, shift, mean, variance], { epsilon }) => perChannel(x, (map, channel) => {
  const factor = scale.data[channel] / Math.sqrt(variance.data[channel] + epsilon);
  return map.map((value) => (value - mean.data[channel]) * factor + shift.data[channel]);
});

const instanceNorm = ([x, scale, shift], { epsilon }) => perChannel(x, (map, channel) => {
  const mean = map.reduce((sum, value) => sum + value, 0) / map.length;
  const variance = map.reduce((sum, value) => sum + (value - mean) ** 2, 0) / map.length;
  const factor = scale.data[channel] / Math.sqrt(variance + epsilon);
  return map.map((value) => (value - mean) * factor + shift.data[channel]);
});

/* The maps of every channel, reduced to one number each. */
const reduce = (fn) => ([x]) => {
  const out = made(x.dims.slice(0, 2)), size = count(x.dims.slice(2));
  for (let channel = 0; channel < out.data.length; channel++) out.data[channel] = fn(x.data.subarray(channel * size, (channel + 1) * size));
  return out;
};

const total = (inputs) => inputs.slice(1).reduce((sum, next) => both((a, b) => a + b)([sum, next]), inputs[0]);

/* Larger or smaller maps, each number between its nearest four; the centres of the outermost pixels are kept. */
export function resize([x, , , sizes]) {
  const [, channels, height, width] = x.dims, out = made(sizes.data), [, , tall, broad] = out.dims;
  const along = (from, to) => Array.from({ length: to }, (_, place) => {
    const at = Math.min(Math.max(to > 1 ? (place + 0.5) * from / to - 0.5 : 0, 0), from - 1), low = Math.floor(at);
    return [low, Math.min(low + 1, from - 1), at - low];
  });
  const rows = along(height, tall), columns = along(width, broad);
  for (let channel = 0, to = 0; channel < channels; channel++)
    for (const [up, down, low] of rows)
      for (const [left, right, near] of columns) {
        const at = (row, column) => x.data[(channel * height + row) * width + column];
        out.data[to++] = (1 - low) * ((1 - near) * at(up, left) + near * at(up, right)) + low * ((1 - near) * at(down, left) + near * at(down, right));
      }
  return out;
}

/* Over the channels, the second axis, at every place. */
function softmax([x]) {
  const out = made(x.dims), size = count(x.dims.slice(2)), channels = Array.from({ length: x.dims[1] }, (_, channel) => channel * size);
  for (let at = 0; at < size; at++) {
    const values = channels.map((first) => x.data[first + at]), most = values.reduce((a, b) => Math.max(a, b));
    const shares = values.map((value) => Math.exp(value - most)), sum = shares.reduce((a, b) => a + b);
    channels.forEach((first, channel) => { out.data[first + at] = shares[channel] / sum; });
  }
  return out;
}

/* The error function to 1.5e-7 (Abramowitz and Stegun 1964, 7.1.26). */
export function erf(value) {
  const t = 1 / (1 + 0.3275911 * Math.abs(value));
  const inner = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(value) * (1 - inner * Math.exp(-value * value));
}

const OPERATIONS = {
  Add: both((a, b) => a + b), Sub: both((a, b) => a - b), Mul: both((a, b) => a * b), Div: both((a, b) => a / b),
  Sum: total, Mean: (inputs) => one((value) => value / inputs.length)([total(inputs)]),
  Cast: ([x]) => x, Identity: ([x]) => x, Reshape: reshape, Transpose: transpose, Slice: reversed, Gather: gather, Concat: concat,
  Shape: ([x]) => ({ dims: [x.dims.length], data: [...x.dims] }),
  Clip: ([x, low, high]) => one((value) => Math.min(Math.max(value, low.data[0]), high.data[0]))([x]),
  Conv: conv, Gemm: gemm, Pad: pad, Resize: resize,
  MaxPool: pool(-Infinity, Math.max, (most) => most), AveragePool: pool(0, (sum, value) => sum + value, (sum, all) => sum / all),
  BatchNormalization: batchNorm, InstanceNormalization: instanceNorm,
  ReduceMax: reduce((map) => map.reduce((a, b) => Math.max(a, b))), ReduceMean: reduce((map) => map.reduce((a, b) => a + b, 0) / map.length),
  Relu: one((value) => Math.max(value, 0)), LeakyRelu: one((value, { alpha }) => (value < 0 ? alpha * value : value)),
  Elu: one((value, { alpha }) => (value < 0 ? alpha * Math.expm1(value) : value)),
  Sigmoid: one(sigmoid), Tanh: one(Math.tanh), Erf: one(erf), Softmax: softmax,
};

export function compute(nodes, constants, given) {
  const values = new Map([...Object.entries(constants), ...Object.entries(given)]);
  for (const { kind, inputs, name, attributes } of nodes) values.set(name, OPERATIONS[kind](inputs.map((input) => values.get(input)), attributes));
  return values;
}
