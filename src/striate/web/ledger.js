/* The arithmetic of one number: what was multiplied, added, normalised, cut off and pooled, and whether it adds up.

   createLedger({api, go, announce, onLeave}) -> {element, render(answer, place), refuse(text), focus()}
     answer  of /api/trace/ID/explain: {chain (each inPlane), lineage, picture_box};  place {picture, layer, channel, label, y, x, height, width, term, trace}
   Every number comes from the server in full; only what is shown is rounded.
   strongest(terms)   the index of the term that weighs most */

import { button, digits, exact, fill, h, inputShape, letterOf, note, number, placeText, signedBar, worded } from "./dom.js";
import { inPlane, numberGrid, scaleOf } from "./numbers.js";
import { asNumpy, asText } from "./copy.js";

const SHOWN = 8, CRUMBS = 6;
const RULES = { sum: "sum", maximum: "largest", mean: "mean", softmax: "share", affine: "normalised", function: "function", copy: "copied", none: "value" };

const figure = (value, text) => number(value, { data: { exact: exact(value) } }, text);
const added = (value) => figure(value, (Number(value) > 0 ? "+" : "") + digits(value));
const span = (from, to) => to - from === 1 ? `${from}` : `${from}–${to - 1}`;
/* A half-open box in words; a vector has no places, a line has only one axis, and a block's frames lie one under the other. */
function boxText([y0, y1, x0, x1], shape) {
  if (y0 >= y1 || x0 >= x1) return "nothing"; // padding alone
  if (shape.length < 3) return shape.length === 1 ? "" : `positions ${span(x0, x1)}`;
  const high = shape.length === 4 ? shape[2] : Infinity, first = Math.floor(y0 / high), last = Math.floor((y1 - 1) / high);
  const rows = shape.length === 4 ? [y0 - first * high, y1 - last * high] : [y0, y1];
  return `${shape.length === 4 ? `frame${last > first ? "s" : ""} ${span(first + 1, last + 2)}, ` : ""}rows ${span(...rows)}, columns ${span(x0, x1)}`;
}
/* [y, x] on the flat map of where a number of the chain stands in its layer. */
function spotOf({ at: [, ...spot], layer }, { trace }) {
  const [y, x] = [0, 0, ...spot].slice(-2);
  return [spot.length === 3 ? spot[0] * trace.layers[layer].output_shape[2] + y : y, x];
}

export const strongest = (terms) => terms.reduce((best, { value }, index) => Math.abs(value) > Math.abs(terms[best].value) ? index : best, 0);

/* The strongest terms first; what is not shown is one row, so that the column still adds up. */
function foldTerms(terms, open, all) {
  const sorted = terms.map((term, index) => ({ term, index })).sort((a, b) => Math.abs(b.term.value) - Math.abs(a.term.value));
  const few = all || sorted.length <= SHOWN + 1 ? sorted : sorted.filter(({ index }, rank) => rank < SHOWN || index === open);
  const rest = sorted.filter((one) => !few.includes(one));
  return { shown: few, rest, sum: rest.reduce((total, { term }) => total + Number(term.value), 0) };
}

function termGrids(term, go) {
  const { patch, kernel, padding, origin, step, frames = 1 } = term;
  const place = { padding, origin, step, place: term.place, gaps: term.gaps, frames };
  const products = kernel?.map((row, i) => row.map((weight, j) => Number(weight) * Number(patch[i][j])));
  const source = term.source >= 0 ? button("Open this map", () => go({ layer: term.source, channel: term.channel,
    y: Math.max(0, origin[0] + step[0] * (patch.length / frames >> 1)), x: Math.max(0, origin[1] + step[1] * (patch[0].length >> 1)) }), { class: "plain" }) : null;
  return h("div", { class: "term" },
    h("div", { class: "grids" }, numberGrid("patch", patch, place),
      kernel ? [h("span", { class: "operator", "aria-label": "times" }, "⊙"), numberGrid("kernel", kernel, { scale: scaleOf(kernel, true), frames }),
        h("span", { class: "operator", "aria-label": "gives" }, "="), numberGrid("products", products, { ...place, scale: scaleOf(products, true) }),
        h("span", { class: "operator" }, "sum "), added(term.value)] : null),
    padding?.flat().some(Boolean) ? h("p", { class: "quiet" }, "Hatched cells are padding: they lie outside the map.") : null, source);
}

