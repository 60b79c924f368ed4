/* The page of `striate serve`: drop pictures, see what the model says of each; and how programs ask the same. */

import { about, brand, card, dropping } from "./answers.js";
import { fill, h, note, panel, useNouns } from "./dom.js";

const SHOWN = 10, FEW = 3, MOST = 20; // classes of an answer, of one among many; answers that stay on the page
const HEAD = 2000; // bytes that a form adds to a file, at most

function answer(told, model, most) {
  if (told.reason) return panel(told.path, note(told.reason, "error"));
  const image = h("img", { src: `data:image/png;base64,${told.drawn}`, alt: `${told.path}: ${told.said}` });
  return card(told.path, image, told, model, most);
}

/* The files in portions that one request may hold. */
function portions(files, { largest_body: largest, most_pictures: most }) {
  const made = [];
  let size = Infinity;
  for (const file of files) {
    size += file.size + HEAD;
    if (size > largest || made.at(-1).length === most) {
      made.push([]);
      size = file.size + HEAD;
    }
    made.at(-1).push(file);
  }
  return made;
}

async function ask(files, model, many) {
  const form = new FormData();
  for (const file of files) form.append("picture", file, file.name);
  const response = await fetch("predict?drawn=1", { method: "POST", body: form });
  const told = await response.json();
  if (told.predictions) return told.predictions.map((one) => answer(one, model, many || told.predictions.length > FEW ? FEW : SHOWN));
  return [note(`${told.rule}. ${told.received ?? ""}. ${told.remedy}`, "error")];
}

function forPrograms() {
  const address = `${location.origin}/predict`;
  const python = ["import json", "from urllib.request import urlopen", "", 'with open("PICTURE", "rb") as file:',
    `    reply = urlopen("${address}", file.read())`, 'print(json.load(reply)["predictions"][0])'].join("\n");
  const lines = (text, label) => h("pre", { class: "lines", tabindex: "0", "aria-label": label }, text);
  return panel("For programs", lines(`curl -F picture=@PICTURE ${address}`, "In a terminal"), lines(python, "In Python"));
}

async function start(app) {
  const model = await (await fetch("model")).json();
  useNouns(model.nouns);
  document.title = `${model.name} · Striate`;
  const answers = h("div", { "aria-live": "polite", id: "answers" });
  const show = async (files) => {
    zone.classList.add("busy");
    const shown = [];
    try {
      for (const portion of portions(files, model)) shown.push(...await ask(portion, model, files.length > FEW));
    } catch { shown.push(note("The server does not answer. Is striate serve still running?", "error")); }
    zone.classList.remove("busy");
    fill(answers, shown, [...answers.children].slice(0, MOST));
    answers.classList.toggle("many", answers.children.length > FEW);
  };
  const zone = dropping(show);
  fill(app, brand(model.name), h("p", { class: "quiet" }, about(model)), zone, answers, forPrograms());
}

const app = document.getElementById("predict");
start(app).catch((error) => fill(app, note(String(error), "error")));
