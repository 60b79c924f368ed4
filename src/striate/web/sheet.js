/* A layer as a sheet: its facts, its chosen map large beside its source, its colours, and all its maps.

   createSheet({go, model, onPick(cell), onEnter(), onEscape()}) -> sheet; sheet.element
   sheet.begin(trace, layer)    the title of a layer whose maps are on their way
   sheet.draw(place, maps)      paints what has changed and marks the pixel
   sheet.from(source)           the map that the chosen number was made from, for the sweep
   sheet.classOf(place, channel)   the name of the class that a number speaks for, of the logits and what follows them, or ""
   sheet.focus(), sheet.stop()  stop ends a sweep */

import { createAtlas } from "./atlas.js";
import { range, robust, Scale } from "./colour.js";
import { button, check, digits, fill, frameRows, h, mapDigits, note, number, placeText, segmented, select, shapeText, signedBar, svg } from "./dom.js";
import { createSweep } from "./sweep.js";

const BINS = 48, MOST_NAMED = 32;
const RANGES = [["channel", "channel", "Every map has its own range"], ["layer", "layer", "One range for all maps of the layer"],
  ["network", "network", "One range for all layers"], ["locked", "locked", "Keeps the present range for other layers and pictures"]];
// Facts that go without saying.
const DULL = { dilation: 1, groups: 1, alpha: 1, training: false, ceil_mode: false, field: "exact" };
const TITLES = { channel: "colours of this channel", layer: "colours of the layer", network: "colours of all layers", locked: "locked colours" };
// What may follow the logits and leaves every number with its class.
const PASSING = ["softmax", "log-softmax", "sigmoid", "log-sigmoid", "mul", "div", "dropout", "identity"];
const ORDERS = [["", "as stored"], ["peak", "largest value first"], ["mean", "most active first"]];

function sortChannels(order, { shape: [channels, height, width], data }) {
  const plane = height * width;
  const strength = Float64Array.from({ length: channels }, (_, channel) => {
    let sum = 0, peak = -Infinity;
    for (let i = channel * plane; i < (channel + 1) * plane; i++) { sum += Math.abs(data[i]); if (data[i] > peak) peak = data[i]; }
    return order === "mean" ? sum : peak;
  });
  const channelsInOrder = Array.from(strength.keys());
  return order ? channelsInOrder.sort((a, b) => strength[b] - strength[a]) : channelsInOrder;
}

function histogram({ data, header }, scale) {
  const bins = new Float64Array(BINS);
  const { minimum: low, maximum: high } = header;
  let zeros = 0;
  for (const value of data) {
    if (value === 0) zeros++;
    else if (value - value === 0) bins[Math.min(BINS - 1, Math.floor((value - low) / (high - low || 1) * BINS))]++;
  }
  const most = Math.max(1, ...bins);
  const bars = Array.from(bins, (count, i) => svg("rect", { x: i * 5, y: 40 - 38 * count / most, width: 4.4, height: 38 * count / most + 0.5,
    fill: scale.css(low + (i + 0.5) / BINS * (high - low)) }));
  return h("figure", { class: "histogram" },
    svg("svg", { viewBox: `0 0 ${5 * BINS} 41`, role: "img", "aria-label": `Histogram of the layer from ${digits(low)} to ${digits(high)}, zeros left out`, preserveAspectRatio: "none" },
      svg("line", { x1: 0, x2: 5 * BINS, y1: 40.5, y2: 40.5 }), bars),
    h("figcaption", {}, `${data.length.toLocaleString("en")} values`, zeros ? `, ${digits(100 * zeros / data.length, 3)} % exactly 0 (not drawn)` : ""));
}

/* The colours of a layer: one scale, or one for each channel. */
function scales(place, maps) {
  const { header, shape: [, height, width], data } = maps;
  const found = place.robust === "1" ? robust : range;
  const { signed } = header;
  const plane = height * width;
  if (place.range === "channel") {
    const kept = new Map();
    return (channel) => {
      if (!kept.has(channel)) kept.set(channel, Scale.of(found(data, channel * plane, plane), signed));
      return kept.get(channel);
    };
  }
  const [low, high] = [place.low, place.high].map(Number);
  if (place.range === "locked" && place.high && Number.isFinite(high - low)) return new Scale({ low, high, signed });
  if (place.range === "network") {
    const { layers } = place.trace;
    return Scale.of({ minimum: Math.min(...layers.map((one) => one.minimum)), maximum: Math.max(...layers.map((one) => one.maximum)) }, signed);
  }
  return Scale.of(place.robust === "1" ? robust(data) : header, signed);
}

/* The few numbers of a short vector, as bars with the names of their classes. */
function vectorTable(maps, order, nameOf, pick) {
  const [channels, height, width] = maps.shape;
  if (height * width > 1 || channels > MOST_NAMED) return null;
  const most = Math.max(...maps.data.map(Math.abs));
  return h("table", { class: "terms vector" }, h("caption", { class: "unseen" }, "The numbers of this layer"), h("tbody", {}, order.map((channel) => h("tr", {},
    h("th", { scope: "row" }, button(`${channel}${nameOf(channel)}`, () => pick({ channel, y: 0, x: 0 }), { class: "plain", data: { channel } })),
    h("td", { class: "bar-cell" }, signedBar(maps.data[channel], most)), h("td", { class: "figure" }, number(maps.data[channel]))))));
}

/* A hint that follows the pointer over the sheet: where it is and what stands there. */
function createHint(labelOf, placed, told) {
  const element = h("div", { class: "hint mono", hidden: true });
  return { element, show(cell) {
    element.hidden = !cell;
    if (!cell) return;
    element.textContent = `channel ${cell.channel}${labelOf(cell.channel)}, ${placed(cell)}: ${told(cell.value)}`;
    Object.assign(element.style, { left: `${Math.min(cell.clientX + 14, innerWidth - 330)}px`, top: `${cell.clientY + 18}px` });
  } };
}

