# ruff: noqa: S101
import math

import pytest
import torch

from training.losses import Weights, losses, pairs, ranking
from training.model import Design, Reader, Scores
from training.sampling import MISS, NEGATIVE, REAL, Row, laid, targets_of
from training.train import read


def row(role: int, group: int, length: int = 6, first: int = -1) -> Row:
    ids = (101, *range(2000, 2000 + length - 2), 102)
    return Row(ids, 2, 3, role, 0 if role == REAL else 2, group, first, first)


ROWS = [row(REAL, 0, 8, 4), row(NEGATIVE, 0), row(MISS, 0, 7), row(REAL, 1, 6, 3), row(MISS, 1)]


def test_rows_become_lists_and_couples() -> None:
    targets = targets_of(ROWS)
    assert targets.lists.tolist() == [[0, 1]]
    assert targets.couples.tolist() == [[0, 2], [3, 4]]
    assert targets.real.tolist() == [0, 3]
    assert targets.first.tolist() == [4, 3]


def test_batches_are_of_one_length_each_and_find_back() -> None:
    step = laid(ROWS, 2)
    assert [batch.ids.shape[1] for batch in step.batches] == [6, 7, 8]
    together = [int(n) for batch in step.batches for n in batch.mask.sum(1)]
    assert [together[i] for i in step.back] == [len(one.ids) for one in ROWS]
    assert [int(batch.inside.sum()) for batch in step.batches] == [4, 5, 4]


def test_ranking_of_two_alike_is_a_coin() -> None:
    loss = ranking(torch.tensor([1.0, 1.0]), torch.tensor([[0, 1, -1]]))
    assert float(loss) == pytest.approx(math.log(2))


def test_a_pair_in_order_costs_less() -> None:
    couple = torch.tensor([[0, 1]])
    right = pairs(torch.tensor([3.0, -3.0]), couple)
    assert float(right) < 0.01 < float(pairs(torch.tensor([-3.0, 3.0]), couple))


def test_losses_of_what_is_right_are_small() -> None:
    targets = targets_of(ROWS)
    answers = torch.where(targets.roles == REAL, 9.0, -9.0)
    start = torch.full((5, 8), -9.0)
    start[targets.real, targets.first] = 9.0
    kind = torch.nn.functional.one_hot(targets.kinds, 4) * 18.0
    found = losses(Scores(answers, start, start, kind), targets, Weights())
    assert set(found) == {"ranking", "answers", "pairs", "span", "kind"}
    assert all(float(loss) < 1e-3 for loss in found.values())


def test_a_reader_reads_each_row_as_if_alone() -> None:
    torch.manual_seed(1)
    reader = Reader(Design(frozen=2)).eval()
    with torch.inference_mode():
        together = read(reader, laid(ROWS, 2))
        alone = [read(reader, laid([one], 1)).answers[0] for one in ROWS]
    torch.testing.assert_close(together.answers, torch.stack(alone), atol=1e-4, rtol=1e-4)
    assert together.start[0].argmax() in range(3, 7)
    assert all(not p.requires_grad for p in reader.body.encoder.layer[1].parameters())
    assert all(p.requires_grad for p in reader.body.encoder.layer[2].parameters())
