"""Late interaction: the formula of the docstring, computed again the slow way."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragkit import Document, Encoder, Index
from ragkit.chunking import Chunker, context
from ragkit.corpus.headings import parse_sections
from ragkit.index import IndexData, RetrievalConfig
from ragkit.index import postings as postings_module
from ragkit.index.journal import encoded_chunks
from ragkit.index.postings import Postings, PostingsBuilder
from ragkit.retrieval import Query, encode_questions, score_chunks
from ragkit.retrieval import ranking as ranking_module
from ragkit.retrieval.query import idf
from ragkit.storage.tables import MemoryTables
from ragkit.text.spans import Span
from ragkit.text.words import words_of
from support.strategies import articles


def brute_force(data: IndexData, encoder: Encoder, query: Query) -> list[float]:
    """Every chunk's score from the texts themselves, token by token, without the stored tokens."""
    found = []
    for c in range(len(data)):
        chunk = data.chunks([c])[0]
        document, start = data.document(chunk.document_id), chunk.sentences[0].start
        front = context(document, chunk.section, chunk.lead)
        [whole] = encoder.encode([front + document.text[start : chunk.end]])
        forwards, reverses = [], []
        for span in chunk.sentences:
            [alone] = encoder.encode([front + document.text[span.start : span.end]])
            keys = [v for v, s in zip(alone.tokens, alone.starts, strict=True) if s >= len(front)]
            keys += [v for v, s in zip(whole.tokens, whole.starts, strict=True) if s < len(front)]
            forwards.append(
                sum(
                    w * max((q @ k for k in keys), default=0.0)
                    for q, w in zip(query.tokens, query.weights, strict=True)
                )
            )
            inside = [
                v
                for v, s in zip(whole.tokens, whole.starts, strict=True)
                if span.start - start <= s - len(front) < span.end - start
            ]
            explained = [max((q @ v for q in query.tokens), default=0.0) for v in inside]
            reverses.append(float(np.mean(explained)) if inside else 0.0)
        found.append((max(forwards) + 0.5 * max(reverses)) / 1.5)
    return found


@settings(max_examples=15, deadline=None)
@given(articles(), st.sampled_from(["Who signed the treaty?", "rapallo 1922", "!?"]))
def test_scores_equal_the_formula_computed_from_the_texts(
    tiny: Encoder, text: str, question: str
) -> None:
    document = Document("d", "On Treaties", text, sections=parse_sections(text))
    if not document.sections:
        return
    index = Index.build([document], encoder=tiny, chunker=Chunker(min_chars=40))
    data = index._data
    [query] = encode_questions(data, tiny, [question], RetrievalConfig())
    expected = brute_force(data, tiny, query)
    ranking = score_chunks(data, query, len(data))
    assert sorted(r.chunk for r in ranking) == list(range(len(data)))
    # int8 loses up to half a step a component; the scores stay within a hundredth.
    for ranked in ranking:
        assert ranked.score == pytest.approx(expected[ranked.chunk], abs=0.01)
        assert ranked.score == pytest.approx(sum(ranked.signals.values()))
    assert [r.score for r in ranking] == sorted((r.score for r in ranking), reverse=True)


def test_a_chunks_score_does_not_depend_on_which_others_are_looked_at(
    tiny: Encoder, monkeypatch: pytest.MonkeyPatch, article: Document
) -> None:
    index = Index.build([article], encoder=tiny)
    data = index._data
    [query] = encode_questions(data, tiny, ["Who signed the Treaty of Rapallo?"], RetrievalConfig())
    everything = {r.chunk: r for r in score_chunks(data, query, len(data))}
    monkeypatch.setattr(ranking_module, "CANDIDATES", 20)
    monkeypatch.setattr(ranking_module, "EXACT", 15)
    some = score_chunks(data, query, 15)
    nearest, _ = data.nearest(query.vector, 20)
    worded = data.with_stems({word.stem: 1.0 for word in query.words if word}, len(data))
    assert len(some) == 15
    for ranked in some:
        assert ranked.chunk in nearest or ranked.chunk in worded
        assert ranked.score == pytest.approx(everything[ranked.chunk].score, abs=1e-5)


def test_rare_words_weigh_more_and_a_words_pieces_share_its_weight(tiny: Encoder) -> None:
    texts = ["The river flows.", "The bread is dark.", "The Danube flows."]
    index = Index.build([Document(str(i), str(i), t) for i, t in enumerate(texts)], encoder=tiny)
    [query] = encode_questions(index._data, tiny, ["the danube?"], RetrievalConfig())
    the, danube = query.weights[:3], query.weights[3:9]
    assert query.weights.sum() == pytest.approx(1, abs=1e-6)
    assert query.weights[9] == 0  # the question mark
    data = index._data
    of_the, of_danube = (idf(n, len(data)) for n in data.frequencies(["the", "danub"]))
    assert the.sum() / danube.sum() == pytest.approx(
        (of_the * 3) ** 0.5 / (of_danube * 6) ** 0.5, rel=1e-5
    )


def postings_of(texts: Sequence[str]) -> Postings:
    builder, tables = PostingsBuilder(), MemoryTables()
    for text in texts:
        builder.add({word.stem for word in words_of(text)})
    builder.write(tables)
    return Postings(tables.finish(), len(texts))


