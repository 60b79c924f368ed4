/* The frame around the tabs: boot, tabs, the chosen picture with its prediction, dropping a picture, help. */

import { cancelled, createApi } from "./api.js";
import { useTables } from "./colour.js";
import { button, dropped, empty, fill, h, inWords, mark, note, percent, typesIn, useNouns, useSymbols, worded } from "./dom.js";
import { createChooser } from "./pictures.js";
import { createStore } from "./state.js";
import { createTruth } from "./truth.js";

const TABS = [["see", "See"], ["explain", "Explain"], ["filters", "Filters"], ["train", "Train"], ["playground", "Playground"], ["mistakes", "Mistakes"], ["embedding", "Embedding"]];
const KEYS = [
  ["Tab", "from one part of the page to the next"],
  ["← → ↑ ↓", "move the pixel on a map, or the choice in the strip of layers and in the tabs"],
  ["Shift + arrows, Page Up, Page Down", "another channel"],
  ["Home, End", "first and last channel, layer or tab"],
  ["[ and ]", "the layer before and after"],
  ["Enter", "from a map to its arithmetic"],
  ["Esc", "from the arithmetic to the maps, from the maps to the strip of layers"],
  ["?", "this help"],
];
const SHOWN = 5;

/* The row of tabs: one tab stop, arrows choose. */
function tabRow(go) {
  const buttons = TABS.map(([name, text]) => button(text, () => go({ tab: name }), { role: "tab", id: `tab-${name}`, "aria-controls": "view", data: { name } }));
  const element = h("div", { class: "tabs", role: "tablist", "aria-label": "Views", on: { keydown(event) {
    const now = buttons.indexOf(document.activeElement);
    const next = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (next === undefined || now < 0) return;
    event.preventDefault();
    const chosen = buttons[(next + buttons.length) % buttons.length];
    chosen.focus();
    go({ tab: chosen.dataset.name });
  } } }, buttons);
  return { element, set(tab) {
    for (const one of buttons) {
      one.setAttribute("aria-selected", String(one.dataset.name === tab));
      one.tabIndex = one.dataset.name === tab ? 0 : -1;
      if (one.dataset.name === tab) one.scrollIntoView({ block: "nearest", inline: "nearest" }); // on a narrow screen
    }
  } };
}

/* The prediction for the chosen picture: the five most probable classes as bars; of other tasks what is said, in words. */
function predictionBars(trace, model) {
  if (!trace.predictions.length) return [];
  const known = trace.truth !== null;
  if (!model.one_label) {
    const truth = inWords(trace.truth, model);
    return [h("strong", { class: "said" }, trace.said), known && ![trace.said, "mask"].includes(truth) ? h("span", { class: "quiet" }, `in truth ${truth}`) : null];
  }
  const right = known ? trace.truth === trace.predictions[0].label : null;
  const bars = trace.predictions.slice(0, SHOWN).map(({ label, probability }) =>
    h("li", { class: label === trace.truth ? "truth" : null, title: `${label}: ${100 * probability} %` },
      h("span", { class: "bar-name" }, label),
      h("span", { class: "bar", "aria-hidden": "true" }, h("i", { style: { width: `${100 * probability}%` } })),
      h("span", { class: "bar-value" }, percent(probability))));
  const verdict = right === null ? null : h("span", { class: `verdict ${right ? "good" : "bad"}`, title: trace.truth },
    right ? "✓ right" : `✗ in truth ${trace.truth}`);
  return [h("ol", { class: "predictions", "aria-label": "Prediction, most probable first" }, bars), verdict];
}

/* Opens the picture with the answer drawn on it, and the truth where it is known. */
function drawnButton(api, picture, { name, said }) {
  const image = h("img", { class: "drawn", alt: `${name} with the answer drawn on it: ${said}` });
  const paint = () => { image.src = truth.drawn(picture); };
  const truth = createTruth({ api, paint });
  const dialog = h("dialog", { class: "sheet", "aria-labelledby": "drawn-title" },
    h("div", { class: "spread" }, h("h2", { id: "drawn-title" }, name), button("Close", () => dialog.close(), { class: "plain" })),
    h("p", {}, said), image, truth.element);
  return [button("Show on the picture", () => {
    paint();
    dialog.showModal();
    truth.ask(picture);
  }), dialog];
}

function helpDialog() {
  const dialog = h("dialog", { class: "sheet", "aria-labelledby": "help-title" });
  fill(dialog,
    h("div", { class: "spread" }, h("h2", { id: "help-title" }, "How to find your way"), button("Close", () => dialog.close(), { class: "plain" })),
    h("p", { class: "quiet" }, worded("Choose a layer in the strip at the bottom of See, a map in its sheet, and a pixel in the map. Beside it stands how that number came about. The address of the page holds all of it: copy it to come back to the same pixel. Drop a picture anywhere to classify and open it.")),
    h("table", {}, h("caption", { class: "unseen" }, "Keys"), h("tbody", {}, KEYS.map(([key, text]) => h("tr", {}, h("th", { scope: "row" }, h("kbd", {}, key)), h("td", {}, text))))));
  return dialog;
}

/* Pictures dropped anywhere on the page are classified, and the first of them is opened. */
function acceptDrops(upload) {
  const veil = h("div", { class: "veil", hidden: true }, h("strong", {}, worded("Drop the picture to classify and open it")));
  dropped((on) => { veil.hidden = !on; }, upload);
  return veil;
}

