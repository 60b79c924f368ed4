/* How a number of an exported page's network came about, in the form in which the server tells it (inside/trace.py).

   layersOf(model, values)                         what `striate open` knows of every layer, in the order of execution
   explained(model, values, layers, index, channel, y, x)   {chain, lineage, picture_box}: the number, what norms, activations and
                                                   the next pool make of it, and what it sees of every layer before it */

import { digits } from "./dom.js";
import { erf, sigmoid } from "./graph.js";

const TOLERANCE = 1e-5; // of the sizes of all products, summed: float32 rounding of that very sum

const say = (value) => digits(Number(value.toPrecision(4))); // as inside/written.py has it, without zeros at the end
const pictureOf = ({ nodes }) => nodes.find(({ kind }) => kind === "Transpose").name; // the end of the preparation
const sides = ({ dims }) => [1, 1, ...dims.slice(2)].slice(-2); // a vector's are 1 × 1
const total = (rows) => rows.flat().reduce((sum, value) => sum + value, 0);

export function layersOf(model, values) {
  const nodes = new Map(model.nodes.map((node) => [node.name, node])), picture = pictureOf(model);
  const index = new Map([[picture, -1], ...model.layers.map(([node], place) => [node, place])]);
  const sources = (name) => [...new Set(nodes.get(name).inputs.flatMap((input) => index.has(input) ? index.get(input) : nodes.has(input) ? sources(input) : []))];
  return model.layers.map(([name, title, module]) => {
    const inputs = sources(name), shape = (value) => values.get(value).dims.slice(1);
    return { node: nodes.get(name), name: title, module, kind: nodes.get(name).kind === "Conv" ? "conv" : title.split(/[._]/).pop().replace(/\d+$/, ""), inputs,
      input_shape: shape(inputs[0] < 0 ? picture : model.layers[inputs[0]][0]), output_shape: shape(name) };
  });
}

/* The numbers of one map under a window, at most `all` of it; what lies outside of the map is padding and counts as 0. */
function under(map, channel, [top, left], [rows, columns], [down, right] = [1, 1]) {
  const [height, width] = sides(map);
  const at = (y, x) => (y >= 0 && x >= 0 && y < height && x < width ? map.data[(channel * height + y) * width + x] : null);
  const cells = Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (_, j) => at(top + i * down, left + j * right)));
  const padding = cells.map((row) => row.map((value) => value === null));
  return { patch: cells.map((row) => row.map((value) => value ?? 0)), padding, origin: [top, left], step: [down, right] };
}

function term(source, channel, read, kernel) {
  const value = total(kernel ? kernel.map((row, i) => row.map((weight, j) => weight * read.patch[i][j])) : read.patch);
  return { label: `input channel ${channel}`, source, channel, value, kernel, ...read };
}

function summed(terms, bias, divisor) {
  const sum = terms.reduce((all, { value }) => all + value, 0), value = divisor ? sum / divisor : sum + (bias ?? 0);
  const size = ({ patch, kernel }) => total(patch.map((row, i) => row.map((number, j) => Math.abs(number * (kernel?.[i][j] ?? 1)))));
  const text = `${say(sum)} (${terms[0].kernel ? "patch × kernel" : "patch"}, summed over ${terms.length} input channel${terms.length > 1 ? "s" : ""})`;
  const formula = `${text}${bias === undefined ? "" : ` + ${say(bias)} (bias)`}${divisor ? ` / ${divisor}` : ""} = ${say(value)}`;
  const scale = (terms.reduce((all, one) => all + size(one), 0) + Math.abs(bias ?? 0)) / (divisor ?? 1);
  return { rule: divisor ? "mean" : "sum", terms, addends: bias === undefined ? [] : [{ label: "bias", value: bias }], value, formula, scale, divisor };
}

/* The window of a convolution or a pool over a place: where it begins, how many cells it has, and how far they lie apart. */
function windowAt({ attributes: { kernel_shape: cells, strides, pads, dilations = [1, 1] } }, y, x) {
  return [[y * strides[0] - pads[0], x * strides[1] - pads[1]], cells, dilations];
}

