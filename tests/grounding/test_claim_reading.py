"""With a reader, a sentence that combines a passage's own words wrongly is not kept."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ragkit import Answer, ChatModel, Citation, Index, Passage, Support, check_support
from ragkit.grounding import SupportChecker
from ragkit.grounding.claim_parts import Sort, parts_of, question_about
from ragkit.grounding.claim_places import Worded, exchanged, rival_of, worded_sentences
from ragkit.grounding.claim_reading import MOST_ASKED, MOST_PASSAGES, ClaimReader
from ragkit.reading import Reader, Reading, Window, load_reader
from support.chat_endpoint import endpoint

TEXT = (
    "The treaty was signed in Rapallo by the German minister Walther Rathenau. Georgy Chicherin "
    "signed for Soviet Russia. In 1926 Gustav Stresemann signed the Treaty of Berlin, which was "
    "concluded for 5 years. The loan of 1935 amounted to 200 million marks."
)
FAITHFUL = (
    "Walther Rathenau signed the treaty in Rapallo.",
    "Chicherin signed for Soviet Russia.",
    "Stresemann signed the Treaty of Berlin in 1926.",
    "In 1935 the loan amounted to 200 million marks.",
)
WRONG = (
    "Stresemann signed for Soviet Russia.",
    "Rathenau signed the Treaty of Berlin in 1926.",
    "The loan of 1926 amounted to 200 million marks.",
    "The Treaty of Berlin was signed in 1935.",
)


def passage(text: str = TEXT, *, rank: int = 1) -> Passage:
    return Passage(text, 1.0, rank, Citation("d", "Treaties", (), 0, len(text), text))


@pytest.fixture(scope="module")
def reader() -> Reader:
    return load_reader()


@pytest.mark.parametrize("claim", FAITHFUL)
def test_what_the_passage_says_in_other_words_stays_supported(reader: Reader, claim: str) -> None:
    said = SupportChecker([passage()], reader).check(f"{claim} [1]")
    assert said is not None
    assert said.status is Support.SUPPORTED, said.reason
    assert said.kept


@pytest.mark.parametrize("claim", WRONG)
def test_its_words_put_together_wrongly_are_contradicted_and_without_a_reader_supported(
    reader: Reader, claim: str
) -> None:
    read = SupportChecker([passage()], reader).check(f"{claim} [1]")
    assert read is not None
    assert (read.status, read.passages, read.kept) == (Support.CONTRADICTED, (1,), False)
    assert read.reason
    by_words = SupportChecker([passage()]).check(f"{claim} [1]")
    assert by_words is not None
    assert by_words.status is Support.SUPPORTED


def test_the_reason_names_what_the_passage_says_instead(reader: Reader) -> None:
    said = SupportChecker([passage()], reader).check("Stresemann signed for Soviet Russia. [1]")
    assert said is not None
    assert "Georgy Chicherin" in said.reason
    assert "not Stresemann" in said.reason


def test_a_sentence_of_the_passage_is_not_read(reader: Reader) -> None:
    counting = Counting(reader)
    said = SupportChecker([passage()], counting).check("Georgy Chicherin signed for Soviet Russia.")
    assert said is not None
    assert said.status is Support.VERBATIM
    assert counting.batches == []


def test_a_contradicted_sentence_is_misattributed_if_another_passage_says_it(
    reader: Reader,
) -> None:
    other = passage("Gustav Stresemann signed for Soviet Russia, they say.", rank=2)
    said = SupportChecker([passage(), other], reader).check(
        "Stresemann signed for Soviet Russia [1]."
    )
    assert said is not None
    assert (said.status, said.passages) == (Support.MISATTRIBUTED, (1,))


def test_a_passage_in_another_language_is_left_to_the_words(reader: Reader) -> None:
    german = (
        "Der Vertrag wurde von Walther Rathenau für Deutschland und von Georgi Tschitscherin für "
        "Russland unterzeichnet."
    )
    counting = Counting(reader)
    said = SupportChecker([passage(german)], counting).check(
        "Tschitscherin hat für Deutschland und Rathenau für Russland unterzeichnet. [1]"
    )
    by_words = SupportChecker([passage(german)]).check(
        "Tschitscherin hat für Deutschland und Rathenau für Russland unterzeichnet. [1]"
    )
    assert said == by_words
    assert counting.batches == []


def test_a_sentence_is_read_in_one_batch_of_a_few_windows(reader: Reader) -> None:
    counting = Counting(reader)
    years = " then ".join(str(year) for year in range(1900, 1930))
    long = f"The treaties of {years} were signed in Rapallo, says the minister for trade."
    many = [passage(f"{long} It is so. {TEXT}", rank=rank) for rank in range(1, 8)]
    ClaimReader(counting).objection(f"In Rapallo the treaties of {years} were signed.", many)
    assert counting.batches == [MOST_ASKED * MOST_PASSAGES]


def test_a_claim_without_names_dates_and_numbers_is_not_judged(reader: Reader) -> None:
    assert ClaimReader(reader).doubts("the treaty was signed by the minister", [passage()]) is None


def test_each_part_is_asked_for_with_a_question_word_in_its_place() -> None:
    claim = "On 16 April 1922 the Germans of Rapallo paid $3 million for 12 ships, or 5%."
    questions = {part.text: question_about(claim, [part]) for part in parts_of(claim)}
    assert questions["16 April 1922"].startswith("On what date the Germans")
    assert "paid how much for 12 ships" in questions["$3 million"]
    assert "for how many ships" in questions["12"]
    assert questions["5%"].endswith("or what percentage?")


def test_another_name_of_the_passage_fits_the_words_around_a_wrong_one_better() -> None:
    sentences = worded_sentences("Rathenau signed for Germany. Chicherin signed for Russia.")
    right, wrong = (
        Worded.of("Chicherin signed for Russia."),
        Worded.of("Rathenau signed for Russia."),
    )
    assert [part.sort for part in right.parts] == [Sort.NAME, Sort.NAME]
    assert rival_of(right, right.parts[0], sentences).margin < 0
    rival = rival_of(wrong, wrong.parts[0], sentences)
    # "signed" (weight 1) and "Russia" (3/4) stand around Chicherin as in the claim, around Rathenau
    # "signed" alone; a weight of 1 always matches nothing.
    assert rival.text == "Chicherin"
    assert rival.margin == pytest.approx((1.75 - 1) / 2.75)


def test_a_claim_with_two_names_exchanged_fits_better_when_they_are_exchanged_back() -> None:
    sentences = worded_sentences("Otto attacked Bari in the spring.")
    assert exchanged(Worded.of("In spring Otto attacked Bari."), sentences) == 0
    assert exchanged(Worded.of("Bari attacked Otto."), sentences) > 0.1


def test_an_index_with_a_reader_drops_what_a_language_model_combines_wrongly(
    german_soviet: Index,
) -> None:
    question = "Who signed the Treaty of Rapallo?"

    def asked(index: Index) -> Answer:
        with endpoint([f"{WRONG_THREAT} It was signed by Walther Rathenau [1]."]) as to:
            return index.ask(question, llm=ChatModel("m", base_url=to.url, timeout=5, retries=0))

    read, by_words = asked(german_soviet), asked(german_soviet.with_reader(None))
    assert read.generated is not None
    assert by_words.generated is not None
    assert [s.kept for s in by_words.generated.sentences] == [True, True]
    assert [s.kept for s in read.generated.sentences] == [False, True]
    assert read.text == "It was signed by Walther Rathenau. [1]"
    passages = read.passages
    [checked] = check_support(WRONG_THREAT, german_soviet, passages=passages)
    assert checked.status is Support.CONTRADICTED


WRONG_THREAT = "France perceived the treaty as an imminent threat [3]."


class Counting:
    """A reader that records how many windows each batch had."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.batches: list[int] = []
        self.calibration, self.languages = reader.calibration, reader.languages
        self.window_tokens = reader.window_tokens
        self.token_spans = reader.token_spans

    def read(self, asked: Sequence[tuple[str, Window]]) -> list[Reading]:
        self.batches.append(len(asked))
        return self._reader.read(asked)
