/* What the pages that answer have in common: `striate serve`'s, and the exported one that computes by itself.

   head(model)                  the head of the page: its name, and what the model is, in a sentence
   dropping(ask) -> {zone, answers, gone}   where pictures are dropped or chosen, what is said of them, and how many answers had to go; ask(files, add) is called
                                with them, and add(elements) puts answers above those before
   classesOf(count)             how many classes are shown of each of so many answers
   card(path, image, told, model, most)   a picture with what is said of it; told: {said, confidence, probabilities, intervals?},
                                most: how many classes are shown */

import { digits, dropped, h, mark, note, worded } from "./dom.js";

const NAMED = 10, SHOWN = 10, FEW = 3, MOST = 20; // classes in a sentence, of an answer, of one among many; answers that stay when more are asked for

const percent = (share) => `${(100 * share).toFixed(1)} %`;

export const classesOf = (count) => count > FEW ? FEW : SHOWN;

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
    h("div", {}, h("h2", {}, path), h("p", { class: "said" }, told.said + sure), bars(told, model, most), told.note ? note(worded(told.note)) : null));
}

export function dropping(ask) {
  const answers = h("div", { "aria-live": "polite", id: "answers" }), gone = h("p", { class: "quiet", hidden: true });
  const add = (news) => {
    answers.prepend(...[news].flat());
    answers.classList.toggle("many", answers.children.length > FEW);
  };
  let left = 0;
  const show = async (files) => {
    const old = [...answers.children].slice(MOST); // all answers of one drop stay
    for (const one of old) one.remove();
    gone.hidden = !(left += old.length);
    gone.textContent = `Earlier answers no longer shown: ${left}. The command striate predict writes all into one table.`;
    zone.classList.add("busy");
    await ask(files, add);
    zone.classList.remove("busy");
  };
  const input = h("input", { type: "file", multiple: true, on: { change: () => { show([...input.files]); input.value = ""; } } });
  const zone = h("label", { class: "panel drop" }, input, h("strong", {}, worded("Drop pictures here")), h("p", { class: "quiet" }, "or click to choose files"));
  dropped((on) => zone.classList.toggle("over", on), show);
  return { zone, answers, gone };
}

export function head({ name, task, classes, sees, test }) {
  document.title = `${name} · Striate`;
  const score = test ? worded(` In its test: ${test.said}.`) : "";
  const names = classes.length > NAMED ? `${classes.slice(0, NAMED).join(", ")} and ${classes.length - NAMED} more` : classes.join(", ");
  return [h("div", { class: "brand" }, mark(), h("h1", {}, name)), h("p", { class: "quiet" }, `A model for ${task}: ${names}. It sees ${sees}.${score}`)];
}
