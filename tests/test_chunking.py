"""Sections, sentences and chunks: nothing lost, nothing twice, nothing across a heading."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragkit import chunking
from ragkit.chunking import Chunker, context
from ragkit.corpus.headings import parse_sections, parse_title
from ragkit.errors import InputError
from ragkit.text.sentences import paragraphs, split_sentences
from ragkit.text.spans import Span, lines
from ragkit.types import Chunk, Document
from support.strategies import articles

INVISIBLE = "\ufeff\u200b"


def visible(text: str) -> str:
    return "".join(c for c in text if not c.isspace() and c not in INVISIBLE)


def words(texts: Sequence[str]) -> list[int]:
    """A tokenizer that is easy to check by hand: one token a word of up to 10 characters."""
    return [sum(-(-len(word) // 10) for word in text.split()) for text in texts]


def chunk(text: str, *, window: int = 40, min_chars: int = 0) -> tuple[Document, list[Chunk]]:
    document = Document("d", "T", text, sections=parse_sections(text))
    return document, Chunker(min_chars=min_chars).chunks(document, count=words, window=window)


def texts(document: Document, chunks: list[Chunk]) -> list[str]:
    return [document.text[c.start : c.end] for c in chunks]


def paths(text: str) -> list[tuple[str, ...]]:
    return [section.path for section in parse_sections(text)]


def test_headings_nest_by_level_and_the_title_names_no_section() -> None:
    text = "= T =\nlead\n==A==\na\n=== B ===\nb\n====C====\nc\n== D ==\nd\n"
    assert paths(text) == [(), ("A",), ("A", "B"), ("A", "B", "C"), ("D",)]


def test_a_skipped_level_still_nests_under_the_last_higher_one() -> None:
    assert paths("==A==\n====B====\nb\n===C===\nc") == [("A", "B"), ("A", "C")]


def test_the_shorter_run_of_equal_signs_is_the_level() -> None:
    assert paths("===A==\na") == [("=A",)]


def test_equal_signs_alone_or_inside_a_line_are_not_a_heading() -> None:
    assert paths("====\na == b\n== x\n") == [()]


def test_empty_sections_are_left_out_but_stay_in_the_paths_of_their_children() -> None:
    assert paths("==A==\n\n===B===\nb\n==C==\n") == [("A", "B")]


def test_text_before_the_first_heading_is_the_lead_even_after_a_byte_order_mark() -> None:
    text = "\ufeff= T =\r\nlead\r\n==A==\r\na"
    assert parse_title(text) == "T"
    assert paths(text) == [(), ("A",)]


def test_text_without_headings_is_one_lead() -> None:
    assert paths("just text") == [()]
    assert parse_title("just text") is None


def test_lines_end_at_cr_lf_and_crlf_but_not_at_other_separators() -> None:
    text = "a\rb\nc\r\nd\u2028e\x0cf"
    assert [text[s.start : s.end] for s in lines(text)] == ["a\r", "b\n", "c\r\n", "d\u2028e\x0cf"]


def test_hand_wrapped_lines_form_one_paragraph_and_each_long_line_is_its_own() -> None:
    long = "x" * 250
    text = f"wrapped\nlines\n\n{long}\nnext"
    found = [text[s.start : s.end] for s in paragraphs(text, Span(0, len(text)))]
    assert found == ["wrapped\nlines", long, "next"]


def test_each_list_item_is_a_sentence() -> None:
    text = "Ambassadors:\n- Adolf Ioffe (1918)\n- Nikolay Krestinsky (1921)\n1. One. Two."
    found = [text[s.start : s.end] for s in split_sentences(text, Span(0, len(text)))]
    assert found == [
        "Ambassadors:",
        "- Adolf Ioffe (1918)",
        "- Nikolay Krestinsky (1921)",
        "1. One.",
        "Two.",
    ]


def test_abbreviations_do_not_end_a_sentence() -> None:
    text = "Gen. Smith met Dr. Jones at 5 p.m. on Jan. 5. They spoke of the U.S. Army."
    found = [text[s.start : s.end] for s in split_sentences(text, Span(0, len(text)))]
    assert found == [
        "Gen. Smith met Dr. Jones at 5 p.m. on Jan. 5.",
        "They spoke of the U.S. Army.",
    ]


def test_a_long_paragraph_is_cut_at_sentence_ends_into_about_equal_pieces() -> None:
    sentence = "One two three four five six seven eight nine ten."
    document, chunks = chunk(" ".join([sentence] * 8), window=41)
    assert [words([text])[0] for text in texts(document, chunks)] == [40, 40]


def test_a_sentence_over_the_window_is_cut_at_spaces_and_a_word_anywhere() -> None:
    document, chunks = chunk("alpha beta " * 60 + "z" * 900, window=20)
    assert all(words([text])[0] <= 20 for text in texts(document, chunks))
    assert "".join("".join(texts(document, chunks)).split()) == "".join(document.text.split())


def test_a_short_paragraph_joins_its_neighbour_of_the_same_section_only() -> None:
    text = "==A==\nShort.\n\nA longer paragraph follows here.\n\n==B==\nTiny."
    document, chunks = chunk(text, min_chars=20)
    assert texts(document, chunks) == ["Short.\n\nA longer paragraph follows here.", "Tiny."]


def test_paragraphs_that_together_exceed_the_window_are_not_joined() -> None:
    _, chunks = chunk("one two three.\n\nfour five six.", window=5, min_chars=100)
    assert len(chunks) == 2


def test_the_context_of_a_section_has_the_title_and_all_headings_above_it() -> None:
    document, _ = chunk("lead\n== A ==\na\n=== B ===\nb")
    assert [context(document, number) for number in range(3)] == ["T. ", "T. A. ", "T. A. B. "]


def test_the_context_of_a_chunk_ends_with_its_lead() -> None:
    document, chunks = chunk("== A ==\nWho is it?\n\nIt is Ann.")
    assert context(document, 0, chunks[0].lead) == "T. A. Who is it? "


def test_tokens_are_counted_in_blocks_that_cross_sections(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(
        f"== Section {n} ==\nOne here. Two here.\n\n- three\n- four\n" for n in range(30)
    )
    document = Document("d", "T", text, sections=parse_sections(text))
    calls: list[int] = []

    def count(texts: Sequence[str]) -> list[int]:
        calls.append(len(texts))
        return words(texts)

    whole = Chunker(min_chars=0).chunks(document, count=count, window=40)
    assert calls == [30, 120]  # all contexts, then all sentences
    calls.clear()
    monkeypatch.setattr(chunking, "_COUNT_BLOCK", 50)
    assert Chunker(min_chars=0).chunks(document, count=count, window=40) == whole
    assert calls == [30, 50, 50, 20]


@pytest.mark.parametrize("wrong", [{"min_chars": -1}, {"max_tokens": 3}])
def test_invalid_settings_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match="expected min_chars"):
        Chunker(**wrong)


@settings(max_examples=150, deadline=None)
@given(articles(), st.integers(16, 60), st.sampled_from([0, 40, 200]))
def test_every_visible_character_outside_headings_is_in_exactly_one_chunk(
    text: str, window: int, min_chars: int
) -> None:
    document, chunks = chunk(text, window=window, min_chars=min_chars)
    covered = [0] * len(text)
    for c in chunks:
        for i in range(c.start, c.end):
            covered[i] += 1
    body = [False] * len(text)
    for section in document.sections:
        body[section.start : section.end] = [True] * (section.end - section.start)
    for i, character in enumerate(text):
        visible = not character.isspace() and character not in INVISIBLE
        assert covered[i] <= 1
        assert covered[i] == 1 or not (visible and body[i])
        # What lies outside every section is a heading's line, or invisible.
        if visible and not body[i]:
            line = next(text[s.start : s.end] for s in lines(text) if s.start <= i < s.end)
            assert line.strip().strip(INVISIBLE).strip().startswith("=")


@settings(max_examples=150, deadline=None)
@given(articles(), st.integers(16, 60), st.sampled_from([0, 40, 200]))
def test_no_chunk_crosses_a_section_and_its_lead_and_sentences_hold_all_its_text(
    text: str, window: int, min_chars: int
) -> None:
    document, chunks = chunk(text, window=window, min_chars=min_chars)
    for c in chunks:
        section = document.sections[c.section]
        assert section.start <= c.start < c.end <= section.end
        assert c.start <= c.sentences[0].start
        assert c.sentences[-1].end == c.end
        inside = "".join(text[s.start : s.end] for s in c.sentences)
        in_front = Span(c.start, c.sentences[0].start)
        assert visible(text[slice(*in_front)] + inside) == visible(text[c.start : c.end])
        if visible(text[slice(*in_front)]):
            assert c.lead is not None
            assert c.lead.start == c.start
            assert c.lead.end <= in_front.end
        if c.lead is not None:
            assert section.start <= c.lead.start < c.lead.end
            assert c.lead.start <= c.sentences[0].start
        assert all(a.end <= b.start for a, b in zip(c.sentences, c.sentences[1:], strict=False))


def test_the_seed_is_chunked_without_loss(article: Document) -> None:
    chunks = Chunker().chunks(article, count=words, window=254)
    body = "".join(article.text[s.start : s.end] for s in article.sections)
    assert "".join("".join(texts(article, chunks)).split()) == "".join(body.split())
    leaves = {article.sections[c.section].path[-1:] for c in chunks}
    for heading in (
        "Soviet ambassadors (chargés) to Berlin",
        "German ambassadors to Moscow",
        "See also",
    ):
        assert (heading,) in leaves
