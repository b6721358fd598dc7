"""The examples in ``docs/explanation/citations.md``."""

from __future__ import annotations

import doctest

from support.parts import ROOT


def test_the_examples_on_the_page_about_citations_print_what_it_says() -> None:
    page = ROOT / "docs" / "explanation" / "citations.md"
    results = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert results.attempted > 15
    assert results.failed == 0
