"""Trains the token encoder: one command, on a CPU; stops and goes on at any moment.

SIGTERM writes a checkpoint and ends. The same command again goes on from it.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch

from training.encoder.batches import Drawing, Sizes, Texts
from training.encoder.measure import Collection, begin, measured, of_eval, of_split
from training.encoder.model import Design, TokenEncoder, load_token_encoder
from training.encoder.objective import losses


@dataclass(frozen=True)
class Settings:
    """``minutes``: after which the run ends, and towards which it slows down."""

    minutes: float = 60.0
    rate: float = 6e-5
    projection_rate: float = 3e-4
    warm: float = 0.03
    least: float = 0.03
    seed: int = 17
    save_minutes: float = 5.0
    measure_minutes: float = 15.0
    log_steps: int = 20


@dataclass
class State:
    step: int = 0
    questions: int = 0
    seconds: float = 0.0


class Run:
    def __init__(self, folder: Path, settings: Settings, design: Design, texts: Texts) -> None:
        self.folder, self.settings = folder, settings
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(settings.seed)
        last = folder / "last"
        if last.exists():
            self.encoder = load_token_encoder(last)
        else:
            self.encoder = TokenEncoder(design)
            begin(self.encoder, texts)
        self.optimizer = _optimizer(self.encoder, settings)
        self.state = State()
        if last.exists():
            kept = torch.load(last / "optimizer.pt", weights_only=True)
            bases = [group["base"] for group in self.optimizer.param_groups]
            self.optimizer.load_state_dict(kept["optimizer"])
            for group, base in zip(self.optimizer.param_groups, bases, strict=True):
                group["base"] = base
            self.state = State(**kept["state"])
        self.stopped = False
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, *_: object) -> None:
        self.stopped = True

    @property
    def progress(self) -> float:
        return self.state.seconds / 60 / self.settings.minutes

    def save(self, name: str = "last") -> None:
        """Written aside first, so that what is there is always whole."""
        place, aside, old = (self.folder / n for n in (name, f".{name}", f".{name}.old"))
        self.encoder.save(aside)
        kept = {"optimizer": self.optimizer.state_dict(), "state": asdict(self.state)}
        torch.save(kept, aside / "optimizer.pt")
        if place.exists():
            place.rename(old)
        aside.rename(place)
        if old.exists():
            for path in old.iterdir():
                path.unlink()
            old.rmdir()

    def log(self, **line: object) -> None:
        known = {
            "step": self.state.step,
            "questions": self.state.questions,
            "minutes": self.state.seconds / 60,
        }
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(json.dumps({**known, **line}) + "\n")

    def rate(self) -> None:
        """Warm up, then down in a straight line."""
        settings = self.settings
        warm = min(1.0, (self.progress + 1e-4) / settings.warm)
        factor = warm * max(settings.least, 1 - self.progress)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * factor


def _optimizer(encoder: TokenEncoder, settings: Settings) -> torch.optim.AdamW:
    groups: dict[tuple[float, float], list[torch.Tensor]] = {}
    for name, parameter in encoder.named_parameters():
        if parameter.requires_grad:
            base = settings.rate if name.startswith("body.") else settings.projection_rate
            groups.setdefault((base, 0.01 if parameter.dim() > 1 else 0.0), []).append(parameter)
    made: list[dict[str, Any]] = [
        {"params": parameters, "lr": base, "base": base, "weight_decay": decay}
        for (base, decay), parameters in groups.items()
    ]
    return torch.optim.AdamW(made, betas=(0.9, 0.98), eps=1e-6)


def train(run: Run, texts: Texts, collections: list[Collection], sizes: Sizes) -> None:
    settings, state = run.settings, run.state
    drawing = Drawing(texts, sizes, settings.seed + 1000 * state.step)
    begun, offset = time.monotonic(), state.seconds
    saved = measured_at = clock = begun
    sums: dict[str, float] = {}
    tokens = 0
    while run.progress < 1 and not run.stopped:
        run.encoder.train()
        run.rate()
        step = drawing.step()
        found = losses(run.encoder, step)
        run.optimizer.zero_grad(set_to_none=True)
        (found["tokens"] + found["vectors"]).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(run.encoder.parameters(), 1.0)
        run.optimizer.step()
        for name, value in found.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach()) / settings.log_steps
        tokens += step.tokens
        now = time.monotonic()
        state.step += 1
        state.questions += len(step.gold)
        state.seconds = offset + now - begun
        if state.step % settings.log_steps == 0:
            run.log(
                losses=sums,
                rate=tokens / (now - clock),
                progress=run.progress,
                scale=float(run.encoder.scale.detach().exp()),
            )
            sums, tokens, clock = {}, 0, now
        if now - measured_at > settings.measure_minutes * 60:
            measure(run, collections)
            measured_at = time.monotonic()
        if now - saved > settings.save_minutes * 60:
            run.save()
            saved = time.monotonic()
    run.save()
    if run.progress >= 1:
        measure(run, collections)


def measure(run: Run, collections: list[Collection]) -> None:
    found = {k: v for of in collections for k, v in measured(run.encoder, of).items()}
    run.log(measured=found)
    print(json.dumps({"questions": run.state.questions, **found}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path, required=True, help="of training.encoder.texts")
    parser.add_argument("--choose", type=Path, required=True, help="the same of split choose")
    parser.add_argument("--run", type=Path, required=True, help="the folder of this run")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dimension", type=int, default=Design.dimension)
    for one in fields(Settings):
        default: Any = one.default
        parser.add_argument(f"--{one.name.replace('_', '-')}", type=type(default), default=default)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    settings = Settings(**{f.name: getattr(chosen, f.name) for f in fields(Settings)})
    texts = Texts(chosen.texts)
    run = Run(chosen.run, settings, Design(chosen.dimension), texts)
    run.log(settings=asdict(settings), sizes=asdict(Sizes()))
    collections = [of_split(Texts(chosen.choose), "choose"), of_eval(Path(__file__).parents[2])]
    train(run, texts, collections, Sizes())


if __name__ == "__main__":
    main()
