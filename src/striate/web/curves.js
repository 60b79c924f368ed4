/* Line charts: axes with round ticks, a legend that is the readout, a cursor for pointer and keyboard.

   lineChart({label, xLabel, low, high, format, xFormat, whole, latest}) -> chart
     low, high   ends of the y axis that are always shown (default: from the values); format, xFormat  number -> text
     whole       x is counted (epochs): ticks only at whole numbers; latest  the legend says the latest values when no
                 place is pointed at
   chart.element      a figure; its plot is one tab stop: arrows move along x, Home and End jump, Escape lets go
   chart.draw(series, {xLabel, whole})   series: [{name, points: [[x, y]...], curve: 1 to 4, dashed}], x rising;
                      a y that is not finite leaves a gap */

import { digits, fill, h, perFrame, svg } from "./dom.js";

const HEIGHT = 190, LEFT = 46, RIGHT = 12, TOP = 8, BOTTOM = 26;
const DOTS_UNTIL = 30; // points of a line up to which each gets a dot
const LETTER = 7, GRID_LINES = 5;

/* Round numbers that span low to high. */
function ticks(low, high, count = 5, whole = false) {
  const rough = (high - low) / Math.max(1, count) || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(whole ? 1 : 0, power * [1, 2, 5, 10].find((times) => times * power >= rough * 0.999));
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

export function lineChart({ label, xLabel = "", low = null, high = null, format = digits, xFormat = digits, whole = false, latest = true }) {
  const picture = svg("svg", { class: "chart-picture", height: HEIGHT, "aria-hidden": "true" });
  const legend = h("div", { class: "chart-legend" });
  const plot = h("div", { class: "chart-plot", tabindex: 0, role: "slider", "aria-label": `${label}: read values along ${xLabel}`,
    "aria-valuemin": 0, "aria-valuemax": 0, "aria-valuenow": 0, "aria-valuetext": "no values yet" }, picture);
  const element = h("figure", { class: "chart" }, h("figcaption", { class: "spread" }, h("h3", {}, label), legend), plot);
  let series = [], places = [], cursor = null, frame = null, marks = null;

  const finite = (line) => line.points.filter(([, y]) => Number.isFinite(y));
  const at = (line, x) => line.points.find((point) => point[0] === x)?.[1];

  function measure() {
    const all = series.flatMap(finite);
    places = [...new Set(series.flatMap((line) => line.points.map(([x]) => x)))].sort((a, b) => a - b);
    const ys = all.map(([, y]) => y);
    let bottom = Math.min(low ?? Infinity, ...ys), top = Math.max(high ?? -Infinity, ...ys);
    if (!(bottom <= top)) [bottom, top] = [0, 1];
    if (bottom === top) [bottom, top] = [bottom - 0.5, top + 0.5];
    const lines = ticks(bottom, top, GRID_LINES);
    const step = lines.length > 1 ? lines[1] - lines[0] : 0;
    if (step) [bottom, top] = [Math.floor(bottom / step + 1e-9) * step, Math.ceil(top / step - 1e-9) * step];
    const wide = Math.max(120, plot.clientWidth || 400);
    const from = places[0] ?? 0, to = places.length > 1 ? places.at(-1) : from + 1;
    const room = wide - LEFT - RIGHT;
    frame = { wide, bottom, top, from, to,
      x: (value) => LEFT + (value - from) / (to - from) * room,
      y: (value) => HEIGHT - BOTTOM - (value - bottom) / (top - bottom) * (HEIGHT - BOTTOM - TOP) };
  }

  function axes() {
    const { wide, x, y, bottom, top, from, to } = frame;
    const text = (props, words) => svg("text", { class: "chart-tick", ...props }, words);
    const across = ticks(from, to, Math.min(8, wide / 70), whole);
    return [
      ticks(bottom, top, GRID_LINES).map((value) => [
        svg("line", { class: "chart-grid", x1: LEFT, x2: wide - RIGHT, y1: y(value), y2: y(value) }),
        text({ x: LEFT - 7, y: y(value) + 4, "text-anchor": "end" }, format(value))]),
      across.filter((value) => x(value) < wide - RIGHT - LETTER * (xLabel.length + 2)).map((value) =>
        text({ x: x(value), y: HEIGHT - 8, "text-anchor": "middle" }, xFormat(value))),
      text({ x: wide - RIGHT, y: HEIGHT - 8, "text-anchor": "end" }, xLabel),
      svg("line", { class: "chart-axis", x1: LEFT, x2: wide - RIGHT, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM }),
    ];
  }

  function path(points) {
    let pen = "M", text = "";
    for (const [x, y] of points) {
      if (!Number.isFinite(y)) { pen = "M"; continue; }
      text += `${pen}${frame.x(x).toFixed(1)} ${frame.y(y).toFixed(1)}`;
      pen = "L";
    }
    return text;
  }

  function paint() {
    measure();
    const lines = series.map((line) => {
      const dots = finite(line).length <= DOTS_UNTIL ? finite(line) : [];
      return [svg("path", { class: `chart-line curve-${line.curve} ${line.dashed ? "dashed" : ""}`, d: path(line.points) }),
        dots.map(([x, y]) => svg("circle", { class: `chart-dot curve-${line.curve}`, cx: frame.x(x), cy: frame.y(y), r: 2 }))];
    });
    marks = svg("g", {});
    picture.setAttribute("viewBox", `0 0 ${frame.wide} ${HEIGHT}`);
    fill(picture, axes(), lines, marks);
    point();
  }
  const repaint = perFrame(paint);

  /* The cursor, and the values under it; without a cursor the latest ones. */
  function point() {
    const index = cursor === null ? places.length - 1 : Math.min(cursor, places.length - 1);
    const x = places[index];
    const shown = series.map((line) => ({ line, y: cursor === null ? finite(line).at(-1)?.[1] : at(line, x) }));
    const words = (y) => Number.isFinite(y) ? format(y) : "–";
    fill(legend,
      cursor === null || x === undefined ? null : h("span", { class: "quiet" }, `${xLabel} ${xFormat(x)}`),
      shown.map(({ line, y }) => h("span", { class: "chart-name" },
        svg("svg", { width: 18, height: 8, "aria-hidden": "true" },
          svg("line", { class: `chart-line curve-${line.curve} ${line.dashed ? "dashed" : ""}`, x1: 0, x2: 18, y1: 4, y2: 4 })),
        line.name, cursor === null && !latest ? null : h("span", { class: "number" }, words(y)))));
    plot.setAttribute("aria-valuemax", String(Math.max(0, places.length - 1)));
    plot.setAttribute("aria-valuenow", String(Math.max(0, index)));
    plot.setAttribute("aria-valuetext", x === undefined ? "no values yet"
      : `${xLabel} ${xFormat(x)}: ${shown.map(({ line, y }) => `${line.name} ${words(y)}`).join(", ")}`);
    fill(marks);
    if (cursor === null || x === undefined) return;
    marks.append(svg("line", { class: "chart-cursor", x1: frame.x(x), x2: frame.x(x), y1: TOP, y2: HEIGHT - BOTTOM }));
    for (const { line, y } of shown)
      if (Number.isFinite(y)) marks.append(svg("circle", { class: `chart-dot curve-${line.curve}`, cx: frame.x(x), cy: frame.y(y), r: 4 }));
  }

  function nearest(clientX) {
    const box = picture.getBoundingClientRect();
    const left = (clientX - box.left) * frame.wide / box.width;
    let best = null, least = Infinity;
    places.forEach((x, index) => {
      const away = Math.abs(frame.x(x) - left);
      if (away < least) [best, least] = [index, away];
    });
    return best;
  }

  const moveTo = (index) => { cursor = index; if (marks) point(); };
  plot.addEventListener("pointermove", perFrame((event) => frame && moveTo(nearest(event.clientX))));
  plot.addEventListener("pointerleave", perFrame(() => moveTo(null)));
  plot.addEventListener("blur", () => moveTo(null));
  plot.addEventListener("keydown", (event) => {
    const last = places.length - 1, now = cursor ?? last;
    const far = Math.max(1, Math.round(last / 10));
    const to = { ArrowLeft: now - 1, ArrowDown: now - 1, ArrowRight: now + 1, ArrowUp: now + 1, Home: 0, End: last,
      PageUp: now + far, PageDown: now - far, Escape: null }[event.key];
    if (to === undefined || last < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    moveTo(to === null ? null : Math.min(last, Math.max(0, to)));
  });
  new ResizeObserver(repaint).observe(plot);

  return {
    element,
    draw(lines, given = {}) {
      series = lines;
      xLabel = given.xLabel ?? xLabel;
      whole = given.whole ?? whole;
      plot.setAttribute("aria-label", `${label}: read values along ${xLabel}`);
      repaint();
    },
  };
}
