/* The whole network as a strip of cards, one per layer, in the order in which they run.

   createStrip({onPick(layer), onEnter()}) -> strip; strip.element
   strip.draw(trace, small)   small: {shape: [layers, 32, 32], data, header} bytes, one small map per layer; header.signed:
                              per layer whether 128 stands for zero
   strip.select(layer)        marks and scrolls to a card;  strip.focus()
   strip.boxes(lineage)       frames, on each card on the way, the part that the chosen pixel depends on */

import { paintMap } from "./atlas.js";
import { Scale } from "./colour.js";
import { fill, h, shapeText, worded } from "./dom.js";

const SIDE = 64;

export function createStrip({ onPick, onEnter }) {
  const list = h("ol");
  const element = h("nav", { class: "strip", "aria-label": "Layers of the network" }, list);
  let cards = [], layers = [], chosen = -1;

  function card(layer, small) {
    const [, height, width] = small.shape;
    const signed = small.header.signed[layer.index];
    const values = Float32Array.from(small.data.subarray(layer.index * height * width, (layer.index + 1) * height * width), (byte) => signed ? byte - 128 : byte);
    const canvas = paintMap(h("canvas", { "aria-hidden": "true" }), values, width, height, new Scale(signed ? { high: 127, signed } : { high: 255 }));
    const others = layer.inputs.filter((index) => index !== layer.index - 1);
    const names = layer.inputs.map((index) => index < 0 ? worded("picture") : layers[index].name);
    const from = others.length ? `from ${names.map((name) => name.split(".").at(-1)).join(" + ")}` : "";
    // Long names differ at their end, so that is what stands out.
    const within = layer.name.slice(0, layer.name.lastIndexOf(".") + 1);
    return h("li", {}, h("button", { type: "button", class: "card", tabindex: -1, title: `${layer.name} from ${names.join(" and ")}`, on: { click: () => onPick(layer.index) } },
      h("span", { class: "card-map" }, canvas, h("i", { class: "card-box", hidden: true })),
      h("span", { class: "card-text" },
        within ? h("span", {}, within) : null, h("b", {}, layer.name.slice(within.length)),
        h("span", {}, layer.parameters ? `${layer.kind} · ${layer.parameters.toLocaleString("en")} p.` : layer.kind),
        h("span", { class: "mono" }, shapeText(layer.output_shape)),
        from ? h("span", { class: "from" }, from) : null)));
  }

  element.addEventListener("keydown", (event) => {
    const next = { ArrowRight: chosen + 1, ArrowLeft: chosen - 1, Home: 0, End: layers.length - 1 }[event.key];
    if (next === undefined && event.key !== "Enter") return;
    event.preventDefault();
    if (next === undefined) return onEnter();
    onPick(Math.min(layers.length - 1, Math.max(0, next)));
    strip.focus();
  });

  const strip = {
    element,
    draw(trace, small) {
      layers = trace.layers;
      const items = layers.map((layer) => card(layer, small));
      cards = items.map((item) => item.firstChild);
      chosen = -1;
      fill(list, items);
    },
    select(index) {
      if (index === chosen) return;
      for (const [at, on] of [[chosen, false], [index, true]]) {
        if (!cards[at]) continue;
        cards[at].tabIndex = on ? 0 : -1;
        if (on) cards[at].setAttribute("aria-current", "true"); else cards[at].removeAttribute("aria-current");
      }
      chosen = index;
      const card = cards[index];
      if (card) element.scrollLeft = card.offsetLeft + card.offsetWidth / 2 - element.clientWidth / 2;
    },
    boxes(lineage) {
      for (const one of cards) one.querySelector(".card-box").hidden = true;
      for (const { layer, box } of lineage) {
        const shape = layers[layer]?.output_shape;
        if (shape?.length !== 3) continue;
        const frame = cards[layer].querySelector(".card-box");
        const [y0, y1, x0, x1] = [box[0] / shape[1], box[1] / shape[1], box[2] / shape[2], box[3] / shape[2]].map((share) => share * SIDE);
        Object.assign(frame.style, { top: `${y0 - 1}px`, left: `${x0 - 1}px`, width: `${Math.max(4, x1 - x0 + 2)}px`, height: `${Math.max(4, y1 - y0 + 2)}px` });
        frame.hidden = false;
      }
    },
    focus: () => cards[chosen]?.focus(),
  };
  return strip;
}
