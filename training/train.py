"""Trains the reader: one command, on a CPU or a GPU; stops and goes on at any moment.

SIGTERM, or a file named STOP in the run's folder, writes a checkpoint and ends. The same command
again goes on from it.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from training.losses import Weights, losses
from training.model import Design, Reader, Scores, load_reader
from training.quick import quick_measures
from training.sampling import Dataset, Laid, Plan, Sizes, drawn, laid


@dataclass(frozen=True)
class Settings:
    """``windows`` and ``minutes``: whichever is reached first ends the run and its slowing.

    ``early``: the part of it that reads questions in their passage's words above all, which teaches
    pointing; 0 to go on from weights that know that.
    """

    rows: int = 48
    part: int = 16
    windows: int = 80_000
    minutes: float = 1e9
    rate: float = 1.2e-4
    head_rate: float = 5e-4
    warm: float = 0.03
    least: float = 0.05
    passes: float = 6.0
    early: float = 0.08
    multiple: int = 1  # row lengths are multiples of this: 16 suits a GPU
    workers: int = 0  # processes that draw: 8 or more for a GPU
    seed: int = 17
    save_minutes: float = 10.0
    quick_minutes: float = 15.0
    log_steps: int = 20


@dataclass
class State:
    """How far a run is; kept with its weights."""

    step: int = 0
    windows: int = 0
    seconds: float = 0.0
    best: float = 0.0


class Run:
    def __init__(
        self,
        folder: Path,
        settings: Settings,
        design: Design,
        weights: Weights,
        *,
        device: str,
        base: Path | None = None,
    ) -> None:
        self.folder = folder
        self.settings = settings
        self.weights = weights
        self.device = torch.device(device)
        folder.mkdir(parents=True, exist_ok=True)
        last = folder / "last"
        torch.manual_seed(settings.seed)
        self.reader = _begin(last, design, base).to(self.device)
        self.optimizer = _optimizer(self.reader, settings)
        self.state = State()
        if last.exists():
            self._restore(last)
        self._stopped = False
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)

    def _stop(self, *_: object) -> None:
        self._stopped = True

    @property
    def stopped(self) -> bool:
        return self._stopped or (self.folder / "STOP").exists()

    @property
    def progress(self) -> float:
        settings, state = self.settings, self.state
        return max(state.windows / settings.windows, state.seconds / 60 / settings.minutes)

    def _restore(self, last: Path) -> None:
        kept = torch.load(last / "optimizer.pt", map_location=self.device, weights_only=True)
        bases = [group["base"] for group in self.optimizer.param_groups]
        self.optimizer.load_state_dict(kept["optimizer"])
        for group, base in zip(self.optimizer.param_groups, bases, strict=True):
            group["base"] = base  # as it is set now, not as it was
        known = {f.name for f in fields(State)}
        self.state = State(**{k: v for k, v in kept["state"].items() if k in known})

    def save(self, name: str) -> None:
        """Written aside first, so that what is there is always whole."""
        place, aside = self.folder / name, self.folder / f".{name}"
        self.reader.save(aside)
        if name == "last":
            kept = {"optimizer": self.optimizer.state_dict(), "state": asdict(self.state)}
            torch.save(kept, aside / "optimizer.pt")
        (aside / "state.json").write_text(json.dumps(asdict(self.state)) + "\n")
        if place.exists():
            place.rename(self.folder / f".{name}.old")
        aside.rename(place)
        _remove(self.folder / f".{name}.old")

    def log(self, **line: object) -> None:
        state = self.state
        known = {"step": state.step, "windows": state.windows, "minutes": state.seconds / 60}
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(json.dumps({**known, **line}) + "\n")

    def step(self, step: Laid) -> dict[str, Tensor]:
        """One step; each part of the loss, still on the device."""
        self._slow_down()
        moved = step.to(self.device)
        found = losses(read(self.reader, moved), moved.targets, self.weights)
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(list(found.values())).sum().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.reader.parameters(), 1.0)
        self.optimizer.step()
        self.state.step += 1
        self.state.windows += step.rows
        return {name: part.detach() for name, part in found.items()}

    def _slow_down(self) -> None:
        """Warm up, then down in a straight line to ``least``."""
        settings = self.settings
        warm = min(1.0, (self.progress + 1e-4) / settings.warm)
        factor = warm * max(settings.least, 1 - self.progress)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * factor

    def measure(self, dataset: Dataset) -> dict[str, float]:
        """On questions of articles kept for choosing; the best so far is kept as ``best``."""
        self.reader.eval()
        found = quick_measures(self.reader, dataset, self.device)
        self.reader.train()
        self.log(measured=found)
        print(json.dumps({"windows": self.state.windows, **found}), flush=True)
        if found["choose"] > self.state.best:
            self.state.best = found["choose"]
            self.save("best")
        return found


def _begin(last: Path, design: Design, base: Path | None) -> Reader:
    """The reader of the last checkpoint, else a new one."""
    if last.exists():
        return load_reader(last, base)
    return Reader(design, base)


def read(reader: Reader, step: Laid) -> Scores:
    """Scores in the order of the step's rows; in bfloat16 where the device computes in it."""
    kind = step.back.device.type
    with torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda" or computes_bfloat16()):
        found = [reader(batch) for batch in step.batches]
    return Scores(
        *(_joined([getattr(s, f.name) for s in found])[step.back] for f in fields(Scores))
    )


