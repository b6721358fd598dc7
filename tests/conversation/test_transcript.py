"""Transcripts: citations are numbered through a talk, which can be saved and read again."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from ragkit import Answer, Citation, Conversation, Document, Index, InputError
from ragkit.answering.answer import Abstention, Choice, Remark
from ragkit.answering.cited import cited_passages
from ragkit.answering.generated import Generated, Sentence, Support
from ragkit.conversation.transcript import Transcript

LEAGUE = "When did the USSR join the League of Nations?"
RAPALLO = "Who signed the Treaty of Rapallo?"
BREAD = "How do I bake sourdough bread?"


def talk(index: Index, *questions: str, k: int = 1) -> tuple[Conversation, Transcript]:
    conversation, transcript = Conversation(index), Transcript()
    for question in questions:
        transcript.add(conversation.ask(question, k=k))
    return conversation, transcript


def written(answer: Answer, *sentences: Sentence) -> Answer:
    """The answer as if a language model had written it."""
    text = " ".join(sentence.text for sentence in sentences if sentence.kept)
    return replace(answer, text=text, generated=Generated("model", "stop", sentences))


def test_citations_are_numbered_through_the_talk_and_keep_their_numbers(
    german_soviet: Index,
) -> None:
    _, transcript = talk(
        german_soviet, LEAGUE, RAPALLO, "Which ministers signed the Treaty of Rapallo?", LEAGUE
    )
    league, rapallo = transcript.sources
    assert (league.number, rapallo.number) == (1, 2)
    assert "September 1934" in league.citation.quote
    assert "Walther Rathenau" in rapallo.citation.quote
    numbers = [transcript.number(answer.passages[0].citation) for answer in transcript.answers]
    assert numbers == [1, 2, 2, 1]
    assert len(transcript.sources) == 2


def test_a_source_is_looked_up_by_its_number(german_soviet: Index) -> None:
    _, transcript = talk(german_soviet, LEAGUE, RAPALLO)
    assert transcript.source(2) == transcript.sources[1]
    for wrong in (0, 3, -1):
        with pytest.raises(InputError, match="from 1 to 2"):
            transcript.source(wrong)
    with pytest.raises(InputError, match="nothing is cited yet"):
        Transcript().source(1)


def test_an_answer_cites_its_passages_and_a_question_without_one_the_nearest(
    german_soviet: Index,
) -> None:
    answered = german_soviet.ask(RAPALLO, k=3)
    assert cited_passages(answered) == answered.passages
    unanswered = german_soviet.ask(BREAD, k=3)
    assert not unanswered.answered
    assert cited_passages(unanswered) == unanswered.passages[:1]
    thanks = replace(
        unanswered,
        passages=(),
        reason=Abstention.NO_QUESTION,
        remark=Remark.THANKS,
        reply="Gladly.",
    )
    assert cited_passages(thanks) == ()


def test_what_a_language_model_wrote_cites_what_supports_it_in_its_order(
    german_soviet: Index,
) -> None:
    answer = german_soviet.ask(RAPALLO, k=3)
    third = Sentence("Third.", Support.SUPPORTED, (3,), kept=True)
    first = Sentence("First.", Support.VERBATIM, (1,), kept=True)
    wrong = Sentence("Wrong.", Support.MISATTRIBUTED, (2,), kept=True, reason="not there")
    transcript = Transcript()
    transcript.add(written(answer, third, wrong, first))
    assert [source.citation for source in transcript.sources] == [
        answer.passages[2].citation,
        answer.passages[0].citation,
    ]
    assert transcript.renumbered(third, answer.passages).passages == (1,)
    assert transcript.renumbered(first, answer.passages).passages == (2,)
    assert transcript.renumbered(wrong, answer.passages).passages == ()
    text = transcript.to_markdown()
    assert "Third. [1] ~~Wrong.~~ (misattributed) First. [2]" in text
    assert len(transcript.sources) == 2


def test_a_letter_names_a_choice_of_the_last_answer_alone(german_soviet: Index) -> None:
    answer = german_soviet.ask("When was the Treaty of Berlin signed?")
    choices = (Choice("Berlin 1926", "When in 1926?", 1), Choice("Berlin 1939", "When in 1939?", 2))
    transcript = Transcript()
    assert transcript.choice("a") is None
    transcript.add(replace(answer, choices=choices))
    assert [transcript.choice(text) for text in ("a", "B", "b)", " a ")] == [
        choices[0], choices[1], choices[1], choices[0],
    ]  # fmt: skip
    assert [transcript.choice(text) for text in ("c", "ab", "", "why?")] == [None] * 4
    assert "- b) Berlin 1939" in transcript.to_markdown()
    transcript.add(replace(answer, choices=()))
    assert transcript.choice("a") is None


def test_markdown_has_questions_answers_and_every_source_with_its_quote(
    german_soviet: Index,
) -> None:
    conversation, transcript = talk(german_soviet, LEAGUE, RAPALLO, BREAD)
    transcript.add(conversation.ask("and when?", k=1, standalone="When was it signed?"))
    text = transcript.to_markdown()
    for question in (LEAGUE, RAPALLO, BREAD, "and when?"):
        assert f"\n## {question}\n" in text
    assert "*You asked about: When was it signed?*" in text
    assert text.count("You asked about") == 1
    assert "September 1934. [1]" in text
    assert "The corpus does not say (" in text
    assert "Nearest: [3]" in text
    body, sources = text.split("\n## Sources\n")
    assert set(re.findall(r"\[(\d+)\]", body)) == {str(s.number) for s in transcript.sources}
    html = MarkdownIt().render(sources)
    assert html.count("<blockquote>") == len(transcript.sources)
    assert html.count("<ol>") == 1
    assert 'href="https://en.wikipedia.org/' in html


def test_markdown_of_a_hostile_corpus_contains_only_its_words() -> None:
    text = "# Heading <script>alert(1)</script> [x](javascript:y) rivers flow *fast*."
    hostile = Document("h", "<b>[T](u)</b>", text, url="javascript:alert(1)")
    _, transcript = talk(Index.build([hostile]), "Do rivers flow fast?")
    html = MarkdownIt("commonmark", {"html": True}).render(transcript.to_markdown())
    assert "<script" not in html
    assert "<b>" not in html
    assert "<a " not in html
    assert "rivers flow *fast*" in html


def test_a_reply_to_a_remark_is_saved_with_its_sources(german_soviet: Index) -> None:
    answer = german_soviet.ask(RAPALLO, k=1)
    repeated = replace(answer, question="say that again", remark=Remark.REPEAT, reply="Once more.")
    thanks = Answer(
        "thanks",
        False,
        "",
        0.0,
        reason=Abstention.NO_QUESTION,
        remark=Remark.THANKS,
        reply="Gladly.",
    )
    transcript = Transcript()
    transcript.add(repeated)
    transcript.add(thanks)
    assert "Once more. [1]\n" in transcript.to_markdown()
    assert "Gladly.\n" in transcript.to_markdown()
    assert "does not say" not in transcript.to_markdown()


def test_a_saved_talk_goes_on_where_it_was(german_soviet: Index, tmp_path: Path) -> None:
    conversation, transcript = talk(german_soviet, LEAGUE, RAPALLO, k=2)
    path = tmp_path / "talk.json"
    transcript.save(path, conversation)
    content = json.loads(path.read_text(encoding="utf-8"))
    assert Conversation.from_dict(content, german_soviet).turns == conversation.turns
    assert [answer["question"] for answer in content["answers"]] == [LEAGUE, RAPALLO]
    for source in content["sources"]:
        assert (
            Citation.from_dict(source["citation"]) == transcript.source(source["number"]).citation
        )
    [first, _] = content["answers"][0]["passages"]
    assert first["number"] == 1


@pytest.mark.parametrize("name", ["talk.json", "talk.jsonl"])
def test_a_talk_is_loaded_as_it_was_saved_and_can_be_saved_again(
    german_soviet: Index, tmp_path: Path, name: str
) -> None:
    conversation, transcript = talk(
        german_soviet.with_reader("shipped"), LEAGUE, RAPALLO, BREAD, k=3
    )
    transcript.add(conversation.ask("thanks"))
    third = Sentence("Third.", Support.SUPPORTED, (3,), kept=True)
    first = Sentence("First.", Support.VERBATIM, (1,), kept=True, reason="why not")
    answer = written(german_soviet.ask("When was the Treaty of Berlin signed?", k=3), third, first)
    transcript.add(answer)
    conversation.remember(answer)
    transcript.save(tmp_path / name, conversation)
    loaded = Transcript.load(tmp_path / name)
    assert loaded.answers == transcript.answers
    assert loaded.sources == transcript.sources
    assert Conversation.load(tmp_path / name, german_soviet).turns == conversation.turns
    loaded.save(tmp_path / f"again-{name}", conversation)
    assert (tmp_path / f"again-{name}").read_bytes() == (tmp_path / name).read_bytes()


def test_json_lines_have_one_answer_a_line_with_its_citations(
    german_soviet: Index, tmp_path: Path
) -> None:
    conversation, transcript = talk(german_soviet, LEAGUE, RAPALLO)
    transcript.save(tmp_path / "talk.jsonl", conversation)
    lines = (tmp_path / "talk.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["question"] for line in lines] == [LEAGUE, RAPALLO]
    citation = Citation.from_dict(json.loads(lines[0])["passages"][0]["citation"])
    assert citation.verify(german_soviet.document(citation.document_id)).ok


def test_a_loaded_conversation_understands_what_refers_to_it(
    german_soviet: Index, tmp_path: Path
) -> None:
    conversation, transcript = talk(german_soviet, LEAGUE)
    transcript.save(tmp_path / "talk.jsonl", conversation)
    loaded = Conversation.load(tmp_path / "talk.jsonl", german_soviet)
    question = "and when was it thrown out?"
    assert loaded.ask(question) == conversation.ask(question)
    other = Conversation.load(
        tmp_path / "talk.jsonl", Index.build([Document("b", "Bread", "Bread.")])
    )
    assert other.ask("say that again").reply.startswith("The documents have changed")


def test_the_state_of_a_conversation_alone_is_loaded_too(
    german_soviet: Index, tmp_path: Path
) -> None:
    conversation, _ = talk(german_soviet, LEAGUE)
    path = tmp_path / "state.json"
    path.write_text(json.dumps(conversation.to_dict()), encoding="utf-8")
    assert Conversation.load(path, german_soviet).turns == conversation.turns
    assert Transcript.load(path).answers == ()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("talk.md", "# Talk\n"),
        ("talk.json", "[]"),
        ("talk.json", '{"turns": [{"question": 1}]}'),
        ("talk.json", '{"turns": [], "answers": [{"question": "Who?"}]}'),
        ("talk.jsonl", '{"id": "q1", "question": "Who?"}\n'),
        ("talk.jsonl", '{"question": "Wh'),
        ("talk.jsonl", "7"),
        ("missing.json", None),
    ],
)
def test_a_file_that_is_no_saved_talk_is_named(
    tmp_path: Path, name: str, content: str | None
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    for load in (Transcript.load, Conversation.load):
        with pytest.raises(InputError, match=rf"{name} cannot be continued .*/save talk\.json"):
            load(tmp_path / name)


def test_a_file_is_not_overwritten_unless_that_is_said(
    german_soviet: Index, tmp_path: Path
) -> None:
    conversation, transcript = talk(german_soviet, LEAGUE)
    path = tmp_path / "talk.md"
    path.write_text("Mine.", encoding="utf-8")
    with pytest.raises(InputError, match=r"talk\.md exists .* `/save .*talk\.md --force`"):
        transcript.save(path, conversation)
    assert path.read_text(encoding="utf-8") == "Mine."
    transcript.save(path, conversation, overwrite=True)
    assert path.read_text(encoding="utf-8") == transcript.to_markdown()
    with pytest.raises(InputError, match="cannot be written"):
        transcript.save(tmp_path / "no" / "folder.md", conversation)


def test_an_empty_talk_is_not_saved(german_soviet: Index, tmp_path: Path) -> None:
    path = tmp_path / "talk.md"
    with pytest.raises(InputError, match="nothing to save"):
        Transcript().save(path, Conversation(german_soviet))
    assert not path.exists()


def test_a_cleared_transcript_numbers_from_one_again(german_soviet: Index) -> None:
    _, transcript = talk(german_soviet, LEAGUE, RAPALLO)
    transcript.clear()
    assert (transcript.answers, transcript.sources) == ((), ())
    transcript.add(german_soviet.ask(RAPALLO, k=1))
    assert transcript.source(1).citation.quote.startswith("The Treaty of Rapallo")


def test_numbers_of_an_answer_that_was_broken_off_stay_in_a_talk_that_goes_on(
    german_soviet: Index, tmp_path: Path
) -> None:
    conversation, transcript = Conversation(german_soviet), Transcript()
    [broken] = german_soviet.ask(RAPALLO, k=1).passages
    assert transcript.number(broken.citation) == 1
    transcript.add(conversation.ask(LEAGUE, k=1))
    transcript.save(tmp_path / "talk.json", conversation)
    assert Transcript.load(tmp_path / "talk.json").sources == transcript.sources
