"""Citations: verification, offsets, annotations, deep links, and new places after an edit."""

from __future__ import annotations

import dataclasses
import json
import re
import time
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ragkit import Citation, Document, Index, InputError, Section, Span
from ragkit.citations.links import deep_link, resolve_link
from ragkit.citations.reanchor import AnchorStatus
from ragkit.citations.verification import annotation, offsets, verify
from support.strategies import articles

RAPALLO = "The Treaty of Rapallo between Weimar Germany and Soviet Russia was signed"
ODD = st.text(
    st.sampled_from([*"aAbé1. \n\r\t,-&#%\"'<>=:~()*_", "\u0301", "\u200b", "\x00", "ß", "İ", "ش", "ל", "漢", "か", "👩", "\u200d", "🇩", "\ufeff", "\u2028", "\xa0"]),
    max_size=60,
)  # fmt: skip
BULLET = re.compile(r"- |\d\. ")
TEXTS = st.one_of(articles(), ODD, st.text())


def cite(document: Document, start: int, end: int, *, section: tuple[str, ...] = ()) -> Citation:
    quote = document.text[start:end]
    return Citation(document.id, document.title, section, start, end, quote, document.url)


def cite_words(document: Document, words: str, *, section: tuple[str, ...] = ()) -> Citation:
    start = document.text.index(words)
    return cite(document, start, start + len(words), section=section)


def page(text: str, *, url: str | None = "https://example.org/page") -> Document:
    return Document("page", "Page", text, url)


def edited(document: Document, old: str, new: str) -> Document:
    assert document.text.count(old) == 1
    return dataclasses.replace(document, text=document.text.replace(old, new), sections=())


def texts_of(link: str | None, text: str) -> list[str]:
    return [text[slice(*span)] for span in resolve_link(link or "", text)]


@st.composite
def places(draw: st.DrawFn) -> tuple[Document, Citation]:
    """A document of any text, and a citation of any part of it."""
    text = draw(TEXTS.filter(bool))
    start = draw(st.integers(0, len(text) - 1))
    end = draw(st.integers(start + 1, len(text)))
    document = page(text)
    return document, cite(document, start, end)


# ------------------------------------------------------------------------------- verification


@given(places(), st.text(max_size=3))
def test_a_citation_holds_only_in_documents_with_the_same_text_at_its_span(
    place: tuple[Document, Citation], extra: str
) -> None:
    document, citation = place
    assert verify(citation, document).ok
    other = dataclasses.replace(document, text=extra + document.text[len(extra) + 1 :])
    agrees = other.text[citation.start : citation.end] == citation.quote
    assert verify(citation, other).ok == agrees


def test_the_reason_of_a_citation_that_holds_names_its_span(article: Document) -> None:
    citation = cite_words(article, RAPALLO)
    place = f"[{citation.start}, {citation.end})"
    assert verify(citation, article).reason == f"{article.id!r} has the quote at {place}."


def test_a_citation_of_another_document_names_both() -> None:
    citation = cite(page("bread"), 0, 5)
    verification = verify(citation, Document("rivers", "Rivers", "bread"))
    assert not verification.ok
    assert verification.reason == "the document is 'rivers'; expected 'page'."


def test_a_span_outside_the_text_names_its_length_and_the_quote() -> None:
    verification = verify(cite(page("Bread is dark."), 0, 14), page("Bread"))
    assert not verification.ok
    assert "[0, 14) ends outside 'page', which has 5 code points" in verification.reason
    assert "'Bread is dark.'" in verification.reason


def test_another_text_in_its_place_is_shown_from_where_it_differs_with_controls_escaped() -> None:
    before = "x" * 500
    verification = verify(cite(page(before + "dark"), 0, 504), page(before + "d\x1bry"))
    assert not verification.ok
    assert f"'…{'x' * 19}d\\x1bry' at 501" in verification.reason
    assert f"expected '…{'x' * 19}dark'" in verification.reason


@pytest.mark.parametrize("use", [offsets, annotation, deep_link])
def test_nothing_is_derived_from_a_citation_that_does_not_hold(use: object) -> None:
    assert callable(use)
    with pytest.raises(InputError, match=r"does not hold: .* citation\.reanchor"):
        use(cite(page("Bread"), 0, 5), page("Broad"))


