"""A trace in words: the table of its layers, and the ledger of a number as one would write it on paper."""

from collections.abc import Sequence

import numpy as np

from striate.errors import aligned, say
from striate.inside.elementwise import Term
from striate.inside.trace import Explanation, Trace

SHOWN = 8  # terms of a sum; the rest stand in one row
BAR = 16  # letters of the longest bar
WIDEST = 7  # cells of a patch that is written out, each way


def layer_table(trace: Trace) -> str:
    """One row per layer: name, kind, shape, parameters, smallest and largest value, share of zeros."""
    rows = [("layer", "kind", "output", "parameters", "smallest", "largest", "zeros")]
    for layer in trace.layers:
        maps = trace.maps(layer.index)
        ends = (say(float(maps.min())), say(float(maps.max())))
        shape = "×".join(map(str, layer.output_shape))
        rows.append(
            (layer.name, layer.kind, shape, f"{layer.parameters:,}", *ends, f"{100 * np.mean(maps == 0):.0f} %")
        )
    lines = aligned(rows, right={3, 4, 5, 6})
    return "\n".join([lines[0], "─" * max(map(len, lines)), *lines[1:]])


def ledger_table(trace: Trace, chain: Sequence[Explanation]) -> str:
    """How a number came about and what becomes of it, as `Trace.chain` gives it, every sum with its check."""
    first = chain[0]
    blocks = [_ledger(trace, step) for step in chain]
    blocks.append(f"{first.name}, {place_text(first.at)}, sees {span_text(first.field)} of the picture.")
    blocks.append("All numbers are shown rounded to 4 digits; sums are computed from the full ones.")
    return "\n\n".join(blocks)


def place_text(at: Sequence[int]) -> str:
    """channel 5, row 10, column 12; or value 5 for a vector."""
    if len(at) == 1:
        return f"value {at[0]}"
    names = {2: ("place",), 3: ("row", "column"), 4: ("slice", "row", "column")}[len(at)]
    return ", ".join([f"channel {at[0]}", *(f"{name} {place}" for name, place in zip(names, at[1:], strict=True))])


def _ledger(trace: Trace, step: Explanation) -> str:
    lines = [f"{step.name} ({step.kind}), {place_text(step.at)} = {say(step.stored)}"]
    if not step.available:
        return "\n".join([*lines, f"  {step.reason}"])
    if step.rule in {"sum", "mean", "softmax"}:
        lines += _sum_rows(trace, step)
    if step.rule not in {"sum", "mean"}:
        lines.append(f"  {step.formula.removesuffix(' (shown rounded)')}")
    if step.rule in {"sum", "mean", "maximum"} and step.terms:
        strongest = max(step.terms, key=lambda term: abs(term.value))
        lines += _patch_rows(trace, strongest, step)
    check = "agrees" if step.agrees else "DOES NOT AGREE"
    gap = f"difference {step.difference:.1e}".replace("-", "−") if step.difference else "to the last bit"
    lines.append(f"  computed again {say(step.value)}, stored {say(step.stored)}: {check}, {gap}")
    return "\n".join(lines)


def _sum_rows(trace: Trace, step: Explanation) -> list[str]:
    """The largest terms with bars, the others in one row, what is added, and the line below it all."""
    terms = sorted(step.terms, key=lambda term: -abs(term.value))
    kept, rest = terms[:SHOWN], terms[SHOWN:]
    several = len({term.source for term in terms}) > 1
    rows = [(f"{term.label} of {_source(trace, term)}" if several else term.label, term.value) for term in kept]
    if rest:
        rows.append((f"{len(rest):,} more", sum(term.value for term in rest)))
    rows += step.addends
    reach = max((abs(value) for _, value in rows if np.isfinite(value)), default=0.0) or 1.0
    drawn = [(label, say(value), _bar(value / reach)) for label, value in rows]
    name, total = "sum" if step.divisor is None else f"sum / {step.divisor:g}", step.value
    if step.rule == "softmax":
        name, total = "sum of exp", step.divisor
    table = aligned([*drawn, (name, say(total), "")], right={1})
    return [*(f"  {line}" for line in table[:-1]), "  " + "─" * max(map(len, table)), f"  {table[-1]}"]


def _patch_rows(trace: Trace, term: Term, step: Explanation) -> list[str]:
    """The patch of the strongest term, times its weights where it has any; padding is written as a dot."""
    patch = term.patch
    if patch is None or patch.ndim != 2 or max(patch.shape) > WIDEST or patch.size == 1:
        return []
    ends = [origin + gap * (size - 1) for origin, gap, size in zip(term.origin, term.step, patch.shape, strict=True)]
    box = tuple(edge for pair in zip(term.origin, (end + 1 for end in ends), strict=True) for edge in pair)
    padding = " (· is padding)" if term.padding is not None else ""
    lines = ["", f"  {term.label} of {_source(trace, term)}, {span_text(box)}{padding}:"]
    grids = [_cells(patch, term.padding, step.chosen)]
    if term.kernel is not None:
        grids += [_cells(term.kernel), _cells(patch * term.kernel, term.padding)]
    middle = len(patch) // 2
    for row in zip(*grids, strict=True):
        signs = ("×", "=", "") if len(lines) - 2 == middle and len(row) > 1 else (" ", " ", "")
        lines.append("    " + "".join(f"{cells}   {sign}   " for cells, sign in zip(row, signs, strict=False)).rstrip())
    return lines


def _cells(values: np.ndarray, padding: np.ndarray | None = None, chosen: tuple[int, ...] | None = None) -> list[str]:
    """A grid as lines of equal width; the chosen cell in brackets."""
    texts = [[say(float(value)) for value in row] for row in values]
    for y, x in np.argwhere(padding) if padding is not None else ():
        texts[y][x] = "·"
    if chosen is not None and len(chosen) == 2:
        texts[chosen[0]][chosen[1]] = f"[{texts[chosen[0]][chosen[1]]}]"
    width = max(len(text) for row in texts for text in row)
    return ["  ".join(text.rjust(width) for text in row) for row in texts]


def _source(trace: Trace, term: Term) -> str:
    return "the picture" if term.source < 0 else trace.layers[term.source].name


def span_text(box: Sequence[int]) -> str:
    """Half-open edges in words, with both ends counted: rows 6 to 14, columns 10 to 18; an empty box is "nothing"."""
    pairs = list(zip(box[::2], box[1::2], strict=True))
    if any(low >= high for low, high in pairs):
        return "nothing"
    names = {1: ("places",), 2: ("rows", "columns"), 3: ("slices", "rows", "columns")}[len(pairs)]
    spans = (f"{name} {low} to {high - 1}" for name, (low, high) in zip(names, pairs, strict=True))
    return ", ".join(spans).replace("-", "−")


def _bar(share: float) -> str:
    return ("+" if share > 0 else "−" if share < 0 else "") + "█" * round(BAR * min(np.nan_to_num(abs(share)), 1))
