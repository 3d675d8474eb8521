from collections.abc import Iterator

import pytest
from playwright.sync_api import Playwright, sync_playwright

from tests.chromium import Chromium, launched
from tests.service import Service


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Playwright, whose browser is the one of the system."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture
def chromium(playwright: Playwright, service: Service) -> Iterator[Chromium]:
    """A browser for one test, which fails if a page had a problem."""
    with launched(playwright, service) as chromium:
        yield chromium
        assert chromium.problems == []
