"""One thing found in the data: the record that the command line, check.json and the report show."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

SHOWN = 5  # thumbnails of one finding
LEVELS = ("problem", "caution", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found, for people and for programs.

    kind: one word for programs, such as "duplicates". level: "problem" (scores would be wrong), "caution" (look at
    it) or "note". what: one sentence with the number in it. count: pictures concerned. done: what Striate did about
    it. change: how to do otherwise. groups: the paths concerned, those that belong together in one group; the first
    SHOWN of them are shown. figures: the numbers behind it.
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
    def examples(self) -> tuple[str, ...]:
        """Up to SHOWN paths, whole groups first so that what belongs together is seen together."""
        return tuple(path for group in self.groups for path in group)[:SHOWN]

    def to_dict(self) -> dict[str, object]:
        """As it stands in check.json."""
        return {**asdict(self), "figures": dict(self.figures), "examples": list(self.examples)}
