/* The page of `striate serve`: drop pictures, see what the model says of each; and how programs ask the same. */

import { digits, fill, h, note, panel, svg, useNouns, worded } from "./dom.js";

const SHOWN = 10, FEW = 3, MOST = 20; // classes of an answer, of one among many; answers that stay on the page
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

function answer(told, model, most) {
  if (told.reason) return panel(told.path, note(told.reason, "error"));
  const image = h("img", { src: `data:image/png;base64,${told.drawn}`, alt: `${told.path}: ${told.said}` });
  const sure = told.confidence === null ? "" : ` (${percent(told.confidence)})`;
  return h("section", { class: "panel answer" }, image,
    h("div", {}, h("h2", {}, told.path), h("p", { class: "said" }, told.said + sure), bars(told, model, most)));
}

async function ask(files, model) {
  const form = new FormData();
  for (const file of files) form.append("picture", file, file.name);
  const response = await fetch("predict?drawn=1", { method: "POST", body: form });
  const told = await response.json();
  if (told.predictions) return told.predictions.map((one) => answer(one, model, told.predictions.length > FEW ? FEW : SHOWN));
  return [note(`${told.rule}. ${told.received ?? ""}. ${told.remedy}`, "error")];
}

function dropping(show) {
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

function forPrograms() {
  const address = `${location.origin}/predict`;
  const python = ["import json", "from urllib.request import urlopen", "", 'with open("PICTURE", "rb") as file:',
    `    reply = urlopen("${address}", file.read())`, 'print(json.load(reply)["predictions"][0])'].join("\n");
  const lines = (text, label) => h("pre", { class: "lines", tabindex: "0", "aria-label": label }, text);
  return panel("For programs", lines(`curl -F picture=@PICTURE ${address}`, "In a terminal"), lines(python, "In Python"));
}

function about({ task, classes, sees, test }) {
  const score = test ? worded(` In its test: ${test.said}.`) : "";
  const names = classes.length > SHOWN ? `${classes.slice(0, SHOWN).join(", ")} and ${classes.length - SHOWN} more` : classes.join(", ");
  return `A model for ${task}: ${names}. It sees ${sees}.${score}`;
}

async function start(app) {
  const model = await (await fetch("model")).json();
  useNouns(model.nouns);
  document.title = `${model.name} · Striate`;
  const answers = h("div", { "aria-live": "polite", id: "answers" });
  const show = async (files) => {
    zone.classList.add("busy");
    let shown;
    try { shown = await ask(files, model); } catch { shown = [note("The server does not answer. Is striate serve still running?", "error")]; }
    zone.classList.remove("busy");
    fill(answers, shown, [...answers.children].slice(0, MOST));
    answers.classList.toggle("many", answers.children.length > FEW);
  };
  const zone = dropping(show);
  fill(app, h("div", { class: "brand" }, mark(), h("h1", {}, model.name)), h("p", { class: "quiet" }, about(model)), zone, answers, forPrograms());
}

const app = document.getElementById("predict");
start(app).catch((error) => fill(app, note(String(error), "error")));
