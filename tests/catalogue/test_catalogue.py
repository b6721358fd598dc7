"""The catalogue is complete, used, and written as its languages are; the reader's language is found."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from ragkit.answering.answer import Abstention, Answer
from ragkit.answering.confidence import in_words
from ragkit.catalogue import (
    LANGUAGES,
    PLURAL_FORMS,
    accepted_language,
    best_language,
    catalogue,
    environment_language,
    plural_form,
)
from ragkit.errors import InputError
from support.parts import ROOT

ENGLISH = catalogue("en").messages
OTHERS = [language for language in LANGUAGES if language != "en"]
PAGE = ROOT / "ragkit" / "serving" / "page"
SOURCES = [
    text
    for path in sorted((ROOT / "ragkit").rglob("*.py")) + sorted(PAGE.glob("*.[jh]*"))
    if "atalogue" in (text := path.read_text(encoding="utf-8")) or path.parent == PAGE
]
# Keys that the sources put together, and what with.
COMPOSED = {
    "reason": {*Abstention, "sentence"},
    "confidence": {*map(in_words, (0.0, 0.4, 0.7, 1.0)), "label", "of_100"},
}
OWN_SCRIPT = {
    "ar": r"[\u0621-\u064a]",
    "ja": r"[\u3041-\u30ff\u4e00-\u9fff]",
    "zh": r"[\u4e00-\u9fff]",
}
SAME_AS_ENGLISH = {  # words that a language shares with English
    "number.group", "number.decimal", "list.separator", "place.page", "place.page_aloud", "key.enter",
    "key.shift", "copy.link", "article.code", "answer.original", "page.article", "page.documents",
    "page.conversation", "answer.passages", "documents.count", "reason.sentence", "reply.subject_title",
    "reply.source", "answer.original_of",
}  # fmt: skip


def forms(language: str, key: str) -> dict[str, str]:
    """The texts of a message by the plural form; one without plural forms has only "other"."""
    message = catalogue(language).messages[key]
    return {"other": message} if isinstance(message, str) else dict(message)


def texts(language: str) -> Iterator[tuple[str, str]]:
    for key in catalogue(language).messages:
        for text in forms(language, key).values():
            yield key, text


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_has_every_message_with_the_same_placeholders(language: str) -> None:
    assert list(catalogue(language).messages) == list(ENGLISH)
    for key in ENGLISH:
        expected = placeholders(forms("en", key)["other"])
        for form, text in forms(language, key).items():
            # "One document" and "no document" may be said without a figure.
            optional = {"count"} if form in ("zero", "one", "two") else set()
            assert expected - optional <= placeholders(text) <= expected, (key, form)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_message_that_counts_has_all_plural_forms_of_its_language(language: str) -> None:
    for key, message in catalogue(language).messages.items():
        assert isinstance(message, str) == isinstance(ENGLISH[key], str), key
        if not isinstance(message, str):
            assert tuple(message) == PLURAL_FORMS[language], key


def test_the_sources_use_every_message_and_no_other() -> None:
    text = "\n".join(SOURCES)
    asked = set(re.findall(r"""(?:words|parts|text|_say|_notice)\(\s*"([a-z_.]+)\"""", text))
    asked |= set(re.findall(r"\{\{([a-z_.]+)\}\}", text))
    asked -= {"language", "direction", "messages", "key"}  # of a page itself
    asked |= set(re.findall(r'"([a-z_.]+)"', text)) & set(ENGLISH)  # chosen between two
    asked |= {f"{family}.{one}" for family, words in COMPOSED.items() for one in words}
    asked |= {f"copy.{what}{done}" for what in ("answer", "link") for done in ("", "_done")}
    assert asked == set(ENGLISH)


def test_english_reasons_and_confidence_words_are_those_of_the_api() -> None:
    for family in ("reason", "confidence"):
        for word in COMPOSED[family] - {"sentence", "label", "of_100"}:
            assert ENGLISH[f"{family}.{word}"] == word


@pytest.mark.parametrize("language", OTHERS)
def test_no_english_is_left(language: str) -> None:
    for key, text in texts(language):
        own = OWN_SCRIPT.get(language)
        if own and key not in SAME_AS_ENGLISH and key != "reply.subject_titles":
            assert re.search(own, text), (key, text)
        if key not in SAME_AS_ENGLISH and not own:
            assert text != forms("en", key)["other"], (key, text)


