# ruff: noqa: S101
"""What the token encoder is trained on is what the library asks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ragkit import Document, Index, load_encoder
from ragkit.encoding.encoder import load_tokenizer
from training.encoder.batches import FRONT, step_of
from training.encoder.measure import of_documents
from training.encoder.model import Encoded
from training.encoder.objective import REVERSE, scores
from training.encoder.texts import silent_ids
from training.windows import model_folder

CLS, SEP = 101, 102
DOCUMENTS = [
    Document("rivers", "Rivers", "The Rhine flows, slowly, to the sea. It rises in Switzerland."),
    Document("bread", "Bread", "Bread is made of flour (90 %). Rye bread is dark."),
]
QUESTIONS = ["Where does the Rhine rise?", "Is rye bread dark, or made of 90 % flour?"]


def test_the_score_is_late_interaction_over_each_sentence_and_its_context() -> None:
    rng = np.random.default_rng(3)
    # Context; two sentences with a silent token between; a passage of one sentence without context.
    passages = [([CLS, 1, 2, 3, 4, 5, 6, SEP], [-1, -2, 0, 0, -1, 1, 1, -1]),
                ([CLS, 7, 8, SEP], [-1, 0, 0, -1])]  # fmt: skip
    questions = [([CLS, 9, 9, SEP], [0.0, 0.75, 0.25, 0.0]), ([CLS, 9, 9, SEP], [0, FRONT, 1.0, 0])]
    step = step_of(passages, questions, [0, 1])
    drawn = rng.normal(size=(20, 4)).astype(np.float32)
    tokens, asked = np.split(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), [12])
    found = scores(
        torch.from_numpy(tokens)[step.keep],
        Encoded(torch.zeros(2, 4), torch.from_numpy(asked)),
        step,
    )
    runs = [([1], [[2, 3], [5, 6]]), ([], [[9, 10]])]
    for q, (weights, counted) in enumerate([((0.75, 0.25), (1, 2)), ((0, 1.0), (6,))]):
        words = asked[4 * q + 1 : 4 * q + 3]
        for p, (context, sentences) in enumerate(runs):
            forward, reverse = [], []
            for sentence in sentences:
                best = (words @ tokens[context + sentence].T).max(axis=1)
                if not context:  # an empty context matches with 0
                    best = np.maximum(best, 0)
                forward.append(best @ np.asarray(weights))
                reverse.append((asked[list(counted)] @ tokens[sentence].T).max(axis=0).mean())
            expected = (max(forward) + REVERSE * max(reverse)) / (1 + REVERSE)
            assert float(found[q, p]) == pytest.approx(expected, abs=1e-5)


def test_tokens_and_weights_are_those_of_the_library() -> None:
    index = Index.build(DOCUMENTS, encoder=load_encoder("late-MiniLM-L6"))
    documents = list(index.documents)
    of = of_documents("two", documents, [(question, []) for question in QUESTIONS])
    lengths = [
        (sum(m == -2 for m in marks), *(marks.count(s) for s in range(max(marks) + 1)))
        for _, marks in of.passages
    ]
    rows = index._opened.data.token_vectors(np.arange(len(lengths)))
    assert [n for own in lengths for n in own] == rows.lengths.tolist()
    found = index._find(index._data, QUESTIONS, 2, None)
    for (_, weights), one in zip(of.questions, found, strict=True):
        assert [w for w in weights if w > 0] == pytest.approx(
            [w for w in one.query.weights.tolist() if w > 0], abs=1e-6
        )


def test_marks_that_mean_something_are_not_silent() -> None:
    tokenizer = load_tokenizer(model_folder() / "tokenizer.json")
    silent = set(silent_ids().tolist())
    assert {tokenizer.token_to_id(t) for t in ("[CLS]", "[SEP]", ".", "?", "(", "–")} <= silent
    assert not {tokenizer.token_to_id(t) for t in ("%", "+", "$", "a", "##s", "[UNK]")} & silent