function frame(app, store, model, chooser, upload) {
  const tabs = tabRow(store.go);
  const help = helpDialog();
  const thumb = h("img", { class: "thumb pixelated", alt: "" });
  const name = h("span", { class: "picture-name" });
  const prediction = h("div", { class: "prediction" });
  const view = h("div", { id: "view", role: "tabpanel" });
  const live = h("output", { class: "unseen", "aria-live": "polite" });
  const errors = h("div", { class: "errors" });
  const openHelp = () => help.showModal();
  addEventListener("keydown", (event) => {
    if (event.key === "?" && !typesIn(event)) openHelp();
  });
  fill(app,
    h("header", { class: "top" },
      h("div", { class: "top-row" },
        h("div", { class: "brand" }, mark(), h("h1", {}, model.name, h("span", { class: "unseen" }, " in Striate"))),
        tabs.element, button("?", openHelp, { class: "round", "aria-label": "Help and keys", title: "Help and keys (?)" })),
      h("div", { class: "top-row picture-row" },
        button([thumb, name, h("span", { class: "chevron", "aria-hidden": "true" }, "▾")], chooser.open, { class: "picture-button", "aria-label": worded("Choose another picture"), "aria-haspopup": "dialog" }),
        prediction)),
    errors, h("main", {}, view), live, help, chooser.element, acceptDrops(upload));
  return { tabs, thumb, name, prediction, view, live, errors };
}

async function start(app) {
  const store = createStore();
  const api = createApi();
  const model = await api.json("/api/model");
  useTables(model.colours);
  if (model.nouns) useNouns(model.nouns);
  useSymbols(model.symbols);
  document.title = `${model.name} · Striate`;
  document.body.dataset.form = model.form ?? "picture";
  const complain = (text) => { fill(parts.errors, text ? note(text, "error") : null); };
  const upload = async (files) => {
    complain("");
    const taken = [], refused = [];
    for (const file of files) {
      try { taken.push(await api.post("/api/pictures", file, { "X-Name": encodeURIComponent(file.name) })); } catch (error) { refused.push(`${file.name}: ${error.message}`); }
    }
    if (taken.length) store.go({ picture: taken[0].id, class: null, versus: null });
    const more = taken.length > 1 ? note(worded(`${taken.length} pictures were taken; the first is open, the others are under “yours” where a picture is chosen.`)) : null;
    fill(parts.errors, more, refused.map((text) => note(text, "error")));
  };
  const chooser = createChooser({ api, model, upload, choose: (id) => store.go({ picture: id, class: null, versus: null }) });
  const parts = frame(app, store, model, chooser, upload);
  const context = {
    store, api, model, go: store.go,
    trace: async (id) => {
      const answer = await api.json(`/api/trace/${id}`);
      if (!model.network) location.reload(); // the training has ended meanwhile: head, words and tabs are about a model now
      return answer;
    },
    announce: (text) => { parts.live.textContent = text; },
  };
  const tab = tabs(parts, context);
  const picture = header(parts, context);
  const refresh = (state) => {
    if (!state.picture && model.first_picture) return store.go({ picture: model.first_picture });
    picture(state);
    tab.show(state);
  };
  store.follow((state) => { complain(""); refresh(state); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => tab.show(store.get(), true));
  refresh(store.get());
}

/* Keeps the picture's thumbnail, name and prediction true to the state. */
function header(parts, { api, model, trace }) {
  let shown = null;
  return async ({ picture }) => {
    if (picture === shown) return;
    shown = picture;
    const nameless = worded(`picture ${picture}`);
    parts.thumb.hidden = !picture;
    parts.name.textContent = picture ? "…" : worded("Choose a picture");
    fill(parts.prediction);
    if (!picture) return;
    parts.thumb.src = `/api/pictures/${picture}/image`;
    if (!model.network) { // a run that is still training: there is nothing to ask yet
      parts.name.textContent = nameless;
      return void fill(parts.prediction, note(model.note));
    }
    try {
      const answer = await trace(picture);
      if (shown !== picture) return;
      parts.name.textContent = answer.name ?? nameless;
      parts.name.title = parts.name.textContent;
      parts.prediction.title = answer.note;
      fill(parts.prediction, predictionBars(answer, model), model.spatial ? drawnButton(api, picture, answer) : null);
    } catch (error) {
      if (cancelled(error) || shown !== picture) return;
      parts.name.textContent = parts.name.title = nameless;
      fill(parts.prediction, note(error.message, "error"));
    }
  };
}

/* Loads a tab's module when it is first shown, and hands every later state to it. */
function tabs(parts, context) {
  let name = null, view = null;
  return { async show(state, anew = false) {
    const wanted = TABS.some(([key]) => key === state.tab) ? state.tab : "see";
    parts.tabs.set(wanted);
    if (wanted === name && !anew) return void view?.update(state);
    view?.unmount();
    view = null;
    name = wanted;
    parts.view.setAttribute("aria-labelledby", `tab-${name}`);
    try {
      const module = await import(`./${wanted}.js`);
      if (name !== wanted) return;
      const root = h("div", { class: `tab-view tab-${name}` });
      fill(parts.view, root);
      view = module.mount(root, context);
      view.update(context.store.get());
    } catch (error) {
      fill(parts.view, empty("This view could not be opened", error.message));
      throw error;
    }
  } };
}

start(document.getElementById("app")).catch((error) => {
  fill(document.getElementById("app"), h("main", {}, h("h1", { class: "unseen" }, "Striate"), empty("The page could not be opened", error.message)));
  throw error;
});