@pytest.mark.parametrize("use", [annotation, deep_link])
@pytest.mark.parametrize("span", [Span(1, 3), Span(4, 9), Span(5, 5), Span(6, 5)])
def test_a_highlight_outside_the_citation_is_refused(use: object, span: Span) -> None:
    assert callable(use)
    document = page("Rye bread is dark.")
    with pytest.raises(InputError, match="empty or outside"):
        use(cite(document, 2, 8), document, span=span)


# --------------------------------------------------------------------- offsets and annotations


def test_offsets_count_code_points_utf16_units_and_utf8_bytes() -> None:
    # 👩 is one code point, two units, four bytes; ö one, one, two; e + U+0301 two, two, three.
    document = page("👩ö שלום e\u0301 end")
    found = offsets(cite_words(document, "e\u0301"), document)
    assert found.code_points == (8, 10)
    assert found.utf16 == (9, 11)
    assert found.utf8 == (16, 19)


@given(places())
def test_slicing_by_any_unit_gives_the_quote(place: tuple[Document, Citation]) -> None:
    document, citation = place
    found = offsets(citation, document)
    assert document.text[slice(*found.code_points)] == citation.quote
    utf16 = document.text.encode("utf-16-le", "surrogatepass")
    start, end = found.utf16
    assert utf16[2 * start : 2 * end].decode("utf-16-le", "surrogatepass") == citation.quote
    utf8 = document.text.encode("utf-8", "surrogatepass")
    assert utf8[slice(*found.utf8)].decode("utf-8", "surrogatepass") == citation.quote


def test_an_annotation_is_a_w3c_highlight_of_the_place(article: Document) -> None:
    citation = cite_words(article, RAPALLO)
    content = json.loads(json.dumps(annotation(citation, article)))
    assert content == {
        "@context": "http://www.w3.org/ns/anno.jsonld",
        "id": f"urn:ragkit:{article.id}:{citation.start}-{citation.end}",
        "type": "Annotation",
        "motivation": "highlighting",
        "target": {
            "source": article.url,
            "selector": [
                {"type": "TextPositionSelector", "start": citation.start, "end": citation.end},
                {
                    "type": "TextQuoteSelector",
                    "exact": RAPALLO,
                    "prefix": "secret military cooperation===\n\n",
                    "suffix": " by German Foreign Minister Walt",
                },
            ],
        },
    }


def test_an_annotation_of_a_highlight_has_the_highlight_alone(article: Document) -> None:
    citation = cite_words(article, RAPALLO)
    span = Span(citation.start + 4, citation.start + 21)
    position, quoted = annotation(citation, article, span=span)["target"]["selector"]
    assert (position["start"], position["end"]) == span
    assert quoted["exact"] == "Treaty of Rapallo"


def test_a_document_without_an_address_is_named_by_its_id_percent_encoded() -> None:
    document = Document("my notes/ö", "Notes", "Bread is made of flour.")
    source = annotation(cite(document, 0, 5), document)["target"]["source"]
    assert source == "urn:ragkit:my%20notes%2F%C3%B6"


@settings(max_examples=100)
@given(places())
def test_the_quote_of_an_annotation_with_its_context_stands_in_the_text_once(
    place: tuple[Document, Citation],
) -> None:
    document, citation = place
    _, quoted = annotation(citation, document)["target"]["selector"]
    whole = quoted["prefix"] + quoted["exact"] + quoted["suffix"]
    start = document.text.index(whole)
    assert start + len(quoted["prefix"]) == citation.start
    assert document.text.find(whole, start + 1) == -1


def test_the_context_of_an_annotation_grows_until_it_is_unique() -> None:
    document = page("first " + "again " * 50 + "last")
    middle = document.text.index("again ", 150)
    _, quoted = annotation(cite(document, middle, middle + 5), document)["target"]["selector"]
    assert quoted["prefix"].startswith("first") or quoted["suffix"].endswith("last")


# ---------------------------------------------------------------------------------- deep links


def test_the_deep_link_of_every_sentence_of_the_article_lands_on_that_sentence_alone(
    german_soviet: Index,
) -> None:
    data = german_soviet._data
    for chunk in data.chunks(range(len(data))):
        document = data.document(chunk.document_id)
        citation = cite(document, chunk.start, chunk.end)
        for start, end in chunk.sentences:
            sentence = document.text[start:end]
            bullet = BULLET.match(sentence)
            shown = Span(start + (bullet.end() if bullet else 0), end)
            link = deep_link(citation, document, span=Span(start, end))
            assert resolve_link(link or "", document.text) == [shown], sentence


