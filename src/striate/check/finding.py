"""What the checks say: one record per thing found, which the command line, check.json and the report show."""

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from striate.data.wording import worded
from striate.errors import counted, first_few

SHOWN = 5  # thumbnails of one finding
LEVELS = ("problem", "caution", "note")
INDENT = " " * 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found, for people and for programs.

    kind: one word for programs, such as "duplicates". level: "problem" (scores would be wrong), "caution" (look at
    it) or "note". what: one sentence with the number in it. count: pictures concerned. done: what Striate did about
    it. change: how to do otherwise. groups: the paths concerned, those that belong together in one group, as many as
    there is room for; a few of them are shown. figures: the numbers behind it.
    """

    kind: str
    level: str
    what: str
    count: int
    done: str = ""
    change: str = ""
    groups: tuple[tuple[str, ...], ...] = ()
    figures: Mapping[str, object] = field(default_factory=dict)

    @property
    def shown(self) -> list[tuple[str, ...]]:
        """Up to SHOWN paths to show: two of each group, so that what belongs together is seen side by side."""
        several = any(len(group) > 1 for group in self.groups)
        return [group[:2] for group in self.groups[: SHOWN // 2 if several else SHOWN]]

    @property
    def examples(self) -> tuple[str, ...]:
        """The paths of `shown`, one after the other."""
        return tuple(path for group in self.shown for path in group)

    def in_blocks(self, parts: Mapping[str, str]) -> "Finding":
        """The same where the parts of paths are blocks of their order: groups that follow each other are kept apart."""
        within = [{parts.get(path, "") for path in group} - {""} for group in self.groups]
        if self.kind != "series" or sum(len(one) - 1 for one in within if one) > len(set(parts.values()) - {""}):
            return self
        return replace(self, level="note", done="The parts are blocks of the order given, which cut few of them.")

    def of_form(self, form: str) -> "Finding":
        """The same, in words for samples of this form, one of prepare.FORMS."""
        return replace(self, **{name: worded(getattr(self, name), form) for name in ("what", "done", "change")})

    def to_dict(self) -> dict[str, object]:
        """As it stands in check.json."""
        return {**asdict(self), "figures": dict(self.figures), "examples": list(self.examples)}

    @classmethod
    def from_dict(cls, values: Mapping) -> "Finding":
        """The finding that `to_dict` wrote."""
        known = {name: value for name, value in values.items() if name != "examples"}
        return cls(**{**known, "groups": tuple(map(tuple, values["groups"]))})


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """All that was found in a set of pictures, worst first.

    classes: pictures per class and given part ("" without one). together: store rows that must stay in one part, as
    lists of two or more. set_aside: store row -> why it is not used (the same picture under two labels).
    """

    findings: Sequence[Finding]
    classes: Mapping[str, Mapping[str, int]]
    together: Sequence[Sequence[int]]
    set_aside: Mapping[int, str]

    def of(self, level: str) -> list[Finding]:
        """The findings of one level."""
        return [finding for finding in self.findings if finding.level == level]

    def to_dict(self) -> dict[str, object]:
        """As it stands in check.json; the rows of together and set_aside count the pictures used, from 0."""
        return {
            "classes": {name: dict(counts) for name, counts in self.classes.items()},
            "findings": [finding.to_dict() for finding in self.findings],
            "together": [list(rows) for rows in self.together],
            "set_aside": {str(row): why for row, why in self.set_aside.items()},
        }

    @classmethod
    def from_dict(cls, values: Mapping) -> "Check":
        """The check that `to_dict` wrote."""
        return cls(
            findings=[Finding.from_dict(finding) for finding in values["findings"]],
            classes=values["classes"],
            together=values["together"],
            set_aside={int(row): why for row, why in values["set_aside"].items()},
        )


def told(check: Check, width: int = 100) -> str:
    """A check in words for the terminal: all findings, worst first, at most `width` letters to the line; how many there
    are; what to do next."""
    blocks = [_block(finding, width) for finding in check.findings]
    levels = Counter(finding.level for finding in check.findings)
    return "\n\n".join([*blocks, ", ".join(counted(levels[level], level) for level in LEVELS)])


def _block(finding: Finding, width: int) -> str:
    first = textwrap.wrap(f"{finding.level.upper():<8} {finding.what}", width, subsequent_indent=INDENT)
    lines = [finding.done, finding.change and f"What to do: {finding.change}"]
    examples = finding.shown[:3] if finding.done else []  # of what is merely there none is needed
    shown = [" with ".join(group) if len(group) > 1 else group[0] for group in examples]
    if shown:
        lines.insert(0, f"e.g. {first_few(shown)}")
    rest = [textwrap.fill(line, width, initial_indent=INDENT, subsequent_indent=INDENT) for line in lines if line]
    return "\n".join(first + rest)
