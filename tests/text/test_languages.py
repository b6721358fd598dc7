"""Words and sentences of many scripts and languages."""

from __future__ import annotations

import json
import unicodedata

import pytest

from ragkit import Document, Index
from ragkit.text.languages import language_of, primary_language
from ragkit.text.sentences import split_sentences
from ragkit.text.spans import Span
from ragkit.text.words import stems_of, word_at, words_of
from support.parts import ROOT

SENTENCES = {
    "zh": ["条约于1922年签署。", "谁签的？", "他说：“是我。”", "两国恢复了外交关系。[3]", "完。"],
    "ja": ["条約は1922年に調印された。", "誰が署名したのか？", "「私だ。」と彼は言った。"],
    "ar": ["وُقّعت المعاهدة عام 1922.", "من وقّعها؟", "وقّعها الوزيران."],
    "ur": ["معاہدے پر دستخط ہوئے۔", "یہ اپریل تھا۔"],
    "hi": ["संधि पर 1922 में हस्ताक्षर हुए।", "किसने हस्ताक्षर किए?", "दो मंत्रियों ने।"],
    "ru": [
        "Он жил на ул. Ленина в Москве.",
        "Потом проф. Иванов уехал.",
        "Книги и т. д. стоят 300 руб. в месяц.",
        "Это А. С. Пушкин.",
        "Всё.",
    ],
    "de": [
        "Der Vertrag wurde am 16. März 1922 unterzeichnet.",
        "Vor dem 2. Weltkrieg galt er noch.",
        "Siehe Tab. 3 und Abb. Nr. 4 auf der Seite.",
        "Das gilt z.B. für Hunde, Katzen usw. im Haus, s. S. 12.",
        "Er sagte: „Es ist vorbei.“",
        "Am 3. 10. 1990 kam Friedrich II. u.a. nach St. Gallen.",
        "Wir wohnen in der Hauptstr. 12 im 4. Stock.",
        "Der Aufzug ist defekt.",
    ],
    "es": ["El Sr. García firmó el tratado.", "La Sra. Ruiz no lo firmó en la pág. 12."],
    "it": ["Il sig. Rossi ha firmato il trattato con il dott. Verdi.", "La sig.ra Bianchi no."],
    "pt": ["O Sr. Silva assinou o tratado com a Profa. Lima.", "A Sra. Costa não assinou."],
    "nl": ["Dat geldt o.a. voor de honden van mevr. Jansen.", "Het huis is van dhr. de Vries."],
    "km": ["សន្ធិសញ្ញា។", "វាគឺខែមេសា។"],
    "fr": ["Mme. Curie est née dans la ville.", "Elle a vécu à Paris avec M. Curie."],
    "el": ["Ποιος υπέγραψε;", "Η συνθήκη υπογράφηκε το 1922.", "Ο δρ. Παπαδόπουλος έφυγε."],
    "en": [
        "The treaty was signed on May 16.",
        "The war ended.[3]",
        "It rained.³",
        "Mr. Smith left.",
    ],
}


@pytest.mark.parametrize("language", SENTENCES)
def test_sentences_end_where_the_language_ends_them(language: str) -> None:
    expected = SENTENCES[language]
    text = ("" if language in ("zh", "ja") else " ").join(expected)
    spans = split_sentences(text, Span(0, len(text)))
    assert [text[start:end] for start, end in spans] == expected


