/* The chosen channel large, beside the map that it was made from, and the window that slides over it.

   createSweep({onPick(cell), onKey, step(y, x)}) -> sweep; sweep.element, sweep.controls
   sweep.draw({layer, view: {shape, data, header, deep}, scale, place})    the chosen channel
   sweep.from(source)       source: {label, shape, data, scale, channel, term} or null; called when a place is fully shown
   sweep.select(place)                      marks the pixel and fills the output up to it while sweeping
   sweep.stop()
   step moves the pixel; the rest of the page follows, so what runs is the page itself and not a film. */

import { createAtlas } from "./atlas.js";
import { button, digits, fill, h, mapDigits, placeText } from "./dom.js";
import { stillness } from "./player.js";

const SIDE = 150, PAUSE = 300, MOST_STEPS = 120;

export function createSweep({ onPick, onKey, step }) {
  const output = createAtlas({ label: "The chosen map. Arrows move the pixel.", onPick, onKey });
  const source = createAtlas({ label: "The map it is made from" });
  source.element.tabIndex = -1;
  source.element.setAttribute("role", "img");
  for (const one of [output, source]) one.element.classList.add("single");
  const titles = [h("figcaption"), h("figcaption")];
  const play = button("▶ Sweep", () => playing ? stop() : start(), { "aria-pressed": "false" });
  const forward = button("Step", () => { stop(); sweeping = true; advance(1); }, { title: "The next place of the window" });
  const all = button("All", () => { stop(); sweeping = false; select(place); }, { hidden: true, title: "Show the whole map again" });
  const spot = h("p", { class: "quiet spot" });
  const sourceFigure = h("figure", {}, titles[0], source.element);
  const arrow = h("span", { class: "operator", "aria-hidden": "true" }, "→");
  const element = h("div", { class: "sweep-maps" }, sourceFigure, arrow, h("figure", {}, titles[1], output.element, spot));
  const controls = h("div", { class: "toolbar sweep-controls" }, play, forward, all);
  let place = null, view = null, layer = null, shape = null, deep = 1, shown = null, timer = null, playing = false, sweeping = false;

  function advance(by) {
    const [, height, width] = shape;
    const next = (place.y * width + place.x + by) % (height * width);
    step(Math.floor(next / width), next % width);
  }
  /* The next place follows when the present one is on the page, arithmetic and all. */
  function follow() {
    clearTimeout(timer);
    // Large maps are swept in longer strides, so that it does not take an hour.
    const by = Math.max(1, Math.round(shape[1] * shape[2] / MOST_STEPS));
    if (playing) timer = setTimeout(() => advance(by), PAUSE);
  }
  function start() {
    playing = sweeping = true;
    play.textContent = "❚❚ Pause";
    play.setAttribute("aria-pressed", "true");
    if (place.y || place.x) step(0, 0);
    else { select(place); follow(); }
  }
  function stop() {
    playing = false;
    clearTimeout(timer);
    play.textContent = "▶ Sweep";
    play.setAttribute("aria-pressed", "false");
  }
  function select(given) {
    place = given;
    output.select(place);
    const { channel, y, x } = place, value = mapDigits(view.data[(channel * shape[1] + y) * shape[2] + x], view.header);
    spot.textContent = shape[1] * shape[2] > 1 ? `${placeText(y, x, layer.output_shape)}: ${value}` : value;
    const [, height, width] = shape;
    const right = 100 * (place.x + 1) / width, top = 100 * (place.y % deep) / deep, bottom = top + 100 / deep;
    const canvas = output.element.querySelector("canvas");
    canvas.style.clipPath = sweeping ? `polygon(0 0, 100% 0, 100% ${top}%, ${right}% ${top}%, ${right}% ${bottom}%, 0 ${bottom}%)` : "none";
    all.hidden = !sweeping;
    if (playing && place.y === height - 1 && place.x === width - 1) stop();
  }
  return {
    element, controls, select,
    stop() { stop(); sweeping = false; },
    draw({ scale, place: given, ...more }) {
      ({ layer, view } = more);
      shape = view.shape;
      deep = view.deep ?? shape[1];
      const many = shape[1] * shape[2] > 1;
      for (const one of [play, forward]) one.hidden = !many;
      play.disabled = stillness();
      play.title = play.disabled ? "Your system asks for less motion: use Step" : "The window slides over the map and fills the output";
      fill(titles[1], h("b", {}, layer.name), `channel ${given.channel}`);
      output.draw({ ...view, scale, order: [given.channel], side: SIDE, gap: 0 });
      select(given);
    },
    from(given) {
      follow();
      sourceFigure.hidden = arrow.hidden = !given;
      if (!given) return;
      const { low, high, signed } = given.scale;
      fill(titles[0], h("b", {}, given.label), `channel ${given.channel}`, signed ? ` · ±${digits(high, 3)}` : low ? "" : ` · 0 to ${digits(high, 3)}`);
      const drawn = shown;
      shown = given;
      if (drawn?.data !== given.data || drawn.channel !== given.channel) source.draw({ ...given, order: [given.channel], side: SIDE, gap: 0 });
      const { step: [dy, dx], origin: [top, left], patch } = given.term;
      const rows = (patch?.length ?? 1) / (given.term.frames ?? 1), columns = patch?.[0].length ?? 1;
      source.select({ channel: given.channel, y: top + ((rows - 1) >> 1) * dy, box: [top, top + (rows - 1) * dy + 1, left, left + (columns - 1) * dx + 1] });
    },
  };
}