def test_the_deep_link_of_every_chunk_lands_on_the_whole_chunk(german_soviet: Index) -> None:
    data = german_soviet._data
    for chunk in data.chunks(range(len(data))):
        document, start, end = data.document(chunk.document_id), chunk.start, chunk.end
        [found] = resolve_link(deep_link(cite(document, start, end), document) or "", document.text)
        assert found.end == end
        assert document.text[start : found.start].strip("-123. ") == ""


def test_a_short_quote_is_spelled_out_with_no_more_context_than_it_needs(article: Document) -> None:
    assert article.url
    citation = cite_words(article, "Walther Rathenau and his Soviet colleague")
    expected = "#:~:text=Walther%20Rathenau%20and%20his%20Soviet%20colleague"
    assert deep_link(citation, article) == article.url + expected


def test_a_long_quote_is_linked_by_its_first_and_last_words(article: Document) -> None:
    start = article.text.index(RAPALLO)
    end = article.text.index("\n", start)
    link = deep_link(cite(article, start, end), article) or ""
    assert link.partition("#")[2].startswith(":~:text=The%20Treaty%20of%20Rapallo")
    assert link.count(",") >= 1
    assert len(link) < 250
    assert resolve_link(link, article.text) == [Span(start, end)]


@pytest.mark.parametrize(
    ("text", "nth", "directive"),
    [
        ("Rye is dark. Oat is pale. Rye is dark.", 0, "Rye%20is%20dark.,-Oat"),
        ("Rye is dark. Oat is pale. Rye is dark.", 1, "pale.-,Rye%20is%20dark."),
        ("A\n\nRye is dark.\n\nB\n\nRye is dark.\n", 1, "B-,Rye%20is%20dark."),
        ("== A ==\nRye is dark.\n== B ==\nRye is dark.\n", 1, "B-,Rye%20is%20dark."),
        ("- A\n- Rye is dark.\n- B\n- Rye is dark.\n", 1, "B-,Rye%20is%20dark."),
    ],
)
def test_a_quote_that_stands_twice_is_told_apart_by_its_neighbours(
    text: str, nth: int, directive: str
) -> None:
    document = page(text)
    start = text.index("Rye") if nth == 0 else text.rindex("Rye")
    link = deep_link(cite(document, start, start + 12), document)
    assert link == f"https://example.org/page#:~:text={directive}"
    assert resolve_link(link, text) == [Span(start, start + 12)]


def test_the_signs_of_the_syntax_and_all_beyond_ascii_are_percent_encoded() -> None:
    document = page('He said: "A-B, C & D%20#:~:text=x" in Köln.')
    link = deep_link(cite(document, 0, len(document.text)), document) or ""
    assert link.partition(":~:text=")[2] == (
        "He%20said%3A%20%22A%2DB%2C%20C%20%26%20D%2520%23%3A~%3Atext%3Dx%22%20in%20K%C3%B6ln."
    )
    assert texts_of(link, document.text) == [document.text]


def test_a_span_that_begins_inside_a_word_is_widened_to_the_word() -> None:
    document = page("An orange is not a range, and it can't be.")
    start = document.text.index("range")
    link = deep_link(cite(document, start, document.text.index("not") + 2), document)
    assert texts_of(link, document.text) == ["orange is not"]
    quoted = cite_words(document, "t be")
    assert texts_of(deep_link(quoted, document), document.text) == ["can't be"]


def test_bullets_and_heading_marks_are_no_text_of_the_page() -> None:
    text = "== Rivers ==\n- Danube\n1. Rhine\n"
    document = page(text)
    link = deep_link(cite(document, 0, len(text)), document) or ""
    assert link.endswith("#:~:text=Rivers,Rhine")
    assert texts_of(link, text) == ["Rivers ==\n- Danube\n1. Rhine"]


def test_a_fragment_stays_in_front_and_an_old_directive_is_replaced() -> None:
    document = page("Bread is dark.", url="https://example.org/a b?c=d#Rye:~:text=old")
    link = deep_link(cite(document, 0, 5), document)
    assert link == "https://example.org/a%20b?c=d#Rye:~:text=Bread"


@pytest.mark.parametrize("url", [None, "", "javascript:alert(1)", "file:///etc/passwd", "notes"])
def test_only_http_addresses_are_linked(url: str | None) -> None:
    document = page("Bread is dark.", url=url)
    assert deep_link(cite(document, 0, 5), document) is None


