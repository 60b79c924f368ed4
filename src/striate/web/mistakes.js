/* Mistakes: the test pictures, wrong ones first and the surest of them at the top.

   State of its own in the address: show ("" = wrong, unsure, all), pair ("truth-predicted", numbers of two classes). */

import { button, digits, empty, fill, h, inWords, note, panel, percent, segmented, worded } from "./dom.js";
import { createTruth } from "./truth.js";

const AT_ONCE = 48;
const LARGEST_TABLE = 16; // classes up to which the whole table of truth and prediction is shown
const MOST_PAIRS = 24;
// What is said where a filter leaves nothing.
const NOTHING = {
  wrong: ["Nothing wrong", "The network was right on every test picture. “Right but unsure” shows where it came close."],
  unsure: ["Nothing right", "The network was wrong on every test picture."],
  pair: ["No such pictures", "No test picture of this class was given this answer."],
};

/* How often each class was taken for each other, by numbers of classes: Map "truth-predicted" -> count. */
function countPairs(rows) {
  const counts = new Map();
  for (const { pair } of rows) counts.set(pair, (counts.get(pair) ?? 0) + 1);
  return counts;
}

/* Truth by prediction; every filled cell is a button that shows just these pictures. */
function confusion(classes, counts, choose) {
  const cell = (t, p) => {
    const pair = `${t}-${p}`, count = counts.get(pair);
    if (!count) return h("td", { class: t === p ? "diagonal" : null }, h("span", { class: "unseen" }, "0"));
    return h("td", { class: t === p ? "diagonal" : "wrong" }, button(String(count), () => choose(pair), {
      "aria-label": `${count} of class ${classes[t]} predicted as ${classes[p]}`, data: { pair } }));
  };
  const head = classes.map((name) => h("th", { scope: "col", title: name }, name));
  const table = h("table", { class: `mistakes-table ${classes.some((name) => name.length > 3) ? "long" : ""}` },
    h("caption", {}, worded("Rows: truth. Columns: prediction. Choose a number to see its pictures.")),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, h("span", { class: "unseen" }, "truth")), head)),
    h("tbody", {}, classes.map((name, t) => h("tr", {}, h("th", { scope: "row", title: name }, name), classes.map((_, p) => cell(t, p))))));
  return h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Truth and prediction" }, table);
}

const right = (pair) => { const [truth, predicted] = pair.split("-"); return truth === predicted; };

/* The commonest confusions as buttons, where the whole table would be too large. */
function commonest(classes, counts, choose) {
  const pairs = [...counts].filter(([pair]) => !right(pair)).sort((a, b) => b[1] - a[1]).slice(0, MOST_PAIRS);
  const words = (pair) => pair.split("-").map((number) => classes[number]).join(" → ");
  return h("div", { class: "toolbar", role: "group", "aria-label": "Commonest confusions, truth to prediction" }, pairs.map(([pair, count]) =>
    button(`${words(pair)} · ${count}`, () => choose(pair), { data: { pair }, class: "mistakes-pair" })));
}

/* A picture with what was said of it, and the ways to Explain and See; kind: the class of what was said. */
function card(name, { explain, see }, image, { words, said, kind, remarks, why = "Explain" }) {
  return h("li", { class: "mistakes-card" },
    h("a", { href: explain, class: "mistakes-picture", "aria-label": `Explain ${name}: ${words}` }, image),
    h("p", { class: kind }, said), h("p", { class: "quiet" }, remarks),
    h("p", { class: "mistakes-links" },
      h("a", { href: explain, "aria-label": `${why} ${name}` }, why), h("a", { href: see, "aria-label": `See ${name} in the network` }, "See")));
}

/* Of a task without one class per picture: every test picture, the worst answer first. */
function mountPlain(root, { api, model, store }) {
  const stage = h("div", { class: model.spatial ? "mistakes large" : "mistakes" });
  root.append(stage);
  const side = model.spatial ? 240 : 96;
  const source = (id) => model.spatial ? drawing.drawn(id) : `/api/pictures/${encodeURIComponent(id)}/image`;
  const redraw = () => { for (const one of stage.querySelectorAll("img")) one.src = source(one.dataset.id); };
  const drawing = createTruth({ api, paint: redraw });
  let limit = AT_ONCE, rows = [];

  function plainCard({ id, name, truth, predicted, error }) {
    const [explain, see] = ["explain", "see"].map((tab) => store.link({ tab, picture: id, class: null, versus: null }));
    const said = inWords(predicted, model), told = truth === "mask" ? null : `in truth ${inWords(truth, model)}`;
    // Numbers and areas are hardly ever met exactly, so that all of them would be red.
    const kind = !model.shares || truth === "mask" ? null : error > 0 ? "mistakes-wrong" : "mistakes-right";
    return card(name, { explain, see }, h("img", { loading: "lazy", alt: "", width: side, height: side, src: source(id), data: { id } }),
      { words: [said, told].filter(Boolean).join(", "), said, kind, remarks: [told ? [told, h("br")] : null, `error ${digits(error)}`] });
  }

  function paint() {
    const more = button(`Show ${Math.min(AT_ONCE, rows.length - limit)} more`, () => { limit += AT_ONCE; paint(); });
    fill(stage, rows.length ? panel("", h("h2", {}, worded(`${rows.length} test pictures, the worst answer first`)),
      model.error_is ? h("p", { class: "quiet" }, `Error: ${model.error_is}.`) : null, drawing.element,
      h("ul", { class: "mistakes-list" }, rows.slice(0, limit).map(plainCard)), rows.length > limit ? more : null)
      : empty(worded("No test pictures"), worded("A run folder holds the test pictures and what the network said of them, once its training has ended.")));
  }

  api.json("/api/mistakes", { keep: false }).then((answer) => {
    rows = answer.rows;
    paint();
    if (model.spatial && rows.length) drawing.ask(rows[0].id);
  }, (error) => fill(stage, note(error.message, "error")));
  return { update() {}, unmount() {} };
}

