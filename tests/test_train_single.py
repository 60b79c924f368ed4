"""How a training is planned before it begins."""

from types import SimpleNamespace

import pytest
from drawn_training import facts

from striate.network.build import build
from striate.network.summary import total_operations
from striate.train import single
from striate.train.plan import auto_line
from striate.train.settings import Settings

FACTS = facts(counts=(100, 100))
WIDE, NARROW = (auto_line(1, 8, 8, filters) for filters in (32, 16))
SEEN = 200 * 67 * (0.6 * 0.75**2 + 0.4)  # pictures of full size in 67 epochs, which are 800 steps of 16
ONCE = 3 * SEEN * total_operations(build(WIDE, (1, 8, 8), 2), (1, 8, 8))


@pytest.mark.parametrize(
    ("member", "expected"),
    [(1.0, f"ensemble 4 ({WIDE})"), (9.0, f"ensemble 4 ({WIDE})"), (0.5, f"ensemble 2 ({WIDE})"), (0.01, NARROW)],
)
def test_an_ensemble_is_planned_by_the_speed_of_its_member(
    member: float, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute for 2.9 such trainings: four members, two where a member computes half as fast, one narrow one where it
    hardly does; one that computes faster changes nothing, nor does any where the number of members was asked for."""
    first, asked = 2.9 * ONCE / 60, []

    def speed_of(job: SimpleNamespace, line: str = "") -> float:
        asked.append(line)
        return first * (member if line else 1)

    monkeypatch.setattr(single, "speed_of", speed_of)
    monkeypatch.setattr(single, "_facts", lambda data: FACTS)
    plan, speed = single.planned(SimpleNamespace(settings=Settings(minutes=1.0), data=None))
    assert (plan.line, speed) == (expected, first * min(member, 1))
    assert asked == ["", WIDE]
    wished = Settings(minutes=1.0, members=3)
    assert single.planned(SimpleNamespace(settings=wished, data=None))[0].line == f"ensemble 3 ({WIDE})"
    assert asked == ["", WIDE, ""]
