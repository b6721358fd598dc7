"""An answer says whether its confidence was fitted for the model and the language."""

from __future__ import annotations

from pathlib import Path

from ragkit import Answer, Document, Index, RetrievalConfig, load_encoder
from ragkit.answering.saved_answers import answer_from_dict
from ragkit.catalogue import catalogue
from ragkit.cli.output import confidence_line
from support.parts import make_model

ENGLISH = Document(
    "bakery", "Bakery", "The bakery opens at seven in the morning. It is closed on Sundays."
)
GERMAN = Document(
    "bäckerei", "Bäckerei", "Die Bäckerei öffnet um sieben Uhr. Am Sonntag ist sie geschlossen."
)


def test_the_default_model_is_calibrated_for_english() -> None:
    answer = Index.build([ENGLISH]).ask("When does the bakery open?")
    assert answer.calibrated
    assert "not calibrated" not in confidence_line(answer, catalogue("en"))


def test_another_language_is_said_not_to_be_calibrated() -> None:
    answer = Index.build([GERMAN]).ask("Wann öffnet die Bäckerei?")
    assert not answer.calibrated
    assert "not calibrated" in confidence_line(answer, catalogue("en"))
    assert "nicht kalibriert" in confidence_line(answer, catalogue("de"))
    assert "not calibrated" in answer._repr_html_()


def test_a_question_in_another_language_than_the_passage_is_not_calibrated() -> None:
    answer = Index.build([ENGLISH]).ask("Wann öffnet die Bäckerei und wer ist der Bäcker?")
    assert not answer.calibrated


def test_another_script_is_not_calibrated() -> None:
    document = Document("面包店", "面包店", "面包店早上七点开门。星期日不营业。")
    assert not Index.build([document]).ask("面包店几点开门？").calibrated


def test_another_model_is_not_calibrated_until_the_index_is_tuned(tmp_path: Path) -> None:
    encoder = load_encoder(str(make_model(tmp_path)))
    question = "When does the bakery open?"
    assert not Index.build([ENGLISH], encoder=encoder).ask(question).calibrated
    tuned = Index.build([ENGLISH], encoder=encoder, config=RetrievalConfig(slope=0.8, shift=0.4))
    assert tuned.ask(question).calibrated


def test_what_is_not_calibrated_is_saved_and_read_again() -> None:
    answer = Answer("Wann?", answered=False, text="", confidence=0.2, calibrated=False)
    assert not answer_from_dict(answer.to_dict()).calibrated
    before = {k: v for k, v in answer.to_dict().items() if k != "calibrated"}
    assert answer_from_dict(before).calibrated  # older versions did not say
