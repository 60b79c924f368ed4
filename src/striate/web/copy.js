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

const python = (text) => text.replace(/"?(-?)(NaN|Infinity)"?/g, (_, sign, word) => `${sign}${word === "NaN" ? "np.nan" : "np.inf"}`);
const array = (rows) => `np.array(${python(JSON.stringify(rows))})`;

/* Norms and activations as NumPy computes them, by the names that an explanation's `numbers` have. */
const FORMULAS = {
  "relu": "np.maximum(x, 0)",
  "relu6": "np.clip(x, 0, 6)",
  "leaky-relu": "np.where(x > 0, x, negative_slope * x)",
  "prelu": "np.where(x > 0, x, weight * x)",
  "elu": "np.where(x > 0, x, alpha * np.expm1(x))",
  "celu": "np.where(x > 0, x, alpha * np.expm1(x / alpha))",
  "selu": "1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x))",
  "gelu": "x * (1 + math.erf(x / math.sqrt(2))) / 2",
  "gelu-tanh": "x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))",
  "silu": "x / (1 + np.exp(-x))",
  "mish": "x * np.tanh(np.logaddexp(0, x))",
  "sigmoid": "1 / (1 + np.exp(-x))",
  "log-sigmoid": "-np.logaddexp(0, -x)",
  "tanh": "np.tanh(x)",
  "hardtanh": "np.clip(x, min_val, max_val)",
  "hardsigmoid": "np.clip(x + 3, 0, 6) / 6",
  "hardswish": "x * np.clip(x + 3, 0, 6) / 6",
  "softplus": "np.where(x * beta > threshold, x, np.logaddexp(0, x * beta) / beta)",
  "softsign": "x / (1 + np.abs(x))",
  "threshold": "np.where(x > threshold, x, value)",
  "clamp": "np.clip(x, min, max)",
  "pow": "np.power(x, exponent)",
  "neg": "-x",
  "abs": "np.abs(x)",
  "exp": "np.exp(x)",
  "log": "np.log(x)",
  "sqrt": "np.sqrt(x)",
  "square": "x**2",
  "mul": "a * b",
  "div": "a / b",
  "rdiv": "a / b",
};
const AFFINE = "(x - mean) / np.sqrt(variance + eps) * gamma + beta";

/* The lines that work out a norm, an activation or a product; none where it is not known how. */
function worked({ rule, kind, formula, numbers, terms: [term] }) {
  const how = rule === "affine" ? AFFINE : FORMULAS[kind === "gelu" && formula.includes("tanh") ? "gelu-tanh" : kind];
  if (!how || !term?.patch) return null;
  const given = { ...how.includes("x") ? { x: term.patch.flat()[0] } : {}, ...numbers };
  return [...how.includes("math.") ? ["import math"] : [], ...Object.entries(given).map(([name, value]) => `${name} = ${python(exact(value))}`), `value = ${how}`];
}

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
  } else if (one.rule === "softmax") {
    lines.push(`x = ${array(one.terms.map((term) => term.patch.flat()[0]))}`, "powers = np.exp(x - x.max())", `value = powers[${one.chosen.at(-1)}] / powers.sum()`);
    if (one.kind === "log-softmax") lines.push("value = np.log(value)");
  } else if (worked(one)) {
    lines.push(...worked(one));
  } else lines.push(`value = ${exact(one.value)}  # ${one.formula || one.reason}`);
  return [...lines, "print(value, stored, value - stored)", ""].join("\n");
}
