/* What is drawn on pictures: the answer at once, and the truth beside it as soon as it is known.

   createTruth({api, paint}) -> {element, ask(picture), drawn(picture)}
     element           what the colours mean, and a tick box that takes the truth away; hidden while no truth is known
     ask(picture)      whether this picture has a truth; paint() is called where it has, and when the box is ticked
     drawn(picture)    the address of the picture with what is drawn on it now */

import { check, h } from "./dom.js";

export function createTruth({ api, paint }) {
  let known = false, wanted = true;
  const legend = h("p", { class: "quiet" });
  const box = check("Truth", true, (on) => { wanted = on; legend.hidden = !on; paint(); });
  const element = h("div", { class: "toolbar", hidden: true }, box.element, legend);
  const path = (picture) => `/api/pictures/${encodeURIComponent(picture)}`;
  return {
    element,
    drawn: (picture) => `${path(picture)}/drawn${known && wanted ? "" : "?truth=0"}`,
    async ask(picture) {
      // Whatever is wrong with the labels, the answer is there to be looked at.
      const answer = await api.json(`${path(picture)}/truth`).catch(() => ({ known: false, legend: "" }));
      known = answer.known;
      legend.textContent = answer.legend;
      element.hidden = !known;
      if (known) paint();
    },
  };
}
