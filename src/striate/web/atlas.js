/* All maps of a layer on one canvas, in integer zoom; only the rows in sight are painted.

   createAtlas({label, onPick, onHover, onKey}) -> atlas
     onPick(cell), onHover(cell or null): cell = {channel, y, x, value}, under the pointer with clientX, clientY; without onPick it is a picture
     onKey(event)   keys that the atlas itself does not use
   atlas.element    one tab stop. Arrows move the pixel, or the channel where maps are single values; Shift + arrows and
                    Page Up / Page Down move the channel; Home / End first and last channel; every move calls onPick.
   atlas.draw({shape: [channels, h, w], data, scale, order, side, gap, perRow, deep})
     deep   rows of one frame, where those of a volume lie one under the other: only the frame of the chosen pixel is shown
     scale  a Scale or a function channel -> Scale; order  the channels to show, in this order (default all);
     side   wished side of a map in CSS pixels (default by count); perRow  maps in a row (default: as many as fit)
   atlas.select({channel, y, x, box})   moves the marks, without painting; box [y0, y1, x0, x1] marks a window;   atlas.reveal(channel)  scrolls to it
   paintMap(canvas, values, width, height, scale, zoom, from)   one map in integer zoom on any canvas; sizes the canvas
   paintWithin(side, canvas, values, width, height, scale)   the same, the longer side so long on the page */

import { h, perFrame } from "./dom.js";

const LEAST_MARK = 8;

export function paintMap(canvas, values, width, height, scale, zoom = 1, from = 0) {
  const pixels = new Uint32Array(width * height);
  scale.pixels(values, from, width * height, pixels, 0);
  canvas.width = width * zoom;
  canvas.height = height * zoom;
  const image = new ImageData(canvas.width, canvas.height);
  stamp(pixels, width, height, new Uint32Array(image.data.buffer), canvas.width, 0, 0, zoom, zoom);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

export function paintWithin(side, canvas, values, width, height, scale) {
  const factor = side / Math.max(width, height), zoom = Math.ceil(factor);
  Object.assign(canvas.style, { width: `${width * factor}px`, height: `${height * factor}px` });
  return paintMap(canvas, values, width, height, scale, zoom);
}

/* Copies a small picture into a large one, every pixel zx × zy times. */
function stamp(pixels, width, height, target, stride, left, top, zx, zy) {
  for (let y = 0; y < height; y++) {
    const first = (top + y * zy) * stride + left;
    for (let x = 0, at = first; x < width; x++) {
      const colour = pixels[y * width + x];
      for (const end = at + zx; at < end; at++) target[at] = colour;
    }
    for (let again = 1; again < zy; again++) target.copyWithin(first + again * stride, first, first + width * zx);
  }
}

/* Means of step × step blocks, for maps too large to be drawn in full. */
function shrink(data, from, height, width, step) {
  const rows = Math.ceil(height / step), columns = Math.ceil(width / step);
  const means = new Float32Array(rows * columns);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      let sum = 0, n = 0;
      for (let i = y * step; i < Math.min(height, (y + 1) * step); i++)
        for (let j = x * step; j < Math.min(width, (x + 1) * step); j++, n++) sum += data[from + i * width + j];
      means[y * columns + x] = sum / n;
    }
  }
  return means;
}

/* Sizes in device pixels, so that every number stays a whole one; but one map of a wished side fills it, beside others that do. */
function layout(wide, view) {
  let ratio = devicePixelRatio || 1;
  const { deep: height, shape: [, , width] } = view;
  const n = view.order.length;
  const single = width * height === 1;
  const wished = (view.side ?? (single ? 44 : n <= 16 ? 120 : n <= 64 ? 84 : 56)) * ratio;
  const available = Math.max(40, Math.floor(wide * ratio));
  const gap = Math.round((view.gap ?? (single ? 3 : 6)) * ratio);
  // A strip of a map would be a hair high within the square of others.
  const drawn = height > 1 ? wished * Math.sqrt(Math.max(1, width / height / 4)) : wished;
  const longest = Math.min(drawn, view.perRow ? Math.max(available / view.perRow - gap, 2 * width) : available);
  const step = width > Math.min(available, longest * (n === 1 ? 1 : 1.5)) ? Math.ceil(width / longest) : 1;
  const columns = Math.ceil(width / step), rows = Math.ceil(height / step);
  const least = single ? Math.round(24 * ratio) : 1;
  const whole = n === 1 || view.perRow ? Math.floor : Math.round;
  const fit = Math.min(longest / columns, height > 1 ? (n === 1 ? 1 : 2) * longest / rows : Infinity);
  const zx = Math.max(least, whole(fit) || 1);
  if (n === 1 && view.side && !single) ratio *= zx / fit;
  const zy = height === 1 && width > 1 ? Math.round(18 * ratio) : zx;
  const cellWide = columns * zx, cellHigh = rows * zy;
  const perRow = view.perRow || Math.max(1, Math.min(n, Math.floor((available + gap) / (cellWide + gap))));
  const lines = Math.ceil(n / perRow);
  return { ratio, step, columns, rows, zx, zy, gap, cellWide, cellHigh, perRow, lines,
    wide: perRow * (cellWide + gap) - gap, high: lines * (cellHigh + gap) - gap };
}