@pytest.mark.parametrize(
    "text", ["Bread.\n" * 9, "Bread. \u200b\u200b Bread.\n" * 3, "\x00\u200b" * 9]
)
def test_a_place_that_no_directive_can_single_out_is_linked_by_its_page(text: str) -> None:
    document = page(text)
    middle = len(text) // 2
    assert deep_link(cite(document, middle, middle + 2), document) == "https://example.org/page"


@settings(max_examples=150, deadline=None)
@given(places())
@example((page("a\u0301 b"), cite(page("a\u0301 b"), 1, 2)))
@example((page("x\n\u0301y"), cite(page("x\n\u0301y"), 2, 4)))
def test_a_deep_link_is_plain_ascii_and_lands_on_the_quote_or_claims_nothing(
    place: tuple[Document, Citation],
) -> None:
    document, citation = place
    link = deep_link(citation, document)
    assert link is not None
    assert link.isascii()
    assert not set(link) & set(" \"'<>\\^`{|}\n")
    if ":~:" not in link:
        return
    [found] = resolve_link(link, document.text)
    shown = citation.quote.strip()
    assert found.overlap(citation.span)
    assert shown
    # What lies outside is the rest of a word, what is left out a bullet, a mark or white space.
    outside = document.text[found.start : citation.start] + document.text[citation.end : found.end]
    assert not any(character.isspace() for character in outside)
    left_out = citation.quote[: max(0, found.start - citation.start)]
    assert not any(c.isalpha() for c in left_out)


def test_words_are_bounded_as_in_the_examples_of_the_specification() -> None:
    text = "An impressive mountain range. Forest ranger, color orange."
    assert texts_of("#:~:text=mountain%20range", text) == ["mountain range"]
    assert texts_of("#:~:text=forest%20range", text) == []
    assert texts_of("#:~:text=range", text) == ["range"]


def test_prefix_and_suffix_adjoin_as_in_the_examples_of_the_specification() -> None:
    text = "this is an example text fragment, and here is an example\n\n  text"
    assert texts_of("#:~:text=this%20is-,an%20example,-text%20fragment", text) == ["an example"]
    assert len(resolve_link("#:~:text=an%20example", text)) == 2
    assert len(resolve_link("#:~:text=an%20example,-text", text)) == 2
    assert texts_of("#:~:text=here-,an%20example", text) == []


def test_a_range_goes_to_the_next_end_and_its_terms_cross_no_line() -> None:
    text = "The\n quick fox\njumped over the lazy dog and the lazy dog"
    assert texts_of("#:~:text=quick,lazy%20dog", text) == ["quick fox\njumped over the lazy dog"]
    assert texts_of("#:~:text=The%20quick,lazy%20dog", text) == []
    assert texts_of("#:~:text=quick,-jumped", text) == []
    assert texts_of("#:~:text=fox,-jumped", text) == ["fox"]


def test_case_accents_and_white_space_do_not_tell_places_apart() -> None:
    text = "Zu KO\u0308LN\tam\xa0 Rhein"
    assert texts_of("#:~:text=k%C3%B6ln%20am%20rhein", text) == [text[3:]]
    assert texts_of("#:~:text=koln", text) == ["KO\u0308LN"]


def test_every_directive_of_a_link_is_found() -> None:
    text = "rye and oat"
    assert texts_of("https://example.org/#x:~:text=oat&unknown&text=rye", text) == ["rye", "oat"]


@pytest.mark.parametrize(
    "directive",
    ["", "text=", "text=,", "text=rye-", "text=-rye", "text=a,b,c", "text=a,b,c,d,e", "rye", "text=%"],
)  # fmt: skip
def test_a_malformed_directive_matches_nothing(directive: str) -> None:
    assert resolve_link(f"https://example.org/#:~:{directive}", "rye a b c") == []
    assert resolve_link("https://example.org/rye", "rye") == []


def test_a_link_survives_url_parsing(article: Document) -> None:
    link = deep_link(cite_words(article, RAPALLO), article) or ""
    fragment = urlsplit(link).fragment
    assert unquote(fragment) == f":~:text={RAPALLO}"


