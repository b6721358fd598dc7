"""Make pairs of claims from SQuAD: a faithful one, and the same with something exchanged.

Faithful ones are a question and its answer as a sentence, and a clause of the passage, cut out of
its sentence, turned round, or made active from passive. Wrong ones are made from them: two names
exchanged, or a name, a date or a number exchanged for another one of the same passage. So the words
of both stand in the passage, and words alone cannot tell them apart; a pair in which they can is
left out. ``python -m benchmarks.claims.makers --data DIR`` writes ``pairs.jsonl.gz``.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ragkit.answering.answer import Passage
from ragkit.answering.generated import Support
from ragkit.evaluation.near_misses.makers import names_in
from ragkit.evaluation.near_misses.words import NUMBER, SYMMETRIC, YEAR, base_of, past_of
from ragkit.grounding import SupportChecker
from ragkit.text.sentences import split_sentences
from ragkit.text.spans import Span
from ragkit.types import Citation
from training.sources import FILES, Paragraph, Question, load_squad
from training.splits import load_splits

PAIRS = Path(__file__).parent / "pairs.jsonl.gz"
MOST = {frozenset({"choose", "test"}): 300, frozenset({"calibrate"}): 200}  # pairs of each way
_MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"
_DATE = re.compile(rf"\b(?:(?:{_MONTH}) \d{{1,2}}, \d{{4}}|\d{{1,2}} (?:{_MONTH}) \d{{4}})\b")
_PLACED = re.compile(r"(?:in|on|at|by|during|from|near|since|after|before|around|between) ")
_PRONOUN = re.compile(r"\b(?:he|she|it|they|this|that|these|those|his|her|their|its)\b", re.I)
_IRREGULAR = (
    "born|held|built|won|sent|sold|led|made|known|given|taken|found|written|begun|lost|put|set|"
    "shown|chosen|brought|bought|taught|drawn|driven|hit|cut|read|paid"
)
_ENDS = re.compile(
    r"$|[,.;)]|['’]s? | (?:of|in|on|at|by|to|for|from|with|as|and|or|was|were|is|are|has|had|have|"
    rf"who|that|[a-z]+ed|{_IRREGULAR})\b"
)
"""What follows a name that stands alone."""

_ADJECTIVE = re.compile(r"(?:ish|ese|[iae]ans?|ic|\w+s')$")
_DONE = rf"(?:[a-z]+ed|{_IRREGULAR})"


@dataclass(frozen=True)
class Pair:
    """Two claims on one passage: what holds, and what its words say put together wrongly."""

    split: str
    way: str
    kind: str
    title: str
    passage: str
    faithful: str
    wrong: str


def sentence_of(question: str, answer: str, passage: str) -> str | None:
    """A question and its answer as one sentence; None where no rule fits.

    >>> sentence_of("Who signed the treaty?", "Rathenau", "")
    'Rathenau signed the treaty.'
    >>> sentence_of("When did Rathenau sign the treaty?", "1922", "Rathenau signed it.")
    'Rathenau signed the treaty in 1922.'
    >>> sentence_of("Where was the treaty signed?", "Rapallo", "")
    'The treaty was signed in Rapallo.'
    >>> sentence_of("How many tanks did the army lose?", "40", "They lost 40 tanks.")
    """
    answer = answer.strip(" .,")
    asked = question.strip().rstrip("?").strip()
    for made in (
        _by_subject(asked, answer),
        _by_did(asked, answer, passage),
        _by_was(asked, answer),
    ):
        if made:
            return made[0].upper() + made[1:] + "."
    return None


def _by_subject(asked: str, answer: str) -> str | None:
    match = re.fullmatch(r"(?:Who|What|Which [a-z]+|What [a-z]+) (([a-z]+) .+)", asked)
    if not match or match[2] in {
        "do",
        "does",
        "did",
        "if",
        "about",
        "for",
        "would",
        "could",
        "can",
    }:
        return None
    verb = match[2]
    if verb in {"was", "were", "is", "are", "has", "have", "had"}:
        if not re.match(
            rf"{verb} (?:the [a-z]+ .*[a-z]+ (?:of|in|for) .*\w"
            rf"|{_DONE} (?:in|by|to|as|for|at|from|on) .+)",
            match[1],
        ):
            return None
        if re.search(r" (?:of|in|for|to|by|with|as|from|at|on|called|named)$", asked):
            return None
    elif base_of(verb) is None:
        return None
    return f"{answer} {match[1]}"


def _by_did(asked: str, answer: str, passage: str) -> str | None:
    match = re.fullmatch(
        r"(When|Where|In (?:what|which) (?:year|city|country|month)|On what date|Who|What) "
        r"did (.+)",
        asked,
    )
    if not match:
        return None
    words = match[2].split(" ")
    for place in range(1, len(words)):
        verb = words[place]
        if verb.isalpha() and verb.islower() and re.search(rf"\b{past_of(verb)}\b", passage):
            subject, rest = " ".join(words[:place]), " ".join(words[place + 1 :])
            said = f"{subject} {past_of(verb)}"
            if match[1] in {"Who", "What"}:
                if (
                    re.search(r"\b(?:of|in|for|to|by|with|as|from|at|on|about|into)$", asked)
                    or rest
                ):
                    return None
                return f"{said} {answer}"
            return f"{said} {rest} {_placed(answer)}".replace("  ", " ")
    return None


def _by_was(asked: str, answer: str) -> str | None:
    match = re.fullmatch(
        r"(?:When|Where|In (?:what|which) (?:year|city|country|month)|On what date) "
        rf"(was|were) (.+?) ({_DONE})(| .+)",
        asked,
    )
    if not match or match[4].endswith((" in", " on", " at", " from")):
        return None
    return f"{match[2]} {match[1]} {match[3]}{match[4]} {_placed(answer)}"


def _placed(answer: str) -> str:
    if _PLACED.match(answer):
        return answer
    return f"on {answer}" if _DATE.match(answer) else f"in {answer}"


def clauses_of(sentence: str) -> Iterator[str]:
    """Faithful other ways to say a part of a sentence.

    >>> list(clauses_of("In 1922, Rathenau signed the treaty, which was secret."))
    ['Rathenau signed the treaty in 1922.', 'In 1922, Rathenau signed the treaty.']
    >>> list(clauses_of("The treaty was signed by Walther Rathenau."))
    ['Walther Rathenau signed the treaty.']
    """
    bare = re.sub(r" \([^)]*\)", "", sentence).rstrip(".").strip()
    part = re.sub(r", (?:which|who|whose|where|although|while|whereas) .*$", "", bare)
    moved = re.fullmatch(
        r"((?:In|On|At|During|From|After|By) [^,]{3,40}), ((?:the |an? )?[^,]+)", part
    )
    if moved:
        subject = moved[2] if moved[2][:1].isupper() else moved[2][0].upper() + moved[2][1:]
        yield f"{subject} {moved[1][0].lower()}{moved[1][1:]}."
    passive = re.search(
        r"^((?:The |An? )?[\w'’ -]{3,40}?) (?:was|were) ([a-z]+ed) by "
        r"((?:the )?[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)*)(?= in | on |$|,)",
        part,
    )
    if passive:
        whom = (
            passive[1]
            if re.match("[A-Z].*[A-Z]", passive[1]) and not passive[1].startswith(("The ", "A "))
            else passive[1][0].lower() + passive[1][1:]
        )
        yield f"{passive[3][0].upper()}{passive[3][1:]} {passive[2]} {whom}."
    if part != bare and len(part.split()) > 4:
        yield f"{part}."
    for cut in re.split(r"; |, (?:and|but) (?=[A-Z])", bare):
        if cut not in (bare, part) and len(cut.split()) > 4:
            yield cut[0].upper() + cut[1:] + "."


def wrongs_of(claim: str, passage: str, rng: random.Random) -> Iterator[tuple[str, str]]:
    """Claims put together wrongly, and their kinds: roles, name, date, number."""
    named = _names(passage)
    names = [
        (a, b)
        for a, b in names_in(claim)
        if claim[a:b] in named and _ENDS.match(claim[b:]) and (not a or claim[a - 1] == " ")
    ]
    for (a, b), (c, d) in pairwise(names):
        if (
            not SYMMETRIC.search(claim[b:c])
            and re.search(rf" (?:{_DONE}|\w+s) ", claim[b:c])
            and not _share(claim[a:b], claim[c:d])
        ):
            yield "roles", claim[:a] + claim[c:d] + claim[b:c] + claim[a:b] + claim[d:]
            break
    for a, b in rng.sample(names, len(names)):
        fit = sorted(
            o
            for o in named
            if o not in claim
            and not _share(o, claim)
            and len(o.split()) == len(claim[a:b].split())
            and len(o) > 3
        )
        if fit:
            yield "name", claim[:a] + rng.choice(fit) + claim[b:]
            break
    yield from _other_figures(claim, passage, rng)


def _names(passage: str) -> set[str]:
    """Names that stand inside a sentence too, each alone: no adjective of what follows."""
    return {
        passage[a:b]
        for a, b in names_in(passage)
        if re.search(r"[\w,] (?:the )?$", passage[:a])
        and _ENDS.match(passage[b:])
        and not _ADJECTIVE.search(passage[a:b])
    }


def _other_figures(claim: str, passage: str, rng: random.Random) -> Iterator[tuple[str, str]]:
    dates = [m.span() for m in _DATE.finditer(claim)] or [m.span() for m in YEAR.finditer(claim)]
    pattern = _DATE if _DATE.search(claim) else YEAR
    for a, b in dates[:1]:
        fit = sorted({m.group() for m in pattern.finditer(passage)} - {claim[a:b]})
        if fit:
            yield "date", claim[:a] + rng.choice(fit) + claim[b:]
    for match in NUMBER.finditer(claim):
        old = match.group()
        if YEAR.fullmatch(old) or any(a <= match.start() < b for a, b in dates):
            continue
        fit = sorted(
            {m.group() for m in NUMBER.finditer(passage) if not YEAR.fullmatch(m.group())} - {old}
        )
        fit = [o for o in fit if o not in claim]
        if fit:
            yield "number", claim[: match.start()] + rng.choice(fit) + claim[match.end() :]
            break


def _share(one: str, other: str) -> bool:
    words = {word.lower()[:5] for word in re.findall(r"\w{3,}", one)}
    return bool(words & {word.lower()[:5] for word in re.findall(r"\w{3,}", other)})


def asked_claims(paragraph: Paragraph, questions: Sequence[Question]) -> Iterator[str]:
    """The questions on a paragraph with their answers, as sentences."""
    for question in questions:
        if question.answer and len(question.answer.split()) <= 8:
            said = sentence_of(question.text, question.answer, paragraph.text)
            if said:
                yield said


def clause_claims(paragraph: Paragraph) -> Iterator[str]:
    """Other ways to say the clauses of a paragraph."""
    for a, b in split_sentences(paragraph.text, Span(0, len(paragraph.text))):
        yield from clauses_of(paragraph.text[a:b])


def passage_of(title: str, text: str) -> Passage:
    """A paragraph as the passage of an answer."""
    return Passage(text, 1.0, 1, Citation("d", title, (), 0, len(text), text))


def make_pairs(
    paragraphs: Sequence[tuple[str, Paragraph, Sequence[Question]]], rng: random.Random
) -> Iterator[Pair]:
    """Of each paragraph at most one pair of each way and kind."""
    for split, paragraph, questions in paragraphs:
        checker = SupportChecker([passage_of(paragraph.title, paragraph.text)])

        def stands(claim: str, checker: SupportChecker = checker) -> bool:
            sentence = checker.check(claim)
            return sentence is not None and sentence.status is Support.SUPPORTED

        for way, claims in (
            ("asked", asked_claims(paragraph, questions)),
            ("clause", clause_claims(paragraph)),
        ):
            used: set[str] = set()
            for claim in claims:
                if not stands(claim):
                    continue
                for kind, wrong in wrongs_of(claim, paragraph.text, rng):
                    if kind not in used and stands(wrong):
                        used.add(kind)
                        yield Pair(split, way, kind, paragraph.title, paragraph.text, claim, wrong)
                        break


def load_paragraphs(
    data: Path, wanted: frozenset[str]
) -> list[tuple[str, Paragraph, Sequence[Question]]]:
    """Return the paragraphs of SQuAD whose articles are in some splits, with their questions."""
    splits = load_splits()
    paragraphs: list[tuple[str, Paragraph, Sequence[Question]]] = []
    for path, name in FILES.items():
        if not name.startswith("squad"):
            continue
        source = load_squad(data / path, name)
        asked: dict[str, list[Question]] = {}
        for question in source.questions:
            asked.setdefault(question.paragraph, []).append(question)
        paragraphs += [
            (splits.of(p.article), p, asked.get(p.id, []))
            for p in source.paragraphs
            if splits.of(p.article) in wanted
        ]
    return paragraphs


def draw_pairs(data: Path, wanted: frozenset[str], most: int) -> Iterator[Pair]:
    """Make at most so many pairs of each way for each of some splits."""
    rng = random.Random(17)  # noqa: S311
    paragraphs = load_paragraphs(data, wanted)
    rng.shuffle(paragraphs)
    drawn: Counter[tuple[str, str]] = Counter()
    for pair in make_pairs(paragraphs, rng):
        drawn[pair.split, pair.way] += 1
        if drawn[pair.split, pair.way] <= most:
            yield pair


def main() -> None:
    """Write ``pairs.jsonl.gz``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=PAIRS)
    options = parser.parse_args()
    with gzip.GzipFile(options.out, "wb", mtime=0) as file:
        for wanted, most in MOST.items():
            for pair in draw_pairs(options.data, wanted, most):
                file.write((json.dumps(vars(pair), ensure_ascii=False) + "\n").encode())


if __name__ == "__main__":
    main()
