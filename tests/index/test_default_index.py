"""The committed index: made from the committed seed, and it answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ragkit import Index
from ragkit.index import LocalData
from support.parts import DEFAULT_INDEX, SEED, manifest_of

TWENTY = [
    ("Who signed the Treaty of Rapallo?", "Treaty of Rapallo 1922 and secret military cooperation"),
    ("When was the Treaty of Brest-Litovsk signed?", ()),
    ("How many days did the soviet republic in Bavaria survive?", "Revolution and end of World War I"),
    ("How many men was the German army limited to by Versailles?", "Revolution and end of World War I"),
    ("Where was the Lipetsk flying school for Luftwaffe pilots?", "Treaty of Rapallo 1922 and secret military cooperation"),
    ("What happened to the documents about secret military cooperation?", "Documentation"),
    ("When was the commercial agreement of 1925 concluded?", "Trade"),
    ("What common frontier did Kopp propose in July 1920?", "Plans for Poland"),
    ("What was the Cheka Trial?", "Diplomatic relations"),
    ("Who was Ernst Thälmann?", "Third Period"),
    ("When did France and the USSR sign the Treaty of Mutual Assistance?", "Relations in the mid-1930s"),
    ("Which side did the Soviet Union support in the Spanish Civil War?", "Spanish Civil War"),
    ("Why was Litvinov replaced by Molotov in May 1939?", "1939 needs and discussions"),
    ("What did the secret protocol say about Bessarabia?", "Pact and commercial deal signings"),
    ("When did Soviet troops enter eastern Poland?", "Soviet invasion of eastern Poland"),
    ("What was the shelling of Mainila?", "Soviet war with Finland"),
    ("How many tons of oil did Germany receive under the 1940 trade pact?", "Expanded commercial pact"),
    ("What ultimatum did Molotov present to Lithuania?", "Soviets take the three Baltic countries"),
    pytest.param(
        "Who was the Soviet ambassador to Berlin from 1940 to 1941?",
        "Soviet ambassadors (chargés) to Berlin",
        marks=pytest.mark.xfail(
            strict=True, reason="the list of the other ambassadors is first: no lists in training"
        ),
    ),
    ("Who were the German ambassadors to Moscow?", "German ambassadors to Moscow"),
]  # fmt: skip


@pytest.mark.parametrize(("question", "heading"), TWENTY)
def test_twenty_questions_cite_the_right_section(
    german_soviet: Index, question: str, heading: str | tuple[str, ...]
) -> None:
    [section] = [p.citation.section for p in german_soviet.ask(question, k=1).passages]
    assert section == () if heading == () else section[-1] == heading


def test_rebuilding_the_seed_gives_the_committed_index(
    tmp_path: Path, german_soviet: Index
) -> None:
    rebuilt = Index.build(SEED, tmp_path / "index")
    committed, fresh = manifest_of(DEFAULT_INDEX), manifest_of(tmp_path / "index")
    for key in ("format", "encoder", "chunker", "dense", "counts"):
        assert committed[key] == fresh[key]
    # The same chunks to the byte.
    for name in (
        "documents.jsonl",
        "texts.bin",
        "chunks.npy",
        "sentences.npy",
        "stems.bin",
        "postings.npy",
        "chunk_keys.npy",
        "segments.npy",
    ):
        assert committed["files"][name] == fresh["files"][name]
    one, other = german_soviet._local().data, rebuilt._local().data
    chunks = np.arange(len(one))
    # Vectors within rounding: processors round floats differently, and where an activation is near
    # the middle of two steps of int8, that makes a whole step.
    cosines = (one.vectors_of(chunks) * other.vectors_of(chunks)).sum(axis=1)
    assert cosines.min() > 0.998
    assert np.median(cosines) > 0.9999
    steps = np.abs(_components(one, chunks) - _components(other, chunks))
    assert steps.max() <= 1
    assert (steps == 0).mean() > 0.9


def _components(data: LocalData, chunks: NDArray[np.int64]) -> NDArray[np.int64]:
    """The four bits of each component of the token vectors, two of which share a byte."""
    codes = data.token_vectors(chunks).codes.astype(np.int64)
    return np.concatenate([codes >> 4, codes & 15], axis=1)