def test_a_language_that_is_given_decides_where_the_words_do_not() -> None:
    text = "Treffen: 16. März, Rathaus."
    assert len(split_sentences(text, Span(0, len(text)), language="de")) == 1
    assert len(split_sentences("Otto, ul. Polna", Span(0, 15), language="pl")) == 1


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Der Vertrag wurde unterzeichnet.", "de"),
        ("¿Quién firmó el tratado de Rapallo?", "es"),
        ("Qui a signé le traité de Rapallo ?", "fr"),
        ("Antlaşmayı kim imzaladı?", "tr"),
        ("Ai đã ký hiệp ước Rapallo?", "vi"),
        ("Wie heeft het verdrag getekend?", "nl"),
        ("Kto podpisał traktat w Rapallo?", "pl"),
        ("Who signed the Treaty of Rapallo?", "en"),
        ("Кто подписал договор?", "ru"),
        ("Хто підписав договір і її умови?", "uk"),
        ("من وقّع المعاهدة؟", "ar"),
        ("谁签署了条约？", "zh"),
        ("条約に署名したのは誰ですか？", "ja"),
        ("조약에 누가 서명했습니까?", "ko"),
        ("ใครลงนามในสนธิสัญญา", "th"),
        ("Rapallo 1922", None),
        ("", None),
    ],
)
def test_the_language_of_a_sentence_is_told(text: str, language: str | None) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    ("tag", "language"),
    [("de", "de"), ("de-AT", "de"), ("zh_Hant_TW", "zh"), ("EN-us", "en"), ("ast", "ast")],
)
def test_a_language_tag_names_a_language(tag: str, language: str) -> None:
    assert primary_language(tag) == language


@pytest.mark.parametrize("tag", ["", "German", "und", "d", "de AT", "{{ lang }}"])
def test_what_is_no_language_tag_names_none(tag: str) -> None:
    assert primary_language(tag) is None


@pytest.mark.parametrize(
    ("language", "question", "text"),
    [
        ("de", "Vertrages", "Verträge"),
        ("de", "Häuser", "Haus"),
        ("fr", "signée", "signer"),
        ("es", "firmaron", "firmar"),
        ("tr", "evlerin", "evler"),
        ("sv", "fördragen", "fördraget"),
    ],
)
def test_words_are_stemmed_by_their_language(language: str, question: str, text: str) -> None:
    assert stems_of(question, language) & stems_of(text, language)


def test_the_stems_of_english_do_not_depend_on_a_language() -> None:
    text = "The treaties of Rapallo were signed in a café."
    assert stems_of(text) == stems_of(text, "en") == stems_of(text, "und")


def test_a_british_word_is_not_found_by_the_american_one_alone() -> None:
    """The model tells that colour and color are one word; no list of spellings is kept."""
    answer = Index.build([Document("d", "Paint", "The colour of the door is green.")]).ask(
        "What color is the door?"
    )
    assert answer.answered


def test_thai_sentences_end_at_blanks_that_are_far_enough_apart() -> None:
    clause = "สนธิสัญญาราปัลโลลงนามเมื่อวันที่สิบหกเมษายนที่ประเทศอิตาลี"
    first = f"{clause} {clause} {clause} {clause}"
    text = f"{first} {first} จบ"
    spans = split_sentences(text, Span(0, len(text)))
    assert [text[start:end] for start, end in spans] == [first, first, "จบ"]


def test_long_texts_of_a_script_without_blanks_are_cut_into_sentences() -> None:
    text = "条约于一九二二年签署。" * 20_000
    assert len(split_sentences(text, Span(0, len(text)))) == 20_000


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("条约", "拉帕洛条约"),
        ("条約", "ラパッロ条約"),
        ("สัญญา", "สนธิสัญญา"),
        ("المعاهدة", "المُعاهدة"),
        ("संधियों", "संधियां"),
        ("договоров", "договоры"),
        ("Straße", "straße"),
        ("cafe", "Café"),
        ("firmo", "firmó"),
        ("συνθηκη", "συνθήκη"),
        ("wifi", "Wi-Fi"),
    ],
)
def test_a_word_is_found_in_another_spelling(question: str, text: str) -> None:
    assert stems_of(question) & stems_of(text)


def test_words_of_scripts_without_blanks_are_neighbouring_characters_at_exact_places() -> None:
    text = "In 拉帕洛 1922"
    assert [text[start:end] for _, start, end in words_of(text)] == ["In", "拉帕", "帕洛", "1922"]


