"""Trains the model that understands turns: ``python -m training.talks.train --data DIR --run RUN``.

Stops on SIGTERM with a checkpoint, and goes on from it. The best weights so far, by token F1 of
the standalone questions of conversations kept for choosing, are ``RUN/best``.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from training.sources import FILES, load_squad
from training.splits import TRAIN
from training.talks.batches import (
    IGNORED,
    Row,
    Rows,
    Targets,
    batch_of,
    steps_of,
    targets_of,
    with_noise,
)
from training.talks.examples import Example, load_examples
from training.talks.measure import measured
from training.talks.model import OUTSIDE, Scores, TurnModel
from training.train import computes_bfloat16

READER = Path(__file__).parents[2] / "ragkit/reading/weights/reader.safetensors"
TIMES = {"canard": 1.0, "cast": 2.0, "contrast": 2.0, "own": 2.0, "remarks": 0.3, "made": 0.12}
"""How often an epoch shows an example of each source; below 1, which share of them."""
TOKENS = 3_000
RATE, HEAD_RATE = 1e-4, 5e-4
DROPOUT = 0.1  # the people's conversations are few


def losses(scores: Scores, targets: Targets) -> dict[str, Tensor]:
    known = targets.removed != IGNORED
    removed = functional.binary_cross_entropy_with_logits(
        scores.removed[known], targets.removed[known].float()
    )
    inserted = functional.cross_entropy(
        scores.inserted.flatten(0, 1), targets.inserted.flatten(), ignore_index=IGNORED
    )
    row, token = targets.at.T
    span = _spans(scores.first[row, token], scores.last[row, token], targets.places)
    after = functional.cross_entropy(scores.after[row, token], targets.after) if len(row) else 0.0
    told = targets.relevant != IGNORED
    relevant = (
        functional.binary_cross_entropy_with_logits(
            scores.relevant[told], targets.relevant[told].float(), pos_weight=torch.tensor(2.0)
        )
        if told.any()
        else 0.0
    )
    kind = functional.cross_entropy(scores.kind, targets.kind)
    zero = scores.removed.sum() * 0
    return {
        "removed": 4 * removed,
        "inserted": 4 * inserted,
        "span": span + zero,
        "after": 0.3 * after + zero,
        "relevant": 2 * relevant + zero,
        "kind": 1.5 * kind,
    }


def _spans(first: Tensor, last: Tensor, places: Tensor) -> Tensor | float:
    """Minus the log of the chance of any right place, as a whole."""
    if not len(places):
        return 0.0
    missing = places[..., 0] < 0
    begins, ends = places.clamp(min=0).unbind(-1)
    chance = first.log_softmax(-1).gather(1, begins) + last.log_softmax(-1).gather(1, ends)
    return -0.5 * chance.masked_fill(missing, OUTSIDE).logsumexp(dim=-1).mean()


def epoch_of(examples: Sequence[Example], rng: random.Random, rows: Rows) -> list[Row]:
    people = [e for e in examples if e.source not in {"made", "remarks"} and e.history]
    shown = []
    for example in examples:
        times = TIMES[example.source]
        count = int(times) + (rng.random() < times % 1)
        shown += [with_noise(example, rng, people) for _ in range(count)]
    return [rows.of(example) for example in shown]


class Run:
    def __init__(self, folder: Path, minutes: float, start: Path | None = None) -> None:
        self.folder, self.minutes = folder, minutes
        folder.mkdir(parents=True, exist_ok=True)
        self.model = TurnModel()
        if start is None:
            self.model.begin_with(READER)
        else:
            self.model.restore(start)
        for module in self.model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = DROPOUT
        parts = [(n, p) for n, p in self.model.named_parameters() if p.requires_grad]
        groups = [
            {"params": [p for n, p in parts if n.startswith("body.")], "base": RATE},
            {"params": [p for n, p in parts if not n.startswith("body.")], "base": HEAD_RATE},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=RATE, weight_decay=0.01, betas=(0.9, 0.98))
        self.seconds, self.step, self.best = 0.0, 0, 0.0
        last = folder / "last.pt"
        if last.exists():
            saved = torch.load(last, weights_only=True)
            self.model.restore(folder / "last")
            self.optimizer.load_state_dict(saved["optimizer"])
            self.seconds, self.step, self.best = saved["seconds"], saved["step"], saved["best"]
        self.stopped = False
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, *_: object) -> None:
        self.stopped = True

    @property
    def progress(self) -> float:
        return self.seconds / 60 / self.minutes

    def learn(self, rows: Sequence[Row]) -> dict[str, float]:
        factor = min(1.0, (self.step + 1) / 100) * max(0.02, 1 - self.progress)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * factor
        batch = batch_of(rows)
        with torch.autocast("cpu", torch.bfloat16, enabled=computes_bfloat16()):
            scores = self.model(batch)
        parts = losses(scores, targets_of(rows))
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        return {name: float(part.detach()) for name, part in parts.items()}

    def save(self) -> None:
        self.model.save(self.folder / "last")
        state = {"seconds": self.seconds, "step": self.step, "best": self.best}
        torch.save({"optimizer": self.optimizer.state_dict(), **state}, self.folder / "last.pt")

    def log(self, **line: object) -> None:
        known = {"step": self.step, "minutes": round(self.seconds / 60, 2)}
        text = json.dumps({**known, **line})
        print(text, flush=True)
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(text + "\n")


def batches(examples: Sequence[Example], rows: Rows, seed: int) -> Iterator[list[Row]]:
    rng = random.Random(seed)  # noqa: S311
    while True:
        yield from steps_of(epoch_of(examples, rng, rows), TOKENS, rng)


def train(run: Run, examples: Sequence[Example], *, every: float = 4.0) -> None:
    rows = Rows()
    choose = [e for e in examples if e.split == "choose"]
    learned = [e for e in examples if e.split == TRAIN]
    clock = noted = time.monotonic()
    sums: dict[str, float] = {}
    for rows_of_step in batches(learned, rows, 17 + run.step):
        for name, value in run.learn(rows_of_step).items():
            sums[name] = sums.get(name, 0.0) + value / 50
        now = time.monotonic()
        run.seconds += now - clock
        clock = now
        if run.step % 50 == 0:
            run.log(**{name: round(value, 4) for name, value in sums.items()})
            sums = {}
        ended = run.progress >= 1 or run.stopped
        if ended or now - noted > every * 60:
            found = measured(run.model, rows, choose)
            run.log(measured=found)
            if found["F1"] > run.best:
                run.best = found["F1"]
                run.model.save(run.folder / "best")
            run.save()
            noted = clock = time.monotonic()
        if ended:
            break


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the public sets")
    parser.add_argument("--run", type=Path, required=True, help="the folder of this run")
    parser.add_argument("--minutes", type=float, default=40.0)
    parser.add_argument("--start", type=Path, help="go on from this folder's weights")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(17)
    [file] = [path for path, name in FILES.items() if name == "squad1"]
    examples = load_examples(options.data, load_squad(options.data / file, "squad1"))
    train(Run(options.run, options.minutes, options.start), examples)


if __name__ == "__main__":
    main()
