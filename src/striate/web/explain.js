/* Explain: where on the picture the evidence for a class lies, and beside it what such a map is worth.

   State of its own in the address: heat (name or index of the layer, "" = the last with a map), opacity (percent, "" = 80). */

import { cancelled } from "./api.js";
import { paintWithin } from "./atlas.js";
import { inputBytes, range, Scale } from "./colour.js";
import { digits, empty, fill, h, inputShape, note, number, panel, perFrame, placeText, select, shapeText, worded } from "./dom.js";
import { createPlane, sideBySide } from "./plane.js";
import { createTrust } from "./trust.js";

const ON_PICTURE = ["occlusion", "integrated_gradients", "gradient"]; // methods that look at no single layer
const OPACITY = 80;
const SIDE = 440, SMALL = 200;

/* The map over the picture: the further a value is from zero, the less of the picture shows through. */
function overlay({ bytes }, heat, scale, opacity, target) {
  const reach = Math.max(Math.abs(scale.low), Math.abs(scale.high)) || 1;
  const colours = new Uint32Array(target.length);
  scale.pixels(heat, 0, target.length, colours, 0);
  for (let i = 0; i < target.length; i++) {
    const alpha = opacity * Math.min(1, Math.abs(heat[i]) / reach);
    let pixel = 255 << 24;
    for (let c = 0; c < 3; c++) {
      const colour = (colours[i] >> (8 * c)) & 255;
      pixel |= Math.round(alpha * colour + (1 - alpha) * bytes[3 * i + c]) << (8 * c);
    }
    target[i] = pixel >>> 0;
  }
}

const isMap = ({ output_shape: shape }) => shape.length > 1 && shape.slice(1).some((side) => side > 1);
/* The same layer of all members of an ensemble: what one of them sees is only its share of the score. */
const ofAll = (name) => name.replace(/^(ensemble\d+\.)1\./, "$1*.");
const fact = (words, ...value) => [h("dt", {}, words), h("dd", {}, value)];

/* What must be known to read the map. */
function factsOf(header, method, unit) {
  return [
    h("dl", { class: "explain-facts" },
      fact("Explains", h("strong", {}, header.target), " · score ", number(header.score),
        h("span", { class: "quiet" }, ` (${unit})`)),
      fact("Method", method.label),
      header.layer ? fact("Layer", h("span", { class: "mono" }, header.layer), ` · map of ${shapeText(header.grid)} values, drawn larger`) : null,
      fact("Largest value", number(header.maximum), header.layer ? h("span", { class: "quiet" }, " on the layer's own grid") : null),
      header.signed ? fact("Smallest value", number(header.minimum)) : null,
      fact("Sum of the map", number(header.total)),
      header.baseline ? fact(worded("“No picture” is"), header.baseline) : null,
      header.gap === null ? null : fact("Gap", number(header.gap),
        h("span", { class: "quiet" }, " between the map's sum and the difference of scores that it must add up to"))),
    header.warning ? note(`⚠ ${header.warning}`, "error") : null,
    h("p", { class: "quiet" }, method.note),
  ];
}