export function createSheet({ go, model, onPick, onEnter, onEscape }) {
  const classOf = ({ trace: { layers }, layer }, channel) => {
    const speaks = layer >= layers.findLastIndex(({ kind }) => !PASSING.includes(kind)) && layers[layer].output_shape.join() === `${model.classes.length}`;
    return speaks && model.classes[channel] !== String(channel) ? ` (${model.classes[channel]})` : "";
  };
  const layerHere = () => place.trace.layers[place.layer], deepHere = () => frameRows(layerHere().output_shape);
  const hint = createHint((channel) => classOf(place, channel), ({ y, x }) => placeText(y, x, layerHere().output_shape), (value) => mapDigits(value, header));
  const onKey = (event) => {
    const act = { Enter: onEnter, Escape: onEscape }[event.key];
    if (act) { event.preventDefault(); act(); }
  };
  const atlas = createAtlas({ label: "Maps of the layer", onPick, onHover: hint.show, onKey });
  const sweep = createSweep({ onPick, onKey, step: (y, x) => go({ y, x }) });
  const lock = (mode) => mode === "locked" ? { low: String(scale.low), high: String(scale.high) } : { low: null, high: null };
  const ranges = segmented("Colour range", RANGES, "layer", (mode) => go({ range: mode, ...lock(mode) }));
  const outliers = check("without outliers", false, (on) => go({ robust: on ? "1" : null }));
  const orders = select("Order", ORDERS, "", (order) => go({ sort: order || null }));
  const frame = h("input", { type: "range", min: 1, step: 1, on: { input: () => {
    const deep = deepHere();
    go({ y: (frame.value - 1) * deep + place.y % deep, term: null });
  } } });
  const frameRow = h("label", { class: "field", hidden: true }, "Frame", frame);
  const title = h("div", { class: "layer-title" });
  const legend = h("div", { class: "layer-scale" });
  const named = h("div", { class: "named" });
  const element = h("section", { class: "panel layer-panel", "aria-label": "Layer" }, title,
    h("div", { class: "sweep" }, sweep.element, h("div", { class: "sweep-side" }, legend, outliers.element, sweep.controls)),
    h("div", { class: "toolbar sheet-tools" }, h("span", { class: "field" }, "Range", ranges.element), orders.element, frameRow), atlas.element, named, hint.element);
  let place = null, header = null, scale = null, painted = "", shown = -1;

  function showTitle({ layers, note: about }, index) {
    const layer = layers[index];
    const facts = Object.entries(layer.facts).filter(([name, value]) => ![value].flat().every((part) => part === DULL[name]))
      .map(([name, value]) => `${name.replaceAll("_", " ")} ${[value].flat().join("×")}`);
    fill(title, h("div", { class: "spread" }, h("h2", {}, layer.name, h("span", { class: "quiet" }, ` ${layer.module || layer.kind}`)),
      h("span", { class: "quiet mono" }, `${shapeText(layer.input_shape)} → ${shapeText(layer.output_shape)}`)),
    h("p", { class: "quiet" }, [...facts, layer.parameters ? `${layer.parameters.toLocaleString("en")} parameters` : "no parameters"].join(" · ")),
    about && index === layers.length - 1 ? h("p", { class: "quiet" }, about) : null);
  }

  function paint(maps) {
    const { shape, data } = maps;
    header = maps.header;
    showTitle(place.trace, place.layer);
    const all = scales(place, maps);
    scale = typeof all === "function" ? all(place.channel) : all;
    const order = sortChannels(place.sort, maps);
    atlas.draw({ shape, data, scale: all, order, deep: deepHere() });
    fill(named, vectorTable(maps, order, (channel) => classOf(place, channel), onPick));
    fill(legend, scale.legend((TITLES[place.range] ?? "") + (place.robust === "1" ? ", 1st to 99th percentile" : "")), histogram(maps, scale),
      header.nonfinite ? note(`${header.nonfinite} values are not finite numbers.`, "error") : null);
    ranges.set(place.range);
    outliers.set(place.robust === "1");
    orders.set(place.sort);
    atlas.element.setAttribute("aria-label", `${layerHere().name}, ${shapeText(shape)} maps, from ${digits(header.minimum)} to ${digits(header.maximum)}, ` +
      `mean ${digits(header.mean)}, ${digits(100 * header.zeros, 3)} % zeros. Arrows move the pixel, Shift and arrows the channel, Enter opens the arithmetic.`);
  }

  return {
    element, classOf,
    begin(trace, layer) {
      showTitle(trace, layer);
      element.classList.add("busy");
      painted = "";
    },
    draw(given, maps) {
      place = { ...given, sort: ORDERS.some(([key]) => key === given.sort) ? given.sort : "" };
      element.classList.remove("busy");
      const { picture, layer, channel, low, high } = place, deep = deepHere();
      const wanted = [picture, layer, place.range, place.robust, place.sort, low, high, place.range === "channel" && channel].join();
      const fresh = wanted !== painted;
      if (fresh) paint(maps);
      if (fresh || shown !== channel) sweep.draw({ layer: layerHere(), view: { ...maps, deep }, scale, place });
      painted = wanted;
      shown = channel;
      atlas.select(place);
      frameRow.hidden = !deep;
      if (deep) Object.assign(frame, { max: maps.shape[1] / deep, value: Math.floor(place.y / deep) + 1 });
      if (fresh) atlas.reveal(channel);
      sweep.select(place);
    },
    from: sweep.from,
    focus: () => atlas.element.focus(),
    stop: sweep.stop,
  };
}
