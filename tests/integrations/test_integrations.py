"""The adapters, each inside a small real chain, engine or pipeline of its framework."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ragkit import Answer, Index, InputError

QUESTION = "Who signed the Treaty of Rapallo?"


def check_metadata(metadata: dict[str, Any], text: str, index: Index) -> None:
    document = index.document(metadata["document_id"])
    assert document.text[metadata["start"] : metadata["end"]] == text
    assert metadata["section"].endswith("military cooperation")
    assert metadata["highlight"] in text
    assert metadata["answered"] is True
    json.dumps(metadata)


def test_a_langchain_chain_retrieves_with_exact_spans(german_soviet: Index) -> None:
    from langchain_core.language_models import FakeListChatModel
    from langchain_core.output_parsers import StrOutputParser
    from langchain_core.prompts import ChatPromptTemplate
    from langchain_core.runnables import RunnablePassthrough

    from ragkit.integrations.langchain import RagkitRetriever

    retriever = RagkitRetriever(index=german_soviet, k=3)
    documents = retriever.invoke(QUESTION)
    answer = german_soviet.ask(QUESTION, k=3)
    assert [d.page_content for d in documents] == [p.text for p in answer.passages]
    assert [d.id for d in documents] == [p.citation.passage_id for p in answer.passages]
    check_metadata(documents[0].metadata, documents[0].page_content, german_soviet)
    assert asyncio.run(retriever.ainvoke(QUESTION)) == documents

    seen: list[Any] = []

    def look(value: Any) -> Any:
        seen.append(value)
        return value

    prompt = ChatPromptTemplate.from_template("{context}\n{question}")
    chain = (
        {"context": retriever, "question": RunnablePassthrough()}
        | prompt
        | look
        | FakeListChatModel(responses=["Rathenau [1]."])
        | StrOutputParser()
    )
    assert chain.invoke(QUESTION) == "Rathenau [1]."
    assert "Walther Rathenau" in seen[0].to_string()


def test_a_langchain_retriever_may_keep_silent_where_the_corpus_does(german_soviet: Index) -> None:
    from ragkit.integrations.langchain import RagkitRetriever

    off_topic = "What does a haircut in Osaka cost?"
    assert RagkitRetriever(index=german_soviet).invoke(off_topic)
    assert RagkitRetriever(index=german_soviet, only_answered=True).invoke(off_topic) == []


def test_a_langchain_tool_gives_markdown_and_the_answer(german_soviet: Index) -> None:
    from ragkit.integrations.langchain import ragkit_tool

    tool = ragkit_tool(german_soviet, k=2)
    call = {"name": tool.name, "args": {"question": QUESTION}, "id": "1", "type": "tool_call"}
    message = tool.invoke(call)
    assert isinstance(message.artifact, Answer)
    assert message.content == german_soviet.ask(QUESTION, k=2).to_markdown()


def test_a_llama_index_query_engine_retrieves_with_exact_spans(german_soviet: Index) -> None:
    from llama_index.core.llms import MockLLM
    from llama_index.core.query_engine import RetrieverQueryEngine

    from ragkit.integrations.llama_index import RagkitRetriever

    retriever = RagkitRetriever(german_soviet, k=3)
    engine = RetrieverQueryEngine.from_args(retriever, llm=MockLLM())
    response = engine.query(QUESTION)
    answer = german_soviet.ask(QUESTION, k=3)
    assert [n.node_id for n in response.source_nodes] == [
        p.citation.passage_id for p in answer.passages
    ]
    assert [n.score for n in response.source_nodes] == [p.score for p in answer.passages]
    first = response.source_nodes[0]
    check_metadata(first.metadata, first.get_content(), german_soviet)
    again = asyncio.run(retriever.aretrieve(QUESTION))
    assert [n.node_id for n in again] == [n.node_id for n in response.source_nodes]
    silent = RagkitRetriever(german_soviet, only_answered=True)
    assert silent.retrieve("What does a haircut in Osaka cost?") == []


def test_a_haystack_pipeline_retrieves_with_exact_spans_and_can_be_saved(
    german_soviet: Index,
) -> None:
    from haystack import Pipeline
    from haystack.components.builders import PromptBuilder

    from ragkit.integrations.haystack import RagkitRetriever

    def fill(pipeline: Any, retriever: RagkitRetriever) -> Any:
        pipeline.add_component("retriever", retriever)
        template = "{% for d in documents %}{{ d.content }}{% endfor %}"
        pipeline.add_component("prompt", PromptBuilder(template, required_variables="*"))
        pipeline.connect("retriever.documents", "prompt.documents")
        return pipeline

    pipeline = fill(Pipeline(), RagkitRetriever(k=3))
    inputs = {"retriever": {"query": QUESTION}}
    found = pipeline.run(inputs, include_outputs_from={"retriever"})
    documents = found["retriever"]["documents"]
    answer = german_soviet.ask(QUESTION, k=3)
    assert [d.id for d in documents] == [p.citation.passage_id for p in answer.passages]
    check_metadata(documents[0].meta, documents[0].content, german_soviet)
    assert found["retriever"]["confidence"] == answer.confidence
    assert found["prompt"]["prompt"] == "".join(p.text for p in answer.passages)
    again = Pipeline.loads(pipeline.dumps(), allowed_modules=["ragkit.integrations.haystack"])
    assert again.run(inputs) == pipeline.run(inputs)
    assert asyncio.run(pipeline.run_async(inputs)) == pipeline.run(inputs)
    with pytest.raises(InputError, match="can't be saved"):
        fill(Pipeline(), RagkitRetriever(german_soviet)).dumps()


def test_an_openai_tool_call_is_handled(german_soviet: Index) -> None:
    from openai.types.chat import ChatCompletionToolParam
    from pydantic import TypeAdapter

    from ragkit.integrations.openai import handle, tool

    schema = tool(about="an article on German–Soviet relations")
    assert TypeAdapter(ChatCompletionToolParam).validate_python(schema) == schema
    result = json.loads(handle(json.dumps({"question": QUESTION}), german_soviet, k=2))
    answer = german_soviet.ask(QUESTION, k=2)
    assert (result["answered"], result["answer"]) == (True, answer.text)
    assert [p["text"] for p in result["passages"]] == [p.text for p in answer.passages]


@pytest.mark.parametrize(
    "arguments", ["", "[]", "{", '{"q": 1}', '{"question": 3}', '{"question": " "}']
)
def test_a_malformed_tool_call_is_told_to_the_model(arguments: str, german_soviet: Index) -> None:
    from ragkit.integrations.openai import handle

    assert set(json.loads(handle(arguments, german_soviet))) == {"error"}


def test_passages_are_anthropic_search_results(german_soviet: Index) -> None:
    from anthropic.types import SearchResultBlockParam
    from pydantic import TypeAdapter

    from ragkit.integrations.anthropic import search_results

    answer = german_soviet.ask(QUESTION, k=2)
    blocks = search_results(answer)
    for block, passage in zip(blocks, answer.passages, strict=True):
        TypeAdapter(SearchResultBlockParam).validate_python(block)
        assert block["content"] == [{"type": "text", "text": passage.text}]
        assert block["source"] == passage.citation.url


@pytest.mark.parametrize(
    ("module", "package", "extra"),
    [
        ("langchain", "langchain_core", "langchain"),
        ("llama_index", "llama_index", "llama-index"),
        ("haystack", "haystack", "haystack"),
    ],
)
def test_a_missing_framework_is_told_with_the_line_that_installs_it(
    module: str, package: str, extra: str, tmp_path: Path
) -> None:
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from ragkit import MissingExtraError\n"
        f"try:\n    import ragkit.integrations.{module}\n"
        "except MissingExtraError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert f"pip install 'ragkit-cited[{extra}]'" in done.stdout
