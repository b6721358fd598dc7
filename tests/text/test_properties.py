"""Boxes of properties are told from other lists by their lines alone."""

from __future__ import annotations

import pytest

from ragkit.text.properties import properties
from ragkit.text.spans import Span
from support.parts import ROOT


def box(text: str) -> tuple[str, list[tuple[str, str]]] | None:
    """The title and the pairs that are found, as text."""
    found = properties(text, Span(0, len(text)))
    return found and (
        text[slice(*found.title)],
        [(text[slice(*name)], text[slice(*value)]) for name, value in found.pairs],
    )


def test_the_seed_articles_infobox_is_a_box() -> None:
    article = (ROOT / "seeds/germany-soviet-union-relations-1918-1941.txt").read_text("utf-8")
    lead = article.split("\n\n")[1]
    assert box(lead) == (
        "Infobox",
        [
            ("Map", "Germany Soviet Union Locator until 1937.png"),
            ("Filetype", "png"),
            ("Flagvariant1", "Weimar Germany"),
            ("Flagvariant2", "1924"),
        ],
    )


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("Opening hours:\n* Monday: closed\n* Tuesday: 9:00–17:00",
         [("Monday", "closed"), ("Tuesday", "9:00–17:00")]),
        ("日本\n• 首都：東京\n• 通貨： 円", [("首都", "東京"), ("通貨", "円")]),
        ("Links\n\n- Home: https://example.org\n- Mail: a@example.org",
         [("Home", "https://example.org"), ("Mail", "a@example.org")]),
    ],
)  # fmt: skip
def test_a_title_above_names_and_values_is_a_box(text: str, pairs: list[tuple[str, str]]) -> None:
    found = box(text)
    assert found
    assert found[1] == pairs


@pytest.mark.parametrize(
    "text",
    [
        "Infobox",
        "Infobox\n- Capital: Rome",  # one is no list
        "- Capital: Rome\n- Area: 302,073 km²",  # no title
        "There are two:\n- the first\n- the second",
        "Infobox\n- Capital: Rome\n- Area: 302,073 km²\nIt is a country.",
        "It has a capital.\n- Capital: Rome\n- Area: 302,073 km²",  # a sentence is no title
        "Links\n- https://example.org\n- https://example.com",
        f"Notes\n- {'very ' * 10}long name: no name\n- Area: large",
    ],
)
def test_other_paragraphs_are_none(text: str) -> None:
    assert box(text) is None
