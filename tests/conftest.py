"""What test files share."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs with white charts and two heatmaps: most of the time of a small training goes into drawing real ones."""
    from drawn import white_charts

    white_charts(monkeypatch)


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """One browser for all pages of a process: to start it takes longer than many a test."""
    from browser import chromium

    with chromium() as browser:
        yield browser
