"""Every Python sample of README and docs runs as it stands: one test for each page that has some."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.test import TestCase

from tests.docs import samples
from tests.docs.pages import Page, all_pages


class Samples(TestCase):
    """The tests are made below."""

    def setUp(self) -> None:
        # Samples show errors; their records would only hide what the suite has to say.
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)


def _test_of(page: Page) -> Callable[[TestCase], None]:
    def test(_case: TestCase) -> None:
        samples.run(page)

    test.__doc__ = f"The samples of {page.name} run from top to bottom, and what the page claims comes true."
    return test


for _page in all_pages():
    if any(block.is_run for block in _page.blocks):
        setattr(Samples, "test_" + samples.slug(_page), _test_of(_page))