@cache
def computes_bfloat16() -> bool:
    """Whether this processor multiplies in bfloat16 (AVX512-BF16, AMX): twice as fast or more."""
    return bool(torch.cpu._is_avx512_bf16_supported())


def _joined(scores: Sequence[Tensor]) -> Tensor:
    """One behind another; those with a score for each token are made as long as the longest."""
    longest = max(part.shape[-1] for part in scores)
    if scores[0].dim() == 2 and any(part.shape[-1] != longest for part in scores):
        pad = torch.nn.functional.pad
        scores = [pad(part, (0, longest - part.shape[-1]), value=-1e4) for part in scores]
    return torch.cat(list(scores))


def _optimizer(reader: Reader, settings: Settings) -> torch.optim.AdamW:
    """Heads learn faster than what was trained already; norms and biases are not made small."""
    groups: dict[tuple[float, float], list[Tensor]] = defaultdict(list)
    for name, parameter in reader.named_parameters():
        if parameter.requires_grad:
            base = settings.rate if name.startswith("body.") else settings.head_rate
            groups[base, 0.01 if parameter.dim() > 1 else 0.0].append(parameter)
    made: list[dict[str, Any]] = [
        {"params": parameters, "lr": base, "base": base, "weight_decay": decay}
        for (base, decay), parameters in groups.items()
    ]
    fused = next(reader.parameters()).is_cuda
    return torch.optim.AdamW(made, betas=(0.9, 0.98), eps=1e-6, fused=fused)


def _remove(folder: Path) -> None:
    if folder.exists():
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


class Supply(IterableDataset[Laid]):
    """Steps without end; each worker draws in an order of its own."""

    def __init__(self, dataset: Dataset, settings: Settings, sizes: Sizes, state: State) -> None:
        self.dataset = dataset
        self.settings = settings
        self.sizes = sizes
        self.windows = state.windows
        self.seed = settings.seed + 1000 * state.step

    def __iter__(self) -> Iterator[Laid]:
        worker = get_worker_info()
        number, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        settings, sizes = self.settings, self.sizes
        groups = settings.windows // (1 + sizes.misses + sizes.negatives)
        plan = Plan(self.dataset, self.seed + number, groups, settings.passes, settings.early)
        seen = self.windows
        while True:
            rows = drawn(self.dataset, plan, sizes, settings.rows, seen / settings.windows)
            seen += len(rows) * workers
            yield laid(rows, settings.part, settings.multiple)


