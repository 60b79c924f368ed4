"""A check in words, for the terminal."""

import textwrap
from collections import Counter

from striate.check.finding import LEVELS, Check, Finding
from striate.errors import counted, first_few

INDENT = " " * 9


def told(check: Check, width: int = 100) -> str:
    """All findings, worst first, at most `width` letters to the line; how many there are; what to do next."""
    blocks = [_block(finding, width) for finding in check.findings]
    levels = Counter(finding.level for finding in check.findings)
    return "\n\n".join([*blocks, ", ".join(counted(levels[level], level) for level in LEVELS)])


def _block(finding: Finding, width: int) -> str:
    first = textwrap.wrap(f"{finding.level.upper():<8} {finding.what}", width, subsequent_indent=INDENT)
    lines = [finding.done, finding.change and f"What to do: {finding.change}"]
    shown = [" with ".join(group) if len(group) > 1 else group[0] for group in finding.shown[:3]]
    if shown:
        lines.insert(0, f"e.g. {first_few(shown)}")
    rest = [textwrap.fill(line, width, initial_indent=INDENT, subsequent_indent=INDENT) for line in lines if line]
    return "\n".join(first + rest)
