"""The small parts of the page: where a record comes from, tables, numbers, and words for what they show."""

from collections.abc import Iterable, Sequence


def about(one: dict) -> str:
    """Where a record comes from: file, machine, versions, settings of the processor."""
    machine, words = one["machine"], []
    units = "with units for bf16 matrices (AMX)" if has_units(one) else "without units for bf16 matrices (AMX)"
    if "cores" in machine:
        words.append(f"{machine['processor']}, cores: {machine['cores']}, {units}")
        words.append(f"{machine['memory_gb']:g} GB, {machine['system']}, {one['started']}")
        after = f" and {one['load_after']:g} at the end" if "load_after" in one else ""
        words.append(f"load {machine['load']:g} at the start{after}")
        words += [f"on its GPU, {machine['gpu']}"] if machine.get("gpu") else []
        words += [f"{key} = {value}" for key, value in machine["environment"].items()]
    else:
        words.append(f"{machine['processor']}, threads: {machine['threads']}")
        words.append(f"python {machine['python']}, torch {machine['torch']}")
    if isa(one):
        words.append(f"ONEDNN_MAX_CPU_ISA = {isa(one)} for every contender")
    found = [
        f"{name}: " + ", ".join(f"{key} {value}" for key, value in items.items())
        for name, items in one.get("versions", {}).items()
        if items
    ]
    return f"<small>`{one['file']}.json`: {'; '.join([*words, *found])}.</small>"


def has_units(one: dict) -> bool:
    """Whether bf16 matrices were multiplied in hardware."""
    return "amx_bf16" in one["machine"].get("units", ()) and (not isa(one) or "AMX" in isa(one))


def isa(one: dict) -> str:
    return one.get("settings", {}).get("isa") or ""


def missing(case: dict) -> str:
    told = [f"{name} ({why})" for name, why in case.get("not_measured", {}).items()]
    return f"\n\nNot measured: {'; '.join(told)}." if told else ""


def table(header: Sequence[str], rows: Iterable[Sequence[object]], right: Iterable[int] = ()) -> str:
    """A Markdown table; `right` are the columns that are aligned to the right."""
    marks = ["--:" if column in set(right) else "---" for column in range(len(header))]
    lines = [header, marks, *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "/") for cell in line) + " |" for line in lines)


def times(ratio: dict) -> str:
    return f"{ratio['median']:.2f}× [{ratio['low']:.2f}, {ratio['high']:.2f}]"


def verdict(ratio: dict) -> str:
    """Ahead or behind only where the whole interval says so."""
    return "ahead" if ratio["low"] > 1 else "behind" if ratio["high"] < 1 else "no difference shown"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def signed(share: float) -> str:
    """+3.1 % or -0.4 %."""
    return f"{100 * share:+.1f} %"


def met(is_met: bool) -> str:
    return "met" if is_met else "not met"


def mean_and_sd(got: dict) -> str:
    return percent(got["mean"]) + (f" (sd {100 * got['sd']:.1f})" if got["sd"] is not None else "")


def with_interval(score: dict, digits: int = 1) -> str:
    """88.4 % [86.2, 91.3], of a score as a run writes it down; without an interval the share alone."""
    value, low, high = (100 * score[name] if name in score else None for name in ("value", "low", "high"))
    inner = f" [{low:.{digits}f}, {high:.{digits}f}]" if low is not None else ""
    return f"{value:.{digits}f} %{inner}"


def slowest(runs: Sequence[dict]) -> str:
    """The longest wall time of some runs."""
    taken = [run["seconds"] for run in runs if "seconds" in run]
    return f"{max(taken):.0f} s" if taken else ""


def figure(one: dict, pictures: dict[str, str], words: str) -> str:
    """A record's chart, if it has one."""
    return f"![{words}]({pictures[one['file']]})" if one["file"] in pictures else ""


def joined(parts: Sequence[str]) -> str:
    """Paragraphs, tables and charts under each other."""
    return "\n\n".join(part for part in parts if part)
