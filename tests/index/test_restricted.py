"""A restricted index is, to whoever asks it, an index of the allowed documents alone."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from ragkit import Conversation, Document, FilterError, Index, InputError
from ragkit.encoding import Encoder
from ragkit.index import AllowedChunks, Conditions, LocalData, RestrictedData
from ragkit.index.documents import document_from_record

OPEN = [
    Document("fees", "Fees", "A library card costs ten euros a year. Children pay nothing.",
             metadata={"for": "all"}),
    Document("hours", "Opening hours", "The library opens at nine. On Sundays it is closed.",
             metadata={"for": ["all", "staff"], "floor": 2}),
]  # fmt: skip
SECRET = [
    Document("pay", "Salaries", "Anna Zwillinger earns 3,000 euros a month at the library.",
             url="https://example.org/pay", metadata={"for": "staff", "grade": "E9"}),
    Document("plan", "Plans", "The library will move to Quedlinburg. Anna pays for it.",
             metadata={"for": "board"}),
]  # fmt: skip
ALL = {"for": "all"}


@pytest.fixture(scope="module")
def every() -> Index:
    """With the default model, whose answers a person can judge."""
    return Index.build([SECRET[0], OPEN[0], SECRET[1], OPEN[1]])


@pytest.fixture(scope="module")
def alone() -> Index:
    return Index.build(OPEN)


@pytest.mark.parametrize(
    "question", ["What does a card cost?", "Who earns 3,000 euros?", "Zwillinger", "Is it open on Sunday?", "the library"]
)  # fmt: skip
def test_it_answers_as_an_index_of_these_documents_alone(
    every: Index, alone: Index, question: str
) -> None:
    restricted = every.restricted(ALL)
    assert restricted.ask(question).to_dict() == alone.ask(question).to_dict()
    narrower = {"floor": {"min": 1}}
    assert [p.citation for p in restricted.search(question, where=narrower)] == [
        p.citation for p in alone.search(question, where=narrower)
    ]


def test_every_part_of_a_corpus_answers_as_an_index_of_that_part(tiny: Encoder) -> None:
    """Scores and confidences too, which would show words and titles of other documents."""
    corpus = [SECRET[0], OPEN[0], SECRET[1], OPEN[1]]
    whole = Index.build(corpus, encoder=tiny)
    for number in range(1, len(corpus) + 1):
        for part in combinations(corpus, number):
            restricted = whole.restricted({"id": [document.id for document in part]})
            alone = Index.build(list(part), encoder=tiny)
            for question in ("Does Anna pay for the library?", "Quedlinburg euros"):
                answers = [index.ask(question).to_dict() for index in (restricted, alone)]
                assert answers[0] == answers[1]


def test_it_lists_and_counts_these_documents_alone(every: Index, alone: Index) -> None:
    restricted = every.restricted(ALL)
    assert [document.id for document in restricted.documents] == ["fees", "hours"]
    assert restricted.documents == alone.documents
    assert restricted.documents[1:] == alone.documents[1:]
    assert len(restricted) == len(alone)
    assert restricted.metadata == {"for": "text", "floor": "number"}
    assert restricted.counts == {name: alone.counts[name] for name in ("documents", "chunks")}
    assert restricted.document("hours") == alone.document("hours")


def test_other_documents_are_to_it_as_if_they_did_not_exist(every: Index) -> None:
    restricted = every.restricted(ALL)
    for call in (restricted.document, restricted.cite):
        with pytest.raises(InputError) as hidden:
            call("pay" if call == restricted.document else "pay#0-4")
        with pytest.raises(InputError) as missing:
            call("nil" if call == restricted.document else "nil#0-4")
        assert str(hidden.value) == str(missing.value).replace("nil", "pay")
    with pytest.raises(FilterError) as refused:
        restricted.search("Who?", where={"grade": "E9"})
    assert "grade" not in str(refused.value).partition(";")[2]
    assert restricted.ask("Who earns?", where={"id": "pay"}).passages == ()
    assert restricted.search("Quedlinburg", where={"for": "board"}) == []
    assert restricted.source_path("pay") is None
    citation = every.cite("pay#0-4")
    assert restricted.reanchor(citation).citation is None


def test_quotations_are_looked_for_in_its_documents_alone(every: Index) -> None:
    from ragkit import check_quotes

    text = '"The library will move to Quedlinburg."'
    assert check_quotes(text, every).checks[0].status.value == "verbatim"
    assert check_quotes(text, every.restricted(ALL)).checks[0].status.value == "absent"


def test_a_remark_names_its_documents_alone(every: Index) -> None:
    reply = Conversation(every.restricted(ALL)).ask("Hello!").reply
    assert "Fees" in reply
    assert "Salaries" not in reply


def test_a_condition_on_what_no_document_has_gives_no_document(every: Index) -> None:
    for where in ({"audience": "all"}, {"for": "nobody"}, {"for": "all", "audience": "all"}):
        restricted = every.restricted(where)
        assert list(restricted.documents) == []
        assert restricted.ask("What does a card cost?").passages == ()
        assert restricted.search("card", where={"grade": "E9"}) == []
    with pytest.raises(FilterError):
        every.restricted({"for": None})  # type: ignore[dict-item]


def test_a_restricted_index_can_only_be_restricted_further(every: Index) -> None:
    twice = every.restricted({"for": "staff"}).restricted(ALL)
    assert [document.id for document in twice.documents] == ["hours"]
    assert list(twice.restricted({"id": "pay"}).documents) == []
    assert [document.id for document in twice.with_config(every.config).documents] == ["hours"]
    assert [document.id for document in twice.with_reader(None).documents] == ["hours"]


def test_a_restricted_index_is_not_copied(every: Index, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="restricted"):
        every.restricted(ALL).save(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_documents_are_filtered_once_for_each_restricted_index(
    tiny: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = Index.build([*OPEN, *SECRET], encoder=tiny)
    calls = []
    real = LocalData.allowed

    def counted(self: LocalData, conditions: Conditions) -> AllowedChunks:
        calls.append(conditions)
        return real(self, conditions)

    monkeypatch.setattr(LocalData, "allowed", counted)
    restricted = index.restricted(ALL)
    for _ in range(3):
        restricted.search("card")
    assert len(calls) == 2  # once of them for all documents
    assert isinstance(restricted._data, RestrictedData)


def test_milvus_is_restricted_as_an_index_on_disk_is(tiny: Encoder, tmp_path: Path) -> None:
    pytest.importorskip("milvus_lite")
    index = Index.build([SECRET[0], OPEN[0], SECRET[1], OPEN[1]], encoder=tiny)
    place = f"milvus://{tmp_path}/corpus.db#library"
    index.push(place)
    here, there = index.restricted(ALL), Index.open(place, encoder=tiny).restricted(ALL)
    assert there.documents == here.documents
    for question in ("What does a card cost?", "Zwillinger"):
        assert [p.citation for p in there.search(question)] == [
            p.citation for p in here.search(question)
        ]
    assert there.metadata == here.metadata


def test_a_hidden_file_that_changed_is_not_told(tmp_path: Path, tiny: Encoder) -> None:
    for name, audience in (("open", "all"), ("secret", "board")):
        text = f"---\nfor: {audience}\n---\n# {name.title()}\n\nThe library opens at nine.\n"
        (tmp_path / f"{name}.md").write_text(text, encoding="utf-8")
    Index.build(tmp_path, tmp_path / "index", encoder=tiny)
    for name, told in (("secret", False), ("open", True)):
        with (tmp_path / f"{name}.md").open("a", encoding="utf-8") as file:
            file.write("On Sundays it is closed.\n")
        opened = Index.open(tmp_path / "index", encoder=tiny)
        assert opened.ask("When does it open?").stale
        part = opened.restricted(ALL)
        assert part.ask("When does it open?").stale is told
        assert [path.name for path in part.stale_sources] == (["open.md"] if told else [])


def test_a_language_that_an_older_version_stored_is_read_as_its_code() -> None:
    record: dict[str, Any] = {
        "id": "a",
        "title": "A",
        "url": None,
        "sections": [],
        "language": "nb",
    }
    assert document_from_record(record, "Hei.").language == "no"
    assert document_from_record({**record, "language": "php"}, "Hei.").language is None


def test_languages_of_a_part_are_those_told_whatever_the_metadata_say(tiny: Encoder) -> None:
    documents = [
        Document("a", "Vertrag", "Der Vertrag und die Frist sind im Amt.",
                 metadata={"language": "German", "for": "all"}),
        Document("b", "Hints", "This is the hint for all of them.",
                 metadata={"language": ["en", "fr"], "for": "all"}),
    ]  # fmt: skip
    index = Index.build(documents, encoder=tiny, reader=None)
    whole = index._data.languages
    assert whole == {"de": 1, "en": 1}
    assert index.restricted({"for": "all"})._data.languages == whole