function conv({ node, values, from, read }, channel, y, x) {
  const [, weight, bias] = node.inputs.map((input) => values.get(input)), [filters, each, rows, columns] = weight.dims;
  const first = Math.floor(channel / (filters / node.attributes.group)) * each;
  const row = (k, i) => Array.from(weight.data.subarray(((channel * each + k) * rows + i) * columns).subarray(0, columns));
  const terms = Array.from({ length: each }, (_, k) =>
    term(from[0], first + k, under(read(from[0]), first + k, ...windowAt(node, y, x)), Array.from({ length: rows }, (_, i) => row(k, i))));
  return summed(terms, bias?.data[channel]);
}

/* A dense layer, its weights folded back to the maps that were flattened before it. */
function dense({ node, values, from: [last], read, layers }, channel) {
  const [, weight, bias] = node.inputs.map((input) => values.get(input));
  const from = layers[last]?.module === "Flatten" ? layers[last].inputs[0] : last, maps = read(from);
  const [, channels] = maps.dims, [height, width] = sides(maps), row = weight.data.subarray(channel * weight.dims[1]);
  const kernel = (k) => Array.from({ length: height }, (_, y) => Array.from({ length: width }, (_, x) => row[(y * width + x) * channels + k]));
  return summed(Array.from({ length: channels }, (_, k) => term(from, k, under(maps, k, [0, 0], [height, width]), kernel(k))), bias?.data[channel]);
}

function largest({ from: [source] }, channel, read) {
  const numbers = read.patch.flatMap((row, i) => row.map((value, j) => ({ value, at: [i, j] })).filter((_, j) => !read.padding[i][j]));
  const best = numbers.reduce((most, one) => (one.value > most.value ? one : most));
  const ties = numbers.filter(({ value }) => value === best.value).length - 1;
  const formula = `the largest of ${numbers.length} numbers is ${say(best.value)}${ties ? `; ${ties + 1} of them share it` : ""}`;
  const terms = [{ ...term(source, channel, read), value: best.value }];
  return { rule: "maximum", terms, addends: [], value: best.value, formula, scale: Math.abs(best.value), chosen: best.at, ties };
}

function mean({ node, from: [source], read }, channel, y, x) {
  const window = windowAt(node, y, x), [[top, left], [rows, columns]] = window, { pads, count_include_pad: counted } = node.attributes;
  const seen = under(read(source), channel, ...window), [height, width] = sides(read(source));
  const all = (Math.min(top + rows, height + pads[2]) - top) * (Math.min(left + columns, width + pads[3]) - left);
  return summed([term(source, channel, seen)], undefined, counted ? all : seen.padding.flat().filter((outside) => !outside).length);
}

const here = ({ from: [source], read }, channel, y, x) => term(source, channel, under(read(source), channel, [y, x], [1, 1]));
const full = ({ from: [source], read }, channel) => under(read(source), channel, [0, 0], sides(read(source)));

function batchNorm(job, channel, y, x) {
  const { node, values } = job, [scale, shift, centre, variance] = node.inputs.slice(1).map((input) => values.get(input).data[channel]);
  const one = here(job, channel, y, x), { epsilon } = node.attributes, factor = scale / Math.sqrt(variance + epsilon);
  const value = (one.value - centre) * factor + shift, [a, m, v, g, b] = [one.value, centre, variance, scale, shift].map(say);
  const formula = `(${a} − ${m}) / √(${v} + ${epsilon}) · ${g} + ${b} = ${say(value)} (mean ${m}, variance ${v}, gamma ${g}, beta ${b})`;
  return { rule: "affine", terms: [one], addends: [], value, formula, scale: (Math.abs(one.value) + Math.abs(centre)) * Math.abs(factor) + Math.abs(shift) };
}

/* An activation: its formula with the number put in. */
const activation = (told, fn) => (job, ...at) => {
  const one = here(job, ...at), { alpha } = job.node.attributes, value = fn(one.value, alpha);
  const formula = `${told.replaceAll("{x}", `(${say(one.value)})`).replace("{alpha}", () => say(alpha))} = ${say(value)}`;
  return { rule: "function", terms: [one], addends: [], value, formula, scale: Math.max(1, Math.abs(value)) };
};

