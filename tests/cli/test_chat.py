"""``ragkit chat`` without a terminal: lines of standard input, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner, Result
from markdown_it import MarkdownIt

from ragkit import Answer, Conversation, Document, Index
from ragkit.answering.answer import Abstention, Choice, Remark
from ragkit.answering.generated import Sentence
from ragkit.catalogue import catalogue
from ragkit.cli import cli
from ragkit.cli.chat_screen import TextScreen
from ragkit.cli.chat_session import COMMANDS, Chat
from ragkit.conversation.transcript import Transcript
from support.chat_endpoint import Reply, endpoint

LEAGUE = "When did the USSR join the League of Nations?"
RAPALLO = "Who signed the Treaty of Rapallo?"
BREAD = "How do I bake sourdough bread?"


def chat(lines: str | bytes, *arguments: str | Path, **variables: str) -> Result:
    """Run ``ragkit chat`` with these lines as its standard input."""
    command = ["chat", *map(str, arguments)]
    return CliRunner().invoke(cli, command, input=lines, env=variables, catch_exceptions=False)


def objects(lines: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.splitlines()]


def test_lines_are_read_to_the_end_of_the_input_and_blank_ones_are_ignored() -> None:
    done = chat(f"\n{LEAGUE}\n\n   \n\t\n{RAPALLO}", COLUMNS="70")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "September 1934. [1]" in done.stdout
    assert "[2] Germany–Soviet Union relations (1918–1941) § The Soviet Union" in done.stdout
    assert "ragkit" not in done.stdout  # no banner
    assert ">" not in done.stdout  # no prompt
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 70
    assert done.stdout.count("confidence") == 2


def test_json_has_one_object_a_line_and_nothing_else_on_standard_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = f"{LEAGUE}\n/help\n{RAPALLO}\n/sources\n/open 2\n/save talk.json\n/new\n{RAPALLO}\n"
    monkeypatch.chdir(tmp_path)
    done = chat(lines, "--json")
    league, rapallo, sources, opened, again = objects(done.stdout)
    assert [league["question"], rapallo["question"]] == [LEAGUE, RAPALLO]
    numbers = [answer["passages"][0]["number"] for answer in (league, rapallo, again)]
    assert numbers == [1, 2, 1]
    assert [source["number"] for source in sources["sources"]] == [1, 2]
    assert opened["citation"] == rapallo["passages"][0]["citation"]
    assert opened["number"] == 2
    assert "Ask a question, or enter a command" in done.stderr
    assert "Saved 2 answers to talk.json." in done.stderr
    saved = json.loads((tmp_path / "talk.json").read_text(encoding="utf-8"))
    assert len(saved["turns"]) == 2


@pytest.mark.parametrize("name", ["talk.json", "talk.jsonl"])
def test_a_saved_talk_goes_on_as_if_it_had_not_been_interrupted(tmp_path: Path, name: str) -> None:
    path, rest = tmp_path / name, "and when was it thrown out?\n/sources\n"
    whole = objects(chat(f"{RAPALLO}\n{LEAGUE}\n{rest}", "--json").stdout)
    chat(f"{RAPALLO}\n{LEAGUE}\n/save {path}\n")
    done = chat(f"{rest}/save {path} --force\n", "--continue", path, "--json")
    assert objects(done.stdout) == whole[2:]
    assert whole[2]["standalone"] != whole[2]["question"]
    assert f"The talk goes on after 2 answers, to: {LEAGUE}" in done.stderr
    assert len(Transcript.load(path).answers) == 3


def test_an_error_of_one_line_does_not_end_the_talk() -> None:
    lines = f"\x07\n{'x' * 5000}\n/nonsense\n/open 1\n/sources now\n/save 'a\n/save a b\n".encode()
    done = chat(lines + b"what\xff\n" + f"{RAPALLO}\n".encode(), "--json")
    assert done.exit_code == 0
    [answer] = objects(done.stdout)
    assert answer["question"] == RAPALLO
    reasons = (
        "control character U+0007", "at most 4,000", "no command /nonsense; /help lists them",
        "nothing is cited yet", "/sources stands alone", "without its second",
        "expects one file, found 2", "U+DCFF",
    )  # fmt: skip
    lines_of_errors = done.stderr.splitlines()
    for line, reason in zip(lines_of_errors, reasons, strict=True):
        assert line.startswith("ragkit: ")
        assert reason in line


@pytest.mark.parametrize("wrong", ["/open", "/open x", "/open 1 2", "/open -1", "/open 7"])
def test_open_says_which_number_it_expects(wrong: str) -> None:
    done = chat(f"{RAPALLO}\n{wrong}\n", "--json")
    assert len(objects(done.stdout)) == 1
    assert "expect" in done.stderr
    assert "1" in done.stderr


def test_a_question_may_begin_with_a_second_slash() -> None:
    done = chat("//etc, what is it for?\n", "--json")
    assert objects(done.stdout)[0]["question"] == "/etc, what is it for?"


def test_quit_ends_the_talk_before_the_end_of_the_input() -> None:
    done = chat(f"/quit\n{RAPALLO}\n")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")


def test_a_follow_up_says_how_it_was_understood() -> None:
    lines = f"{RAPALLO}\nand when?\n"
    _, second = objects(chat(lines, "--json").stdout)
    assert second["standalone"] != second["question"]
    assert "Rapallo" in second["standalone"]
    shown = chat(lines).stdout
    assert shown.count("You asked about: ") == 1
    understood = shown.split("You asked about: ")[1].split("\n\n")[0]
    assert " ".join(understood.split()) == second["standalone"]


def test_new_forgets_the_talk() -> None:
    done = chat(f"{LEAGUE}\n/new\nand why was it expelled?\n", "--json")
    _, after = objects(done.stdout)
    assert after["standalone"] == after["question"]
    assert after["passages"][0]["number"] == 1


def test_a_talk_is_saved_as_markdown_and_only_force_overwrites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = f"/save\n{LEAGUE}\n/save\n{RAPALLO}\n/save\n/save 'my talk.md'\n/save --force\n"
    monkeypatch.chdir(tmp_path)
    done = chat(lines)
    nothing, first, refused, other, forced = done.stderr.splitlines()
    assert "nothing to save" in nothing
    assert first == "Saved 1 answer to talk.md."
    assert "talk.md exists and is not overwritten" in refused
    assert "--force" in refused
    assert other == "Saved 2 answers to my talk.md."
    assert forced == "Saved 2 answers to talk.md."
    texts = [(tmp_path / name).read_text("utf-8") for name in ("talk.md", "my talk.md")]
    assert texts[0] == texts[1]
    headings = [token.content for token in MarkdownIt().parse(texts[0]) if token.type == "inline"]
    assert [text for text in headings if text in (LEAGUE, RAPALLO)] == [LEAGUE, RAPALLO]


def test_open_prints_the_whole_passage_and_where_it_is(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, index = tmp_path / "bread.txt", tmp_path / "index"
    text = "Bread is made of flour.\n    Rye bread  is dark\tand keeps long."
    source.write_text(text, encoding="utf-8")
    build = ["index", "build", str(source), "--out", str(index), "--model", str(tiny_model)]
    assert CliRunner().invoke(cli, build).exit_code == 0
    monkeypatch.chdir(tmp_path)
    done = chat("flour?\n/open 1\n/sources\n/open 1 --browser\n", "--index", index)
    assert (
        "[1] bread\n    bread.txt\n\nBread is made of flour.\n    Rye bread  is dark" in done.stdout
    )
    assert done.stdout.count("[1] bread\n    bread.txt\n") == 2
    assert f"Open {source.resolve().as_uri()} yourself" in done.stderr
    source.unlink()
    gone = chat("flour?\n/sources\n/open 1 --browser\n", "--index", index)
    assert "[1] bread\n    bread#0-" in gone.stdout
    assert "neither a web address nor a file" in gone.stderr


def test_passages_after_the_first_are_shown_with_their_words() -> None:
    done = chat(f"{RAPALLO}\n{BREAD}\n", "-k", "2")
    rapallo, bread = done.stdout.split("\n\nThe corpus does not say")
    assert "\n[1] Germany" in rapallo
    assert "\n[2] Germany" in rapallo
    _, second = rapallo.split("\n[2] ")
    assert any(line.startswith("    ") and line.endswith(".") for line in second.splitlines())
    assert "Nearest:\n[3]" in bread
    assert "[4]" not in bread


def test_what_a_language_model_writes_is_cited_by_the_numbers_of_the_talk() -> None:
    league = "The USSR joined the League of Nations in September 1934. [1]"
    rapallo = "The Treaty of Rapallo was signed by Walther Rathenau. [1] Rathenau liked jazz. [1]"
    with endpoint([league, rapallo]) as told:
        done = chat(
            f"{LEAGUE}\n{RAPALLO}\n{BREAD}\n", "--llm", "m", "--llm-url", told.url,
            OPENAI_API_KEY="x",
        )  # fmt: skip
    first, second, third = done.stdout.split("\n\n\n")[0].split("confidence")[:3]
    assert "September 1934. [1]\n" in first
    assert "signed by Walther Rathenau. [2]\n" in second
    assert "jazz" not in done.stdout
    assert "does not say" in third
    assert len(told.requests) == 2  # none for what the corpus does not say
    assert "[5]" in told.requests[0]["messages"][1]["content"]  # it has five passages to write from


def test_what_the_passages_do_not_support_is_marked_on_request() -> None:
    with endpoint(["Rathenau signed the Treaty of Rapallo. [1] Rathenau liked jazz. [1]"]) as told:
        done = chat(
            f"{RAPALLO}\n", "--llm", "m", "--llm-url", told.url, "--unsupported", "mark",
            OPENAI_API_KEY="x",
        )  # fmt: skip
    assert "Rathenau liked jazz. [unsupported]" in done.stdout


def test_a_language_model_that_fails_does_not_end_the_talk() -> None:
    with endpoint([Reply(status=400), "Rathenau signed the Treaty of Rapallo. [1]"]) as told:
        done = chat(
            f"{LEAGUE}\n{RAPALLO}\n/sources\n", "--llm", "m", "--llm-url", told.url, "--json",
            OPENAI_API_KEY="x",
        )  # fmt: skip
    answer, sources = objects(done.stdout)
    assert answer["question"] == RAPALLO
    assert len(sources["sources"]) == 1
    assert done.stderr.startswith("ragkit: ")


class Unsure(Conversation):
    """Answers as a conversation does, and offers two readings of each question."""

    CHOICES = (
        Choice("Treaty of Rapallo (1922)", RAPALLO, 1),
        Choice("League of Nations", LEAGUE, 2),
    )

    def stream(self, question: str, **options: Any) -> Iterator[Answer | Sentence]:
        for event in super().stream(question, **options):
            readings = () if options["standalone"] else self.CHOICES
            yield replace(cast("Answer", event), choices=readings)


class Polite(Conversation):
    """Repeats its last answer, and takes any other question for thanks."""

    def stream(self, question: str, **options: Any) -> Iterator[Answer | Sentence]:
        [event] = super().stream(RAPALLO, **options)
        answer = cast("Answer", event)
        if question == "say that again":
            yield replace(
                answer, question=question, standalone=question, remark=Remark.REPEAT,
                reply="Rathenau did.",
            )  # fmt: skip
            return
        yield Answer(
            question, False, "", 0.0, reason=Abstention.NO_QUESTION, remark=Remark.THANKS,
            reply="You are welcome.",
        )  # fmt: skip


def talk(conversation: Conversation, index: Index, *lines: str) -> None:
    transcript = Transcript()
    messages = catalogue("en")
    screen = TextScreen(index, transcript, messages, interactive=False)
    Chat(
        conversation, transcript, index, screen, messages, k=2, threshold=None, interactive=False
    ).run(lines)  # fmt: skip


def test_the_letter_of_a_choice_asks_its_question(
    german_soviet: Index, capsys: pytest.CaptureFixture[str]
) -> None:
    talk(Unsure(german_soviet), german_soviet, "Which treaty?", "b)", "b")
    first, chosen, letter = capsys.readouterr().out.split("confidence")[1:]
    assert "Which is meant? Enter its letter:\n a) Treaty of Rapallo (1922)\n b) League" in first
    assert "September 1934." in first.split(" b) League of Nations\n")[1]
    assert "Which is meant?" not in chosen
    assert letter  # once chosen, the letter is a question like any other


def test_a_remark_is_replied_to_with_the_sources_it_is_about(
    german_soviet: Index, capsys: pytest.CaptureFixture[str]
) -> None:
    talk(Polite(german_soviet), german_soviet, "say that again", "thanks", "/sources")
    shown = capsys.readouterr().out
    assert shown.startswith("Rathenau did. [1] [2]\n\n[1] Germany")
    assert "\n\nYou are welcome.\n\n" in shown
    assert "confidence" not in shown
    assert "does not say" not in shown


def test_a_corpus_cannot_command_the_terminal(
    german_soviet: Index, capsys: pytest.CaptureFixture[str]
) -> None:
    title = "\x1b]0;own"  # the title of the window
    text = f"Rivers flow {title}ed\x07 to the sea."
    url = f"https://example.org/{title}\x07"
    index = Index.build([Document("rivers", title, text, url)], encoder=german_soviet.encoder)
    talk(Conversation(index), index, "Where do rivers flow?", "/sources", "/open 1")
    shown = capsys.readouterr().out
    assert "Rivers flow ]0;owned to the sea." in shown
    assert "https://example.org/]0;own" in shown
    assert "\x1b" not in shown
    assert "\x07" not in shown


def test_help_names_every_command(
    german_soviet: Index, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    talk(Conversation(german_soviet), german_soviet, "/help")
    printed = capsys.readouterr().err
    assert list(COMMANDS) == ["/sources", "/open", "/save", "/new", "/help", "/quit"]
    assert all(f"\n  {name}" in printed for name in COMMANDS)
    assert max(map(len, printed.splitlines())) <= 60
