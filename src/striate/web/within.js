/* What an exported page shows of the inside of its network: the filters of the first convolution, the maps of every layer, and
   the arithmetic of the number that was clicked, which follows when another picture is answered.

   createWithin(model) -> {element, show(values)}; values of an answer, as compute gives them */

import { explained, layersOf } from "./arithmetic.js";
import { createAtlas } from "./atlas.js";
import { range, Scale, weightColours } from "./colour.js";
import { fill, h, panel, shapeText } from "./dom.js";
import { createLedger } from "./ledger.js";

const MAP = 48, FEW = 14; // pixels of a map; of more layers only the convolutions are open at first
const SAME = new Set(["SamePad", "Flatten"]); // their numbers are those of the layer before

/* The filters of the first convolution: signed weights, those of three channels as colours. */
function createFilters({ nodes, constants }) {
  const conv = nodes.find(({ kind }) => kind === "Conv");
  if (!conv) return null;
  const { dims: [filters, channels, height, width], data } = constants[conv.inputs[1]], { minimum, maximum } = range(data);
  if (channels !== 1 && channels !== 3) return null; // it reads more than the picture
  const reach = Math.max(-minimum, maximum), signed = Scale.of({ minimum, maximum }, true);
  const scale = channels === 3 ? weightColours(data, height * width, reach) : signed, atlas = createAtlas({ label: "Filters of the first convolution" });
  const legend = channels === 3 ? h("p", { class: "quiet" }, "Red, green and blue weights as one colour: grey is 0.") : signed.legend("");
  const draw = () => atlas.draw({ shape: [filters, height, width], data, scale, side: MAP });
  return { draw, element: h("section", { class: "maps" }, h("h3", {}, `Filters of the first convolution: ${filters} of ${height} × ${width}`), atlas.element, legend) };
}

export function createWithin(model) {
  const status = h("p", { class: "unseen", role: "status" }), body = h("div"), element = panel("Inside the network", body, status);
  const filters = createFilters(model);
  let values = null, layers = [], sections = [], chosen = null;
  const ledger = createLedger({ go, announce: (text) => { status.textContent = text; }, onLeave: () => sections[chosen.layer].atlas.element.focus() });

  const classOf = ({ channel, layer }) => {
    const name = layer === layers.length - 1 && layers[layer].output_shape[0] === model.classes.length ? model.classes[channel] : String(channel);
    return name === String(channel) ? "" : ` (${name})`;
  };
  const spatial = (layer) => [1, 1, ...layers[layer].output_shape.slice(1)].slice(-2);

  function section(layer, index) {
    const { name, output_shape: shape } = layer, legend = h("div");
    const termOf = (channel) => (chosen?.layer === index && chosen.channel === channel ? chosen.term : ""); // what was opened stays open on its map
    const atlas = createAtlas({ label: `Maps of ${name}`, onPick: ({ channel, y, x }) => go({ layer: index, channel, y, x, term: termOf(channel) }),
      onKey: (event) => { if (event.key === "Enter" && chosen) ledger.focus(); } });
    const title = `${name}: ${shape.length > 1 ? `${shape[0]} maps of ${shapeText(shape.slice(1))}` : `${shape[0]} numbers`}`;
    const draw = () => {
      if (!one.element.open) return;
      const { data } = values.get(layer.node.name), found = range(data), [height, width] = spatial(index);
      const scale = Scale.of(found, layer.kind === "conv" || found.minimum < 0);
      atlas.draw({ shape: [shape[0], height, width], data, scale, side: height * width > 1 ? MAP : undefined });
      fill(legend, scale.legend(""));
    };
    const open = !SAME.has(layer.module) && (layers.length <= FEW || layer.kind === "conv");
    const one = { atlas, draw, element: h("details", { class: "maps", open, on: { toggle: () => draw() } }, h("summary", {}, h("h3", {}, title)), atlas.element, legend) };
    return one;
  }

  function explain() {
    const { layer, channel, y, x } = chosen, [height, width] = spatial(layer);
    for (const { atlas } of sections) atlas.select(null);
    sections[layer].atlas.select(chosen);
    ledger.render(explained(model, values, layers, layer, channel, y, x), { ...chosen, height, width, label: classOf(chosen), trace: { layers } });
  }

  /* To another number, or another term of its sum; a layer that was not in sight comes into it. */
  function go(to) {
    const before = chosen?.layer;
    const wished = { term: "", ...chosen, ...to }, within = (place, count) => Math.max(0, Math.min(count - 1, place));
    const [height, width] = spatial(wished.layer), [channels] = layers[wished.layer].output_shape;
    chosen = { ...wished, channel: within(wished.channel, channels), y: within(wished.y, height), x: within(wished.x, width) };
    const { element: home, atlas } = sections[chosen.layer], held = ledger.element.contains(document.activeElement);
    if (before !== chosen.layer) {
      home.open = true;
      home.append(ledger.element);
    }
    explain();
    if (held && before !== chosen.layer) ledger.element.focus({ preventScroll: true }); // which a move in the page takes away
    if (before !== undefined && before !== chosen.layer) atlas.element.scrollIntoView({ block: "nearest" });
  }

  return {
    element,
    show(now) {
      const isFirst = !values;
      values = now;
      if (isFirst) {
        layers = layersOf(model, values);
        sections = layers.map(section);
        const hint = h("p", { class: "quiet" }, "Click a number of a map to see how it came about; the arrow keys go on from there.");
        fill(body, hint, filters?.element, sections.map((one) => one.element));
        filters?.draw();
      }
      for (const one of sections) one.draw();
      if (chosen) explain();
    },
  };
}
