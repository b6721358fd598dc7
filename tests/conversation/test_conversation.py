"""Conversations: follow-ups are understood, new topics are not distorted, state can be saved."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragkit import Conversation, Index, InputError, QuestionError, Turn
from ragkit.conversation import MAX_TURNS
from ragkit.conversation.ellipsis import completed
from ragkit.conversation.understanding import Understanding, understand
from ragkit.retrieval import encode_questions
from ragkit.types import Said


def test_a_follow_up_finds_what_it_refers_to(german_soviet: Index) -> None:
    talk = Conversation(german_soviet)
    talk.ask("When did the USSR join the League of Nations?")
    thrown_out = talk.ask("and when was it thrown out?")
    assert thrown_out.answered
    expelled = "On December 14 the Soviet Union was expelled"
    assert thrown_out.passages[0].text.find(expelled) >= 0
    alone = german_soviet.ask("and when was it thrown out?")
    assert expelled not in alone.text


def test_the_answer_says_how_the_question_was_understood(german_soviet: Index) -> None:
    talk = Conversation(german_soviet)
    first = talk.ask("When was the Treaty of Rapallo signed?")
    assert first.standalone == first.question
    second = talk.ask("and who signed it?")
    assert (second.question, second.standalone) == (
        "and who signed it?", "who signed the Treaty of Rapallo?",
    )  # fmt: skip
    assert second.to_dict()["standalone"] == second.standalone
    assert "signed by German Foreign Minister Walther Rathenau" in second.text


def test_what_an_answer_named_can_be_referred_to(german_soviet: Index) -> None:
    talk = Conversation(german_soviet)
    talk.ask("Which German ambassador to Moscow was murdered?")
    assert talk.ask("Who shot him?").standalone == "Who shot Wilhelm von Mirbach?"


def test_a_new_topic_forgets_the_old_one(german_soviet: Index) -> None:
    talk = Conversation(german_soviet)
    talk.ask("When was the Treaty of Rapallo signed?")
    talk.ask("When did the Winter War begin?")
    assert talk.ask("and when did it end?").standalone == "when did the Winter War end?"


def test_a_question_that_stands_alone_is_answered_as_without_history(
    german_soviet: Index,
) -> None:
    talk = Conversation(german_soviet)
    talk.ask("Who signed the Treaty of Rapallo?")
    question = "How many Latvians were deported or killed after the Soviet takeover?"
    assert talk.ask(question) == german_soviet.ask(question)


def test_citations_of_later_turns_verify_too(german_soviet: Index) -> None:
    talk = Conversation(german_soviet)
    for question in ("When did the Winter War begin?", "And when did it end?", "why?", "ok?"):
        answer = talk.ask(question)
        for passage in answer.passages:
            document = german_soviet.document(passage.citation.document_id)
            assert passage.citation.verify(document).ok
            assert sum(m.contribution for m in passage.matches) == pytest.approx(
                passage.signals["forward"], abs=1e-5
            )


def test_a_follow_up_to_an_unanswered_question_still_works(german_soviet: Index) -> None:
    talk = Conversation(german_soviet)
    assert not talk.ask("What does a haircut in Osaka cost?").answered
    assert talk.turns[0].section == ()
    assert talk.ask("And what about the Treaty of Rapallo?").passages


def test_the_caller_may_say_how_to_understand_a_question(german_soviet: Index) -> None:
    talk = Conversation(german_soviet)
    talk.ask("When did the Winter War begin?")
    meant = "Who signed the Treaty of Rapallo?"
    answer = talk.ask("who signed it?", standalone=meant)
    assert (answer.question, answer.standalone) == ("who signed it?", meant)
    assert answer.passages == german_soviet.ask(meant).passages


def test_a_rewriter_decides_how_later_questions_are_understood(german_soviet: Index) -> None:
    seen: list[tuple[Sequence[Turn], str]] = []

    def rewrite(turns: Sequence[Turn], question: str) -> str:
        seen.append((turns, question))
        return "Who signed the Treaty of Rapallo?"

    talk = Conversation(german_soviet, rewriter=rewrite)
    talk.ask("When was the Treaty of Rapallo signed?")
    assert not seen  # the first question has no history
    assert talk.ask("by whom?").standalone == "Who signed the Treaty of Rapallo?"
    assert seen[0][1] == "by whom?"


def test_state_is_bounded_json_from_which_a_conversation_continues(german_soviet: Index) -> None:
    talk = Conversation(german_soviet)
    for number in range(MAX_TURNS + 2):
        talk.ask(f"When was treaty number {number} signed?")
    assert len(talk.turns) == MAX_TURNS
    kept = json.loads(json.dumps(talk.to_dict()))
    again = Conversation.from_dict(kept, german_soviet)
    assert again.turns == talk.turns
    assert again.ask("why?") == talk.ask("why?")
    talk.forget()
    assert talk.turns == ()


def test_a_refused_question_is_not_remembered(german_soviet: Index) -> None:
    talk = Conversation(german_soviet)
    with pytest.raises(QuestionError):
        talk.ask("   ")
    assert talk.turns == ()


@pytest.mark.parametrize(
    "content", [{}, {"turns": [{}]}, {"turns": 3}, {"turns": [{"question": 1, "standalone": "x", "section": []}]}]
)  # fmt: skip
def test_malformed_state_is_refused(content: dict[str, object]) -> None:
    with pytest.raises(InputError, match="this is not a conversation"):
        Conversation.from_dict(content)


RAPALLO = (
    Turn("When was the Treaty of Rapallo signed?", "When was the Treaty of Rapallo signed?", (),
         "The Treaty of Rapallo was signed by Walther Rathenau in April 1922."),
)  # fmt: skip


@pytest.mark.parametrize(
    "question",
    [
        "Which German ambassador to Moscow was murdered?",
        "What did Hitler do about the communists once he came to power in 1933?",
        "Whose advice did Romania follow when it gave in to Soviet demands?",
        "How many Latvians were deported after the Soviet takeover?",
        "Near which town did the gun maker Krupp work in the USSR?",
    ],
)
def test_a_question_that_stands_alone_stays_as_it_is(question: str) -> None:
    assert understand(RAPALLO, question) == Understanding(question, None, ())


def test_a_short_question_in_another_language_is_encoded_with_the_history_in_front(
    german_soviet: Index,
) -> None:
    meant = understand(RAPALLO, "и почему?")
    assert (meant.standalone, meant.remark) == (None, None)
    assert meant.before == (Said("When was the Treaty of Rapallo signed?", 0.2),)
    assert understand(RAPALLO, "Кто подписал договор в Рапалло?").before == ()
    talk = Conversation(german_soviet, turns=RAPALLO)
    answer = talk.ask("и почему?")
    assert answer.passages[0].text.startswith("The Treaty of Rapallo between Weimar Germany")
    assert answer.standalone == talk.turns[-1].standalone == "и почему?"  # not two questions in one


def test_a_turn_that_cannot_be_worded_does_not_make_the_next_question_lean_on_it(
    german_soviet: Index,
) -> None:
    talk = Conversation(german_soviet)
    talk.ask("Who signed the Treaty of Rapallo?")
    talk.ask("When did the USSR join the League of Nations?")
    unworded = "back to the treaty: when was it signed?"
    assert talk.ask(unworded).standalone == unworded
    officers = "When did the first German officers go to Soviet Russia?"
    answer = talk.ask(officers)
    assert (answer.standalone, answer.answered) == (officers, True)
    assert "in March 1922" in answer.text


@pytest.mark.parametrize(
    ("earlier", "turn", "whole"),
    [
        ("When did Germany join the League of Nations?", "and the Soviet Union?",
         "When did the Soviet Union join the League of Nations?"),
        ("When was the Treaty of Rapallo signed?", "what about the Treaty of Berlin?",
         "When was the Treaty of Berlin signed?"),
        ("What happened in 1922?", "and in 1926?", "What happened in 1926?"),
        ("What is /srv for?", "and /opt?", "What is /opt for?"),
        ("How do I read JSON?", "ok, and TOML then?", "How do I read TOML?"),
        ("What does the Aero 13 weigh?", "and the Aero 15?", "What does the Aero 15 weigh?"),
        ("What are Norway's fjords?", "and Chile?", "What are Chile's fjords?"),
        ("How do I read a TOML file?", "and write one?", "How do I write a TOML file?"),
    ],
)  # fmt: skip
def test_an_ellipsis_is_the_question_before_it_with_one_phrase_replaced(
    earlier: str, turn: str, whole: str
) -> None:
    assert understand([Turn(earlier, earlier, ())], turn).standalone == whole


@pytest.mark.parametrize(
    ("earlier", "turn"),
    [
        (["When did Germany invade Poland?"], "and Poland?"),  # it was named
        (["When did Germany and Italy sign it?"], "and Japan?"),  # for one of them, or for both
        (["Who signed the Treaty of Rapallo?", "When did the USSR join the League of Nations?"],
         "what about the Treaty of Rapallo?"),  # a return
        (["When was the Winter War?"], "and in 1940?"),  # no year to replace
        (["What is a backport?"], "and conffiles?"),  # no name
        (["What is in /var?"], "and when is it cleaned?"),  # a whole question
        (["How deep can I dive?"], "and with one?"),
        ([], "and Poland?"),
    ],
)  # fmt: skip
def test_what_is_no_ellipsis_of_the_last_question_is_left_to_the_model(
    earlier: list[str], turn: str
) -> None:
    assert completed(earlier, turn) is None


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["Who won?", "The Treaty.", "x"]), max_size=3), st.floats(0, 1))
def test_history_has_the_weight_it_is_given(
    german_soviet: Index, texts: list[str], weight: float
) -> None:
    data, weights = german_soviet._data, german_soviet.config
    question = "who signed the pact?"
    before = [Said(text, weight) for text in texts]
    [query] = encode_questions(data, german_soviet.encoder, [question], weights, before)
    [alone] = encode_questions(data, german_soviet.encoder, [question], weights)
    own = query.weights[-len(alone.weights) :]
    assert query.text == " ".join([*texts, question])
    assert query.weights.sum() == pytest.approx(1, abs=1e-5)
    assert own / own.sum() == pytest.approx(alone.weights, abs=1e-5)
    if weight == 0 or not texts:
        assert own.sum() == pytest.approx(1, abs=1e-5)
