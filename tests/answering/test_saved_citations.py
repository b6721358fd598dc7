"""Citations out of JSON that came back, in the order that a text's numbers refer to."""

from __future__ import annotations

from typing import Any

from ragkit import citations_in

BREAD = {
    "document_id": "bread", "title": "Bread", "section": [], "start": 0, "end": 5, "quote": "Bread",
    "url": None, "page": None,
}  # fmt: skip
RYE = {**BREAD, "start": 6, "end": 9, "quote": "Rye", "url": "HTTPS://example.org/rye"}


def annotation(rank: int, citation: dict[str, Any]) -> dict[str, Any]:
    return {"type": "url_citation", "url_citation": {**citation, "rank": rank, "title": "Bread"}}


def test_annotations_are_in_the_order_of_their_ranks_and_each_passage_once() -> None:
    annotations = [annotation(2, RYE), annotation(1, BREAD), annotation(2, RYE)]
    for content in (annotations, {"annotations": annotations}):
        assert [one.quote for one in citations_in(content)] == ["Bread", "Rye"]


def test_a_list_of_citations_keeps_its_places_though_two_are_the_same() -> None:
    assert [one.quote for one in citations_in([RYE, BREAD, RYE])] == ["Rye", "Bread", "Rye"]


def test_an_address_in_capitals_stays_one() -> None:
    [citation] = citations_in([annotation(1, RYE)])
    assert citation.url == "HTTPS://example.org/rye"