export function createLedger({ api, go, announce, onLeave }) {
  const body = h("div", { class: "ledger-body" });
  const detail = h("output", { class: "exact mono" });
  const element = h("section", { class: "panel ledger", "aria-label": worded("Arithmetic of the pixel"), tabindex: -1 }, body);
  let all = false, latest = null;

  const showExact = (event) => {
    const cell = event.target.closest("[data-exact]");
    if (cell) detail.textContent = `exact: ${cell.title || cell.dataset.exact}`;
  };
  element.addEventListener("pointerover", showExact);
  element.addEventListener("focusin", showExact);
  element.addEventListener("keydown", (event) => { if (event.key === "Escape") { event.preventDefault(); onLeave(); } });

  async function loadTerm(cell, index, place, explanation) {
    const [y, x] = spotOf(explanation, place);
    const path = `/api/trace/${place.picture}/terms/${explanation.layer}?channel=${explanation.at[0]}&y=${y}&x=${x}&term=${index}`;
    try { fill(cell, termGrids(inPlane(await api.json(path, { slot: "term" })), go)); } catch (error) {
      if (error.name !== "AbortError") fill(cell, note(error.message, "error"));
    }
  }

  function sumTable(explanation, place, first) {
    const { terms, addends } = explanation;
    const open = !first || place.term === "none" ? null : terms[place.term] ? Number(place.term) : strongest(terms);
    const { shown, rest, sum } = foldTerms(terms, open, all);
    const several = new Set(terms.map((term) => term.source)).size > 1;
    const layerOf = (term) => place.trace.layers[term.source];
    const isInput = (term) => term.source < 0 || (layerOf(term).kind === "pad" && layerOf(term).inputs.includes(-1));
    const nameOf = (term) => `${several ? `${term.source < 0 ? worded("picture") : layerOf(term).name}, ` : ""}${term.label}${isInput(term) ? letterOf(term.channel) : ""}`;
    const most = Math.max(...shown.map(({ term }) => Math.abs(term.value)), Math.abs(sum), ...addends.map((a) => Math.abs(a.value)));
    const row = (label, value, kind) => h("tr", { class: kind }, h("th", { scope: "row" }, label), h("td", { class: "bar-cell" }, kind === "total" ? null : signedBar(value, most)), h("td", { class: "figure" }, kind === "total" ? figure(value) : added(value)));
    const rows = shown.flatMap(({ term, index }) => {
      const expanded = index === open;
      const label = button(nameOf(term), () => go({ term: expanded ? "none" : String(index) }), { class: "plain row-button", "aria-expanded": String(expanded), data: { exact: exact(term.value), term: index } });
      if (!expanded) return [row(first ? label : nameOf(term), term.value)];
      const cell = h("td", { colspan: 3 });
      if (term.patch) cell.append(termGrids(term, go)); else loadTerm(cell, index, place, explanation);
      return [row(label, term.value, "open"), h("tr", { class: "detail" }, cell)];
    });
    if (rest.length) rows.push(row(button(`other ${rest.length} channels`, () => { all = true; render(...latest); }, { class: "plain row-button" }), sum, "rest"));
    rows.push(...addends.map((addend) => row(addend.label, addend.value)));
    const { rule, chosen } = explanation, total = () => terms.reduce((all, term) => all + Number(term.value), 0);
    if (rule !== "sum") rows.push(row("sum", total(), "total"));
    rows.push(row(rule === "mean" ? `divided by ${digits(explanation.divisor)}` : rule === "softmax" ? `${explanation.kind === "softmax" ? "" : "log of "}${terms[chosen.at(-1)].label} / sum` : "sum", explanation.value, "total"));
    return h("table", { class: "terms" }, h("caption", { class: "unseen" }, "What is added up, strongest first"), h("tbody", {}, rows));
  }

  function stepBody(explanation, place, first) {
    const { rule, terms, chosen, ties } = explanation;
    if (!explanation.available) return note(explanation.reason ?? "arithmetic not available");
    if (rule === "sum" || rule === "softmax" || (rule === "mean" && terms.length > 1)) return sumTable(explanation, place, first);
    const term = terms[0];
    if (!term?.patch || (rule !== "maximum" && rule !== "mean")) return null;
    const text = rule === "mean" ? `sum ${digits(term.value)} divided by ${digits(explanation.divisor)}`
      : ties ? `${ties + 1} numbers are equally large; the first one counts.` : "The outlined number is the largest.";
    return [h("div", { class: "grids" }, numberGrid("patch", term.patch, { ...term, scale: undefined, chosen })),
      h("p", { class: "quiet" }, text, term.padding?.flat().some(Boolean) ? " Hatched cells are padding." : "")];
  }

  const checksum = ({ available, agrees, rule, value, stored, difference }) => available
    ? h("p", { class: `checksum ${agrees ? "good" : "bad"}` },
      h("span", {}, ["sum", "mean", "softmax"].includes(rule) ? agrees ? "✓ adds up" : "✗ does not add up" : agrees ? "✓ agrees" : "✗ does not agree"),
      " recomputed ", figure(value), ", stored ", figure(stored), ", difference ", figure(difference))
    : h("p", { class: "checksum" }, "stored ", figure(stored));

  function step(explanation, index, place) {
    const layer = place.trace.layers[explanation.layer];
    const title = index === 0 ? explanation.name : button(explanation.name, () => {
      const [y, x] = spotOf(explanation, place);
      go({ layer: explanation.layer, channel: explanation.at[0], y, x });
    }, { class: "plain", title: "Open this layer" });
    return h("li", { class: "step", id: `step-${index}` },
      h("div", { class: "spread" }, h("h3", {}, title, h("span", { class: "quiet" }, ` ${layer?.module || explanation.kind}`)), figure(explanation.stored)),
      explanation.formula ? h("p", { class: "formula mono", title: "numbers shown rounded" }, explanation.formula) : null,
      stepBody(explanation, place, index === 0), checksum(explanation));
  }

  function crumbs(lineage, place, open) {
    const items = lineage.map(({ layer, name, box }, at) => ({ layer, name, box, last: at === lineage.length - 1 }));
    const hidden = open ? 0 : Math.max(0, items.length - CRUMBS);
    const shown = hidden ? [items[0], null, ...items.slice(1 + hidden)] : items;
    const crumb = ({ layer, name, box, last }) => h("li", {},
      layer < 0 ? h("span", { class: "crumb" }, h("b", {}, worded("picture")), boxText(box, inputShape(place.trace.layers)))
        : button([h("b", {}, name), boxText(box, place.trace.layers[layer].output_shape)], () => go({ layer, channel: place.channel, y: (box[0] + box[1]) >> 1, x: (box[2] + box[3]) >> 1 }),
          { class: "crumb", "aria-current": last ? "step" : null }));
    const list = h("ol", { class: "crumbs", "aria-label": worded("Where it comes from: from the picture to this number") },
      shown.map((item) => item ? crumb(item) : h("li", {}, button(`… ${hidden} more`, () => list.replaceWith(crumbs(lineage, place, true)), { class: "crumb" }))));
    return list;
  }

  const copy = async (text, name) => {
    try { await navigator.clipboard.writeText(text); announce(`Copied as ${name}`); } catch { announce("The browser did not allow copying"); }
  };

  function chips(chain) {
    if (chain.length < 2) return null;
    return h("ol", { class: "chips", "aria-label": "Steps" }, chain.map((one, index) => h("li", {},
      button([h("span", {}, `${one.kind} · ${RULES[one.rule] ?? one.rule}`), figure(one.stored)], () => element.querySelector(`#step-${index}`).scrollIntoView({ block: "nearest" }), { class: "chip" }))));
  }

  function render(answer, place) {
    if (!latest || latest[1].layer !== place.layer) all = false;
    latest = [answer, place];
    // What had the focus is built anew: it goes to the same row, else to the ledger itself.
    const focused = body.contains(document.activeElement) ? document.activeElement.dataset.term ?? "" : null;
    const [first] = answer.chain;
    const at = `channel ${place.channel}${place.label}${place.height * place.width > 1 ? `, ${placeText(place.y, place.x, place.trace.layers[place.layer].output_shape)}` : ""}`;
    const sees = boxText(answer.picture_box, inputShape(place.trace.layers));
    detail.textContent = "Numbers are rounded for display; point at one for every digit.";
    fill(body,
      h("div", { class: "ledger-head" }, h("h2", {}, `Layer ${first.name}, ${at}`), h("p", { class: "big mono" }, figure(first.stored)),
        h("p", { class: "quiet" }, worded(`Sees ${sees} of the picture`))),
      chips(answer.chain), h("ol", { class: "steps" }, answer.chain.map((one, index) => step(one, index, place))),
      h("div", { class: "copying" }, detail, h("div", { class: "toolbar" },
        button("Copy as text", () => copy(asText(answer), "text")), button("Copy as NumPy", () => copy(asNumpy(answer), "NumPy")))),
      h("h3", {}, "Where it comes from"), crumbs(answer.lineage, place, false));
    announce(`layer ${first.name}, ${at}: ${digits(first.stored)}, receptive field ${sees}${first.available ? first.agrees ? "" : ", does not add up" : ", arithmetic not available"}`);
    if (focused !== null) (element.querySelector(`[data-term="${focused}"]`) ?? element).focus({ preventScroll: true });
  }

  return {
    element, render,
    refuse: (text) => fill(body, note(text, "error")),
    focus: () => (element.querySelector(".row-button") ?? element).focus(),
  };
}
