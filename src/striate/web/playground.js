/* Playground: one filter, by hand, on a picture of your own, with every product on the table.

   State of its own in the address: kernel (a preset's name, or rows "0*1*0_1*-4*1_0*1*0"), stride, padding, dilation,
   divide ("" | weights | cells), activation ("" | relu), pool ("" | max), plane ("grey" | 0 | 1 | 2), look ("" | grey),
   place ("row.column" on the map). */

import { Scale, range } from "./colour.js";
import * as arithmetic from "./convolve.js";
import { check, digits, empty, fill, h, note, number, panel, perFrame, segmented, select } from "./dom.js";
import { createEditor, kernelOf, kernelText } from "./kernel.js";
import { createPlane } from "./plane.js";
import { createPlayer } from "./player.js";
import { poolPatch, sizeNote, sumOf } from "./worked.js";

const PADDINGS = [["valid", "none (valid)"], ["same", "zeros, keep the size (same)"], ["reflect", "mirror, keep the size"],
  ["1", "1 zero all round"], ["2", "2 zeros all round"], ["3", "3 zeros all round"]];
const COMPUTED = ["kernel", "stride", "padding", "dilation", "divide", "activation", "pool", "plane", "look"];
const LOOKS = [["", "Colour", "Zero has a colour of its own"], ["grey", "Grey", "Smallest value black, largest white"]];
const SPEEDS = [["2", "2 places a second"], ["8", "8 places a second"], ["40", "40 places a second"], ["row", "row by row"]];

async function pixelsOf(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = h("canvas", { width: image.naturalWidth, height: image.naturalHeight });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(image, 0, 0);
  return pen.getImageData(0, 0, canvas.width, canvas.height);
}

/* The settings that the state says, each within its bounds. */
function settingsOf(state, presets) {
  const whole = (text, most) => Math.min(most, Math.max(1, Math.round(Number(text)) || 1));
  return {
    kernel: kernelOf(state.kernel, presets),
    stride: whole(state.stride, 8), dilation: whole(state.dilation, 4),
    padding: PADDINGS.some(([key]) => key === state.padding) ? state.padding : "valid",
    divide: ["weights", "cells"].includes(state.divide) ? state.divide : "",
    relu: state.activation === "relu", pool: state.pool === "max",
    plane: ["0", "1", "2"].includes(state.plane) ? state.plane : "grey", look: state.look === "grey" ? "grey" : "",
  };
}

/* Everything that follows from the pixels and the settings. */
function work(pixels, settings) {
  const { kernel } = settings;
  const flat = kernel.flat();
  const divisor = settings.divide === "weights" ? flat.reduce((sum, weight) => sum + Math.abs(weight), 0) || 1
    : settings.divide === "cells" ? flat.length : 1;
  const plane = arithmetic.planeOf(pixels.data, pixels.width, pixels.height, settings.plane);
  const sums = arithmetic.convolve(plane, kernel, settings, divisor);
  const map = settings.relu ? arithmetic.relu(sums) : sums;
  return { ...settings, divisor, plane, sums, map, pooled: settings.pool ? arithmetic.maxPool(map) : null };
}