export function createAtlas({ label, onPick = null, onHover = () => {}, onKey = () => {} }) {
  const canvas = h("canvas", { "aria-hidden": "true" });
  const mapMark = h("div", { class: "mark-map" }), pixelMark = h("div", { class: "mark-pixel" });
  const space = h("div", { class: "atlas-space" }, canvas, mapMark, pixelMark);
  const element = h("div", { class: "atlas", tabindex: 0, role: onPick ? "application" : "img", "aria-label": label }, space);
  let view = null, plan = null, chosen = null, from = 0;

  const place = (node, left, top, wide, high) => Object.assign(node.style,
    { display: "block", left: `${left}px`, top: `${top}px`, width: `${wide}px`, height: `${high}px` });
  const corner = (slot) => [(slot % plan.perRow) * (plan.cellWide + plan.gap), Math.floor(slot / plan.perRow) * (plan.cellHigh + plan.gap)];

  function paint() {
    if (!view || !element.isConnected) return;
    const { ratio, perRow, cellHigh, gap, step, columns, rows, zx, zy } = plan;
    const line = cellHigh + gap;
    const first = Math.min(plan.lines - 1, Math.floor(element.scrollTop * ratio / line));
    const seen = Math.ceil((element.clientHeight || 600) * ratio / line) + 1;
    const last = Math.min(plan.lines, first + seen);
    const image = new ImageData(plan.wide, (last - first) * line);
    const target = new Uint32Array(image.data.buffer);
    const { deep, shape: [, height, width] } = view;
    const pixels = new Uint32Array(columns * rows);
    for (let slot = first * perRow; slot < Math.min(last * perRow, view.order.length); slot++) {
      const channel = view.order[slot];
      const scale = typeof view.scale === "function" ? view.scale(channel) : view.scale;
      const start = (channel * height + from) * width;
      const small = step > 1 ? shrink(view.data, start, deep, width, step) : null;
      scale.pixels(small ?? view.data, small ? 0 : start, pixels.length, pixels, 0);
      const [left, top] = corner(slot);
      stamp(pixels, columns, rows, target, plan.wide, left, top - first * line, zx, zy);
    }
    canvas.width = image.width;
    canvas.height = image.height;
    Object.assign(canvas.style, { width: `${image.width / ratio}px`, height: `${image.height / ratio}px`, top: `${first * line / ratio}px` });
    canvas.getContext("2d").putImageData(image, 0, 0);
  }
  const repaint = perFrame(paint);

  /* To the frame of the chosen pixel; whether it is another one. */
  function turned() {
    const { deep, shape: [, height] } = view, before = from;
    from = Math.max(0, Math.min(height - deep, Math.floor((chosen?.y ?? 0) / deep) * deep));
    return from !== before;
  }

  function arrange() {
    if (!view || !element.isConnected) return;
    plan = layout((element.clientWidth || 600) - 2 * parseFloat(getComputedStyle(element).paddingLeft), view);
    Object.assign(space.style, { width: `${plan.wide / plan.ratio}px`, height: `${plan.high / plan.ratio}px` });
    paint();
    mark();
  }

  function mark() {
    const slot = chosen && view ? view.order.indexOf(chosen.channel) : -1;
    mapMark.style.display = pixelMark.style.display = "none";
    if (slot < 0) return;
    const { ratio, zx, zy, step } = plan;
    const [left, top] = corner(slot).map((side) => side / ratio);
    if (view.order.length > 1) place(mapMark, left - 3, top - 3, plan.cellWide / ratio + 6, plan.cellHigh / ratio + 6);
    if (view.shape[1] * view.shape[2] === 1) return;
    const [flat0, flat1, x0, x1] = chosen.box ?? [chosen.y, chosen.y + 1, chosen.x, chosen.x + 1];
    const [y0, y1] = [flat0 - from, flat1 - from];
    const unitX = zx / ratio / step, unitY = zy / ratio / Math.min(step, view.deep);
    const wide = Math.max(LEAST_MARK, (x1 - x0) * unitX + 2), high = Math.max(LEAST_MARK, (y1 - y0) * unitY + 2);
    place(pixelMark, left + (x0 + x1) / 2 * unitX - wide / 2, top + (y0 + y1) / 2 * unitY - high / 2, wide, high);
  }

  function at(event) {
    if (!view) return null;
    const box = space.getBoundingClientRect();
    const { ratio, cellWide, cellHigh, gap, perRow, zx, zy, step } = plan;
    const px = (event.clientX - box.left) * ratio, py = (event.clientY - box.top) * ratio;
    const column = Math.floor(px / (cellWide + gap)), line = Math.floor(py / (cellHigh + gap));
    const inX = px - column * (cellWide + gap), inY = py - line * (cellHigh + gap);
    const channel = view.order[line * perRow + column];
    if (column < 0 || line < 0 || column >= perRow || inX >= cellWide || inY >= cellHigh || channel === undefined) return null;
    const { deep, shape: [, , width] } = view;
    const found = cell(channel, from + Math.min(deep - 1, Math.floor(inY / zy) * step), Math.min(width - 1, Math.floor(inX / zx) * step));
    return { ...found, clientX: event.clientX, clientY: event.clientY };
  }
  function cell(channel, y, x) {
    const [, height, width] = view.shape;
    return { channel, y, x, value: view.data[(channel * height + y) * width + x] };
  }

  function move(event) {
    const arrow = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const [, height, width] = view.shape;
    const { channel = view.order[0], y = 0, x = 0 } = chosen ?? {};
    const slot = Math.max(0, view.order.indexOf(channel));
    const to = (target) => cell(view.order[Math.min(view.order.length - 1, Math.max(0, target))], y, x);
    if (event.key === "Home") return to(0);
    if (event.key === "End") return to(Infinity);
    if (event.key === "PageUp" || event.key === "PageDown") return to(slot + (event.key === "PageUp" ? -1 : 1));
    if (!arrow) return null;
    if (event.shiftKey || height * width === 1) return to(slot + arrow[0] * plan.perRow + arrow[1]);
    return cell(channel, Math.min(height - 1, Math.max(0, y + arrow[0])), Math.min(width - 1, Math.max(0, x + arrow[1])));
  }

  element.addEventListener("scroll", repaint);
  element.addEventListener("pointermove", perFrame((event) => onHover(at(event))));
  element.addEventListener("pointerleave", perFrame(() => onHover(null)));
  if (onPick) element.addEventListener("click", (event) => { const found = at(event); if (found) onPick(found); });
  if (onPick) element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !view) return;
    const found = move(event);
    if (!found) return onKey(event);
    event.preventDefault();
    onPick(found);
    atlas.reveal(found.channel);
  });
  new ResizeObserver(perFrame(arrange)).observe(element);

  const atlas = {
    element,
    draw(given) {
      view = { order: Array.from({ length: given.shape[0] }, (_, i) => i), ...given, deep: given.deep ?? given.shape[1] };
      turned();
      arrange();
    },
    select(cell) {
      chosen = cell;
      if (!plan) return;
      if (turned()) paint();
      mark();
    },
    reveal(channel) {
      const slot = plan ? view.order.indexOf(channel) : -1;
      if (slot < 0) return;
      const top = corner(slot)[1] / plan.ratio, high = plan.cellHigh / plan.ratio;
      if (top < element.scrollTop) element.scrollTop = top;
      else if (top + high > element.scrollTop + element.clientHeight) element.scrollTop = top + high - element.clientHeight;
    },
  };
  return atlas;
}
