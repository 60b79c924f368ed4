/* The See tab: the network as a strip, a layer as a sheet of maps, a pixel as a ledger, and what it sees of the picture. */

import { cancelled } from "./api.js";
import { range, Scale } from "./colour.js";
import { empty, fill, frameRows, h, inputShape, typesIn, worded } from "./dom.js";
import { createField } from "./field.js";
import { createLedger, strongest } from "./ledger.js";
import { inPlane } from "./numbers.js";
import { createSheet } from "./sheet.js";
import { createStrip } from "./strip.js";

const clamp = (value, count) => Math.max(0, Math.min(count - 1, value));
/* [c, h, w] of any output shape: vectors are 1 × 1 maps, rows are maps one pixel high. */
const mapShape = (shape) => shape.length === 1 ? [shape[0], 1, 1] : shape.length === 2 ? [shape[0], 1, shape[1]] : [shape[0], shape.slice(1, -1).reduce((a, b) => a * b), shape.at(-1)];

/* The state made definite: what is not given or lies outside is put in its place. A rim of zeros is no layer to begin with. */
function resolve(state, trace) {
  const layer = clamp(state.layer ?? trace.layers.findIndex(({ kind }) => kind !== "pad"), trace.layers.length);
  const shape = trace.layers[layer].output_shape, [channels, height, width] = mapShape(shape);
  const middle = shape.length === 4 ? (shape[1] >> 1) * shape[2] + (shape[2] >> 1) : height >> 1;
  return { ...state, trace, layer, channel: clamp(state.channel ?? 0, channels), y: clamp(state.y ?? middle, height), x: clamp(state.x ?? width >> 1, width),
    term: state.term ?? "", width, height };
}

/* The map that the opened term of an explanation was taken from; null where it is no map. */
async function sourceOf(api, place, { rule, terms }) {
  const term = terms[Number(place.term || NaN)] ?? terms[strongest(terms)];
  if (!term || rule === "none") return null;
  const fromPicture = term.source < 0;
  const { header, shape, data } = await api.binary(fromPicture ? `/api/pictures/${place.picture}/input` : `/api/trace/${place.picture}/maps/${term.source}`);
  const plane = shape[1] * shape[2];
  if (term.channel >= shape[0] || plane === 1) return null;
  const scale = fromPicture ? Scale.grey(header, term.channel) : Scale.of(range(data, term.channel * plane, plane), header.signed);
  const { layers } = place.trace, deep = frameRows(fromPicture ? inputShape(layers) : layers[term.source].output_shape);
  return { term, shape, data, scale, deep, channel: term.channel, label: fromPicture ? worded("picture") : layers[term.source].name };
}

export function mount(root, context) {
  const { api, go, announce, model } = context;
  const sheet = createSheet({ go, model, onEnter: () => ledger.focus(), onEscape: () => strip.focus(),
    onPick: ({ channel, y, x }) => go({ channel, y, x, term: channel === place.channel ? place.term : null }) });
  const strip = createStrip({ onPick: openLayer, onEnter: sheet.focus });
  const ledger = createLedger({ api, go, announce, onLeave: sheet.focus });
  const within = (share, count) => clamp(Math.floor(share * count), count);
  const field = createField({
    inks: model.inks,
    onPick: (shareY, shareX) => go({ y: within(shareY, place.height), x: within(shareX, place.width) }),
    onActual: (on) => go({ field: on ? "actual" : null }),
    onStored: (on) => go({ values: on ? "file" : null }),
  });
  const layout = h("div", { class: "see" }, field.element, sheet.element, ledger.element, strip.element);
  const onBracket = (event) => {
    const step = { "[": -1, "]": 1 }[event.key];
    if (step && place && !typesIn(event)) openLayer(place.layer + step);
  };
  addEventListener("keydown", onBracket);
  let place = null, maps = null, mapsPath = "", shown = "", turn = 0;

  /* Another layer at the same place of the picture. */
  function openLayer(index) {
    const layer = clamp(index, place.trace.layers.length);
    const [channels, height, width] = mapShape(place.trace.layers[layer].output_shape);
    sheet.stop();
    go({ layer, channel: clamp(place.channel, channels), term: null,
      y: within((place.y + 0.5) / place.height, height), x: within((place.x + 0.5) / place.width, width) });
  }

  async function openPicture(picture, mine) {
    const [trace, small, input] = await Promise.all([context.trace(picture), api.binary(`/api/trace/${picture}/strip`), api.binary(`/api/pictures/${picture}/input`)]);
    if (mine !== turn) return null;
    if (shown !== picture) {
      shown = picture;
      mapsPath = "";
      strip.draw(trace, small);
      const [, ...sides] = inputShape(trace.layers);
      field.draw(input, sides.length === 3 ? sides[0] : 1);
    }
    return trace;
  }

  async function openMaps(mine) {
    const path = `/api/trace/${place.picture}/maps/${place.layer}`;
    if (path === mapsPath) return;
    sheet.begin(place.trace, place.layer);
    const answer = await api.binary(path, { slot: "maps" });
    if (mine !== turn) return;
    maps = answer;
    mapsPath = path;
  }

  async function openPixel(mine) {
    const at = `${place.layer}?channel=${place.channel}&y=${place.y}&x=${place.x}`;
    const given = await api.json(`/api/trace/${place.picture}/explain/${at}`, { slot: "explain" });
    if (mine !== turn) return;
    const answer = { ...given, chain: given.chain.map(inPlane) };
    ledger.render(answer, place);
    strip.boxes(answer.lineage);
    field.show(answer.picture_box, null, place.values === "file");
    const [source, actual] = await Promise.all([sourceOf(api, place, answer.chain[0]),
      place.field === "actual" ? api.binary(`/api/trace/${place.picture}/field/${at}`, { slot: "field" }) : null]);
    if (mine !== turn) return;
    sheet.from(source);
    if (actual) field.show(answer.picture_box, actual, place.values === "file");
  }

  async function show(state, mine) {
    const trace = shown === state.picture ? place.trace : await openPicture(state.picture, mine);
    if (mine !== turn) return;
    place = resolve(state, trace);
    place.label = sheet.classOf(place, place.channel);
    strip.select(place.layer);
    await openMaps(mine);
    if (mine !== turn) return;
    sheet.draw(place, maps);
    await openPixel(mine);
  }

  async function update(state) {
    const mine = ++turn;
    if (!state.picture) return fill(root, empty(worded("No picture yet"), worded("Drop a picture on the page, or choose one at the top.")));
    if (!layout.isConnected) fill(root, layout);
    try {
      await show(state, mine);
    } catch (error) {
      if (cancelled(error) || mine !== turn) return;
      // What is drawn is of the picture before, until this one's maps are there.
      if (shown !== state.picture || !mapsPath) {
        shown = "";
        fill(root, empty(worded("Nothing to see of this picture"), error.message));
      } else ledger.refuse(error.message);
      if (!error.status) throw error;
    }
  }

  return { update, unmount() { removeEventListener("keydown", onBracket); sheet.stop(); turn++; } };
}
