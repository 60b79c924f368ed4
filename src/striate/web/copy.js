/* An explanation as text for a note, and as NumPy that checks itself. Every digit is kept. */

import { exact } from "./dom.js";

const column = (label, value) => `  ${label.padEnd(28)} ${exact(value)}`;

export function asText({ chain, lineage }) {
  const lines = chain.flatMap((one) => [
    `${one.name} (${one.kind}) at channel ${one.at.join(", ")}`,
    ...one.terms.map((term) => column(term.label, term.value)),
    ...one.addends.map((addend) => column(addend.label, addend.value)),
    ...(one.divisor ? [column("divided by", one.divisor)] : []),
    ...(one.available ? [column(`recomputed (${one.rule})`, one.value), column("stored", one.stored), column("difference", one.difference),
      one.agrees ? "  agrees" : "  does not agree"] : [column("stored", one.stored), `  ${one.reason}`]), ""]);
  return [...lines, `from: ${lineage.map(({ name, box }) => `${name} [${box.join(", ")})`).join(" → ")}`, ""].join("\n");
}

const array = (rows) => `np.array(${JSON.stringify(rows).replace(/"?(-?)(NaN|Infinity)"?/g, (_, sign, word) => `${sign}${word === "NaN" ? "np.nan" : "np.inf"}`)})`;

export function asNumpy({ chain }) {
  const [one] = chain;
  const lines = ["import numpy as np", "", `# ${one.name} (${one.kind}), channel ${one.at.join(", ")}`, `stored = np.float32(${exact(one.stored)})`];
  const known = one.terms.every((term) => term.patch && term.kernel);
  if (known && one.terms.length) {
    lines.push(`patch = ${array(one.terms.map((term) => term.patch))}`, `kernel = ${array(one.terms.map((term) => term.kernel))}`);
    lines.push(`added = ${array(one.addends.map((addend) => addend.value))}`, "value = (patch * kernel).sum() + added.sum()");
  } else if (one.rule === "maximum") {
    const [{ patch, padding }] = one.terms;  // what lies outside is never the largest
    lines.push(`patch = ${array(patch.map((row, i) => row.map((value, j) => padding?.[i][j] ? "-Infinity" : value)))}`, "value = patch.max()");
  } else if (one.rule === "sum" || one.rule === "mean") {
    lines.push(`terms = ${array(one.terms.map((term) => term.value))}`, `added = ${array(one.addends.map((addend) => addend.value))}`);
    lines.push(`value = (terms.sum() + added.sum())${one.divisor ? ` / ${exact(one.divisor)}` : ""}`);
  } else lines.push(`value = ${exact(one.value)}  # ${one.formula || one.reason}`);
  return [...lines, "print(value, stored, value - stored)", ""].join("\n");
}
