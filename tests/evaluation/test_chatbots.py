"""Any chatbot is measured: behind a URL, or a Python function of any framework."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from haystack import Document as HaystackDocument
from haystack import Pipeline
from haystack.components.preprocessors import DocumentSplitter
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever
from haystack.document_stores.in_memory import InMemoryDocumentStore

from ragkit import Document, Index, InputError, LanguageModelError
from ragkit.cli import cli
from ragkit.evaluation import (
    Chatbot,
    ChatEndpoint,
    Evidence,
    Question,
    QuestionSet,
    Reply,
    ReplyPaths,
    Report,
    check_gate,
    evaluate_chatbot,
    html_report,
    load_report,
    markdown,
)
from ragkit.evaluation.endpoint import MAX_BYTES, values_at
from ragkit.evaluation.separation import separation, separation_by_category
from ragkit.serving import Settings, create_app
from support.listening import handled, listening
from support.parts import ROOT

ASK = ReplyPaths("text", "passages.*.citation.quote", answered="answered", confidence="confidence")
RETRIEVAL = ("Success@1", "Success@5", "Recall@5", "RR", "nDCG@10")


@pytest.fixture(scope="module")
def some(committed: QuestionSet) -> QuestionSet:
    """40 questions, a quarter of them unanswerable."""
    answerable = [q for q in committed if q.answerable][:30]
    unanswerable = [q for q in committed if not q.answerable][:10]
    return QuestionSet("some", (*answerable, *unanswerable))


@pytest.fixture(scope="module")
def origin(german_soviet: Index) -> Iterator[str]:
    with listening(create_app(german_soviet, Settings())) as address:
        yield address


def measured(
    reply: Callable[[str], object], questions: QuestionSet, index: Index, **options: Any
) -> Report:
    return evaluate_chatbot(questions, Chatbot("bot", reply, **options), index)


def test_an_index_behind_its_own_server_has_the_values_of_the_index(
    origin: str, some: QuestionSet, german_soviet: Index, report: Report
) -> None:
    body = {"question": "{question}", "k": 10}
    endpoint = ChatEndpoint(f"{origin}/v1/ask", paths=ASK, body=body)
    over_http = measured(endpoint, some, german_soviet)
    direct = {o.id: o for o in report.outcomes}
    assert len(over_http.outcomes) == 40
    for outcome in over_http.outcomes:
        own = direct[outcome.id]
        assert (outcome.rank, outcome.answered) == (own.rank, own.answered)
        assert outcome.confidence == pytest.approx(own.confidence, abs=1e-6)
        assert {name: outcome.values[name] for name in RETRIEVAL} == {
            name: own.values[name] for name in RETRIEVAL
        }
    assert over_http.citation_validity == 1.0
    assert set(over_http.absent) == {"span precision", "span recall", "highlight", "short token F1"}


def test_openai_chat_completions_are_measured_by_their_text_and_its_quotations(
    origin: str, some: QuestionSet, german_soviet: Index
) -> None:
    over_http = measured(ChatEndpoint(f"{origin}/v1"), some, german_soviet)
    summary = over_http.summary()
    success, containment = summary["Success@1"], summary["containment"]
    assert success is not None
    assert success > 0.5
    assert containment is not None
    assert containment > 0.4
    assert over_http.citation_validity == 1.0
    assert over_http.absent["AUROC"] == "no reply has a confidence"
    assert over_http.absent["abstention"] == "no reply says whether it answers"


@pytest.fixture(scope="module")
def haystack_bot(article: Document) -> Callable[[str], dict[str, Any]]:
    """A bot of another framework: BM25 over passages of 80 words, cut its own way."""
    splitter = DocumentSplitter(split_by="word", split_length=80, split_overlap=10)
    parts = splitter.run([HaystackDocument(content=article.text)])["documents"]
    store = InMemoryDocumentStore()
    store.write_documents(parts)
    pipeline = Pipeline()
    pipeline.add_component("retriever", InMemoryBM25Retriever(store, top_k=10))

    def answer(question: str) -> dict[str, Any]:
        documents = pipeline.run({"retriever": {"query": question}})["retriever"]["documents"]
        contents = [document.content for document in documents]
        return {"text": contents[0], "citations": contents}

    return answer


def test_a_bot_of_another_framework_is_measured_by_the_passages_that_it_cites(
    haystack_bot: Callable[[str], dict[str, Any]], committed: QuestionSet, german_soviet: Index
) -> None:
    report = measured(haystack_bot, committed, german_soviet)
    summary = report.summary()
    first, fifth = summary["Success@1"], summary["Success@5"]
    assert first is not None
    assert fifth is not None
    assert 0.2 < first < fifth < 0.9
    assert report.citation_validity == 1.0
    assert report.configuration.chatbot == "bot"
    assert all(outcome.citations == 10 for outcome in report.outcomes)


def test_what_a_bot_does_not_return_is_absent_and_not_zero(
    some: QuestionSet, german_soviet: Index, tmp_path: Path
) -> None:
    answers = {q.text: (q.answers or ("I don't know.",))[0] for q in some}
    report = measured(answers.__getitem__, some, german_soviet, abstains_with="I don't know")
    summary = report.summary()
    assert summary["containment"] == 1.0
    assert summary["abstention"] == 1.0
    for name in (*RETRIEVAL, "citation validity", "AUROC", "AURC", "ECE", "Brier", "highlight"):
        assert summary[name] is None
    assert separation(report) is None
    assert not separation_by_category(report)
    assert not list(report.failures())
    line = "Not measured, since no reply has a citation or a quotation: Success@1, Success@3"
    assert line in markdown(report)
    assert line in html_report(report)
    assert html_report(report).count("<svg") == 0
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report.to_dict()), encoding="utf-8")
    assert load_report(path).summary() == {
        name: None if value is None else round(value, 6) for name, value in summary.items()
    }


def test_a_bot_without_citations_is_gated_by_its_text(
    some: QuestionSet, german_soviet: Index
) -> None:
    must_pass = QuestionSet(
        "one", (replace(next(q for q in some if q.answers), id="q", must_pass=True),)
    )
    right = measured(
        lambda _: f"It was {must_pass.questions[0].answers[0]}.", must_pass, german_soviet
    )
    wrong = measured(lambda _: "No idea.", must_pass, german_soviet)
    assert check_gate(right, right, {}).passed
    assert any("must-pass question q" in r for r in check_gate(wrong, right, {}).reasons)
    [reason] = check_gate(right, right, {"overall": {"RR": 0.5}}).reasons
    assert "RR of overall is missing, below its floor" in reason


BAKERY = Document("bakery", "Bakery", "Bread is baked at dawn. Rye bread is dark. It keeps a week.")


def test_each_citation_is_looked_up_and_only_verbatim_ones_are_valid(tiny: Any) -> None:
    index = Index.build([BAKERY], encoder=tiny)
    start = BAKERY.text.index("Rye")
    evidence = Evidence("bakery", start, start + 18, "Rye bread is dark.")
    questions = QuestionSet("one", (Question("q", "Which is dark?", True, evidence=(evidence,)),))

    def outcome(*citations: str, text: str = "It is rye.") -> tuple[int | None, int, int]:
        report = measured(lambda _: Reply(text, citations), questions, index)
        [one] = report.outcomes
        return one.rank, one.citations, one.unresolved

    assert outcome("Rye  bread\nis dark.") == (1, 1, 0)
    assert outcome(f"bakery#{start}-{start + 18}") == (1, 1, 0)
    assert outcome("Bread is baked at dawn.", "Rye bread is dark.") == (2, 2, 0)
    assert outcome("Rye bread is dark.", "Rye bread is dark", " ") == (1, 2, 0)
    assert outcome(r"Rye bread is dark\.") == (1, 1, 0)  # as Markdown writes it
    assert outcome("Rye bread is very dark.") == (1, 1, 1)  # its place, but not its words
    assert outcome("Nobody has ever said this here.") == (None, 1, 1)
    assert outcome("elsewhere#0-18", "bakery#0-9999") == (None, 2, 2)
    assert outcome(text="They say “Rye bread is dark.” of it.") == (1, 1, 0)
    assert outcome(text="They say nothing.") == (None, 0, 0)


@pytest.mark.parametrize(
    "value",
    [
        None, 7, {"answer": "x"}, {"text": "x", "sources": []}, {"text": 7}, ["x"],
        {"text": "x", "citations": "one"}, {"text": "x", "citations": [1]},
        {"text": "x", "citations": 7}, {"text": "x", "answered": "no"},
        {"text": "x", "confidence": True}, {"text": "x", "confidence": 87},
        {"text": "x", "confidence": float("nan")}, Reply("x", confidence=87),
    ],
)  # fmt: skip
def test_a_callable_that_returns_something_else_is_told_what_is_expected(
    value: object, some: QuestionSet, german_soviet: Index
) -> None:
    with pytest.raises(InputError, match=r"the chatbot bot returned a .*expected a str"):
        measured(lambda _: value, some, german_soviet)


def test_an_answer_of_ragkit_is_a_reply(some: QuestionSet, german_soviet: Index) -> None:
    report = measured(lambda text: german_soviet.ask(text, k=3), some, german_soviet)
    assert report.citation_validity == 1.0
    assert "AUROC" not in report.absent
    assert max(outcome.citations for outcome in report.outcomes) == 3


@contextmanager
def serving(*replies: tuple[int, bytes]) -> Iterator[tuple[str, list[tuple[str, str | None, Any]]]]:
    """Reply to one call after the other, the last for ever; yield the URL and the calls."""
    left, calls = list(replies), list[tuple[str, str | None, Any]]()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            calls.append((self.path, self.headers["authorization"], body))
            status, content = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            if status == 302:
                self.send_header("location", "http://127.0.0.1:9/elsewhere")
            self.end_headers()
            self.wfile.write(content)

    with handled(Handler) as origin:
        yield f"{origin}/bot", calls


def test_a_request_and_a_reply_may_have_any_shape() -> None:
    content = {"out": [{"say": "Rye."}], "src": [{"t": "a b c"}, {"t": None}, {"x": 1}, {"t": "d"}]}
    with serving((200, json.dumps(content).encode())) as (url, calls):
        paths = ReplyPaths("out.0.say", "src.*.t", answered="no.such", confidence="out")
        body = {"input": ["{question}"], "n": 3}
        reply = ChatEndpoint(url, paths=paths, body=body, token="t")('Who says "x"?')
    assert reply == Reply("Rye.", ("a b c", "d"))
    assert calls == [("/bot", "Bearer t", {"input": ['Who says "x"?'], "n": 3})]


def test_a_busy_endpoint_is_called_again() -> None:
    with serving((503, b"later"), (200, b'{"text": "x"}')) as (url, calls):
        assert ChatEndpoint(url, paths=ReplyPaths("text"))("q").text == "x"
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("status", "content", "message"),
    [
        (500, b"boom", "HTTP 500: boom"),
        (401, b"", "RAGKIT_ENDPOINT_TOKEN"),
        (302, b"", "HTTP 302"),  # the token is not sent on
        (200, b"<html>", "its reply is not JSON"),
        (200, b"[" * 100_000, "its reply is not JSON"),
        (200, b" " * (MAX_BYTES + 1), "more than 16,777,216 bytes"),
    ],
    ids=["error", "unauthorized", "redirect", "html", "deep", "large"],
)
def test_an_endpoint_that_fails_is_named_with_the_reason(
    status: int, content: bytes, message: str
) -> None:
    with (
        serving((status, content)) as (url, calls),
        pytest.raises(LanguageModelError, match=message) as raised,
    ):
        ChatEndpoint(url, paths=ReplyPaths("text"), token="t")("q")
    assert url in str(raised.value)
    assert len(calls) == 1


def test_an_endpoint_that_is_not_there_is_named() -> None:
    with pytest.raises(LanguageModelError, match=r"127\.0\.0\.1:9/v1/chat/completions"):
        ChatEndpoint("http://127.0.0.1:9/v1")("q")


def test_a_reply_without_text_at_the_path_is_shown() -> None:
    with serving((200, b'{"answer": "x"}')) as (url, _), pytest.raises(InputError) as raised:
        ChatEndpoint(url, paths=ReplyPaths("text"))("q")
    assert "no text at 'text'" in str(raised.value)
    assert '{"answer": "x"}' in str(raised.value)


def test_paths_lead_through_objects_and_lists() -> None:
    content = {"a": [{"b": 1}, {"b": [2, 3]}], "0": "zero"}
    assert list(values_at(content, "a.1.b.*")) == [2, 3]
    assert list(values_at(content, "a.*.b")) == [1, [2, 3]]
    assert list(values_at(content, "0")) == ["zero"]
    for nowhere in ("a.9", "a.b", "a.-1", "x.y", "0.0", "*"):
        assert list(values_at(content, nowhere)) == []


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "localhost:8000",
        "ftp://x",
        "",
        "http://[",
        "http://x:y",
        "http://x/?a b",
    ],
)
def test_an_address_that_is_not_http_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="expected an http"):
        ChatEndpoint(url)


def test_a_base_url_is_extended_before_its_query() -> None:
    called = "http://bot.example/v1/chat/completions?api-version=1"
    assert ChatEndpoint("http://bot.example/v1/?api-version=1").url == called
    assert ChatEndpoint(called).url == called


def test_secrets_of_an_address_are_in_no_error() -> None:
    with serving((500, b"boom")) as (url, _), pytest.raises(LanguageModelError) as failed:
        ChatEndpoint(f"{url}?key=secret", paths=ReplyPaths("text"))("q")
    assert f"{url} failed" in str(failed.value)
    assert "secret" not in str(failed.value)
    for address in (
        "http://me:secret@bot.example/v1",
        "http://me:secret/word@bot.example",
        "http://x/?secret x",
    ):
        with pytest.raises(InputError) as refused:
            ChatEndpoint(address)
        assert "secret" not in str(refused.value)


def test_a_report_names_an_endpoint_without_its_query(origin: str, tmp_path: Path) -> None:
    lines = (ROOT / "eval" / "questions.jsonl").read_text(encoding="utf-8").splitlines()[:5]
    path, saved = tmp_path / "set.jsonl", tmp_path / "run.json"
    path.write_text("\n".join(lines), encoding="utf-8")
    asked = ["--endpoint", f"{origin}/v1/ask?key=secret", "--text-path", "text"]
    arguments = ["eval", "--set", str(path), *asked, "--save", str(saved)]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, done.output
    assert load_report(saved).configuration.chatbot == f"{origin}/v1/ask"
    assert "secret" not in saved.read_text(encoding="utf-8") + done.output


BOT = """
def answer(question):
    return {"text": "In March 1922.", "citations": ["The first German officers went to Soviet Russia"]}