@pytest.mark.parametrize(
    "text",
    ["a " * 30_000, "a" * 60_000, "=" * 60_000, " " * 60_000 + "a", "-,&" * 20_000, "\u0301" * 60_000 + "a", "a\n" * 30_000, "漢" * 60_000, "- " * 30_000],
    ids=["words", "word", "marks", "blank", "syntax", "accents", "lines", "unspaced", "bullets"],
)  # fmt: skip
def test_a_hostile_text_does_not_take_long(text: str) -> None:
    document = page(text)
    citation = cite(document, len(text) // 2, len(text) // 2 + 40)
    begun = time.perf_counter()
    deep_link(citation, document)
    annotation(citation, document)
    resolve_link("#:~:text=a,z", text)
    citation.reanchor(page(text.replace("a", "b", 5)[3:]))
    assert time.perf_counter() - begun < 5


# -------------------------------------------------------------------------------- after an edit


def test_a_quote_in_its_place_is_unchanged_and_takes_the_new_headings() -> None:
    old = page("Rye bread is dark.")
    new = dataclasses.replace(old, title="Loaves", sections=(Section(("Rye",), 0, 18),))
    anchor = cite(old, 0, 18).reanchor(new)
    assert anchor.status is AnchorStatus.UNCHANGED
    assert anchor.similarity == 1
    assert anchor.citation
    assert (anchor.citation.title, anchor.citation.section) == ("Loaves", ("Rye",))


def test_a_quote_after_an_insertion_has_moved(article: Document) -> None:
    citation = cite_words(article, RAPALLO, section=("Rapallo",))
    anchor = citation.reanchor(edited(article, "Infobox\n", "Infobox of the two states\n"))
    assert anchor.status == "moved"
    assert anchor.citation == dataclasses.replace(
        citation, start=citation.start + 18, end=citation.end + 18
    )


def test_of_several_copies_the_one_under_the_same_heading_is_chosen_then_the_nearest() -> None:
    body = "Rye is dark."
    old = page(f"A\n{body}\nB\n")
    new = dataclasses.replace(
        page(f"xA\n{body}\nB\n{body} And {body}\n"),
        sections=(Section(("A",), 3, 16), Section(("B",), 18, 48)),
    )
    near_heading = cite(old, 2, 14, section=("B",)).reanchor(new).citation
    assert near_heading
    assert (near_heading.start, near_heading.section) == (18, ("B",))
    nearest = cite(old, 2, 14, section=("C",)).reanchor(new).citation
    assert nearest
    assert (nearest.start, nearest.section) == (3, ("A",))


def test_a_copy_inside_another_word_gives_way_to_a_word() -> None:
    anchor = cite(page("rain"), 0, 4).reanchor(page("trains, and then rain"))
    assert anchor.citation
    assert anchor.citation.start == 17


def test_a_sentence_with_some_words_altered_has_changed_and_is_found_whole(
    article: Document,
) -> None:
    start = article.text.index(RAPALLO)
    citation = cite(article, start, article.text.index("\n", start))
    new = edited(article, "The Treaty of Rapallo between Weimar Germany and Soviet Russia was signed",
                 "In truth, the Rapallo Treaty of Weimar Germany with Soviet Russia was concluded")  # fmt: skip
    anchor = citation.reanchor(new)
    assert anchor.status == "changed"
    assert 0.8 < anchor.similarity < 1
    assert anchor.citation
    assert anchor.citation.quote.startswith("In truth, the Rapallo Treaty of Weimar")
    assert anchor.citation.quote.endswith(citation.quote[-40:])
    assert verify(anchor.citation, new).ok


def test_a_changed_passage_stops_at_its_own_sentences_and_section() -> None:
    old = page("Rye bread is dark and heavy, and it keeps long.")
    text = (
        "Wheat is pale. Rye bread is dark, dense and heavy; it keeps long!\nMore.\n== Oat ==\nOat."
    )
    heading = text.index("== Oat")
    new = dataclasses.replace(
        page(text), sections=(Section((), 0, heading), Section(("Oat",), heading + 10, len(text)))
    )
    anchor = cite(old, 0, len(old.text)).reanchor(new)
    assert anchor.status == "changed"
    assert anchor.citation
    assert anchor.citation.quote == "Rye bread is dark, dense and heavy; it keeps long!"


def test_a_fragment_of_a_sentence_is_found_without_the_rest_of_it() -> None:
    old = page("It is known that rye bread is dark and heavy when it is fresh from the oven.")
    new = page("Everybody knows: rye bread is very dark and heavy, even days after it was baked.")
    anchor = cite_words(old, "rye bread is dark and heavy").reanchor(new)
    assert anchor.citation
    assert anchor.citation.quote == "rye bread is very dark and heavy"


def test_new_line_breaks_alone_are_a_change_of_similarity_one(article: Document) -> None:
    citation = cite_words(article, RAPALLO)
    new = edited(article, RAPALLO, RAPALLO.replace(" ", "\n", 6))
    anchor = citation.reanchor(new)
    assert (anchor.status, anchor.similarity) == ("changed", 1)


def test_the_more_similar_of_two_passages_is_chosen() -> None:
    old = page("The treaty of 1922 was signed by Rathenau and Chicherin in Rapallo.")
    weak = "The treaty of 1925 was signed by Luther and Chicherin in Locarno."
    strong = "The treaty of 1922 was then signed by Rathenau and Chicherin in Rapallo."
    anchor = cite(old, 0, len(old.text)).reanchor(page(f"{weak} {strong} {weak}"))
    assert anchor.citation
    assert anchor.citation.quote == strong


def test_an_edit_in_a_script_without_spaces_is_found() -> None:
    old = page("黒パンは重くて色が濃い。")
    anchor = cite(old, 0, 12).reanchor(page("小麦は白い。黒パンはとても重くて色が濃い。以上。"))
    assert anchor.status == "changed"
    assert anchor.citation
    assert anchor.citation.quote == "黒パンはとても重くて色が濃い。"


@pytest.mark.parametrize("text", ["", "!!!", "Wheat is pale. Barley is not the same at all."])
def test_a_quote_with_nothing_like_it_is_gone(text: str) -> None:
    old = page("The treaty of 1922 was signed by Rathenau and Chicherin in Rapallo.")
    anchor = cite(old, 0, len(old.text)).reanchor(page(text))
    assert anchor.status == "gone"
    assert anchor.citation is None
    assert anchor.similarity < 0.6


def test_a_sentence_cut_out_of_the_article_is_gone(article: Document) -> None:
    start = article.text.index(RAPALLO)
    citation = cite(article, start, article.text.index("\n", start))
    assert citation.reanchor(edited(article, citation.quote, "")).status == "gone"


def test_another_document_is_refused() -> None:
    with pytest.raises(InputError, match="'rivers'; expected 'page'"):
        cite(page("bread"), 0, 5).reanchor(Document("rivers", "Rivers", "bread"))


@settings(max_examples=100, deadline=None)
@given(places(), TEXTS, st.integers(0, 200))
def test_whatever_the_edit_a_new_citation_holds_in_the_new_text(
    place: tuple[Document, Citation], inserted: str, position: int
) -> None:
    document, citation = place
    text = document.text[:position] + inserted + document.text[position + 3 :]
    new = page(text)
    anchor = citation.reanchor(new)
    assert (anchor.citation is None) == (anchor.status is AnchorStatus.GONE)
    assert (anchor.similarity < 0.6) == (anchor.status is AnchorStatus.GONE)
    if anchor.citation:
        assert verify(anchor.citation, new).ok
    if citation.quote in text:
        assert anchor.status in {AnchorStatus.UNCHANGED, AnchorStatus.MOVED}


def test_every_chunk_of_the_article_is_found_again_after_one_word_in_eight_changed(
    german_soviet: Index,
) -> None:
    data = german_soviet._data
    document = data.documents[0]
    words = document.text.split(" ")
    words[::8] = ["changed" if word.isalpha() else word for word in words[::8]]
    new = dataclasses.replace(document, text=" ".join(words), sections=())
    begun = time.perf_counter()
    for chunk in data.chunks(range(0, len(data), 4)):
        citation = cite(document, chunk.start, chunk.end)
        anchor = citation.reanchor(new)
        assert anchor.status in {"moved", "changed"}, citation.quote
        assert anchor.citation
        drift = len(new.text) / len(document.text)
        assert abs(anchor.citation.start - citation.start * drift) < 400
    assert time.perf_counter() - begun < 5


def test_five_megabytes_take_seconds_not_minutes(article: Document) -> None:
    citation = cite_words(article, RAPALLO)
    rest = article.text.replace("Rapallo", "Locarno") * 80
    new = dataclasses.replace(article, text=rest + RAPALLO.replace("signed", "made"), sections=())
    begun = time.perf_counter()
    anchor = citation.reanchor(new)
    assert time.perf_counter() - begun < 12
    assert anchor.status == "changed"
    assert anchor.citation
    assert anchor.citation.start >= len(rest)