export function mount(root, context) {
  return context.model.one_label ? mountClasses(root, context) : mountPlain(root, context);
}

function mountClasses(root, { api, model, go, store }) {
  let classes = model.classes;
  let rows = null, state = null, limit = AT_ONCE, shown = "";
  const stage = h("div", { class: "mistakes" });
  const title = h("h2", {}), list = h("div", {});
  const more = button("", () => { limit += AT_ONCE; paint(); });
  const clear = button("Clear the filter", () => choose(null));
  const toggle = segmented(worded("Which pictures"), [["", "Wrong"], ["unsure", "Right but unsure"], ["all", "All"]], "",
    (value) => go({ show: value || null, pair: null }));
  root.append(stage);

  const choose = (pair) => go({ pair });
  const visible = (chosen) => chosen ? rows.filter(({ pair }) => pair === chosen) : state.show === "all" ? rows
    : state.show === "unsure" ? rows.filter(({ pair }) => right(pair)).reverse() : rows.filter(({ pair }) => !right(pair));

  function classCard({ id, name, truth, predicted, confidence, pair }) {
    const wrong = !right(pair);
    const [t, p] = pair.split("-").map(Number);
    const explain = store.link({ tab: "explain", picture: id, class: p, versus: wrong ? t : null });
    const see = store.link({ tab: "see", picture: id, class: null, versus: null });
    const sure = `${percent(confidence)} sure`, words = wrong ? `${truth} taken for ${predicted}` : `${truth}, right`;
    const image = h("img", { class: "pixelated", loading: "lazy", alt: "", width: 96, height: 96, src: `/api/pictures/${encodeURIComponent(id)}/image` });
    return card(name, { explain, see }, image, { words: `${words}, ${sure}`, said: `${wrong ? "✗" : "✓"} ${predicted}`,
      kind: wrong ? "mistakes-wrong" : "mistakes-right", remarks: wrong ? [`in truth ${truth}`, h("br"), sure] : sure, why: wrong ? "Why?" : "Explain" });
  }

  /* The table stays as it is when a filter is chosen, so that the focus stays on its button. */
  function build() {
    if (!rows.length) {
      return void fill(stage, empty(worded("No test pictures"), model.training ? "They are scored once, when the training has ended."
        : worded("Open a run folder: it holds the test pictures and what the network said of them. A model file alone does not.")));
    }
    const wrong = rows.filter(({ pair }) => !right(pair)).length;
    const filter = classes.length <= LARGEST_TABLE ? confusion : commonest;
    fill(stage, h("div", { class: "mistakes-columns" },
      panel("Truth and prediction",
        h("p", {}, h("strong", {}, `${wrong} of ${rows.length}`), worded(` test pictures are wrong (${percent(wrong / rows.length)}).`)),
        filter(classes, countPairs(rows), (pair) => choose(state.pair === pair ? null : pair))),
      panel("", h("div", { class: "spread" }, title, h("div", { class: "toolbar" }, clear, toggle.element)), list, more)));
  }

  function paint() {
    if (!rows.length) return;
    const [t, p] = (state.pair || "").split("-");
    const chosen = classes[t] !== undefined && classes[p] !== undefined ? state.pair : null;
    const found = visible(chosen);
    const wrong = rows.filter(({ pair }) => !right(pair)).length;
    const titles = { all: worded(`All ${rows.length} test pictures, wrong ones first`), unsure: `${rows.length - wrong} right, the least sure first` };
    title.textContent = chosen ? `${classes[t]} ${t === p ? "recognised" : `taken for ${classes[p]}`}: ${found.length}`
      : titles[state.show] ?? `${wrong} wrong, the surest first`;
    for (const one of stage.querySelectorAll("[data-pair]")) one.setAttribute("aria-pressed", String(one.dataset.pair === chosen));
    toggle.set(chosen ? null : state.show ?? "");
    clear.hidden = !chosen;
    fill(list, found.length ? h("ul", { class: "mistakes-list" }, found.slice(0, limit).map(classCard))
      : empty(...(NOTHING[chosen ? "pair" : state.show] ?? NOTHING.wrong).map(worded)));
    more.hidden = found.length <= limit;
    more.textContent = `Show ${Math.min(AT_ONCE, found.length - limit)} more`;
  }

  async function load() {
    try {
      const answer = await api.json("/api/mistakes", { keep: false });
      // The model was not there yet when the page was opened: its classes are those of the table then.
      if (!classes.length) {
        classes = [...new Set(answer.rows.flatMap(({ truth, predicted }) => [truth, predicted]))];
        classes.sort(classes.every((name) => /^\d+$/.test(name)) ? (a, b) => a - b : undefined);
      }
      const numbers = new Map(classes.map((name, i) => [name, i]));
      rows = answer.rows.map((row) => ({ ...row, pair: `${numbers.get(row.truth)}-${numbers.get(row.predicted)}` }));
      build();
      paint();
    } catch (error) { fill(stage, note(error.message, "error")); }
  }

  return {
    update(next) {
      state = next;
      const asked = `${state.show ?? ""} ${state.pair ?? ""}`;
      if (asked !== shown) limit = AT_ONCE;
      const stale = asked !== shown;
      shown = asked;
      if (rows === null) { if (stale) load(); } else if (stale) paint();
    },
    unmount() {},
  };
}