function scaled({ node, values, ...job }, channel, y, x) {
  const one = here(job, channel, y, x), factor = values.get(node.inputs[1]).data[0], value = one.value * factor;
  return { rule: "sum", terms: [{ ...one, value, kernel: [[factor]] }], addends: [], value, formula: `${say(one.value)} × ${say(factor)} = ${say(value)}`, scale: Math.abs(value) };
}

const added = (job, ...at) => summed(job.from.map((source) => here({ ...job, from: [source] }, ...at)));

function padded({ node, values, from: [source], read }, channel, y, x) {
  const [, amounts, filling] = node.inputs.map((input) => values.get(input).data);
  const one = term(source, channel, under(read(source), channel, [y - amounts[2], x - amounts[3]], [1, 1])), outside = one.padding[0][0];
  const value = outside ? filling[0] : one.value;
  return { rule: "copy", terms: outside ? [] : [one], addends: [], value, formula: outside ? `padding, ${say(value)}` : `a copy of ${say(value)}`, scale: Math.abs(value) };
}

function flattened({ from: [source], read }, unit) {
  const maps = read(source), [, channels] = maps.dims, [, width] = sides(maps), place = Math.floor(unit / channels);
  const one = term(source, unit % channels, under(maps, unit % channels, [Math.floor(place / width), place % width], [1, 1]));
  return { rule: "copy", terms: [one], addends: [], value: one.value, formula: `a copy of ${say(one.value)}`, scale: 0 };
}

const ALONG = {
  BatchNorm1d: batchNorm, BatchNorm2d: batchNorm,
  ReLU: activation("max(0, {x})", (x) => Math.max(0, x)),
  LeakyReLU: activation("{x} if above 0, else {alpha} · {x}", (x, alpha) => (x > 0 ? x : alpha * x)),
  ELU: activation("{x} if above 0, else {alpha} · (exp({x}) − 1)", (x, alpha) => (x > 0 ? x : alpha * Math.expm1(x))),
  GELU: activation("{x} · Φ({x}), Φ the normal distribution", (x) => x * (1 + erf(x / Math.SQRT2)) / 2),
  SiLU: activation("{x} / (1 + exp(−{x}))", (x) => x * sigmoid(x)),
  Sigmoid: activation("1 / (1 + exp(−{x}))", sigmoid),
  Tanh: activation("tanh{x}", Math.tanh),
};
const POOLS = {
  MaxPool2d: (job, channel, y, x) => largest(job, channel, under(job.read(job.from[0]), channel, ...windowAt(job.node, y, x))),
  AvgPool2d: mean,
  GlobalMaxPool: (job, channel) => largest(job, channel, full(job, channel)),
  GlobalAvgPool: (job, channel) => { const read = full(job, channel); return summed([term(job.from[0], channel, read)], undefined, read.patch.flat().length); },
};
const RULES = { ...ALONG, ...POOLS, Conv2d: conv, Whiten2d: conv, Linear: dense, SamePad: padded, Flatten: flattened, Residual: added, Scale: scaled }; // by the class of the layer

/* One number of a layer: what was added, compared or copied to give it. */
function explain(model, values, layers, index, channel, y, x) {
  const { node, name, kind, module, inputs: from } = layers[index], map = values.get(node.name), [height, width] = sides(map);
  const stored = map.data[(channel * height + y) * width + x];
  const told = { layer: index, name, kind, at: map.dims.length > 2 ? [channel, y, x] : [channel], stored };
  const read = (source) => values.get(source < 0 ? pictureOf(model) : layers[source].node.name);
  if (!RULES[module]) return { ...told, rule: "none", terms: [], addends: [], available: false, reason: `This page has no arithmetic of ${kind}; striate open has.` };
  const { scale, formula, ...made } = RULES[module]({ node, values, from, read, layers }, channel, y, x);
  const difference = made.value === stored ? 0 : made.value - stored; // both may be infinite
  return { ...told, ...made, formula: `${formula} (shown rounded)`, difference, available: true, agrees: Math.abs(difference) <= TOLERANCE * scale };
}

