/* What the pages that answer have in common: `striate serve`'s, and the exported one that computes by itself.

   brand(name)                  the head of the page;  about(model)  what the model is, in a sentence
   dropping(show)               where pictures are dropped or chosen; show(files) is called with them
   card(path, image, told, model, most)   a picture with what is said of it; told: {said, confidence, probabilities, intervals?},
                                most: how many classes are shown */

import { digits, h, svg, worded } from "./dom.js";

const NAMED = 10; // classes in a sentence
const mark = () => svg("svg", { class: "brand-mark", viewBox: "0 0 36 32", "aria-hidden": "true" },
  [0, 1, 2, 3].map((i) => svg("rect", { x: 5 + 7 * i, y: 5, width: 4, height: 22, rx: 2 })));

const percent = (share) => `${(100 * share).toFixed(1)} %`;


function bars({ probabilities, intervals }, { shares }, most) {
  const order = Object.entries(probabilities);
  if (shares) order.sort((one, other) => other[1] - one[1]);
  return h("ol", { class: "bars", "aria-label": shares ? "Classes, most probable first" : "Numbers" }, order.slice(0, most).map(([name, value]) => {
    const ends = intervals?.[name];
    return h("li", {}, h("span", { class: "bar-name" }, name),
      h("span", { class: "bar-value" }, shares ? percent(value) : `${digits(value)}${ends ? ` (${digits(ends[0])} to ${digits(ends[1])})` : ""}`),
      shares ? h("span", { class: "bar", "aria-hidden": "true" }, h("i", { style: { width: `${100 * value}%` } })) : null);
  }));
}

export function card(path, image, told, model, most) {
  const sure = told.confidence === null ? "" : ` (${percent(told.confidence)})`;
  return h("section", { class: "panel answer" }, image,
    h("div", {}, h("h2", {}, path), h("p", { class: "said" }, told.said + sure), bars(told, model, most)));
}

export function dropping(show) {
  const input = h("input", { type: "file", multiple: true, on: { change: () => { show([...input.files]); input.value = ""; } } });
  const zone = h("label", { class: "panel drop" }, input, h("strong", {}, worded("Drop pictures here")), h("p", { class: "quiet" }, "or click to choose files"));
  addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("over"); });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) zone.classList.remove("over"); });
  addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    if (event.dataTransfer.files.length) show([...event.dataTransfer.files]);
  });
  return zone;
}

export function about({ task, classes, sees, test }) {
  const score = test ? worded(` In its test: ${test.said}.`) : "";
  const names = classes.length > NAMED ? `${classes.slice(0, NAMED).join(", ")} and ${classes.length - NAMED} more` : classes.join(", ");
  return `A model for ${task}: ${names}. It sees ${sees}.${score}`;
}

export const brand = (name) => h("div", { class: "brand" }, mark(), h("h1", {}, name));