def test_postings_have_the_chunks_of_each_stem() -> None:
    postings = postings_of(["Treaties, treaty!", "No treaty.", "Bread"])
    chunks_of = {stem: chunks.tolist() for stem, chunks in postings}
    assert chunks_of == {"treati": [0, 1], "no": [1], "bread": [2]}
    assert postings.chunks_with("unseen").tolist() == []
    assert postings.frequencies(["treati", "treat"]) == [2, 0]
    weights = {"treati": 0.5, "no": 0.25, "unseen": 1.0}
    assert postings.coverage(weights, np.arange(3)).tolist() == [0.5, 0.75, 0]
    assert postings.best(weights, 1).tolist() == [1]
    assert postings.best(weights, 9).tolist() == [0, 1]
    # ln(1 + (3 − 2 + ½)/(2 + ½)) = ln 1.6
    unseen, bread, treaty = postings.frequencies(["unseen", "bread", "treati"])
    assert idf(treaty, 3) == pytest.approx(np.log(1.6))
    assert idf(unseen, 3) > idf(bread, 3) > idf(treaty, 3) > 0


@settings(deadline=None)
@given(st.data())
def test_the_best_by_words_are_those_of_brute_force(data: st.DataObject) -> None:
    words = ["apple", "bread", "crumb", "dough", "egg", "flour"]
    texts = data.draw(st.lists(st.lists(st.sampled_from(words)), max_size=40))
    postings = postings_of([" ".join(text) for text in texts])
    shares = data.draw(st.lists(st.floats(0, 1), min_size=6, max_size=6))
    weights = {words_of(w)[0].stem: s for w, s in zip(words, shares, strict=True)}
    number = data.draw(st.integers(1, 10))
    allowed = np.asarray(
        data.draw(st.lists(st.booleans(), min_size=len(texts), max_size=len(texts))), np.bool_
    )
    every = postings.coverage(weights, np.arange(len(texts)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postings_module, "_FREQUENT", 0)
        by_bits = postings.coverage(weights, np.arange(len(texts)))
    np.testing.assert_array_equal(by_bits, every)
    alone = [
        sum(s for w, s in weights.items() if w in {word.stem for word in words_of(" ".join(text))})
        for text in texts
    ]
    np.testing.assert_allclose(every, alone, atol=1e-5)
    expected = np.sort(np.where(allowed, every, 0))[::-1][:number]
    found = postings.best(weights, number, allowed)
    assert list(found) == sorted(set(found))
    assert allowed[found].all()
    np.testing.assert_allclose(np.sort(every[found])[::-1], expected[expected > 0], atol=1e-5)


def test_where_words_are_many_the_rarest_bring_the_candidates_and_all_weigh_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(postings_module, "_ENOUGH", 1)
    postings = postings_of(["rare", "rare bread", "bread", "rare bread egg", "bread egg"])
    weights = {"rare": 0.5, "bread": 0.3, "egg": 0.2}
    assert postings.best(weights, 5).tolist() == [0, 1, 3]
    assert postings.best(weights, 2).tolist() == [1, 3]
    assert postings.best(weights, 1).tolist() == [3]


def test_words_match_whatever_their_compatibility_characters() -> None:
    assert [w.stem for w in words_of("in\ufb02ammable \uff21\uff22 file")] == [
        w.stem for w in words_of("inflammable AB file")
    ]
    assert words_of("a \ufb01le")[1][1:] == (2, 5)  # its place is that in the text as written


def test_words_know_where_they_stand() -> None:
    assert [(w.stem, w.start, w.end) for w in words_of("Köln's  Dr.")] == [
        ("köln", 0, 4),
        ("s", 5, 6),
        ("dr", 8, 10),
    ]


def test_tokens_are_sorted_into_context_within_and_alone(tiny: Encoder) -> None:
    # "T. " in front of "ab. cd." with the sentences "ab." and "cd.", a token a character.
    whole, first, second = tiny.encode(["t. ab. cd.", "t. ab.", "t. cd."])
    [found] = encoded_chunks([(whole, [first, second], 3, [Span(0, 3), Span(4, 7)])])
    np.testing.assert_array_equal(found.vector, whole.vector)
    tokens = found.tokens
    assert tokens.lengths.tolist() == [2, 3, 3, 3, 3]
    nowhere = [-1] * 3
    assert tokens.starts.tolist() == [-1, -1, *nowhere, 0, 1, 2, *nowhere, 4, 5, 6]
    expected = [whole.tokens[:5], first.tokens[2:], whole.tokens[5:8], second.tokens[2:]]
    vectors = tokens.codes * tokens.scales[:, None]
    worst = tokens.scales.max() / 2 + 1e-6  # half a step of eight bits
    np.testing.assert_allclose(vectors, np.concatenate(expected), atol=worst)


def test_matches_take_the_forward_signal_apart_and_point_at_words(german_soviet: Index) -> None:
    for question in (
        "Who signed the Treaty of Rapallo?",
        "how many tonnes of oil?!",
        "Rathenau, Rathenau",
    ):
        for passage in german_soviet.search(question, k=3):
            assert [m.word for m in passage.matches] == re.findall(r"\w+", question)
            total = sum(m.contribution for m in passage.matches)
            assert total == pytest.approx(passage.signals["forward"], abs=1e-5)
            text = german_soviet.document(passage.citation.document_id).text
            for match in passage.matches:
                assert (
                    match.span is None or text[match.span.start : match.span.end] == match.partner
                )
                assert match.span is None or match.span.overlap(passage.citation.span)


def test_the_explanation_says_what_matched_and_why_the_next_one_lost(german_soviet: Index) -> None:
    answer = german_soviet.ask("Who signed the Treaty of Rapallo?", k=2)
    text = answer.explain()
    assert "[1] score" in text
    assert "signed → signed [" in text
    assert "behind the first by" in text
    assert answer.passages[0].explain() in text
