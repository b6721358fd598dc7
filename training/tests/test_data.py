# ruff: noqa: S101
import gzip
import json
from pathlib import Path

import pytest

from training.pack_contrast import pack
from training.sources import CONTRAST, Paragraph, Question, Source, load_contrast, load_squad
from training.splits import HELD_OUT, Splits, draw_splits, load_splits, shared_text


def test_contrast_is_whole() -> None:
    source = load_contrast()
    assert (len(source.paragraphs), len(source.questions)) == (1344, 5376)
    text_of = {p.id: p.text for p in source.paragraphs}
    by_id = {q.id: q for q in source.questions}
    for question in source.questions:
        twin = by_id[question.twin or ""]
        assert twin.paragraph == question.paragraph
        assert twin.answerable != question.answerable
        if question.answer is not None:
            assert text_of[question.paragraph][question.start or 0 :].startswith(question.answer)


def test_packing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    folder = tmp_path / "in" / "0"
    folder.mkdir(parents=True)
    (folder / "paragraphs.json").write_text('[{"id": "a", "title": "T", "text": "é"}]')
    (folder / "qa.jsonl").write_text('{"p": "a"}\n')
    (folder / "talks.jsonl").write_text('{"title": "T"}\n')
    for out in ("one", "two"):
        assert pack(tmp_path / "in", tmp_path / out) == {
            "paragraphs": 1,
            "questions": 1,
            "talks": 1,
        }
    one, two = (tmp_path / out / "paragraphs.jsonl.gz" for out in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert gzip.decompress(one.read_bytes()).decode().endswith('"text": "é"}\n')


def test_no_article_is_in_two_splits() -> None:
    splits = load_splits()
    assert set(splits.held_out) == set(HELD_OUT)
    with pytest.raises(ValueError, match="two splits"):
        Splits({"test": ["a"], "choose": ["a"]})


def test_each_split_has_minimal_pairs() -> None:
    splits = load_splits()
    articles = {p.article for p in load_contrast().paragraphs}
    assert {splits.of(a) for a in articles} >= {"train", "choose", "calibrate", "test"}
    assert CONTRAST.joinpath("README.md").exists()


def _source(name: str, *articles: tuple[str, str]) -> Source:
    paragraphs = tuple(
        Paragraph(f"{name}-{i}", name, title, text) for i, (title, text) in enumerate(articles)
    )
    return Source(name, paragraphs, ())


def test_articles_with_the_same_text_are_not_on_two_sides() -> None:
    text = " ".join(f"word{i}" for i in range(20))
    sources = {"nq": _source("nq", ("One", text), ("Other", text), ("Third", "Else."))}
    apart = Splits({"test": ["one"], "apart": ["other"]})
    assert shared_text(sources, Splits({"test": ["one"]})) == {("one", "other"): 8}
    assert not shared_text(sources, apart)


def test_splits_are_drawn_the_same_each_time() -> None:
    names = [(f"Article {i}", f"Text {i}.") for i in range(900)]
    sources = {
        name: _source(name, *((f"{name} {title}", text) for title, text in names[:count]))
        for name, count in (
            ("contrast", 80),
            ("squad2", 12),
            ("nq", 900),
            ("squad1", 0),
            ("xquad", 5),
        )
    }
    one, other = draw_splits(sources), draw_splits(sources)
    assert one.held_out == other.held_out
    assert len(one.held_out["xquad"]) == 5


def test_an_answer_that_stands_elsewhere_is_dropped(tmp_path: Path) -> None:
    asked = [
        {"question": "Who?", "answers": [{"text": "Otto", "answer_start": 0}]},
        {"question": "Whom?", "answers": [{"text": "Otto", "answer_start": 3}]},
        {"question": "Why?", "answers": [], "is_impossible": True},
    ]
    article = {"title": "A_B", "paragraphs": [{"context": "Otto won.", "qas": asked}]}
    path = tmp_path / "s.json"
    path.write_text(json.dumps({"data": [article]}))
    source = load_squad(path, "s")
    assert source.questions == (
        Question("s-q0", "s-0", "Who?", 0, "Otto"),
        Question("s-q1", "s-0", "Why?", kind="human"),
    )
    assert source.paragraphs[0].title == "A B"