def test_each_language_has_its_own_marks() -> None:
    for key, text in texts("fr"):
        assert not re.search(r" [:;?!»]|« ", text), key  # the blanks there do not break
    for key, text in texts("de"):
        assert "“" not in text or "„" in text, key
    for key, text in texts("ar"):
        assert not re.search(r"[?;,]", text) or key.startswith("number."), key
    for language in ("zh", "ja"):
        for key, text in texts(language):
            assert not re.search(r"[\u3040-\u9fff}] ?[,:;?!.]", text), (language, key)
    for key, text in texts("es"):
        assert text.count("?") == text.count("¿"), key


def test_plural_forms_are_those_of_cldr() -> None:
    arabic = {0: "zero", 1: "one", 2: "two", 3: "few", 10: "few", 11: "many", 99: "many",
              100: "other", 102: "other", 103: "few", 111: "many"}  # fmt: skip
    assert {count: plural_form("ar", count) for count in arabic} == arabic
    assert [plural_form("fr", n) for n in (0, 1, 2, 1_000_000)] == ["one", "one", "other", "many"]
    assert [plural_form("es", n) for n in (0, 1, 2, 2_000_000)] == ["other", "one", "other", "many"]
    assert [plural_form("de", n) for n in (0, 1, 2)] == ["other", "one", "other"]
    assert {plural_form(language, n) for language in ("ja", "zh") for n in (0, 1, 2)} == {"other"}


@pytest.mark.parametrize(
    ("language", "count", "text"),
    [
        ("en", 1, "1 document"), ("en", 1234, "1,234 documents"), ("de", 1234, "1.234 Dokumente"),
        ("fr", 1_000_000, "1\u202f000\u202f000 de documents"), ("ar", 2, "مستندان"),
        ("ar", 11, "11 مستندًا"), ("ja", 3, "3 件の文書"),
    ],
)  # fmt: skip
def test_counts_are_written_as_the_language_does(language: str, count: int, text: str) -> None:
    assert catalogue(language).text("documents.count", count=count) == text


def test_braces_in_a_value_are_not_filled() -> None:
    shown = catalogue("de").text("page.title", title="{title} {0}")
    assert shown == "Fragen an: {title} {0}"


def test_a_language_without_a_catalogue_is_refused_by_name() -> None:
    answer = Answer("Why?", answered=False, text="", confidence=0.0, reason=Abstention.OFF_TOPIC)
    with pytest.raises(InputError, match=r"language 'tlh'; expected one of ar, de, en, es, fr"):
        answer.to_markdown(language="tlh")
    assert answer.to_markdown(language="fr").startswith("Les documents ne le disent pas (rien n’y")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"), ("de", "de"), ("de-AT,de;q=0.9,en;q=0.8", "de"), ("nl, ja;q=0.3, es;q=0.7", "es"),
        ("zh-Hant-TW", "zh"), ("*", "en"), ("de;q=0, fr", "fr"), ("AR-eg", "ar"),
        ("de;q=x, ;;, fr;q=0.1", "fr"), ("\x00" * 999, "en"), ("de-" * 5000, "en"),
    ],
)  # fmt: skip
def test_the_best_language_that_a_browser_accepts_is_taken(header: str, language: str) -> None:
    assert accepted_language(header) == language


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"), ({"LANG": "de_DE.UTF-8"}, "de"), ({"LANG": "C.UTF-8", "LANGUAGE": "de"}, "en"),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "nl:fr:de"}, "fr"), ({"LANG": "sr_RS@latin"}, "en"),
        ({"LANG": "de_DE", "LC_MESSAGES": "ja_JP.UTF-8"}, "ja"),
        ({"LANG": "de_DE", "LC_MESSAGES": "ja_JP", "LC_ALL": "C"}, "en"),
        ({"LANG": "de_DE", "LC_ALL": ""}, "de"), ({"LANG": "POSIX"}, "en"),
    ],
)  # fmt: skip
def test_the_environment_chooses_as_it_does_for_gettext(
    environment: dict[str, str], language: str
) -> None:
    assert environment_language(environment) == language


def test_a_tag_counts_by_its_language_alone() -> None:
    assert [best_language([tag]) for tag in ("fr_CA", "fr-CA", "FR", "french")] == ["fr"] * 3 + [
        "en"
    ]