"""


def test_the_command_line_evaluates_blesses_and_gates_a_callable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my_bot.py").write_text(BOT, encoding="utf-8")
    Path("eval").mkdir()
    lines = (ROOT / "eval" / "questions.jsonl").read_text(encoding="utf-8").splitlines()[:5]
    Path("eval/questions.jsonl").write_text("\n".join(lines), encoding="utf-8")
    bot = ["--callable", "my_bot:answer"]
    run = CliRunner().invoke(cli, ["eval", *bot, "--json"])
    assert run.exit_code == 0, run.output
    content = json.loads(run.stdout)
    assert content["summary"]["citation validity"] == 1.0
    assert content["summary"]["AUROC"] is None
    assert content["absent"]["AUROC"] == "no reply has a confidence"
    shown = CliRunner().invoke(cli, ["eval", *bot])
    assert "Not measured, since no reply has a confidence: AUROC" in shown.output
    blessed = CliRunner().invoke(cli, ["eval", "bless", *bot])
    assert blessed.exit_code == 0, blessed.output
    gated = CliRunner().invoke(cli, ["eval", "gate", *bot])
    assert gated.exit_code == 1
    [reason] = [line for line in gated.output.splitlines() if line.startswith("FAIL")]
    assert "must-pass question weimar-002 fails" in reason  # the bot says the same to everything


def test_the_command_line_evaluates_an_endpoint(origin: str, tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    lines = (ROOT / "eval" / "questions.jsonl").read_text(encoding="utf-8").splitlines()[:5]
    path.write_text("\n".join(lines), encoding="utf-8")
    done = CliRunner().invoke(
        cli,
        ["eval", "--set", str(path), "--endpoint", f"{origin}/v1/ask", "--text-path", "text",
         "--citations-path", "passages.*.citation.quote", "--answered-path", "answered",
         "--confidence-path", "confidence", "--json"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["summary"]["Success@1"] is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--callable", "no_such_module:f"], "no_such_module:f cannot be imported"),
        (["--callable", "json"], "expected MODULE:FUNCTION"),
        (["--callable", "json:__doc__"], "expected a function"),
        (["--endpoint", "http://127.0.0.1:9", "--callable", "json:dumps"], "expected one of them"),
        (["--endpoint", "http://127.0.0.1:9", "--body", "{"], "--body is not JSON"),
        (["--endpoint", "http://127.0.0.1:9", "--body", "{}"], "no {question}"),
        (["--text-path", "answer"], "--text-path has no --endpoint beside it"),
        (["--endpoint-model", "m"], "--endpoint-model has no --endpoint beside it"),
        (["--callable", "json:dumps", "--body", "{}"], "--body has no --endpoint beside it"),
        (["--abstains-with", "no"], "--abstains-with has no --endpoint or --callable beside it"),
        (["--paraphrases"], "--paraphrases has no --endpoint or --callable beside it"),
    ],
)
def test_options_that_cannot_be_used_say_why(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(cli, ["eval", "--set", str(ROOT / "eval"), *arguments])
    assert isinstance(done.exception, InputError), done.output
    assert message in str(done.exception)


PARAPHRASES = """
def answer(question):
    return {"text": "In spring 1922.", "citations": ["German officers went to Russia in spring 1922"]}
