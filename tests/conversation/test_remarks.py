"""Remarks: turns that ask the conversation for something get a reply and retrieve nothing."""

from __future__ import annotations

import pytest

from ragkit import Abstention, Conversation, Document, Index, Remark

QUESTION = "When did the first German officers go to Soviet Russia?"
ANSWER = "The first German officers went to Soviet Russia for these purposes in March 1922."


@pytest.fixture
def talk(german_soviet: Index) -> Conversation:
    talk = Conversation(german_soviet)
    talk.ask(QUESTION)
    return talk


@pytest.mark.parametrize(
    ("turn", "remark", "reply"),
    [
        ("thanks!", Remark.THANKS, "You are welcome."),
        ("bye, see you tomorrow", Remark.GOODBYE, "Goodbye."),
        ("hi there", Remark.GREETING, "Hello. Ask me about “Germany–Soviet Union relations (1918–1941)”."),
    ],
)  # fmt: skip
def test_a_polite_turn_gets_a_polite_reply_and_no_passage(
    talk: Conversation, turn: str, remark: Remark, reply: str
) -> None:
    answer = talk.ask(turn)
    assert (answer.remark, answer.reply, answer.passages) == (remark, reply, ())
    assert (answer.answered, answer.reason) == (False, Abstention.NO_QUESTION)
    assert str(answer) == reply
    assert answer.to_dict()["remark"] == remark.value


def test_asked_what_it_can_do_it_names_its_documents(talk: Conversation) -> None:
    answer = talk.ask("what can you do?")
    assert answer.remark is Remark.HELP
    assert "Germany–Soviet Union relations" in answer.reply


@pytest.mark.parametrize(
    ("turn", "remark", "reply"),
    [
        ("say that again please", Remark.REPEAT, ANSWER),
        ("shorter please", Remark.SHORTER, "March 1922"),
        ("can you say that in German?", Remark.LANGUAGE, "I quote the documents in their own language"),
        ("what's your source?", Remark.SOURCE, "§ The Soviet Union and Weimar Germany"),
    ],
)  # fmt: skip
def test_a_remark_about_the_answer_before_is_replied_to_with_its_passages(
    talk: Conversation, turn: str, remark: Remark, reply: str
) -> None:
    before = talk.turns
    answer = talk.ask(turn)
    assert answer.remark is remark
    assert reply in answer.reply
    assert answer.passages[0].text.find(ANSWER) >= 0
    assert answer.answered
    assert talk.turns == before  # later questions refer to what came before the remark


def test_the_source_of_a_follow_ups_answer_is_the_passage_that_it_was_quoted_from(
    talk: Conversation,
) -> None:
    talk.ask("When did the USSR join the League of Nations?")
    answer = talk.ask("and when was it thrown out?")
    source = talk.ask("who says so?")
    assert source.remark is Remark.SOURCE
    [passage] = source.passages
    assert passage.citation == answer.passages[0].citation
    assert passage.highlights == answer.passages[0].highlights
    assert answer.text in source.reply


def test_the_source_is_what_was_quoted_whatever_was_searched(german_soviet: Index) -> None:
    documents = [
        Document("a", "A", "The fee is 5 euros.", metadata={"branch": "a"}),
        Document("b", "B", "The fee is 7 euros.", metadata={"branch": "b"}),
    ]
    talk = Conversation(Index.build(documents, encoder=german_soviet.encoder))
    for branch, fee in (("a", "5"), ("b", "7")):
        answer = talk.ask("How high is the fee?", where={"branch": branch}, threshold=0.0)
        for conditions in (None, {"branch": "a"}, {"branch": "nowhere"}):
            source = talk.ask("what's your source?", where=conditions, threshold=1.0)
            assert source.answered
            assert source.reply == f"{branch.upper()}: “The fee is {fee} euros.”"
            assert source.confidence == answer.confidence


def test_a_conversation_of_an_older_version_has_no_source_to_name(german_soviet: Index) -> None:
    state = {"turns": [{"question": QUESTION, "standalone": QUESTION, "section": []}]}
    answer = Conversation.from_dict(state, german_soviet).ask("what's your source?")
    assert (answer.answered, answer.passages) == (False, ())
    assert "no answer that I could come back to" in answer.reply


def test_documents_that_changed_since_are_not_quoted(german_soviet: Index) -> None:
    before = Index.build([Document("a", "A", "The fee is 5 euros.")], encoder=german_soviet.encoder)
    after = Index.build([Document("b", "B", "It is 7.")], encoder=german_soviet.encoder)
    talk = Conversation(before)
    talk.ask("How high is the fee?", threshold=0.0)
    later = Conversation(after, turns=talk.turns)
    assert "have changed since" in later.ask("what's your source?").reply


def test_asked_for_more_it_gives_the_whole_passage(talk: Conversation) -> None:
    answer = talk.ask("tell me more about that")
    assert answer.remark is Remark.LONGER
    assert answer.reply == answer.passages[0].text


def test_a_remark_about_an_answer_that_there_was_not_says_so(german_soviet: Index) -> None:
    assert "no answer yet" in Conversation(german_soviet).ask("say that again").reply
    talk = Conversation(german_soviet)
    assert not talk.ask("What does a haircut in Osaka cost?").answered
    again = talk.ask("say that again please")
    assert "has no answer" in again.reply
    assert not again.answered


def test_many_documents_are_counted_instead_of_named(german_soviet: Index) -> None:
    documents = [Document(f"d{n}", f"Title {n}", f"Text {n}.") for n in range(5)]
    index = Index.build(documents, encoder=german_soviet.encoder)
    assert Conversation(index).ask("hello").reply == "Hello. Ask me about the 5 documents here."


@pytest.mark.parametrize(
    "question",
    [
        "Who said that the pact was dead?",
        "Who thanked Stalin for his help?",
        "What was the source of the oil?",
        "What languages were spoken in Lithuania?",
        "why?",
        "and the shorter treaty?",
        "Hi-Fi system?",
        "Wer unterschrieb den Vertrag?",
        "¿Cuánto cuesta el envío?",
        "Combien coûte la livraison ?",
        "Hoeveel vakantiedagen zijn er?",
        "Urlaubstage?",
        "und wann?",
        "pourquoi ?",
        "Hello! I hope that you are well. "
        + "I have read a lot about it. " * 12
        + "Who signed it?",
    ],
)
def test_a_question_that_looks_like_a_remark_is_asked(talk: Conversation, question: str) -> None:
    assert talk.ask(question).remark is None
