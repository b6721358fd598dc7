"""Compounds are split where all of their parts are words of the corpus."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit import Document, Encoder, Index
from ragkit.text.compounds import Compound, compounds_in, possible_stems, split_compound
from ragkit.text.words import stems_of

KNOWN = {"kundig", "frist", "urlaub", "tag", "miet", "vertrag", "krieg", "welt"}


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("kündigungsfrist", ["kündigung", "frist"]),
        ("kündigungsfristen", ["kündigung", "fristen"]),
        ("urlaubstage", ["urlaub", "tage"]),
        ("weltkriege", ["welt", "kriege"]),
        ("mietvertragskündigung", ["miet", "vertrag", "kündigung"]),
        ("verteilung", []),
        ("fristverlängerung", []),
    ],
)
def test_a_compound_is_split_into_words_of_the_corpus(word: str, parts: list[str]) -> None:
    split = split_compound(Compound(word, "de"), KNOWN.__contains__)
    assert [word[span.start : span.end] for span, _ in split] == parts


def test_function_words_and_prefixes_are_no_parts() -> None:
    known = {"unter", "schrift", "nach", "frag", "eine", "rum"}.__contains__
    for word in ("unterschrift", "nachfrage", "einerum"):
        assert not split_compound(Compound(word, "de"), known)


def test_english_has_no_compounds() -> None:
    assert not compounds_in("The notwithstanding Kündigungsfrist", "en")


@given(st.text("aberistungf", min_size=7, max_size=32))
def test_the_parts_are_among_the_possible_ones_and_do_not_overlap(word: str) -> None:
    compound = Compound(word, "de")
    possible = possible_stems(compound)
    split = split_compound(compound, possible.__contains__)
    assert {stem for _, stem in split} <= possible
    spans = [span for span, _ in split]
    assert all(a.end <= b.start for a, b in pairwise(spans))
    assert not spans or (spans[0].start, spans[-1].end) == (0, len(word))


def test_a_long_word_of_one_letter_is_split_in_no_time() -> None:
    assert split_compound(Compound("s" * 32, "de"), lambda stem: len(stem) == 5) is not None


def test_only_nouns_are_compounds_in_german_also_if_accents_are_written_apart() -> None:
    text = "Die Preise beinhalten eine Ku\u0308ndigungsfrist."
    assert compounds_in(text, "de") == {Compound("kündigungsfrist", "de")}


def test_a_word_of_another_language_is_no_part(tiny: Encoder) -> None:
    documents = [
        Document("de", "Bild", "Der Hintergrund ist blau, und die Ecke ist rot.", language="de"),
        Document("en", "Hints", "This is a hint for all of them, and the reason for it."),
    ]
    data = Index.build(documents, encoder=tiny, reader=None)._data
    [stem] = stems_of("hint")
    assert data.frequencies([stem]) == [1]