export function mount(root, { api, go, announce, model }) {
  let presets = [], pixels = null, picture = null, job = null, visited = false, state = null, painted = null, gone = false;
  const act = (key, otherwise = "") => (value) => { visited = false; go({ [key]: value === otherwise ? null : value }); };
  const counts = (most) => Array.from({ length: most }, (_, i) => [String(i + 1), String(i + 1)]);

  const editor = createEditor((kernel) => act("kernel")(kernelText(kernel, presets)));
  const controls = {
    stride: select("Stride", counts(8), "1", act("stride", "1")),
    padding: select("Padding", PADDINGS, "valid", act("padding", "valid")),
    dilation: select("Dilation", counts(4), "1", act("dilation", "1")),
    divide: select("Sum is", [["", "left as it is"], ["weights", "÷ sum of |weights|"], ["cells", "÷ number of weights"]], "", act("divide")),
    activation: select("Activation", [["", "none"], ["relu", "ReLU"]], "", act("activation")),
    plane: select("Picture as", [["grey", "grey"], ["0", "red"], ["1", "green"], ["2", "blue"]], "grey", act("plane", "grey")),
  };
  const pool = check("Max pool 2 × 2", false, (on) => act("pool")(on ? "max" : ""));
  const look = segmented("Colours of the map", LOOKS, "", (value) => go({ look: value || null }));
  const speed = select("Speed", SPEEDS, "8", () => {});
  const input = createPlane({ label: "Picture: choose the place of the filter with the arrow keys", side: 320,
    onPick: (row, column) => choose(...underFilter(row, column)) });
  const output = createPlane({ label: "Feature map: choose a place with the arrow keys", side: 320,
    onPick: (row, column) => choose(row, column), onHover: (row, column) => hint(row, column) });
  const pooled = createPlane({ label: "Pooled map: choose a place with the arrow keys", side: 160,
    onPick: (row, column) => choose(2 * row, 2 * column) });
  const sizes = h("div", { class: "play-size" }), sums = h("div", {}), legends = h("div", {}), pooledBox = h("div", { class: "play-pooled" });
  const inputTitle = h("p", { class: "quiet" }), outputTitle = h("p", { class: "quiet" });
  const player = createPlayer({
    label: "Sweep of the filter over the picture",
    rate: () => { const chosen = speed.element.querySelector("select").value; return chosen === "row" ? 6 * (job?.map.width ?? 1) : Number(chosen); },
    text: (index) => `row ${Math.floor(index / job.map.width)}, column ${index % job.map.width}`,
    onMove: (index) => choose(Math.floor(index / job.map.width), index % job.map.width, true),
    onPlay: (on) => {
      const [y, x] = place();
      visited = on || y * job.map.width + x < job.map.values.length - 1;
      markPlaces();
    },
  });
  const body = h("div", { class: "play" },
    h("div", { class: "play-side" }, panel("Filter", editor.element),
      panel("How it slides, and what follows", h("div", { class: "play-settings" },
        ["stride", "dilation", "padding", "divide", "activation"].map((name) => controls[name].element), pool.element), sizes)),
    panel("", h("div", { class: "spread" }, h("h2", {}, "Picture"), inputTitle), h("div", { class: "plane-room" }, input.element),
      controls.plane.element),
    panel("", h("div", { class: "spread" }, h("h2", {}, "Feature map"), outputTitle), h("div", { class: "plane-room" }, output.element),
      h("div", { class: "spread" }, legends, look.element), pooledBox),
    h("section", { class: "panel play-place" }, h("div", { class: "spread" }, h("h2", {}, "One place, worked out"), speed.element),
      player.element, sums));
  const stage = h("div", {}, body);
  root.append(stage);

  /* The place on the map whose window's middle is nearest to a pixel of the picture. */
  function underFilter(row, column) {
    const near = (at, width, cells, most) => {
      const { span, before } = arithmetic.along(width, cells, job);
      return Math.min(most - 1, Math.max(0, Math.round((at + before - (span - 1) / 2) / job.stride)));
    };
    return [near(row, job.plane.height, job.kernel.length, job.map.height), near(column, job.plane.width, job.kernel[0].length, job.map.width)];
  }

  function place() {
    const [row, column] = (state.place || "0.0").split(".").map((text) => Math.max(0, Math.round(Number(text)) || 0));
    return [Math.min(row, Math.max(0, job.map.height - 1)), Math.min(column, Math.max(0, job.map.width - 1))];
  }

  function choose(row, column, sweeping = false) {
    if (!job?.map.values.length) return;
    if (!sweeping) { player.pause(); visited = false; }
    const to = [Math.min(row, job.map.height - 1), Math.min(column, job.map.width - 1)];
    go({ place: `${to[0]}.${to[1]}` });
    if (!sweeping) announce(`row ${to[0]}, column ${to[1]}: ${digits(job.map.values[to[0] * job.map.width + to[1]])}`);
  }

  /* The size of the map, or what is under the pointer. */
  function hint(row = null, column = null) {
    const { width, height, values } = job.map;
    if (row !== null && row < height && column < width) fill(outputTitle, `row ${row}, column ${column}: `, number(values[row * width + column]));
    else outputTitle.textContent = values.length ? `${width} × ${height} values` : "no values";
  }

  function paintMaps() {
    const { plane, map } = job;
    const scaleOf = (values) => {
      const found = range(values);
      return job.look === "grey" ? Scale.greys(found.minimum, found.maximum) : Scale.of(found);
    };
    const scale = scaleOf(map.values);
    const draw = (onto, { width, height, values }, colours) => onto.draw(Math.max(1, width), Math.max(1, height),
      (target) => colours.pixels(values, 0, values.length, target, 0));
    draw(input, plane, Scale.greys(0, 255));
    draw(output, map, scale);
    fill(legends, scale.legend(job.relu ? "value after ReLU" : "value"));
    if (job.pooled?.values.length) draw(pooled, job.pooled, scale);
    markPlaces();
  }

  function markPlaces() {
    if (!job.map.values.length) { for (const plane of [input, output]) plane.mark([]); return; }
    const [y, x] = place();
    const across = arithmetic.along(job.plane.width, job.kernel[0].length, job);
    const down = arithmetic.along(job.plane.height, job.kernel.length, job);
    const top = y * job.stride - down.before, left = x * job.stride - across.before;
    const cell = (row, column, size = 1, kind = "cell") => ({ top: row, left: column, height: size, width: size, kind });
    const seen = job.kernel.flatMap((row, i) => row.map((_, j) => cell(top + i * job.dilation, left + j * job.dilation, 1, "tap")));
    input.mark([{ top, left, height: down.span, width: across.span, kind: "window" }, job.dilation > 1 ? seen : []].flat());
    const within = (at, most) => Math.min(most - 1, Math.max(0, at));
    input.at(within(top + (down.span >> 1), job.plane.height), within(left + (across.span >> 1), job.plane.width));
    const patch = job.pooled && poolPatch(job, y, x);
    const { width, height } = job.map;
    // While the filter sweeps, what it has not reached yet stays hidden.
    const ahead = visited ? [{ top: y, left: x + 1, height: 1, width: width - x - 1, kind: "curtain" },
      { top: y + 1, left: 0, height: height - y - 1, width, kind: "curtain" }] : [];
    output.mark([ahead, patch ? cell(2 * patch.row, 2 * patch.column, 2, "patch") : [], cell(y, x)].flat());
    output.at(y, x);
    if (patch) { pooled.mark([cell(patch.row, patch.column)]); pooled.at(patch.row, patch.column); }
  }

  function paintPlace() {
    if (!job.map.values.length) { fill(sums, h("p", { class: "quiet" }, "There is no place for this filter.")); return; }
    const [y, x] = place();
    fill(sums, sumOf(job, y, x));
    player.count(job.map.values.length);
    player.set(y * job.map.width + x);
  }

  function recompute() {
    job = work(pixels, settingsOf(state, presets));
    const { plane } = job;
    fill(inputTitle, `${plane.width} × ${plane.height} pixels ${["series", "text"].includes(model.form) ? `of the ${model.nouns[0]} as the page draws it, not its values` : "as the page shows them"}, in 8 bits`);
    hint();
    fill(sizes, sizeNote(job));
    fill(pooledBox, !job.pooled ? null : job.pooled.values.length ? [h("h3", {}, "After max pooling"),
      h("p", { class: "quiet" }, `${job.pooled.width} × ${job.pooled.height}: the largest of every 2 × 2 patch`),
      h("div", { class: "plane-room" }, pooled.element)]
      : note("The map is smaller than one 2 × 2 patch: nothing is left after pooling."));
  }

  function controlsShow() {
    const settings = settingsOf(state, presets);
    editor.show(settings.kernel, presets);
    for (const name of ["stride", "padding", "dilation", "divide", "plane"]) controls[name].set(settings[name]);
    controls.activation.set(settings.relu ? "relu" : "");
    pool.set(settings.pool);
    look.set(settings.look);
  }

  /* Only what changed since the last frame is worked out anew. */
  const show = perFrame(() => {
    if (gone || !pixels) return;
    controlsShow();
    if (!job || COMPUTED.some((key) => (painted[key] ?? "") !== (state[key] ?? ""))) {
      recompute();
      output.element.hidden = !job.map.values.length;
      paintMaps();
    } else markPlaces();
    painted = state;
    paintPlace();
  });

  async function open(id) {
    picture = id;
    try {
      presets = (await api.json("/api/kernels")).kernels;
      const loaded = await pixelsOf(`/api/pictures/${encodeURIComponent(id)}/image`);
      if (gone || picture !== id) return;
      pixels = loaded;
      job = null;
      fill(stage, body);
      update(state);
    } catch (error) {
      if (!gone && picture === id) fill(stage, note(`This picture could not be read: ${error.message}`, "error"));
    }
  }

  function update(next) {
    state = next;
    if (!state.picture) {
      picture = null;
      fill(stage, empty("No picture yet", "Drop a picture on the page, or choose one above."));
    } else if (state.picture !== picture) {
      player.pause();
      pixels = null;
      open(state.picture);
    } else show();
  }
  return { update, unmount() { gone = true; player.pause(); } };
}
