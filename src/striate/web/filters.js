/* The Filters tab: the kernels. Those that look at a colour picture are drawn in colour, others as a grid of
   kernels, one row per output channel. A click opens the channel that the kernel makes in See.

   State of its own in the address: input (index of the input channel), rank ("" | norm), reach (layer | robust | each, "" = each where the
   filters are fixed, else layer), view ("" | planes). */

import { cancelled } from "./api.js";
import { createAtlas, paintMap } from "./atlas.js";
import { range, robust, Scale, weightColours } from "./colour.js";
import { button, digits, empty, fill, h, note, segmented, select, shapeText, worded } from "./dom.js";
import { numberGrid, scaleOf } from "./numbers.js";

const MOST_INPUTS = 64;
const REACHES = [["layer", "of all filters"], ["robust", "of all, without outliers"], ["each", "of each by itself"]];

const EACH = "Each filter has a range of its own, up to its largest weight.";

const norms = ({ shape: [outputs, inputs, height, width], data }) => {
  const size = inputs * height * width;
  return Float64Array.from({ length: outputs }, (_, output) => {
    let sum = 0;
    for (let i = output * size; i < (output + 1) * size; i++) sum += data[i] * data[i];
    return Math.sqrt(sum);
  });
};

export function mount(root, context) {
  const { api, go } = context;
  const layerControl = select("Layer", [], "", (layer) => go({ layer: Number(layer), channel: 0, input: null, y: null, x: null }));
  const orderControl = select("Order", [["", "as stored"], ["norm", "strongest first"]], "", (order) => go({ rank: order || null }));
  const reachControl = select("Range", REACHES, "", (reach) => go({ reach: reach === usual() ? null : reach }));
  const viewControl = segmented("Drawn as", [["", "in colour"], ["planes", "one plane per channel"]], "", (view) => go({ view: view || null }));
  const sheet = h("div", { class: "filter-sheet" });
  const legend = h("div");
  const title = h("h2"), about = h("p", { class: "quiet" }), remark = h("p", { class: "quiet" });
  const chosen = h("section", { class: "panel filter-chosen", "aria-label": "The chosen kernel" });
  const atlas = createAtlas({ label: "Kernels", onPick: ({ channel }) => pick(channel), onKey: (event) => { if (event.key === "Enter") openInSee(); } });
  const layout = h("div", { class: "filters" },
    h("section", { class: "panel" }, h("div", { class: "spread" }, title, about),
      h("div", { class: "toolbar" }, layerControl.element, orderControl.element, reachControl.element, viewControl.element), remark, legend, sheet), chosen);
  let layers = null, weights = null, shown = "", state = null, turn = 0;

  const told = () => layers.find(({ index }) => index === state.layer);
  // Filters that were measured are axes of very different strength: in one range only the strongest could be seen.
  const usual = () => told().fixed ? "each" : "layer", reach = () => REACHES.some(([key]) => key === state.reach) ? state.reach : usual();
  const inputsShown = () => Math.min(weights.shape[1], MOST_INPUTS);
  const openInSee = () => go({ tab: "see", layer: state.layer, channel: state.channel, y: null, x: null, term: String(state.input) });
  const pick = (index) => go({ channel: Math.floor(index / inputsShown()), input: String(index % inputsShown()) });

  function rows() {
    const strength = norms(weights);
    const order = Array.from(strength.keys());
    return state.rank === "norm" ? order.sort((a, b) => strength[b] - strength[a]) : order;
  }

  /* Kernels in rows: one row per output channel, one column per input channel. */
  function paintPlanes(found) {
    const [, inputs, height, width] = weights.shape;
    const count = inputsShown(), plane = height * width;
    const data = count === inputs ? weights.data : Float32Array.from({ length: weights.shape[0] * count * plane }, (_, i) =>
      weights.data[Math.floor(i / (count * plane)) * inputs * plane + i % (count * plane)]);
    const ranges = reach() === "each" ? Array.from({ length: weights.shape[0] }, (_, output) => Scale.of(rangeOf(output), true)) : [];
    const scale = ranges.length ? (at) => ranges[Math.floor(at / count)] : Scale.of(found, true);
    const order = rows().flatMap((output) => Array.from({ length: count }, (_, input) => output * count + input));
    fill(sheet, atlas.element);
    atlas.draw({ shape: [weights.shape[0] * count, height, width], data, scale, order, perRow: count > 1 ? count : 0, gap: 4, side: count > 16 ? 26 : count > 1 ? 36 : 52 });
    fill(legend, ranges.length ? h("p", { class: "quiet" }, EACH) : scale.legend("weights of the layer"));
  }

  function paintColours(found) {
    const mostOf = ({ minimum, maximum }) => Math.max(-minimum, maximum), each = reach() === "each";
    const strength = norms(weights), [, , height, width] = weights.shape;
    const drawn = (output) => paintMap(h("canvas", { class: "pixelated" }), null, width, height,
      weightColours(weights.data, height * width, mostOf(each ? rangeOf(output) : found)), 1, output * height * width);
    fill(sheet, h("div", { class: "tiles filter-tiles" }, rows().map((output) => button([drawn(output), `${output}`],
      () => go({ channel: output }), { class: "tile", data: { channel: output }, "aria-label": `filter ${output}, strength ${digits(strength[output])}` }))));
    fill(legend, h("p", { class: "quiet" }, `Red, green and blue weights as one colour: grey is 0${each ? `. ${EACH}` : `, full colour ±${digits(mostOf(found))}.`}`));
  }

  function rangeOf(output) {
    const size = weights.data.length / weights.shape[0];
    return range(weights.data, output * size, size);
  }

  function showChosen() {
    const [outputs, inputs, height, width] = weights.shape;
    const output = Math.min(outputs - 1, state.channel), input = state.input;
    const { groups } = told(), channelOf = (i) => Math.floor(output * groups / outputs) * inputs + i;
    const at = (y, x) => weights.data[((output * inputs + input) * height + y) * width + x];
    const grid = Array.from({ length: height }, (_, y) => Array.from({ length: width }, (_, x) => at(y, x)));
    const held = chosen.contains(document.activeElement) && document.activeElement.tagName === "SELECT";
    fill(chosen, h("h2", {}, `Filter ${output}`), h("p", { class: "quiet" }, `strength ${digits(norms(weights)[output])} (root of the sum of squares)`),
      h("div", { class: "toolbar" }, select("Input channel", Array.from({ length: inputs }, (_, i) => [i, channelOf(i)]), input, (index) => go({ input: index })).element),
      h("div", { class: "scroll" }, numberGrid(`weights for input channel ${channelOf(input)}`, grid, { scale: scaleOf(grid, true) })),
      button("See what it answers to", openInSee, { class: "primary" }));
    if (held) chosen.querySelector("select").focus();
    for (const tile of sheet.querySelectorAll("[data-channel]")) tile.setAttribute("aria-pressed", String(Number(tile.dataset.channel) === output));
    atlas.select({ channel: output * inputsShown() + Math.min(input, inputsShown() - 1), y: 0, x: 0, box: [0, height, 0, width] });
  }

  function paint() {
    const { colour, fixed, module } = told(), rgb = colour && weights.shape[2] * weights.shape[3] > 1;
    title.textContent = fixed ? "Filters that stay fixed" : "Learned filters";
    remark.textContent = !fixed ? "" : /^Whiten/.test(module) ? worded("Not learned: they were measured before the training, as the main directions of small patches of the training pictures, and kept.") : "The training leaves them as they are.";
    const found = reach() === "robust" ? robust(weights.data) : range(weights.data);
    viewControl.element.hidden = !rgb;
    viewControl.set(state.view ?? "");
    reachControl.set(reach());
    orderControl.set(state.rank === "norm" ? "norm" : "");
    about.textContent = `${shapeText(weights.shape)}: ${weights.shape[0]} filters over ${weights.shape[1]} channel${weights.shape[1] > 1 ? "s" : ""}` +
      (weights.shape[1] > MOST_INPUTS ? `, the first ${MOST_INPUTS} channels of each are drawn` : "");
    if (rgb && state.view !== "planes") paintColours(found); else paintPlanes(found);
  }

  async function update(given) {
    const mine = ++turn;
    try {
      layers ??= (await api.json("/api/filters")).layers;
      if (!layers.length) return fill(root, empty("No filters", worded("This network has no convolution, and no dense layer on the picture.")));
      if (!layout.isConnected) {
        fill(root, layout);
        layerControl.options(layers.map(({ index, name, shape }) => [index, `${name} · ${shapeText(shape)}`]));
      }
      // A layer without kernels of its own stands for the last convolution before it.
      const layer = (layers.findLast(({ index }) => index <= (given.layer ?? 0)) ?? layers[0]).index;
      const answer = await api.binary(`/api/filters/${layer}`, { slot: "filters" });
      if (mine !== turn) return;
      state = { ...given, layer, channel: Math.min(given.channel ?? 0, answer.shape[0] - 1),
        input: Math.min(answer.shape[1] - 1, Number(given.input) || 0) };
      weights = answer;
      layerControl.set(layer);
      const paintAs = [layer, state.rank, state.reach, state.view].join();
      if (paintAs !== shown) paint();
      shown = paintAs;
      showChosen();
    } catch (error) {
      if (!cancelled(error) && mine === turn) fill(root, note(error.message, "error"));
    }
  }
  return { update, unmount() { turn++; } };
}
