/* Embedding: the run's pictures laid out by what the network's last layer goes by, and what is most alike to the chosen one.

   State of its own in the address: as ("" = pictures, "dots"), part ("" = all parts). */

import { cancelled } from "./api.js";
import { button, digits, empty, fill, h, inWords, note, panel, percent, perFrame, segmented, worded } from "./dom.js";

const NAMED = 12; // classes in the legend
const EDGE = 26, SMALLEST = 14, LARGEST = 48, DOT = 4.5;
const WAITING = "The network is asked about up to 600 pictures of this run.";
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const hue = (number) => `hsl(${(number * 137.5 + 210) % 360} 62% ${number % 2 ? 42 : 52}%)`;
const wrong = ({ truth, predicted }) => predicted !== null && truth !== predicted;

/* The thumbnails as one canvas each, ready to be drawn at any size. */
function unpack({ shape: [count, side], data }) {
  return Array.from({ length: count }, (_, i) => {
    const canvas = h("canvas", { width: side, height: side });
    canvas.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(data.slice(4 * i * side * side, 4 * (i + 1) * side * side)), side, side), 0, 0);
    return canvas;
  });
}

export function mount(root, { api, model, go, store }) {
  const colours = new Map(model.classes.map((name, i) => [name, model.classes.length <= model.inks.length ? model.inks[i] : hue(i)]));
  const colour = ({ truth, predicted }) => colours.get(truth ?? predicted) ?? "var(--edge)";
  const canvas = h("canvas", { class: "smooth embedding-canvas" });
  const label = h("div", { class: "embedding-label", hidden: true });
  const space = h("div", { class: "embedding-space", tabindex: 0, role: "application",
    "aria-label": worded("Pictures laid out by how alike they are to the network. Arrows go to the next one in that direction, Enter shows it in the network.") }, canvas, label);
  const stage = h("div", {}), beside = h("div", { class: "embedding-near" });
  const legend = h("ul", { class: "embedding-legend" });
  const look = segmented("Drawn as", [["", worded("Pictures")], ["dots", "Dots"]], "", (as) => go({ as: as || null }));
  let points = [], thumbnails = [], state = null, plan = null, here = null, asked = null;

  const shown = () => points.filter(({ part }) => !state.part || part === state.part);
  const chosen = () => points.find(({ id }) => id === state.picture);

  function draw() {
    if (!points.length || !space.clientWidth) return;
    const ratio = devicePixelRatio || 1, width = space.clientWidth, height = Math.max(320, Math.min(width * 0.8, innerHeight - 340));
    const some = shown(), style = getComputedStyle(space);
    const side = Math.max(SMALLEST, Math.min(LARGEST, Math.sqrt(0.55 * width * height / Math.max(some.length, 1))));
    Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const at = ({ x, y }) => [EDGE + x * (width - 2 * EDGE), EDGE + y * (height - 2 * EDGE)];
    const ink = (one) => colour(one).replace(/var\((.*)\)/, (_, name) => style.getPropertyValue(name));
    plan = { at, reach: state.as === "dots" ? 3 * DOT : side };
    for (const one of some) {
      const [x, y] = at(one);
      if (state.as === "dots") disc(pen, x, y, DOT, ink(one), wrong(one) && model.one_label);
      else {
        pen.drawImage(thumbnails[one.place], x - side / 2, y - side / 2, side, side);
        frame(pen, x, y, side / 2, ink(one), wrong(one) && model.one_label);
      }
    }
    const mark = chosen() ?? here;
    if (!mark) return;
    const [x, y] = at(mark);
    for (const [wide, line] of [[5, style.getPropertyValue("--card")], [2.5, style.getPropertyValue("--box")]]) {
      pen.lineWidth = wide;
      pen.strokeStyle = line;
      pen.beginPath();
      pen.arc(x, y, Math.max(plan.reach * 0.75, 11), 0, 2 * Math.PI);
      pen.stroke();
    }
  }
  const redraw = perFrame(draw);

  function cross(pen, x, y, reach) {
    for (const [wide, line] of [[4, "#fff"], [2, "#a23b00"]]) {
      pen.lineWidth = wide;
      pen.strokeStyle = line;
      pen.beginPath();
      pen.moveTo(x - reach, y - reach); pen.lineTo(x + reach, y + reach);
      pen.moveTo(x - reach, y + reach); pen.lineTo(x + reach, y - reach);
      pen.stroke();
    }
  }
  function disc(pen, x, y, reach, ink, crossed) {
    pen.fillStyle = ink;
    pen.beginPath();
    pen.arc(x, y, reach, 0, 2 * Math.PI);
    pen.fill();
    if (crossed) cross(pen, x, y, reach);
  }
  function frame(pen, x, y, reach, ink, crossed) {
    pen.lineWidth = 2;
    pen.strokeStyle = ink;
    pen.strokeRect(x - reach, y - reach, 2 * reach, 2 * reach);
    if (crossed) cross(pen, x + reach, y - reach, 3.5);
  }

  /* The picture under the pointer: of those in reach the nearest. */
  function under(event) {
    if (!plan) return null;
    const box = canvas.getBoundingClientRect(), px = event.clientX - box.left, py = event.clientY - box.top;
    let best = null, least = plan.reach ** 2;
    for (const one of shown()) {
      const [x, y] = plan.at(one), away = (x - px) ** 2 + (y - py) ** 2;
      if (away < least) [best, least] = [one, away];
    }
    return best;
  }
  const words = (one) => model.one_label ? `${one.truth}${wrong(one) ? `, taken for ${one.predicted}` : ""}`
    : one.predicted !== null ? inWords(one.predicted, model) : one.truth === "mask" ? "" : inWords(one.truth, model);
  function hover(event) {
    const one = event && under(event);
    label.hidden = !one;
    if (!one) return;
    const [x, y] = plan.at(one);
    fill(label, h("strong", {}, one.name), h("span", {}, [words(one), one.part].filter(Boolean).join(" · ")));
    Object.assign(label.style, { top: `${y + plan.reach / 2 + 6}px`, left: `${Math.max(0, Math.min(x, space.clientWidth - 220))}px` });
  }

  /* The nearest in a direction, where what lies to the side counts double. */
  function next([dx, dy]) {
    const from = chosen() ?? here ?? shown()[0];
    let best = null, least = Infinity;
    for (const one of from ? shown() : []) {
      const ahead = (one.x - from.x) * dx + (one.y - from.y) * dy, aside = Math.abs((one.x - from.x) * dy) + Math.abs((one.y - from.y) * dx);
      if (one !== from && ahead > 0 && ahead + 2 * aside < least) [best, least] = [one, ahead + 2 * aside];
    }
    return best;
  }
  space.addEventListener("pointermove", perFrame(hover));
  space.addEventListener("pointerleave", perFrame(() => hover(null)));
  space.addEventListener("click", (event) => { const one = under(event); if (one) go({ picture: one.id, class: null, versus: null }); });
  space.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && state.picture) return void go({ tab: "see" });
    const one = ARROWS[event.key] && next(ARROWS[event.key]);
    if (!ARROWS[event.key]) return;
    event.preventDefault();
    if (one) go({ picture: one.id, class: null, versus: null });
  });

  function card(one) {
    const crossed = model.one_label && wrong(one);
    return h("li", {}, button([h("img", { class: "pixelated", alt: "", loading: "lazy", src: `/api/pictures/${encodeURIComponent(one.id)}/image` }),
      h("span", { class: crossed ? "wrong" : null }, words(one) || one.name), h("span", { class: "quiet" }, one.part)],
    () => go({ picture: one.id, class: null, versus: null }), { class: "tile", title: one.name, "aria-label": `${one.name}, ${words(one)}, ${one.part}` }));
  }
  async function ask() {
    const picture = state.picture;
    if (!picture || picture === asked) return;
    asked = picture;
    try {
      const { near, place } = await api.json(`/api/embedding/near/${encodeURIComponent(picture)}`, { slot: "near" });
      if (state.picture !== picture) return;
      here = chosen() ? null : { x: place[0], y: place[1] };
      fill(beside, panel(worded("Most alike to the chosen picture"), h("p", { class: "quiet" }, worded(chosen()
        ? "By what the network's last layer goes by, the most alike first, of all parts."
        : "It is none of those laid out: the ring is where the three most alike lie.")), h("ul", { class: "tiles" }, near.map((i) => card(points[i])))));
      redraw();
    } catch (error) { if (!cancelled(error)) fill(beside, note(error.message, "error")); }
  }

  function build({ header: { numbers, missing, agree } }) {
    const parts = [...new Set(points.map(({ part }) => part))];
    const counted = new Map([...colours.keys()].map((name) => [name, points.filter(({ truth, predicted }) => (truth ?? predicted) === name).length]));
    const named = [...counted].filter(([, count]) => count).slice(0, NAMED);
    const part = segmented("Part", [["", `all ${points.length}`], ...parts.map((name) => [name, `${name} ${points.filter((one) => one.part === name).length}`])],
      state.part, (name) => go({ part: name || null }));
    const told = model.one_label && agree.n ? worded(` Of ${agree.n} test pictures ${percent(agree.same / agree.n)} have one of their own class as the most alike.`) : "";
    const lost = missing ? worded(` ${missing} more cannot be read any more.`) : "";
    fill(legend, named.map(([name]) => h("li", {}, h("i", { style: { background: colours.get(name) } }), name)),
      model.one_label ? h("li", {}, h("i", { class: "embedding-cross" }, "✕"), "the network is wrong") : null);
    fill(stage, h("div", { class: "embedding-columns" }, panel(worded("What looks alike to the network lies together"),
      h("p", { class: "quiet" }, worded(`Every picture is ${digits(numbers)} numbers before the last layer; t-SNE puts those that are alike side by side. How far groups lie from each other says nothing.`), told, lost),
      h("div", { class: "toolbar" }, look.element, parts.length > 1 ? part.element : null), space, model.one_label ? legend : null), beside));
    new ResizeObserver(redraw).observe(space);
    return part;
  }
  let part = null;

  root.append(stage);
  fill(stage, empty(worded(WAITING), "It takes some seconds, once."));
  stage.firstChild.classList.add("busy");
  api.binary("/api/embedding").then((answer) => {
    points = answer.header.points.map((one, place) => ({ ...one, place }));
    thumbnails = unpack(answer);
    part = build(answer);
    draw();
    ask();
  }, (error) => fill(stage, cancelled(error) ? null : note(error.message, "error")));

  return {
    update(given) {
      state = given;
      look.set(state.as ?? "");
      part?.set(state.part ?? "");
      redraw();
      if (points.length) ask();
    },
    unmount() {},
  };
}