def supply(run: Run, dataset: Dataset, sizes: Sizes) -> DataLoader[Laid]:
    """On a CPU drawn in between, else by processes that stay ahead of the GPU."""
    made = Supply(dataset, run.settings, sizes, run.state)
    workers = run.settings.workers
    ahead = {"prefetch_factor": 8, "multiprocessing_context": "fork"} if workers else {}
    return DataLoader(
        made,
        batch_size=None,
        num_workers=workers,
        worker_init_fn=_quiet,
        **ahead,  # type: ignore[arg-type]
    )


def _quiet(_: int) -> None:
    """A worker leaves signals to the run, which ends it, and takes one thread."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)


def train(run: Run, dataset: Dataset, choose: Dataset, sizes: Sizes) -> None:
    """Steps until the end or a stop, with a log, checkpoints and measures in between."""
    settings, state = run.settings, run.state
    begun, offset = time.monotonic(), state.seconds
    saved = measured = clock = begun
    sums: dict[str, Tensor] = {}
    windows = state.windows
    run.reader.train()
    for step in supply(run, dataset, sizes):
        for name, value in run.step(step).items():
            sums[name] = sums.get(name, 0) + value / settings.log_steps
        now = time.monotonic()
        state.seconds = offset + now - begun
        if state.step % settings.log_steps == 0:
            means = {name: float(value) for name, value in sums.items()}
            rate = (state.windows - windows) / (now - clock)
            run.log(losses=means, rate=rate, progress=run.progress)
            sums, windows, clock = {}, state.windows, now
        if now - measured > settings.quick_minutes * 60:
            run.measure(choose)
            measured = time.monotonic()
        if now - saved > settings.save_minutes * 60:
            run.save("last")
            saved = time.monotonic()
        if run.progress >= 1 or run.stopped:
            break
    run.save("last")
    if run.progress >= 1:
        run.measure(choose)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True, help="what training.dataset wrote")
    parser.add_argument("--choose", type=Path, required=True, help="the same of split choose")
    parser.add_argument("--run", type=Path, required=True, help="the folder of this run")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--misses", type=int, default=Sizes.misses)
    parser.add_argument("--negatives", type=int, default=Sizes.negatives)
    parser.add_argument("--outside", type=float, default=Sizes.outside)
    parser.add_argument(
        "--apart", type=int, default=Design.apart, help="layers without the question"
    )
    parser.add_argument("--base", type=Path, help="all-MiniLM-L6-v2, if not its package's")
    parser.add_argument("--start", type=Path, help="begin with this checkpoint's weights")
    for name, kind in (("weights", Weights), ("settings", Settings)):
        group = parser.add_argument_group(name)
        for one in fields(kind):
            option = f"--{name[0]}-{one.name}" if name == "weights" else f"--{one.name}"
            default: Any = one.default
            group.add_argument(option.replace("_", "-"), type=type(default), default=default)
    return parser.parse_args()


def main() -> None:
    chosen = options()
    torch.set_num_threads(chosen.threads)
    device = chosen.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    settings = Settings(**{f.name: getattr(chosen, f.name) for f in fields(Settings)})
    weights = Weights(**{f.name: getattr(chosen, f"w_{f.name}") for f in fields(Weights)})
    design = Design(chosen.apart)
    random.seed(settings.seed)
    run = Run(chosen.run, settings, design, weights, device=device, base=chosen.base)
    if chosen.start and not run.state.step:
        run.reader.restore(chosen.start)
    run.log(settings=asdict(settings), weights=asdict(weights), design=asdict(design))
    dataset = Dataset(chosen.dataset)
    choose = Dataset(chosen.choose)
    train(run, dataset, choose, Sizes(chosen.misses, chosen.negatives, chosen.outside))


if __name__ == "__main__":
    main()
