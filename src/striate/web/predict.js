/* The page of `striate serve`: drop pictures, see what the model says of each; and how programs ask the same. */

import { card, classesOf, dropping, head } from "./answers.js";
import { fill, h, note, panel, useNouns } from "./dom.js";

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

async function ask(files, model, count) {
  const form = new FormData();
  for (const file of files) form.append("picture", file, file.name);
  const response = await fetch("predict?drawn=1", { method: "POST", body: form });
  const told = await response.json();
  if (told.predictions) return told.predictions.map((one) => answer(one, model, classesOf(Math.max(count, told.predictions.length))));
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
  const { zone, answers, gone } = dropping(async (files, add) => {
    const shown = [];
    try {
      for (const portion of portions(files, model)) shown.push(...await ask(portion, model, files.length));
    } catch { shown.push(note("The server does not answer. Is striate serve still running?", "error")); }
    add(shown);
  });
  fill(app, head(model), zone, answers, gone, forPrograms());
}

const app = document.getElementById("predict");
start(app).catch((error) => fill(app, note(String(error), "error")));
