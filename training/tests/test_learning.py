# ruff: noqa: S101
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ragkit.encoding.export import Precision
from ragkit.reading import Window
from ragkit.reading.shipped import ShippedReader
from training.export import export
from training.losses import Weights, losses, pairs, ranking
from training.model import CLS, SEP, SLASH, Design, Reader, Scores
from training.reading import Desk
from training.sampling import MISS, NEGATIVE, REAL, Row, laid, padded, targets_of
from training.sources import Paragraph
from training.train import read


def row(role: int, group: int, length: int = 6, first: int = -1, base: int = 2000) -> Row:
    window = (CLS, 3000, SLASH, *range(base, base + length), SEP)
    asked = (CLS, *range(4000, 4000 + length - 4), SEP)
    return Row(asked, window, 3, role, 0 if role == REAL else 2, group, first, first)


ROWS = [
    row(REAL, 0, 8, 4),
    row(NEGATIVE, 0),
    row(MISS, 0, 8),
    row(REAL, 1, 7, 3),
    row(MISS, 1, 7),
]


def test_rows_become_lists_and_couples() -> None:
    targets = targets_of(ROWS)
    assert targets.lists.tolist() == [[0, 1]]
    assert targets.couples.tolist() == [[0, 2], [3, 4]]
    assert targets.real.tolist() == [0, 3]
    assert targets.first.tolist() == [4, 3]


def test_a_step_reads_each_window_once_and_finds_its_rows_back() -> None:
    step = laid(ROWS, 3)
    assert [len(batch.windows) for batch in step.batches] == [2, 1]
    lengths = [int(batch.window_mask[of].sum()) for batch in step.batches for of in batch.of]
    assert [lengths[i] for i in step.back] == [len(one.window) for one in ROWS]
    inside = [int(batch.inside[of].sum()) for batch in step.batches for of in batch.of]
    assert [inside[i] for i in step.back] == [8, 6, 8, 7, 7]


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


@pytest.mark.parametrize("apart", [0, 3, 6])
def test_a_reader_reads_each_row_as_if_alone(apart: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # In bfloat16 the last of its few digits depends on the sizes of the batch.
    monkeypatch.setattr("training.train.computes_bfloat16", lambda: False)
    torch.manual_seed(1)
    reader = Reader(Design(apart)).eval()
    with torch.inference_mode():
        together = read(reader, laid(ROWS, 2))
        alone = [read(reader, laid([one], 1)).answers[0] for one in ROWS]
    torch.testing.assert_close(together.answers, torch.stack(alone), atol=1e-4, rtol=1e-4)
    assert together.start[0].argmax() in range(3, 11)


def test_a_cross_encoder_is_what_transformers_computes() -> None:
    """Layers that are read together are BERT's own, so its code is an oracle for them."""
    torch.manual_seed(1)
    reader = Reader(Design(apart=0)).eval()
    batch = padded(ROWS[:2])
    ids = torch.cat([batch.windows[batch.of], batch.asked], 1)
    segments = torch.cat(
        [torch.ones_like(batch.windows[batch.of]), torch.zeros_like(batch.asked)], 1
    )
    mask = torch.cat([batch.window_mask[batch.of], batch.asked_mask], 1)
    width = batch.windows.shape[1]
    places = torch.cat([torch.arange(width), torch.arange(batch.asked.shape[1])])[None]
    with torch.inference_mode():
        expected = reader.body(
            input_ids=ids, token_type_ids=segments, attention_mask=mask, position_ids=places
        ).last_hidden_state
        window, asked = reader._read(batch)
    kept = mask.bool()
    torch.testing.assert_close(
        torch.cat([window, asked], 1)[kept], expected[kept], atol=1e-4, rtol=1e-4
    )


def test_below_the_joint_layers_a_window_does_not_see_its_question() -> None:
    torch.manual_seed(1)
    reader = Reader(Design(apart=6)).eval()
    one = ROWS[0]
    other = replace(one, asked=(CLS, 5000, 5001, SEP))
    with torch.inference_mode():
        (first, asked), (second, changed) = (reader._read(padded([row])) for row in (one, other))
    torch.testing.assert_close(first, second)
    assert (asked[:, 0] - changed[:, 0]).abs().max() > 0.01


@pytest.mark.parametrize("apart", [0, 3, 6])
def test_the_exported_graph_reads_as_the_trained_reader(
    apart: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAGKIT_CACHE", str(tmp_path / "cache"))
    torch.manual_seed(1)
    reader = Reader(Design(apart)).eval()
    for head in (reader.spans, reader.pointers, reader.answers, reader.kind):
        torch.nn.init.normal_(head.weight, std=0.1)
    reader.save(tmp_path / "checkpoint")
    export(tmp_path / "checkpoint", tmp_path / "weights")
    text = "The treaty was signed by Chicherin and Rathenau in 1922. It was secret."
    asked = ["Who signed it?", "When was the treaty of Rapallo signed, and by whom?"]
    desk = Desk(reader, torch.device("cpu"))
    expected = desk.read([(q, Paragraph("p", "a", "Rapallo", text)) for q in asked])
    window = Window("Rapallo", text)
    precisions: tuple[tuple[Precision, float], ...] = (("float32", 2e-3), ("int8", 0.1))
    for precision, tolerance in precisions:
        found = ShippedReader(tmp_path / "weights", precision).read([(q, window) for q in asked])
        for one, other in zip(found, expected, strict=True):
            assert one.logit == pytest.approx(other.score, abs=tolerance)
            assert list(one.kinds.values()) == pytest.approx(other.kind, abs=tolerance)
            assert one.span == (other.start, other.end)
