/* The dialog in which a picture is chosen: the run's own pictures by part and by what stands in their names and
   labels, or files of the user's.

   createChooser({api, model, choose(id), upload(files)}) -> {element, open()} */

import { cancelled } from "./api.js";
import { button, empty, fill, h, note, segmented, worded } from "./dom.js";

const AT_ONCE = 60;

export function createChooser({ api, model, choose, upload }) {
  const grid = h("div", { class: "tiles" });
  const filter = h("div");
  const more = button("Show more", () => load(false));
  const search = h("input", { type: "search", placeholder: worded("in names and labels"), on: { input: () => load(true) } });
  const file = h("input", { type: "file", accept: "image/*,.tif,.tiff", multiple: true, class: "unseen", tabindex: -1, "aria-label": worded("A picture file") });
  const dialog = h("dialog", { class: "sheet wide", "aria-labelledby": "chooser-title" },
    h("div", { class: "spread" },
      h("h2", { id: "chooser-title" }, worded("Choose a picture")),
      h("div", { class: "toolbar" }, button(worded("Open a picture file…"), () => file.click(), { class: "primary" }), button("Close", () => dialog.close(), { class: "plain" }))),
    h("div", { class: "toolbar" }, filter, h("label", { class: "field" }, "Find", search)), grid, h("div", { class: "toolbar" }, more), file);
  let part = "", shown = 0;

  const done = (act) => { dialog.close(); act(); };
  file.addEventListener("change", () => { const files = [...file.files]; if (files.length) done(() => upload(files)); file.value = ""; });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

  const tile = ({ id, name, truth, predicted }) => {
    // Where no class is named, an answer that differs from the truth may be a good one all the same.
    const wrong = model.one_label && truth && predicted && truth !== predicted;
    const text = [truth === "mask" ? null : truth, wrong ? `✗ ${predicted}` : null].filter(Boolean).join(" ");
    return button([
      h("img", { class: "pixelated", loading: "lazy", alt: "", src: `/api/pictures/${id}/image` }),
      h("span", { class: wrong ? "wrong" : null }, text || name),
    ], () => done(() => choose(id)), { class: "tile", title: name, "aria-label": `${name}${truth ? `, ${truth}` : ""}${wrong ? `, predicted ${predicted}` : ""}` });
  };

  async function load(anew) {
    if (anew) shown = 0;
    try {
      const answer = await api.json(`/api/pictures?part=${encodeURIComponent(part)}&find=${encodeURIComponent(search.value.trim())}&offset=${shown}&limit=${AT_ONCE}`, { slot: "chooser", keep: false });
      if (anew) grid.replaceChildren();
      grid.append(...answer.total ? answer.pictures.map(tile) : [empty(worded("No such pictures"))]);
      shown += answer.pictures.length;
      more.hidden = shown >= answer.total;
      const parts = Object.entries(answer.parts);
      const all = parts.reduce((sum, [, n]) => sum + n, 0);
      const held = filter.contains(document.activeElement);
      fill(filter, parts.length > 1 ? segmented("Part", [["", `all ${all}`], ...parts.map(([name, n]) => [name, `${name} ${n}`])], part,
        (chosen) => { part = chosen; load(true); }).element : null);
      if (held) filter.querySelector("[aria-pressed=true]")?.focus();
    } catch (error) {
      if (cancelled(error)) return;
      fill(grid, note(error.message, "error"));
      more.hidden = true;
    }
  }
  return { element: dialog, open() {
    if (document.body.dataset.form !== "picture") file.removeAttribute("accept");
    dialog.showModal();
    load(true);
  } };
}