export function mount(root, { api, model, go, trace, announce, store }) {
  let state = null, shown = "", seen = null, gone = false;
  const { methods } = model;
  const controls = {
    class: select("Evidence for", [], "", (value) => go({ class: value === "" ? null : Number(value) })),
    versus: select("against", [], "", (value) => go({ versus: value === "" ? null : Number(value) })),
    method: select("Method", methods.map(({ name, label }) => [name, label]), methods[0].name, (value) => go({ method: value })),
    layer: select("Layer", [], "", (value) => go({ heat: value || null })),
  };
  const slider = h("input", { type: "range", min: 0, max: 100, step: 5, on: { input: () => go({ opacity: slider.value }) } });
  const plane = createPlane({ label: worded("Picture with the map: read values with the arrow keys"), side: SIDE,
    onPick: (y, x) => { spot = [y, x]; plane.at(y, x); reading(spot); announce(readout.textContent); },
    onHover: (y, x) => reading(y === null ? spot : [y, x], y === null) });
  const readout = h("p", { class: "quiet explain-readout" });
  const facts = h("div", { class: "explain-text" }), legend = h("div", {}), alone = h("canvas", { role: "img", class: "explain-alone" });
  const methodOf = (wanted) => methods.find(({ name }) => name === wanted);
  const trust = createTrust((name) => methodOf(name).label);
  const seeLink = h("a", { href: "#" }, "See this layer's maps");
  const drawn = h("img", { class: "explain-drawn", alt: "The same, drawn as a line, as letters or as its middle frame", hidden: true });
  const drawnText = h("p", { class: "quiet" });
  const picturePanel = panel("Where the evidence lies", drawn, drawnText,
    h("div", { class: "plane-room" }, plane.element), readout,
    h("div", { class: "spread" }, legend, h("label", { class: "field" }, "Opacity", slider)),
    h("p", { class: "quiet" }, worded("The map is transparent at zero, and covers more of the picture the further a value is from zero.")));
  const mapPanel = panel("The map itself", h("div", { class: "explain-map" }, alone, facts), seeLink);
  const trouble = h("div", { class: "trouble" });
  const columns = h("div", { class: "explain-columns" }, h("div", { class: "explain-left" }, picturePanel, mapPanel), trust.element);
  const body = h("div", { class: "explain" },
    h("section", { class: "panel", "aria-label": "What to explain" },
      h("div", { class: "toolbar" }, Object.values(controls).map((one) => one.element)), trouble),
    columns);
  const stage = h("div", {});
  root.append(stage);
  let spot = null;

  function reading(at, quiet = false) {
    if (!seen) return;
    plane.mark(at ? [{ top: at[0], left: at[1], height: 1, width: 1, kind: "cell" }] : []);
    if (!at) return void (readout.textContent = quiet ? worded("Point at the picture, or move with the arrow keys, to read values.") : "");
    const i = at[0] * seen.laid.width + at[1], flat = seen.laid.from[i], wide = seen.shape.at(-1), value = seen.heat.data[i];
    if (flat < 0) return void (readout.textContent = "between two frames");
    fill(readout, `${placeText(Math.floor(flat / wide), flat % wide, seen.shape)}: `, number(value));
  }

  const paint = perFrame(() => {
    if (!seen || gone) return;
    const { picture, heat, scale } = seen;
    const opacity = Number(state.opacity || OPACITY) / 100;
    plane.draw(picture.width, picture.height, (target) => overlay(picture, heat.data, scale, opacity, target));
  });

  function showControls({ layers, predictions: said, target }) {
    const chances = said.map((one) => [String(one.class), `${one.label} · ${model.shares ? `${(100 * one.probability).toFixed(1)} %` : digits(one.probability)}`]);
    controls.class.options([["", `${model.one_label ? "the most likely" : "what is told"}: ${model.classes[target] ?? ""}`], ...chances]);
    controls.versus.options([["", "nothing else"], ...chances.filter(([key]) => Number(key) !== (state.class ?? target))]);
    const maps = layers.filter((layer) => isMap(layer) && !/^ensemble\d+\.(?!1\.)\d+\./.test(layer.name));
    controls.layer.options([["", "the last with a map"],
      ...maps.map(({ name, output_shape: shape }) => [ofAll(name), `${ofAll(name)} · ${shapeText(shape)}`])]);
    const chosen = method();
    controls.class.set(state.class ?? "");
    controls.versus.set(state.versus ?? "");
    controls.method.set(chosen);
    controls.layer.set(layers[state.heat || -1]?.name ?? state.heat ?? "");
    controls.layer.element.hidden = ON_PICTURE.includes(chosen);
    slider.value = state.opacity || OPACITY;
  }

  const method = () => (methodOf(state.method) ?? methods[0]).name;

  function question() {
    const asked = new URLSearchParams({ method: method() });
    if (state.heat && !ON_PICTURE.includes(method())) asked.set("layer", state.heat);
    if (state.class !== null) asked.set("target", state.class);
    if (state.versus !== null) asked.set("versus", state.versus);
    return `${encodeURIComponent(state.picture)}?${asked}`;
  }

  function showHeat(picture, heat, layers, laid) {
    const { header, shape: [height, width] } = heat;
    // Of what is drawn: enlarging a coarse map flattens its peaks. The facts say the extremes of the map itself.
    const scale = Scale.of(range(heat.data), header.signed);
    seen = { asked: shown, picture, heat, scale, laid, shape: inputShape(layers) };
    const about = methodOf(header.method);
    paintWithin(SMALL, alone, heat.data, width, height, scale);
    alone.setAttribute("aria-label", `Map of ${about.label} for ${header.target}: `
      + `smallest ${digits(header.minimum)}, largest ${digits(header.maximum)}`);
    fill(facts, factsOf(header, about, model.unit));
    drawn.hidden = model.form === "picture" || !model.form;
    const frames = inputShape(layers)[1];
    drawnText.textContent = model.form === "volume" ? `frame ${(frames >> 1) + 1} of ${frames}; below, all of them, row by row` : "";
    if (!drawn.hidden) drawn.src = `/api/heatmap/${shown.replace("?", "/drawn?")}`;
    fill(legend, scale.legend(header.signed ? "− against, + for" : "evidence"));
    const index = layers.find(({ name }) => name === header.layer || ofAll(name) === header.layer)?.index;
    seeLink.hidden = index === undefined;
    seeLink.href = store.link({ tab: "see", layer: index ?? null });
    spot = null;
    reading(null, true);
    paint();
    announce(`${about.label} for ${header.target}: largest value ${digits(header.maximum)}`);
  }

  async function load(asked) {
    let known = null;
    picturePanel.classList.add("busy");
    trust.wait();
    try {
      const found = await trace(state.picture);
      if (gone || asked !== shown) return;
      known = found;
      if (state.versus !== null && state.versus === (state.class ?? known.target)) return void go({ versus: null });
      // A network without maps can only be asked about the picture itself.
      if (!state.method && !known.layers.some(isMap)) return void go({ method: ON_PICTURE[0] });
      fill(stage, body);
      if (columns.hidden) fill(trouble, h("p", { class: "quiet" }, "The map is worked out …"));
      showControls(known);
      const [picture, heat] = await Promise.all([
        api.binary(`/api/pictures/${encodeURIComponent(state.picture)}/input`),
        api.binary(`/api/heatmap/${asked}`, { slot: "heatmap" })]);
      if (gone || asked !== shown) return;
      picturePanel.classList.remove("busy");
      columns.hidden = false;
      fill(trouble, known.note ? h("p", { class: "quiet" }, known.note) : null);
      const [, ...sides] = inputShape(known.layers), laid = sideBySide(sides.length > 2 ? sides[0] : 1, ...heat.shape);
      const map = { header: heat.header, shape: [laid.height, laid.width], data: Float32Array.from(laid.from, (i) => i < 0 ? 0 : heat.data[i]) };
      showHeat({ ...laid, bytes: inputBytes(picture, laid.from) }, map, known.layers, laid);
      const judged = await api.json(`/api/trust/${asked}`, { slot: "trust" });
      if (!gone && asked === shown) trust.show(judged, map, seen.scale, { ...laid, flat: heat.shape });
    } catch (error) {
      if (cancelled(error) || gone || asked !== shown) return;
      picturePanel.classList.remove("busy");
      if (seen?.asked === asked) return trust.fail(error.message);
      // The map that is drawn is the answer to the question before.
      seen = null;
      columns.hidden = true;
      fill(known ? trouble : stage, note(error.message, "error"));
    }
  }

  return {
    update(next) {
      state = next;
      if (!state.picture) return void fill(stage, empty(worded("No picture yet"), worded("Drop a picture on the page, or choose one above.")));
      const asked = question();
      if (asked !== shown) { shown = asked; load(asked); } else { slider.value = state.opacity || OPACITY; paint(); }
    },
    unmount() { gone = true; },
  };
}