@pytest.mark.parametrize(
    ("text", "place", "word"),
    [
        ("拉帕洛条约", 3, "条约"),
        ("拉帕洛", 2, "洛"),
        ("हिन्दी में", 2, "हिन्दी"),
        ("a Vertrag.", 4, "Vertrag"),
    ],
)
def test_the_highlighted_word_is_one_of_the_script(text: str, place: int, word: str) -> None:
    span = word_at(text, place)
    assert span is not None
    assert text[span.start : span.end] == word


@pytest.mark.parametrize("text", ["条约" * 50_000, "ab-" * 50_000, "é" * 100_000])
def test_long_words_and_compounds_have_stems(text: str) -> None:
    assert stems_of(text)


def test_a_chinese_question_is_answered() -> None:
    text = (
        "港口的调查由奥杜亚船长领导。\n\n修复工程耗资三百万元，由市政府支付。\n\n西码头建在钢桩上。"
    )
    index = Index.build([Document("d", "港口", text)])
    answer = index.ask("修复工程耗资多少？")
    assert answer.answered
    assert "三百万元" in answer.passages[0].text
    assert not index.ask("月亮上有水吗？").answered


@pytest.mark.parametrize("question", ["wifi", "cafe"])
def test_a_keyword_in_another_spelling_is_answered(question: str) -> None:
    text = "Guests may use the Wi-Fi. The café on the first floor opens at nine."
    answer = Index.build([Document("d", "Office", text)]).ask(question)
    assert answer.answered
    assert question[:2] in answer.text.lower()


@pytest.mark.parametrize(
    "question",
    ["Do I need a visa?", "Do I get a refund?", "Do employees get a bonus?", "Must I pay a fee?"],
)
def test_short_english_questions_are_not_taken_for_portuguese(question: str) -> None:
    assert language_of(question, least=2) in {None, "en"}


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("A che ora apre?", "it"),
        ("A quelle heure ouvre?", "fr"),
        ("Vad ingår i hyran?", "sv"),
        ("A qué hora abre?", "es"),
    ],
)
def test_words_of_one_letter_make_no_question_english(question: str, language: str) -> None:
    assert language_of(question) == language


def test_no_question_of_the_set_is_taken_for_another_language() -> None:
    lines = (ROOT / "eval" / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line)["question"] for line in lines]
    assert {language_of(question, least=2) for question in questions} <= {None, "en"}


@pytest.mark.parametrize(
    ("text", "language", "sentences"),
    [
        ("Treffen in Berlin: 16. März, Rathaus.", "de", 1),
        ("Møtet: 3. Mai, kl. Ni", "no", 1),
        ("I took a class in art. I made a vase.", None, 2),
        ("Buy a new iPad. iPhone users pay a fee.", None, 2),
        ("Save the file a few times. mkdir makes a folder.", None, 2),
        ("Es ist eine seltene Art. Sie lebt im Wald.", "de", 2),
        ("Siehe Art. 12 des Gesetzes.", "de", 1),
        ("C'est de l'art. Il est dans la salle.", "fr", 2),
        ("Он помог им. Потом он ушёл домой.", "ru", 2),
        ("Театр им. Пушкина открыт.", "ru", 1),
        ("Am 16. April kam er. Abb. 3 zeigt ihn.", "de", 2),
        (unicodedata.normalize("NFD", "Vive en la núm. Doce de la calle."), "es", 1),
    ],
)
def test_words_that_are_abbreviations_as_well_end_sentences(
    text: str, language: str | None, sentences: int
) -> None:
    assert len(split_sentences(text, Span(0, len(text)), language=language)) == sentences


@pytest.mark.parametrize(
    ("tag", "language"), [("eng", "en"), ("ger", "de"), ("nb-NO", "no"), ("nn", "no")]
)
def test_other_codes_of_a_language_are_those_of_iso_639_1(tag: str, language: str) -> None:
    assert primary_language(tag) == language


@pytest.mark.parametrize("tag", ["mul", "zxx", "und", "php", "sql", "js"])
def test_codes_of_no_language_are_none(tag: str) -> None:
    assert primary_language(tag) is None


def test_a_chinese_name_with_a_dot_between_its_parts_is_not_japanese() -> None:
    assert language_of("约翰・史密斯是谁？") == "zh"
