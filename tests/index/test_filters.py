"""Questions are asked of the documents that fulfil conditions; copies do not crowd an answer."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from ragkit import Abstention, Conversation, Document, Index, InputError
from ragkit.cli import cli
from ragkit.encoding import Encoder
from ragkit.errors import FilterError
from ragkit.index import Conditions, Where
from ragkit.index.filters import metadata_kinds, parse_where
from ragkit.index.vectors import VectorIndex, choose_layout
from ragkit.retrieval import encode_questions
from ragkit.storage.tables import MemoryTables
from ragkit.types import MetadataValue

RHINE = Document(
    id="rhine", title="Rhine", text="The river rises in Switzerland.",
    metadata={"tag": ["river", "alps"], "date": "1922-04-16", "length": 1233, "tidal": False},
)  # fmt: skip
DANUBE = Document(
    id="danube", title="Danube", text="The river rises in Germany.",
    metadata={"tag": "river", "date": "1939-08-23", "length": 2850.5, "tidal": True},
)  # fmt: skip
BREAD = Document(id="bread", title="Bread", text="Bread is made of flour.")


def test_a_question_to_documents_of_one_title_is_read_behind_it_as_they_were(
    rivers: Index, tiny: Encoder
) -> None:
    alone = Index.build([DANUBE], encoder=tiny)

    def read(index: Index, where: Where | None) -> np.ndarray:
        conditions = None if where is None else Conditions.of(where)
        data, weights = index._data, index.config
        [query] = encode_questions(data, tiny, ["Where?"], weights, conditions=conditions)
        return query.tokens

    np.testing.assert_array_equal(read(rivers, {"title": "Danube"}), read(alone, None))
    plain = read(rivers, None)
    assert not np.array_equal(plain, read(alone, None))
    for of_several_or_none in ({"tag": "river"}, {"id": "nobody"}):
        np.testing.assert_array_equal(read(rivers, of_several_or_none), plain)


def test_what_fulfils_conditions_is_worked_out_once_for_a_question(
    tiny: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ragkit.index.documents import Documents

    read: list[str] = []
    real = Documents.values_of

    def counted(self: Documents, name: str) -> object:
        read.append(name)
        return real(self, name)

    monkeypatch.setattr(Documents, "values_of", counted)
    index = Index.build([RHINE, DANUBE], encoder=tiny)
    index.search("Where?", where={"tag": "river", "tidal": True})
    assert sorted(read) == ["tag", "tidal", "title"]


@pytest.fixture(scope="module")
def rivers(tiny: Encoder) -> Index:
    return Index.build([RHINE, DANUBE, BREAD], encoder=tiny)


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({"tag": "river"}, {"rhine", "danube"}),
        ({"tag": "alps"}, {"rhine"}),
        ({"tag": ["alps", "nowhere"]}, {"rhine"}),
        ({"tag": []}, set()),
        ({"id": "bread"}, {"bread"}),
        ({"title": ["Bread", "Rhine"]}, {"bread", "rhine"}),
        ({"date": {"min": "1930"}}, {"danube"}),
        ({"date": {"max": "1930"}}, {"rhine"}),
        ({"date": {"min": "1922-04-16", "max": "1922-04-16"}}, {"rhine"}),
        ({"length": {"min": 1233, "max": 2000}}, {"rhine"}),
        ({"length": 1233.0}, {"rhine"}),
        ({"length": {"min": 2850}}, {"danube"}),
        ({"length": {"min": "1"}}, set()),
        ({"tidal": True}, {"danube"}),
        ({"tidal": 1}, set()),
        ({"tidal": {"min": 0}}, set()),
        ({"tag": "river", "tidal": False}, {"rhine"}),
        ({}, {"rhine", "danube", "bread"}),
    ],
)
def test_a_condition_lets_through_what_fulfils_it(
    rivers: Index, where: Where, found: set[str]
) -> None:
    passages = rivers.search("Where does the river rise?", k=9, where=where)
    assert {passage.citation.document_id for passage in passages} == found
    [many] = rivers.ask_many(["Where does the river rise?"], k=9, where=where, threshold=0)
    assert many == rivers.ask("Where does the river rise?", k=9, where=where, threshold=0)
    assert {passage.citation.document_id for passage in many.passages} == found


def test_nothing_let_through_is_an_abstention_that_says_so(rivers: Index) -> None:
    answer = rivers.ask("Where does the river rise?", where={"tag": "lake"}, threshold=0)
    assert not answer.answered
    assert answer.reason is Abstention.FILTERED


@pytest.mark.parametrize(
    ("where", "says"),
    [
        (
            {"dat": "1922"},
            "no document has the property 'dat'; they have date, id, language, length, tag",
        ),
        ({"tag": None}, "expected a value, a list of values"),
        ({"tag": [["a"]]}, "expected a value"),
        ({"tag": ["a", {"min": 1}]}, "expected a value"),
        ({"tag": [{"least": 1}]}, "expected a value"),
        ({"date": {}}, "expected a value"),
        ({"date": {"least": 1}}, "expected a value"),
        ({"date": {"min": "1", "max": 2}}, "expected a value"),
        ({"tidal": {"min": True}}, "expected a value"),
        ("tag", "expected a mapping"),
    ],
)
def test_a_condition_that_cannot_be_is_refused(rivers: Index, where: Where, says: str) -> None:
    with pytest.raises(FilterError, match=says):
        rivers.ask("Where does the river rise?", where=where)


def test_a_conversation_can_be_held_to_conditions(rivers: Index) -> None:
    answer = Conversation(rivers).ask("Where does it rise?", where={"id": "danube"}, threshold=0)
    assert {p.citation.document_id for p in answer.passages} == {"danube"}


@pytest.mark.parametrize("value", [None, 3 + 2j, {"a": 1}, [1], b"x"])
def test_metadata_that_cannot_be_filtered_by_is_refused(value: object) -> None:
    with pytest.raises(InputError, match="expected a text, a number"):
        Document(id="d", title="T", text="x", metadata={"a": value})  # type: ignore[dict-item]


def test_metadata_and_pages_are_kept_in_the_index(tmp_path: Path, tiny: Encoder) -> None:
    paged = Document(id="p", title="P", text="One page.\n\nAnother page.", pages=(0, 11))
    Index.build([RHINE, paged], tmp_path / "i", encoder=tiny)
    opened = Index.open(tmp_path / "i", encoder=tiny)
    rhine, found = opened.documents
    assert rhine.metadata == RHINE.metadata
    assert found.pages == (0, 11)
    citation = found.cite(opened.search("Another page", where={"id": "p"})[0].citation.span)
    assert citation.page == 1
    assert found.page_at(11) == 2
    assert citation.label == "P, p. 1"


@pytest.mark.parametrize("pages", [(1,), (0, 5, 3)])
def test_pages_that_do_not_ascend_from_the_beginning_are_refused(pages: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="pages of 'd' begin at"):
        Document(id="d", title="T", text="abcdefgh", pages=pages)


@given(st.data())
@settings(deadline=None)
def test_a_filtered_search_is_the_best_of_what_is_allowed(data: st.DataObject) -> None:
    seed, n = data.draw(st.integers(0, 999)), data.draw(st.integers(1, 40))
    vectors = np.random.default_rng(seed).normal(size=(n, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    allowed = np.asarray(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    depth = data.draw(st.integers(1, 50))
    index = VectorIndex.write(MemoryTables(), choose_layout(n, 8), vectors, vectors[:1])
    scores, ids = index.search(vectors[0], depth, allowed)
    exact = np.where(allowed, vectors @ vectors[0], -9)
    expected = np.argsort(-exact, kind="stable")[: min(depth, int(allowed.sum()))]
    assert set(ids) <= set(np.flatnonzero(allowed))
    assert np.allclose(scores, exact[expected], atol=1e-6)


def test_all_chunks_of_a_document_share_its_fate(tiny: Encoder) -> None:
    long = Document(id="l", title="L", text="\n\n".join(f"Paragraph {i}. " * 30 for i in range(9)))
    index = Index.build([RHINE, long, BREAD], encoder=tiny)
    allowed = index._data.allowed(Conditions.of({"id": "l"}))
    assert allowed.chunks.sum() == len(index) - 2


# Copies.

STORY = (
    "The great artillery manufacturer Krupp was soon active in the south of the country, near Rostov "
    "on the river Don. A flying school was established near Lipetsk to train the first pilots."
)


def test_a_copy_does_not_stand_beside_what_it_copies() -> None:
    copy = STORY.replace("great artillery", "famous artillery")
    documents = [
        Document(id=f"d{i}", title="Krupp", text=text)
        for i, text in enumerate(
            [STORY, copy, STORY, "Krupp was a manufacturer of steel in Essen."]
        )
    ]
    answer = Index.build(documents).ask("Where was Krupp active?", k=3, threshold=0)
    first, second = answer.passages
    assert {c.document_id for c in (first.citation, *first.also)} == {"d0", "d1", "d2"}
    assert second.citation.document_id == "d3"
    for citation in first.also:
        assert citation.verify(documents[int(citation.document_id[1])]).ok
    assert json.loads(json.dumps(answer.to_dict()))["passages"][0]["also"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Krupp", "Thyssen"),  # a name
        ("two", "2"),  # a number
        ("was established", "was not established"),  # the opposite
    ],
)
def test_passages_that_do_not_say_the_same_are_no_copies(one: str, other: str) -> None:
    written = STORY.replace("A flying", "On 3 May two engineers came. A flying")
    texts = [written, written.replace(one, other), written.replace("3 May", "4 May")]
    documents = [Document(id=f"d{i}", title="Works", text=text) for i, text in enumerate(texts)]
    passages = Index.build(documents).search("What was founded near Lipetsk?")
    assert len(passages) == 3
    assert not any(passage.also for passage in passages)


def test_as_many_passages_are_given_as_were_asked_for_where_most_are_copies() -> None:
    copies = [Document(id=f"copy{i}", title="Krupp", text=STORY) for i in range(60)]
    others = [
        Document(id=f"other{i}", title="Rivers", text=f"River number {i} rises in the mountains.")
        for i in range(4)
    ]
    passages = Index.build([*copies, *others]).search("Where was Krupp active?", k=5)
    assert len(passages) == 5
    assert len(passages[0].also) == 59


def test_copies_do_not_make_an_answer_less_sure() -> None:
    alone = [Document(id="a", title="Krupp", text=STORY), BREAD]
    copied = [*alone, Document(id="b", title="Krupp", text=STORY)]
    question = "Near which river was Krupp active?"
    one, two = (Index.build(documents).ask(question, threshold=0) for documents in (alone, copied))
    assert two.confidence == pytest.approx(one.confidence, abs=0.1)


def test_short_passages_that_differ_in_a_word_are_no_copies(rivers: Index) -> None:
    passages = rivers.search("Where does the river rise?")
    assert {p.citation.document_id for p in passages} >= {"rhine", "danube"}


# Conditions as text.


def test_expressions_become_conditions_with_values_of_the_propertys_kind() -> None:
    kinds = metadata_kinds([RHINE, DANUBE, BREAD])
    assert kinds == {"tag": "text", "date": "text", "length": "number", "tidal": "boolean"}
    expressions = ["tag=alps", " tag = sea=side", "length>=2", "length<=3.5", "tidal=false"]
    assert parse_where(expressions, kinds) == {
        "tag": ["alps", "sea=side"],
        "length": {"min": 2.0, "max": 3.5},
        "tidal": [False],
    }
    assert parse_where(["other=1", "length=long", "tidal=1"], kinds) == {
        "other": ["1"],
        "length": ["long"],
        "tidal": ["1"],
    }


def test_a_property_of_several_kinds_is_mixed_whatever_the_order() -> None:
    number = Document("a", "A", "x", metadata={"year": 2026})
    text = Document("b", "B", "x", metadata={"year": "2025"})
    flag = Document("c", "C", "x", metadata={"year": True})
    for documents in ([number, text], [text, number], [flag, number], [text, flag, text]):
        assert metadata_kinds(documents) == {"year": "mixed"}
    assert metadata_kinds([text, text]) == {"year": "text"}


MIXED: dict[str, MetadataValue] = {
    "a": 2026,
    "b": "2025",
    "c": ["2026", "x"],
    "d": True,
    "e": 2024.5,
    "f": "true",
    "g": 1,
}


@pytest.mark.parametrize(
    ("expressions", "ids"),
    [
        (["v=2026"], "ac"),
        (["v=2025"], "b"),
        (["v=2025", "v=2026"], "abc"),
        (["v=true"], "df"),
        (["v=1"], "g"),
        (["v=x"], "c"),
        (["v>=2025"], "abcf"),  # texts compare as texts: "true" comes after "2025"
        (["v>=2025", "v<=2026"], "abc"),
        (["v<=2024.5"], "eg"),
        (["v>=t"], "cf"),
    ],
)
def test_values_of_several_kinds_are_compared_each_by_its_own_kind(
    expressions: list[str], ids: str
) -> None:
    documents = [Document(n, n, "x", metadata={"v": v}) for n, v in MIXED.items()]
    where = parse_where(expressions, metadata_kinds(documents))
    [test] = Conditions.of(where).tests.values()
    assert "".join(d.id for d in documents if test.holds(d.metadata["v"])) == ids


def test_a_condition_may_be_one_of_several_ranges() -> None:
    [test] = Conditions.of({"v": [{"max": 3}, {"min": "2025"}]}).tests.values()
    assert [test.holds(value) for value in (2, 4, "2025", "1999", None)] == [True, False, True, False, False]  # fmt: skip


def test_long_numbers_stay_exact() -> None:
    number = 2**62 + 1
    assert parse_where([f"n={number}"], {"n": "number"}) == {"n": [number]}


@pytest.mark.parametrize("expressions", [["tag"], ["=x"], [""], ["tag=x", "tag>=x"], ["a>b"]])
def test_an_expression_that_is_not_a_condition_is_refused(expressions: list[str]) -> None:
    with pytest.raises(FilterError, match="expected"):
        parse_where(expressions, {})


# The command line.


def test_the_command_line_takes_conditions(tmp_path: Path) -> None:
    Index.build([RHINE, DANUBE, BREAD], tmp_path / "i")

    def asked(*conditions: str) -> set[str]:
        arguments = [part for one in conditions for part in ("--where", one)]
        done = CliRunner().invoke(
            cli,
            [
                "ask",
                "Where does the river rise?",
                "--index",
                str(tmp_path / "i"),
                "--json",
                *arguments,
            ],
        )
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return {p["citation"]["document_id"] for p in json.loads(done.output)["passages"]}

    assert asked("tag=alps") == {"rhine"}
    assert asked("date>=1930") == {"danube"}
    assert asked("date>=1920", "date<=1930") == {"rhine"}
    assert asked("length>=2000.5") == {"danube"}
    assert asked("tidal=true") == {"danube"}
    assert asked("tag=alps", "tag=nowhere") == {"rhine"}
