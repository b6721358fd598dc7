"""New generations of the index, served without a restart."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ragkit import Document, Index, IndexStaleError
from ragkit.catalogue import catalogue
from ragkit.serving import Settings
from ragkit.serving.reloading_index import ReloadingIndex
from support.http_api import (
    ask,
    client,
)


def rivers(text: str) -> Document:
    return Document(id="rivers", title="Rivers", text=text)


def test_a_new_generation_is_served_and_a_damaged_one_is_not(tmp_path: Path) -> None:
    Index.build([rivers("The Rhine rises in Switzerland.")], tmp_path / "i")
    reloads: list[bool] = []
    index = ReloadingIndex(tmp_path / "i", on_reload=reloads.append)
    before = index.current
    index.reload()
    assert index.current is before
    Index.build([rivers("The Rhine rises in the Alps.")], tmp_path / "i")
    index.reload()
    after = index.current
    assert "Alps" in after.ask("Where does the Rhine rise?", threshold=0).text
    assert "Switzerland" in before.ask("Where does the Rhine rise?", threshold=0).text
    Index.build([rivers("The Rhine rises on the moon.")], tmp_path / "i")
    [generation] = [p for p in (tmp_path / "i").iterdir() if p.is_dir()]
    next(p for p in generation.iterdir() if p.is_file()).write_bytes(b"damage")
    index.reload()
    assert index.current is after
    assert reloads == [True, False]


def test_reloading_drops_no_request_and_mixes_no_generations(tmp_path: Path) -> None:
    texts = ["The Rhine rises in Switzerland.", "The Rhine rises in the Alps, high up."]
    Index.build([rivers(texts[0])], tmp_path / "i")
    stop = threading.Event()
    answers: list[dict[str, Any]] = []

    with client(tmp_path / "i", Settings(reload=0.05)) as web:

        def asking() -> None:
            while not stop.is_set():
                response = ask(web, "Where does the Rhine rise?", threshold=0)
                assert response.status_code == 200, response.text
                answers.append(response.json())

        with ThreadPoolExecutor(4) as pool:
            askers = [pool.submit(asking) for _ in range(4)]
            for turn in range(1, 6):
                Index.build([rivers(texts[turn % 2])], tmp_path / "i")
            done = threading.Event()
            done.wait(0.5)
            stop.set()
            for asker in askers:
                asker.result(30)
    pairs = {(a["index_generation"], a["passages"][0]["text"]) for a in answers}
    assert {text for _, text in pairs} == set(texts)
    assert len({generation for generation, _ in pairs}) == len(pairs) == 2


def test_an_answer_says_that_a_source_changed_while_the_server_ran_until_it_is_updated(
    tmp_path: Path,
) -> None:
    source = tmp_path / "bread.txt"
    source.write_text("Bread is made of flour.")
    Index.build(source, tmp_path / "i")
    index = ReloadingIndex(tmp_path / "i", on_reload=lambda _: None)

    def is_stale() -> bool:
        index.reload()
        return index.current.ask("What is bread made of?", threshold=0).stale

    assert not is_stale()
    source.write_text("Bread is made of rye flour.")
    assert is_stale()
    Index.update(tmp_path / "i")
    assert not is_stale()


def test_a_stale_answer_says_so_on_every_way_out(tmp_path: Path) -> None:
    for name in ("bread", "tea"):
        (tmp_path / f"{name}.txt").write_text(f"The {name} is made of leaves and flour.")
    Index.build([tmp_path / "bread.txt", tmp_path / "tea.txt"], tmp_path / "i")
    (tmp_path / "tea.txt").unlink()
    question = "What is bread made of?"
    with client(tmp_path / "i", Settings(reload=0)) as web:
        answer = web.post("/v1/ask", json={"question": question}).json()
        assert answer["stale"] is True
        stale = catalogue("en").text("answer.stale")
        assert stale in answer["markdown"]
        chat = {"model": "ragkit", "messages": [{"role": "user", "content": question}]}
        reply = web.post("/v1/chat/completions", json=chat).json()
        assert reply["choices"][0]["message"]["content"].rstrip().endswith(stale)
        streamed = web.post("/v1/chat/completions", json={**chat, "stream": True}).text
        assert stale in streamed
        begun = web.post("/v1/conversations").json()["id"]
        turn = web.post(f"/v1/conversations/{begun}/ask", json={"question": question})
        assert turn.json()["stale"] is True
    with pytest.raises(IndexStaleError, match=r"tea\.txt was removed"):
        ReloadingIndex(tmp_path / "i", require_fresh=True, on_reload=lambda _: None)
