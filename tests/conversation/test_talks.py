"""Talks by script, in the library: each turn's answer, its passage, and how it is understood."""

from __future__ import annotations

import pytest

from ragkit import Answer, Conversation, Index
from support.talks import TALKS, Line, Shown, Talk, problems, spoken


def shown(answer: Answer) -> Shown:
    """What of an answer a person is shown."""
    said = answer.reply or answer.text
    short = "" if answer.short is None or answer.reply else answer.short.quote
    source = " › ".join(answer.passages[0].citation.section) if answer.passages else ""
    standalone = "" if answer.standalone == answer.question else answer.standalone
    is_refused = not answer.answered and not answer.reply
    return Shown(f"{short} {said}", source, standalone, is_refused)


class Held:
    """A talk that is being held."""

    def __init__(self, index: Index) -> None:
        self._conversation = Conversation(index)
        self._last: Answer | None = None

    def __call__(self, line: Line) -> Shown:
        choices = {c.label: c.question for c in self._last.choices} if self._last else {}
        chosen = choices[line.choose] if line.choose else None
        self._last = self._conversation.ask(chosen or line.say, standalone=chosen)
        return shown(self._last)


@pytest.fixture
def held(request: pytest.FixtureRequest, talk: Talk) -> Held:
    name = {"article": "german_soviet", "manuals": "manuals"}[talk.about]
    return Held(request.getfixturevalue(name))


@pytest.mark.parametrize("talk", TALKS, ids=lambda talk: talk.name)
def test_a_talk_goes_as_its_script_says(talk: Talk, held: Held) -> None:
    assert spoken(talk, held) == []


@pytest.mark.parametrize(
    ("talk", "number"),
    [
        pytest.param(
            talk, number, id=line.say, marks=pytest.mark.xfail(reason=line.fails, strict=True)
        )
        for talk in TALKS
        for number, line in enumerate(talk.lines)
        if line.fails
    ],
)
def test_a_turn_of_which_the_library_falls_short(talk: Talk, number: int, held: Held) -> None:
    *_, last = [held(line) for line in talk.lines[: number + 1]]
    assert problems(talk.lines[number], last) == []