"""


def test_a_bot_that_paraphrases_passes_the_gate_if_it_is_said_to_and_a_floor_still_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("other_bot.py").write_text(PARAPHRASES, encoding="utf-8")
    Path("eval").mkdir()
    lines = (ROOT / "eval" / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    chosen = [line for line in lines if '"must_pass"' not in line][:4]
    Path("eval/questions.jsonl").write_text("\n".join(chosen), encoding="utf-8")
    bot = ["--callable", "other_bot:answer"]
    lacking = CliRunner().invoke(cli, ["eval", "gate", *bot, "--paraphrases", "--junit", "j.xml"])
    [line] = re.findall("`ragkit (.*)`", str(lacking.exception))
    assert line == "eval bless --callable other_bot:answer --paraphrases"
    assert CliRunner().invoke(cli, shlex.split(line)).exit_code == 0
    strict = CliRunner().invoke(cli, ["eval", "gate", *bot])
    assert strict.exit_code == 1
    assert "FAIL citations do not resolve" in strict.output
    assert CliRunner().invoke(cli, ["eval", "gate", *bot, "--paraphrases"]).exit_code == 0
    Path("eval/floors.json").write_text('{"overall": {"citation validity": 0.5}}')
    floored = CliRunner().invoke(cli, ["eval", "gate", *bot, "--paraphrases"])
    assert floored.exit_code == 1
    assert "citation validity of overall is 0.000, below its floor 0.5" in floored.output
