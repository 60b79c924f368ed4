/* One picture or map, pixel by pixel, to look at and to choose a place on.

   createPlane({label, side, onPick, onHover}) -> plane
     side                  wished longest side in CSS pixels; small planes are drawn in whole-number zoom
     onPick(y, x), onHover(y, x) or onHover(null)
   plane.element           one tab stop: arrows move the place, Home and End go to the ends of the row, with Ctrl to the corners
   plane.draw(width, height, paint)   paint(Uint32Array of width·height, as ABGR)
   plane.mark(boxes)       [{top, left, height, width, kind}] in pixels of the plane; kind is a CSS class: "window", "cell", "patch",
                           "tap", or "curtain", which hides what is under it
   plane.at(y, x)          the place from which the arrows start
   sideBySide(frames, high, wide)   how the frames of a flat volume, one under the other, are drawn beside each other with lines between:
                           {frames, width, height, from}, where from[i] is the flat pixel, -1 for none; of one frame itself */

import { fill, h, perFrame } from "./dom.js";

const LEAST_BOX = 7, BAND = 36;  // a line of numbers is shown as a band so high

export function sideBySide(frames, high, wide) {
  const deep = high / frames, across = Math.min(frames, Math.ceil(Math.sqrt(frames * deep / wide)));
  const width = across * (wide + 1) - 1, height = Math.ceil(frames / across) * (deep + 1) - 1;
  const from = new Int32Array(width * height).fill(-1);
  for (let y = 0; y < high; y++) {
    const frame = Math.floor(y / deep), row = Math.floor(frame / across) * (deep + 1) + y % deep;
    for (let x = 0; x < wide; x++) from[row * width + frame % across * (wide + 1) + x] = y * wide + x;
  }
  return { frames, width, height, from };
}

export function createPlane({ label, side = 320, onPick = () => {}, onHover = () => {} }) {
  const canvas = h("canvas", { class: "plane-canvas", "aria-hidden": "true" });
  const marks = h("div", { class: "plane-marks" });
  const element = h("div", { class: "plane", tabindex: 0, role: "application", "aria-label": label }, canvas, marks);
  let [wide, high, y, x, boxes] = [1, 1, 0, 0, []];

  /* CSS pixels per pixel of the plane, as large as the room allows. */
  function zoom() {
    const room = Math.min(side, element.parentElement?.clientWidth || side);
    const fit = Math.min(room / wide, side / high);
    return fit >= 1 && high > 1 ? Math.floor(fit) : fit;
  }

  function arrange() {
    const scale = zoom(), down = high === 1 && wide > 1 ? Math.max(scale, BAND) : scale;
    Object.assign(element.style, { width: `${wide * scale}px`, height: `${high * down}px` });
    canvas.style.imageRendering = scale < 1 ? "auto" : "pixelated";
    fill(marks, boxes.map((box) => {
      const least = box.kind === "curtain" ? 0 : LEAST_BOX;
      const [width, height] = [Math.max(least, box.width * scale), Math.max(least, box.height * down)];
      const left = (box.left + box.width / 2) * scale - width / 2, top = (box.top + box.height / 2) * down - height / 2;
      return h("div", { class: `plane-box ${box.kind}`,
        style: { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` } });
    }));
  }

  function under(event) {
    const box = element.getBoundingClientRect();
    const [row, column] = [(event.clientY - box.top) / box.height * high, (event.clientX - box.left) / box.width * wide].map(Math.floor);
    return row >= 0 && column >= 0 && row < high && column < wide ? [row, column] : null;
  }

  element.addEventListener("click", (event) => { const found = under(event); if (found) onPick(...found); });
  element.addEventListener("pointermove", perFrame((event) => { const found = under(event); if (found) onHover(...found); else onHover(null); }));
  element.addEventListener("pointerleave", perFrame(() => onHover(null)));
  element.addEventListener("keydown", (event) => {
    const far = event.ctrlKey || event.metaKey;
    const to = { ArrowLeft: [y, x - 1], ArrowRight: [y, x + 1], ArrowUp: [y - 1, x], ArrowDown: [y + 1, x],
      Home: [far ? 0 : y, 0], End: [far ? high - 1 : y, wide - 1] }[event.key];
    if (!to || event.altKey) return;
    event.preventDefault();
    [y, x] = [Math.min(high - 1, Math.max(0, to[0])), Math.min(wide - 1, Math.max(0, to[1]))];
    onPick(y, x);
  });
  const watcher = new ResizeObserver(perFrame(arrange));

  return {
    element,
    draw(width, height, paint) {
      [wide, high] = [width, height];
      canvas.width = width;
      canvas.height = height;
      const image = new ImageData(width, height);
      paint(new Uint32Array(image.data.buffer));
      canvas.getContext("2d").putImageData(image, 0, 0);
      if (element.parentElement) watcher.observe(element.parentElement);
      arrange();
    },
    mark(list) { boxes = list; arrange(); },
    at(row, column) { [y, x] = [row, column]; },
  };
}