/* The one norm, activation or pool that reads a number, and where; null after a pool. */
function next(values, layers, { layer, at: [channel, y = 0, x = 0] }) {
  const readers = layers.flatMap(({ inputs, module }, index) => (inputs.includes(layer) && (module in ALONG || module in POOLS) ? [index] : []));
  if (layers[layer].module in POOLS || readers.length !== 1) return null;
  const { module, node } = layers[readers[0]];
  if (module in ALONG) return [readers[0], channel, y, x];
  if (!node.attributes.kernel_shape) return [readers[0], channel, 0, 0];
  const { kernel_shape: cells, strides, pads } = node.attributes, ends = sides(values.get(node.name));
  const to = [y, x].map((place, axis) => Math.max(0, Math.ceil((place + pads[axis] - cells[axis] + 1) / strides[axis])));
  const reads = to.every((place, axis) => place < ends[axis] && place * strides[axis] - pads[axis] <= [y, x][axis]);
  return reads ? [readers[0], channel, ...to] : null;
}

const WHOLE = new Set(["Transpose", "Reshape", "ReduceMax", "ReduceMean", "Gemm", "InstanceNormalization"]);

/* What of an input of a node a box [y0, y1, x0, x1] of its output is made of. */
function before({ kind, attributes: { kernel_shape: cells, strides, pads, dilations = [1, 1] }, inputs }, box, values, input) {
  const size = sides(values.get(input));
  if (WHOLE.has(kind)) return [0, size[0], 0, size[1]];
  const shift = kind === "Pad" ? values.get(inputs[1]).data.slice(2, 4) : pads;
  return size.flatMap((all, axis) => {
    const [first, end] = box.slice(2 * axis, 2 * axis + 2);
    if (kind === "Resize") {
      const near = (place) => (place + 0.5) * all / values.get(inputs[3]).data[2 + axis] - 0.5;
      return [Math.max(0, Math.floor(near(first))), Math.min(all, Math.floor(near(end - 1)) + 2)];
    }
    const edges = cells ? [first * strides[axis], (end - 1) * strides[axis] + dilations[axis] * (cells[axis] - 1) + 1] : [first, end];
    const [from, to] = edges.map((edge) => edge - (shift?.[axis] ?? 0)), far = cells && end - first === 1 ? dilations[axis] : 1;
    const cut = (over) => far * Math.max(0, Math.ceil(over / far)); // cells that lie in the padding
    return [from + cut(-from), to - cut(to - all)].map((edge) => Math.min(all, Math.max(0, edge)));
  });
}

/* Every value that a place of one is made of, by its name, with a box around all that is read of it; only: the one place that a
   number of a flattened map is from. */
function seen({ nodes, constants }, values, picture, name, box, only) {
  const found = new Map([[name, box]]);
  for (const node of nodes.toReversed()) {
    if (!found.has(node.name) || node.name === picture) continue;
    for (const input of node.inputs.filter((one) => one && !(one in constants) && values.get(one).dims.length > 1)) {
      const isMoved = only && node.kind === "Transpose" && found.size === 2;
      const now = isMoved ? only.flatMap((place) => [place, place + 1]) : before(node, found.get(node.name), values, input);
      if (now[0] >= now[1] || now[2] >= now[3]) continue; // it reads padding alone
      const old = found.get(input) ?? now;
      found.set(input, now.map((edge, i) => (i % 2 ? Math.max(edge, old[i]) : Math.min(edge, old[i]))));
    }
  }
  return found;
}

export function explained(model, values, layers, index, channel, y, x) {
  const chain = [], picture = pictureOf(model);
  for (let at = [index, channel, y, x]; at; at = next(values, layers, chain.at(-1))) chain.push(explain(model, values, layers, ...at));
  const { node, module } = layers[index], [{ terms: [first] }] = chain;
  const boxes = seen(model, values, picture, node.name, [y, y + 1, x, x + 1], module === "Flatten" ? first.origin : null);
  const picture_box = boxes.get(picture) ?? [0, 0, 0, 0];
  const steps = layers.flatMap(({ node, name }, layer) => (boxes.has(node.name) ? [{ layer, name, box: boxes.get(node.name) }] : []));
  return { chain, lineage: [{ layer: -1, name: "picture", box: picture_box }, ...steps], picture_box };
}
