"""How many wrongly combined sentences the gate over a language model's answer catches.

``python -m benchmarks.claims --save`` reads every claim of the pairs and writes results/claims.md;
``--fit`` prints the weights of ``ragkit/grounding/claim_reading.py`` as fitted anew. The pairs
of the split "choose" are for fitting, of "calibrate" for the threshold, of "test" for the report.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.claims.makers import PAIRS, Pair, passage_of
from ragkit.answering.generated import GOOD
from ragkit.grounding import SupportChecker
from ragkit.grounding.claim_reading import THRESHOLD, ClaimReader, Doubts
from ragkit.reading import load_reader
from training.calibrate import regression
from training.measures import auroc

BY_HAND: Final = Path(__file__).parent / "by_hand.jsonl"
PAGE: Final = Path(__file__).parent.parent / "results" / "claims.md"
FALSE: Final = 0.03  # of the faithful claims that are objected to, where the threshold is set
PLACES: Final = ("misplaced", "exchanged")
READ: Final = ("contested", "disagreeing", "doubted")
WAYS: Final = {
    "the words around each part": PLACES,
    "the reader's answers": READ,
    "both": (*PLACES, *READ),
}


class Judged(NamedTuple):
    """A pair, and what speaks against each of its claims."""

    pair: Pair
    faithful: Doubts
    wrong: Doubts


class Fit(NamedTuple):
    """A logistic regression, and the chance above which it objects."""

    weights: Mapping[str, float]
    intercept: float
    threshold: float

    def chance(self, doubts: Doubts) -> float:
        """Return the chance that a claim is wrong."""
        logit = self.intercept + sum(w * getattr(doubts, n) for n, w in self.weights.items())
        return float(1 / (1 + np.exp(-logit)))


def load_pairs() -> list[Pair]:
    """Return the pairs made by script and those written by hand."""
    made = gzip.decompress(PAIRS.read_bytes()).decode().splitlines()
    written = BY_HAND.read_text(encoding="utf-8").splitlines()
    return [Pair(**json.loads(line)) for line in (*made, *written)]


def judge(pairs: Sequence[Pair]) -> list[Judged]:
    """Read both claims of each pair with its passage."""
    judged = []
    for pair in pairs:
        reader = ClaimReader(load_reader())
        passages = [passage_of(pair.title, pair.passage)]
        both = [reader.doubts(claim, passages) for claim in (pair.faithful, pair.wrong)]
        judged.append(Judged(pair, *(one or NOTHING for one in both)))
    return judged


NOTHING: Final = Doubts(-1.0, 0.0, -3.0, 0.0, -5.0)
"""Of a claim that is not judged."""


def fit(judged: Sequence[Judged], names: Sequence[str]) -> Fit:
    """Fit weights, hand-written pairs counting as much together as the others, and a threshold."""
    weights, intercept = _weights([one for one in judged if one.pair.split == "choose"], names)
    fitted = Fit(dict(zip(names, map(float, weights), strict=True)), intercept, 0.5)
    # On articles of their own: weights fit the claims that they were fitted on too well.
    faithful = [fitted.chance(one.faithful) for one in judged if one.pair.split == "calibrate"]
    return fitted._replace(threshold=float(np.quantile(faithful, 1 - FALSE)))


def _weights(judged: Sequence[Judged], names: Sequence[str]) -> tuple[NDArray[np.float64], float]:
    claims = [(doubts, y, one.pair.way) for one in judged for y, doubts in enumerate(one[1:])]
    rows = np.array([[getattr(doubts, name) for name in names] for doubts, _, _ in claims])
    wrong = np.array([float(y) for _, y, _ in claims])
    by_hand = np.array([way == "by hand" for _, _, way in claims])
    share = np.where(by_hand, 0.5 / max(1, by_hand.sum()), 0.5 / max(1, (~by_hand).sum()))
    return regression(rows, wrong, share * len(claims))


def page(judged: Sequence[Judged]) -> str:
    """Return the report in Markdown."""
    size = Counter(one.pair.split for one in judged)
    test = [one for one in judged if one.pair.split == "test"]
    script = [one for one in test if one.pair.way != "by hand"]
    hand = [one for one in test if one.pair.way == "by hand"]
    rows = []
    for name, own in (("made by script", script), ("written by hand", hand)):
        rows.append(f"| {name}, {len(own)} pairs | the words alone | {_by_words(own)} | .500 |")
        for way, names in WAYS.items():
            rows.append(f"| | {way} | {_row(own, fit(judged, names))} |")
    kinds = sorted({one.pair.kind for one in test})
    by_kind = [f"| {kind} | {_caught(script, kind)} | {_caught(hand, kind)} |" for kind in kinds]
    return "\n".join(
        [
            "# Sentences that combine a passage's words wrongly",
            "",
            "Pairs of claims on paragraphs of articles that the reader was not trained on, one",
            "faithful and one not; the words of both stand in the passage. Weights are fitted on",
            f"other articles ({size['choose']} pairs), thresholds are set on still others",
            f"({size['calibrate']} pairs): {FALSE:.0%} of their faithful claims are objected",
            "to. `python -m benchmarks.claims --save` measures it again.",
            "",
            "| pairs | judged by | false objections | wrong ones caught | AUROC |",
            "|---|---|---|---|---|",
            *rows,
            "",
            "As shipped, wrong ones caught by what was exchanged:",
            "",
            "| | made by script | written by hand |",
            "|---|---|---|",
            f"| faithful ones objected to | {_false(script)} | {_false(hand)} |",
            *by_kind,
            "",
        ]
    )


def _by_words(judged: Sequence[Judged]) -> str:
    """Shares of the faithful and of the wrong claims that the words alone object to."""
    objected = [[not _stands(one.pair, claim) for one in judged] for claim in ("faithful", "wrong")]
    return " | ".join(f"{np.mean(own):.1%}".replace("%", " %") for own in objected)


def _stands(pair: Pair, which: str) -> bool:
    sentence = SupportChecker([passage_of(pair.title, pair.passage)]).check(getattr(pair, which))
    return sentence is not None and sentence.status in GOOD


def _row(judged: Sequence[Judged], fitted: Fit) -> str:
    faithful = [fitted.chance(one.faithful) for one in judged]
    wrong = [fitted.chance(one.wrong) for one in judged]
    objected = (np.mean(np.array(own) > fitted.threshold) for own in (faithful, wrong))
    shares = " | ".join(f"{share:.1%}".replace("%", " %") for share in objected)
    return f"{shares} | {auroc(wrong, faithful):.3f}".replace("| 0.", "| .")


def _caught(judged: Sequence[Judged], kind: str) -> str:
    own = [one.wrong.chance > THRESHOLD for one in judged if one.pair.kind == kind]
    return f"{sum(own)} of {len(own)}" if own else "–"


def _false(judged: Sequence[Judged]) -> str:
    return f"{sum(one.faithful.chance > THRESHOLD for one in judged)} of {len(judged)}"


def main() -> None:
    """Print the page or the weights, or save the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", action="store_true", help="write results/claims.md")
    parser.add_argument("--fit", action="store_true", help="print weights as fitted anew")
    options = parser.parse_args()
    pairs = load_pairs()
    if options.fit:
        fitted = fit(judge([pair for pair in pairs if pair.split != "test"]), WAYS["both"])
        print({name: round(weight, 3) for name, weight in fitted.weights.items()})
        print(f"intercept {fitted.intercept:.3f}, threshold {fitted.threshold:.3f}")
        return
    made = page(judge(pairs))
    PAGE.write_text(made, encoding="utf-8") if options.save else print(made)


if __name__ == "__main__":
    main()
