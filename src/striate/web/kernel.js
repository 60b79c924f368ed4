/* A filter as text in the address, and the cells in which it is edited.

   kernelText(rows, presets)   the name of the preset with these weights, or "0*1*0_1*-4*1_0*1*0"
   kernelOf(text, presets)     rows of numbers; an unreadable text gives the first preset
   createEditor(onChange)      {element, show(rows, presets)}; onChange(rows) with every weight a finite number */

import { Scale } from "./colour.js";
import { button, digits, fill, h, select } from "./dom.js";

const LARGEST = 7;

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const written = (rows) => rows.map((row) => row.join("*")).join("_");

export function kernelText(rows, presets) {
  return presets.find((preset) => same(preset.rows, rows))?.name ?? written(rows);
}

export function kernelOf(text, presets) {
  const preset = presets.find(({ name }) => name === text);
  if (preset) return preset.rows;
  const rows = (text ?? "").split("_").map((row) => row.split("*").map((weight) => weight === "" ? NaN : Number(weight)));
  const good = rows.length <= LARGEST && rows.every((row) => row.length === rows[0].length && row.length <= LARGEST && row.every(Number.isFinite));
  return good ? rows : presets[0]?.rows ?? [[1]];
}

/* The same weights around the same middle in `size` × `size` cells, zeros where there is more room. */
function resized(rows, size) {
  const [top, left] = [Math.floor((size - rows.length) / 2), Math.floor((size - rows[0].length) / 2)];
  return Array.from({ length: size }, (_, i) => Array.from({ length: size }, (_, j) => rows[i - top]?.[j - left] ?? 0));
}

export function createEditor(onChange) {
  let rows = [[1]], presets = [], inputs = [];
  const preset = select("Preset", [], "", (name) => { const found = presets.find((one) => one.name === name); if (found) onChange(found.rows); });
  const size = select("Size", Array.from({ length: LARGEST }, (_, i) => [String(i + 1), `${i + 1} × ${i + 1}`]), "3",
    (side) => onChange(resized(rows, Number(side))));
  const cells = h("div", { class: "kernel-cells", role: "group", "aria-label": "Weights of the filter" });
  const total = h("p", { class: "quiet" });
  const turn = (words, change, hint) => button(words, () => onChange(change(rows)), { title: hint });
  const element = h("div", { class: "kernel" }, h("div", { class: "toolbar" }, preset.element, size.element), cells, total,
    h("div", { class: "toolbar" },
      turn("Turn", (now) => now[0].map((_, j) => now.map((row) => row[j]).reverse()), "A quarter turn to the right"),
      turn("Negate", (now) => now.map((row) => row.map((weight) => weight === 0 ? 0 : -weight)), "Every weight times −1"),
      turn("Clear", (now) => now.map((row) => row.map(() => 0)), "Every weight 0")));

  function typed(input) {
    const weight = Number(input.value);
    const good = input.value.trim() !== "" && Number.isFinite(weight);
    input.setAttribute("aria-invalid", String(!good));
    if (!good) return; // half-typed: "-" or nothing yet
    const at = inputs.indexOf(input), width = rows[0].length;
    onChange(rows.map((row, i) => row.map((old, j) => i * width + j === at ? weight : old)));
  }

  /* New cells only for a new size: typing must not lose the focus. */
  function build() {
    inputs = rows.flatMap((row, i) => row.map((_, j) => h("input", { type: "number", step: "any", class: "kernel-cell mono",
      "aria-label": `weight in row ${i + 1}, column ${j + 1}`, on: { input: (event) => typed(event.target) } })));
    fill(cells, inputs);
    cells.classList.toggle("wide", rows[0].length > 5);
    cells.style.gridTemplateColumns = `repeat(${rows[0].length}, minmax(0, 58px))`;
  }

  function show(next, list) {
    const known = presets === list;
    const rebuilt = next.length !== rows.length || next[0].length !== rows[0].length || !inputs.length;
    [rows, presets] = [next, list];
    if (!known) preset.options([...presets.map(({ name, label }) => [name, label]), ["", "your own"]]);
    if (rebuilt) build();
    const name = kernelText(rows, presets);
    preset.set(presets.some((one) => one.name === name) ? name : "");
    size.set(rows.length === rows[0].length ? rows.length : "");
    const flat = rows.flat();
    const scale = new Scale({ high: Math.max(...flat.map(Math.abs)) || 1, signed: true });
    inputs.forEach((input, i) => {
      const stale = Number(input.value) !== flat[i] || (input.value === "" && document.activeElement !== input);
      if (stale) input.value = String(Number(flat[i].toFixed(6)));
      input.setAttribute("aria-invalid", "false");
      Object.assign(input.style, { background: scale.css(flat[i]), color: scale.ink(flat[i]) });
    });
    const sum = Number(flat.reduce((all, weight) => all + weight, 0).toFixed(9));
    total.textContent = `The weights sum to ${digits(sum, 7)}${sum === 0 ? ": an even picture gives 0" : ""}.`;
  }
  return { element, show };
}
