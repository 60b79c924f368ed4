/* The evidence beside a heatmap: a network that knows nothing, and the picture without what the map names.

   createTrust(label of a method by its name) -> {element, wait(), fail(text), show(answer, map, scale, laid)}
     answer of /api/trust, the map {header, shape, data} that it judges, the Scale that the map is drawn in, and how it is laid:
     as of sideBySide, with its flat [height, width] */

import { paintWithin } from "./atlas.js";
import { range, Scale } from "./colour.js";
import { lineChart } from "./curves.js";
import { digits, fill, h, note, number, panel, worded } from "./dom.js";
import { resize } from "./graph.js";

const MAP_SIDE = 132;
const NAMES = { map: "this map", random: "random", edges: "edge filter" };
const CURVES = { map: 1, random: 3, edges: 2 };

function smallMap(words, values, [height, width], scale) {
  const { minimum, maximum } = range(values);
  const canvas = h("canvas", { class: "explain-small", role: "img", "aria-label": `${words}, from ${digits(minimum)} to ${digits(maximum)}` });
  paintWithin(MAP_SIDE, canvas, values, width, height, scale);
  return h("figure", {}, h("figcaption", {}, words), canvas, scale.legend());
}

/* The map, and the same method on a network whose weights were drawn anew, as large as the map; each with colours of its own. */
function pair(twin, heat, scale, { frames, flat: [high, wide], from }) {
  const coarse = { dims: [1, frames, twin.length / frames, twin[0].length], data: twin.flat().map(Number) };
  const { data } = resize([coarse, , , { data: [1, frames, high / frames, wide] }]);
  const values = Float32Array.from(from, (i) => data[i] ?? 0);
  return [smallMap("this map", heat.data, heat.shape, scale), smallMap("untrained twin", values, heat.shape, Scale.of(range(values), scale.signed))];
}

/* A rank correlation as a number and its place between −1 and 1. */
function gauge(words, value, meaning) {
  const v = Number(Number(value).toFixed(4));
  const known = Number.isFinite(v);
  return h("div", { class: "explain-gauge" }, h("div", { class: "spread" }, h("span", {}, words), known ? number(v) : h("span", {}, "not defined")),
    known ? h("div", { class: "explain-track", "aria-hidden": "true" }, h("i", { style: { left: `${50 + 50 * v}%` } })) : null,
    h("p", { class: "quiet" }, meaning));
}

function curveChart(label, curves, shares) {
  const chart = lineChart({ label, xLabel: worded("% of pixels"), latest: false,
    format: (value) => digits(value, 3), xFormat: (value) => String(Math.round(value)) });
  chart.draw(Object.keys(NAMES).map((name) => ({ name: NAMES[name], curve: CURVES[name], dashed: name !== "map",
    points: curves[name].map((y, i) => [100 * shares[i], Number(y)]) })));
  return chart.element;
}

function areas({ deletion, insertion }) {
  return h("table", {}, h("caption", { class: "unseen" }, "Mean score along the curves"),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "mean score"),
      h("th", { scope: "col", class: "figure" }, "deletion (low is good)"),
      h("th", { scope: "col", class: "figure" }, "insertion (high is good)"))),
    h("tbody", {}, Object.keys(NAMES).map((name) => h("tr", {}, h("th", { scope: "row" }, NAMES[name]),
      h("td", { class: "figure" }, number(deletion[name])), h("td", { class: "figure" }, number(insertion[name]))))));
}

export function createTrust(label) {
  const inside = h("div", { class: "explain-trust" });
  const element = panel("Can it be trusted?", inside);

  function show(found, heat, scale, laid) {
    const { header } = heat;
    const kind = found.failed ? "error" : found.warnings.length ? "caution" : "good";
    // What the verdict or the map's own remarks say already need not be said twice.
    const said = `${found.verdict} ${header.warning}`;
    const fresh = found.warnings.filter((warning) => !said.includes(warning.replace(/^The map /, "").replace(/\.$/, "")));
    element.classList.remove("busy");
    fill(inside,
      note(`${{ error: "✗", caution: "⚠", good: "✓" }[kind]} ${found.verdict}`, kind),
      fresh.length ? h("ul", { class: "explain-warnings" }, fresh.map((warning) => h("li", {}, warning))) : null,
      h("div", { class: "explain-pair" },
        h("div", { class: "explain-twins" }, pair(found.twin, heat, scale, laid)),
        h("div", { class: "explain-gauges" },
          gauge("Like the twin's map", found.correlation, "Rank correlation. Near 1 would mean: what was learned does not matter."),
          gauge("Like an edge filter", found.edges, "Near 1 would mean: it draws the outlines, with or without a network."),
          gauge(`Like the map of ${label(found.other)}`, found.agreement, "High: two different methods point to the same places. Below 0: look at both. The verdict does not weigh it."))),
      h("div", { class: "explain-curves" },
        curveChart(worded("Deletion: score as the highest pixels go"), found.deletion, found.shares),
        curveChart("Insertion: score as they come back", found.insertion, found.shares)),
      h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Areas" }, areas(found.areas)),
      h("p", { class: "quiet" }, `${worded("Pixels that are gone")} show ${found.fill}. ${worded("Such pictures are")} unlike any that the network learned from, `
        + "so read the curves against the two others: a random order, and an edge filter that never saw the network."),
      h("p", { class: "explain-limit" }, `At best, such a map shows where evidence for ${header.target} came from`
        + `${header.layer ? ` in layer ${header.layer}` : ""}. It never proves that the network sees the thing as a person would.`));
  }
  return {
    element, show,
    wait() {
      element.classList.add("busy");
      fill(inside, h("p", { class: "quiet" }, "Comparing with an untrained twin, a random order and an edge filter …"));
    },
    fail(text) {
      element.classList.remove("busy");
      fill(inside, note(text, "error"));
    },
  };
}
