"""Whatever a message says to run is run here, as printed: the problem is gone, and nothing is lost.

``REMEDIES`` is a table: how the problem comes about, which command its message prints, and what
must hold once that was run. Paths have blanks, since people's have.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import click
import pytest
from click.testing import CliRunner

from ragkit import Document, Index, RagkitError
from ragkit.cli import cli
from ragkit.commands import beside, command
from ragkit.corpus import iter_sources
from ragkit.doctor import examine
from ragkit.evaluation.harness import gate
from support.parts import ROOT

FEEDBACK = '{"question": "When does it open?"}\n'
QUESTION = (
    '{"id": "nine", "question": "When does the library open?", "answerable": true, "evidence": '
    '[{"document_id": "a-hours", "quote": "The library opens at nine."}]}\n'
)
TEXTS = {
    "a/hours.txt": "The library opens at nine. On Sundays it is closed.",
    "b/hours.txt": "The museum opens at ten.",
    "bread.txt": "Bread is made of flour. Rye bread is dark.",
}
LONG_LINE = "Bread is dark. " * 100 + "\n"
IDS = {"a-hours", "b-hours", "bread"}
"""The first two files are told apart by their folders, which an update must not forget."""


def command_of(group: str, name: str) -> click.Command:
    """The command ``ragkit GROUP NAME``."""
    context = click.Context(cli)
    found = cli.get_command(context, group)
    assert isinstance(found, click.Group)
    return found.commands[name]


@dataclass
class Place:
    """A folder with documents, their index, feedback, and an evaluation folder."""

    root: Path

    @property
    def docs(self) -> Path:
        return self.root / "my docs"

    @property
    def index(self) -> Path:
        return self.root / "my index"

    @property
    def eval(self) -> Path:
        return self.root / "my eval"

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def ids(self, index: Path | None = None) -> set[str]:
        opened = Index.open(index or self.index, check_sources=False)
        return {document.id for document in opened.documents}

    def damage(self, name: str) -> None:
        [path] = self.index.glob(f"*/{name}")
        path.write_bytes(path.read_bytes()[:-1] + b"\x00!")

    def fails(self, *words: object) -> str:
        """Run a command that has to fail; return its message."""
        done = CliRunner().invoke(cli, [str(word) for word in words])
        assert isinstance(done.exception, RagkitError), done.output
        return str(done.exception)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    place = Place(tmp_path_factory.mktemp("place"))
    for name, text in TEXTS.items():
        place.write(f"my docs/{name}", text)
    place.write("my docs/feedback.jsonl", FEEDBACK)
    place.write("my eval/questions.jsonl", QUESTION)
    Index.build(place.docs, place.index, encoder=str(tiny_model))
    assert place.ids() == IDS
    return place.root


@pytest.fixture
def place(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    root = shutil.copytree(original, tmp_path / "a place")
    monkeypatch.chdir(root)
    return Place(root)


def commands(message: str) -> list[str]:
    """Return the commands that a message prints."""
    return re.findall(r"`([^`]+)`", message)


def run(line: str, place: Place, source: object = "my docs") -> str:
    """Run a command as it is printed, with ``source`` for the placeholder of the sources."""
    line = line.replace("SOURCE…", shlex.quote(str(source)))
    assert "…" not in line
    if not line.startswith("ragkit "):
        subprocess.run(line, shell=True, check=True, cwd=place.root, timeout=60)  # noqa: S602
        return ""
    done = CliRunner().invoke(cli, shlex.split(line)[1:], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def is_whole(place: Place) -> bool:
    Index.verify(place.index)
    return place.ids() == IDS


# How the problems come about; each returns the message.


def damaged_file(place: Place) -> str:
    place.damage("tokens.npy")
    return place.fails("index", "verify", place.index)


def damaged_documents(place: Place) -> str:
    place.damage("texts.bin")
    return place.fails("ask", "bread?", "--index", place.index)


def missing_file(place: Place) -> str:
    next(place.index.glob("*/postings.npy")).unlink()
    return place.fails("ask", "bread?", "--index", place.index)


def cannot_be_repaired(place: Place) -> str:
    place.damage("texts.bin")
    shutil.move(place.docs, place.root / "elsewhere")
    message = place.fails("index", "repair", place.index)
    shutil.move(place.root / "elsewhere", place.docs)
    return message


def damaged_manifest(place: Place) -> str:
    (place.index / "manifest.json").write_text("garbage")
    return place.fails("ask", "bread?", "--index", place.index)


def changed_source(place: Place) -> str:
    place.write("my docs/b/hours.txt", "The museum opens at eleven.")
    return place.fails("ask", "bread?", "--index", place.index, "--require-fresh")


def removed_source(place: Place) -> str:
    (place.docs / "b/hours.txt").unlink()
    return place.fails("index", "verify", place.index)


def update_without_a_source(place: Place) -> str:
    (place.docs / "b/hours.txt").unlink()
    return place.fails("index", "update", place.index)


def other_documents(place: Place) -> str:
    place.write("new file.txt", "Tea is made of leaves.")
    return place.fails("index", "build", "new file.txt", "--out", "my index")


def no_index(place: Place) -> str:
    return place.fails("ask", "bread?", "--index", "my other index")


def documents_as_an_index(place: Place) -> str:
    return place.fails("ask", "bread?", "--index", "my docs")


def a_document_as_an_index(place: Place) -> str:
    return place.fails("ask", "bread?", "--index", "my docs/bread.txt")


def another_model(place: Place) -> str:
    with pytest.raises(RagkitError) as error:
        Index.update(place.index, encoder="late-MiniLM-L6")
    return str(error.value)


def doctor_of(place: Place) -> str:
    [finding] = [one for one in examine(place.index) if one.name == "index"]
    return finding.advice


def doctor_of_a_changed_source(place: Place) -> str:
    place.write("my docs/b/hours.txt", "The museum opens at eleven.")
    return doctor_of(place)


def doctor_of_a_removed_source(place: Place) -> str:
    (place.docs / "b/hours.txt").unlink()
    return doctor_of(place)


def no_baseline(place: Place) -> str:
    return place.fails("eval", "gate", "--set", "my eval", "--index", "my index")


def damaged_baseline(place: Place) -> str:
    place.write("my eval/baseline.json", "{")
    return no_baseline(place)


def other_questions(place: Place) -> str:
    run("ragkit eval bless --set 'my eval' --index 'my index'", place)
    place.write("my eval/questions.jsonl", QUESTION.replace("When does", "At what hour does"))
    done = CliRunner().invoke(cli, ["eval", "gate", "--set", "my eval", "--index", "my index"])
    assert done.exit_code == 1
    return done.output


def without_baseline_in_python(place: Place) -> str:
    with pytest.raises(RagkitError) as error:
        gate(place.eval.name, index=place.index.name)
    return str(error.value)


def windows_text(place: Place) -> str:
    return strict_build(place, "menü “cheap”".encode("cp1252"))


def utf16_text(place: Place) -> str:
    return strict_build(place, "menü".encode("utf-16le"))


def strict_build(place: Place, content: bytes) -> str:
    place.write("my docs/my menu.txt", content)
    return place.fails("index", "build", "my docs", "--out", "second", "--strict")


def too_long_a_text(place: Place) -> str:
    place.write("my docs/long text.txt", LONG_LINE * 50_000)
    return place.fails("index", "build", "my docs", "--out", "second", "--strict")


# What must hold afterwards, besides that no other file changed.


def gate_passes(place: Place) -> bool:
    return gate(place.eval, index=place.index).passed


def menu_is_text(place: Place) -> bool:
    [(document, _)] = list(iter_sources(place.docs / "my menu-utf-8.txt"))
    return document.text.startswith("menü")


def parts_are_read(place: Place) -> bool:
    parts = [document.text for document, _ in iter_sources(place.docs / "long text.txt-*.txt")]
    return len(parts) == 3 and "".join(parts) == LONG_LINE * 50_000


class Remedy(NamedTuple):
    provoke: Callable[[Place], str]
    says: str
    """How the command begins."""
    holds: Callable[[Place], bool]
    changes: tuple[str, ...] = ()
    """Files outside the index that the command is to write."""


def second_index(name: str) -> Callable[[Place], bool]:
    return lambda place: place.ids(place.root / name) == IDS


REMEDIES = {
    remedy.provoke.__name__ + ": " + remedy.says: remedy
    for remedy in (
        Remedy(damaged_file, "ragkit index repair", is_whole),
        Remedy(damaged_documents, "ragkit index repair", is_whole),
        Remedy(missing_file, "ragkit index repair", is_whole),
        Remedy(cannot_be_repaired, "ragkit index build SOURCE… --out", is_whole),
        Remedy(damaged_manifest, "ragkit index build SOURCE… --out", second_index("my index-rebuilt")),
        Remedy(changed_source, "ragkit index update", is_whole),
        Remedy(removed_source, "ragkit index update", lambda p: p.ids() == IDS - {"b-hours"}),
        Remedy(update_without_a_source, "ragkit index update", lambda p: p.ids() == IDS - {"b-hours"}),
        Remedy(other_documents, "ragkit index update", is_whole),
        Remedy(other_documents, "ragkit index update 'my index' --add", lambda p: p.ids() == {*IDS, "new-file"}),
        Remedy(other_documents, "ragkit index build 'new file.txt' --out", lambda p: p.ids() == {"new-file"}),
        Remedy(no_index, "ragkit index build SOURCE… --out", second_index("my other index")),
        Remedy(documents_as_an_index, "ragkit index build", second_index("my docs-index")),
        Remedy(a_document_as_an_index, "ragkit index build", lambda p: p.ids(p.docs / "bread-index") == {"bread"}),
        Remedy(another_model, "ragkit index build SOURCE… --out", lambda p: p.ids() == IDS),
        Remedy(doctor_of, "ragkit index verify", is_whole),
        Remedy(doctor_of_a_changed_source, "ragkit index update", is_whole),
        Remedy(doctor_of_a_removed_source, "ragkit index update", lambda p: p.ids() == IDS - {"b-hours"}),
        Remedy(no_baseline, "ragkit eval bless", gate_passes, ("my eval/baseline.json",)),
        Remedy(damaged_baseline, "ragkit eval bless", gate_passes, ("my eval/baseline.json",)),
        Remedy(without_baseline_in_python, "ragkit eval bless --set", gate_passes, ("my eval/baseline.json",)),
        Remedy(other_questions, "ragkit eval bless", gate_passes, ("my eval/baseline.json",)),
        Remedy(windows_text, "iconv -f cp1252", menu_is_text, ("my docs/my menu-utf-8.txt",)),
        Remedy(utf16_text, "iconv -f utf-16le", menu_is_text, ("my docs/my menu-utf-8.txt",)),
        Remedy(too_long_a_text, "split -C 32m", parts_are_read, tuple(f"my docs/long text.txt-a{c}.txt" for c in "abc")),
    )
}  # fmt: skip


@pytest.mark.parametrize("name", REMEDIES)
def test_following_the_advice_ends_the_problem_and_loses_nothing(name: str, place: Place) -> None:
    remedy = REMEDIES[name]
    message = remedy.provoke(place)
    lines = [line for line in commands(message) if line.startswith(remedy.says)]
    assert lines, message
    before = files_of(place)
    run(lines[0], place)
    assert remedy.holds(place)
    after = files_of(place)
    assert {path for path in before | after if before.get(path) != after.get(path)} <= {
        place.root / changed for changed in remedy.changes
    }


def files_of(place: Place) -> dict[Path, bytes]:
    """Return the content of every file outside indexes."""
    indexes = {path.parent for path in place.root.rglob("manifest.json")}
    return {
        path: path.read_bytes()
        for path in place.root.rglob("*")
        if path.is_file() and not indexes & set(path.parents)
    }


def test_every_command_of_a_message_is_run_by_a_test() -> None:
    tested = [remedy.says for remedy in REMEDIES.values()] + OTHERS
    printed = set(printed_commands())
    assert len(printed) > 10
    lacking = {
        line
        for line in printed
        if not any(t.startswith(line) or line.startswith(t) for t in tested)
    }
    assert not lacking


OTHERS = [
    "ragkit index upgrade",  # tests/indexing/test_upgrade.py
    "ragkit index push INDEX",  # below
    "ragkit eval lint --set FILE",  # below
    "ragkit eval review",  # below
    "/save",  # below
    "milvus-lite server --data-dir",  # tests/index/test_milvus.py runs such servers
]


def printed_commands() -> list[str]:
    """Return how each call of ``command`` in ragkit begins, up to what is filled in."""
    lines = []
    for path in (ROOT / "ragkit").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "command":
                continue
            if not node.args:  # a click command that is called
                continue
            words = node.args[0]
            parts = words.values if isinstance(words, ast.JoinedStr) else [words]
            if parts and isinstance(parts[0], ast.Constant):
                lines.append(str(parts[0].value).strip())
    return lines


def test_a_command_in_a_message_is_marked_so_that_it_can_be_told_from_the_sentence() -> None:
    """Backquotes, or the end of the message: nothing else is glued to its last word."""
    loose = re.compile(r"(?<!`)\bragkit (?:index|eval|ask|serve) [a-z]+ [^`\"]*[.;)]")
    for path in (ROOT / "ragkit").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise):
                rest = re.sub(r"command\(.*?\)", "", ast.unparse(node))
                assert not loose.search(rest), f"{path}:{node.lineno}"


def test_the_extras_and_packages_that_messages_install_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "ragkit").rglob("*.py"))
    extras = set(re.findall(r"ragkit-cited\[([\w,-]+)\]", text))
    extras |= set(re.findall(r"(?:MissingExtraError\.of|requires_extra)\(\"([\w-]+)\"", text))
    assert {"ray", "milvus", "report", "llm"} <= extras
    assert extras <= set(project["optional-dependencies"])
    packages = set(re.findall(r"pip install (?:--force-reinstall --no-deps )?([a-z][\w-]+)", text))
    required = {re.split(r"[\[>=<;]", one)[0] for one in project["dependencies"]}
    assert packages <= {*required, project["name"]}


def test_a_path_is_quoted_and_never_taken_for_an_option() -> None:
    assert command("ragkit index verify", Path("-x y")) == "`ragkit index verify './-x y'`"
    assert command("ragkit index update", "a", end="--add b") == "`ragkit index update a --add b`"


def test_a_place_beside_a_folder_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "i").mkdir()
    assert beside(tmp_path / "i", "-new") == tmp_path / "i-new"
    (tmp_path / "i-new").mkdir()
    assert beside(tmp_path / "i", "-new") == tmp_path / "i-new-2"
    monkeypatch.chdir(tmp_path / "i")
    assert beside(Path(), "-index") == tmp_path / "i-index"


def test_an_update_that_adds_keeps_everything_and_replaces_what_it_names(place: Place) -> None:
    place.write("my docs/b/hours.txt", "The museum opens at eleven.")
    place.write("more/tea.txt", "Tea is made of leaves.")
    run("ragkit index update 'my index' --add more 'my docs/b'", place)
    assert place.ids() == {*IDS, "tea"}
    assert "eleven" in Index.open(place.index).document("b-hours").text
    assert "nothing to add" in place.fails("index", "update", "my index", "--add")


def test_a_file_that_is_no_report_is_not_overwritten_by_following_the_advice(place: Place) -> None:
    message = place.fails("eval", "compare", "my eval/questions.jsonl", "my eval/questions.jsonl")
    assert commands(message) == ["ragkit eval run --save FILE"]
    assert "in another file" in message
    run("ragkit eval run --set 'my eval' --index 'my index' --save report.json", place)
    run("ragkit eval compare report.json report.json", place)


def test_a_set_that_cannot_be_measured_names_the_check_that_says_why(place: Place) -> None:
    place.write("my eval/questions.jsonl", QUESTION.partition(', "evidence"')[0] + "}\n")
    message = place.fails("eval", "--set", "my eval", "--index", "my index")
    [line] = commands(message)
    done = CliRunner().invoke(
        cli, shlex.split(line.replace("FILE", "'my eval' --index 'my index'"))[1:]
    )
    assert "nine" in done.output


def test_the_review_that_generate_prints_can_be_run(place: Place) -> None:
    place.write(
        "my docs/more.txt", "Anna Berg founded the bakery in 1987. It is closed on Sundays."
    )
    run("ragkit index update 'my index' --add 'my docs'", place)
    done = CliRunner().invoke(
        cli, ["eval", "generate", "--index", "my index", "--out", "my proposals.jsonl"]
    )
    assert done.exit_code == 0, done.output
    [line] = commands(done.output)
    words = shlex.split(line)[1:]
    review = command_of("eval", "review")
    parsed = review.make_context("review", words[2:])
    assert words[:2] == ["eval", "review"]
    assert parsed.params["file"].is_file()
    assert parsed.params["index_path"] == Path("my index")


def test_a_saved_talk_is_overwritten_by_the_command_that_is_printed(place: Place) -> None:
    place.write("my talk.md", "Precious.")
    talk = "When does the museum open?\n/save 'my talk.md'\n"
    refused = CliRunner().invoke(cli, ["chat", "--index", "my index"], input=talk)
    assert (place.root / "my talk.md").read_text() == "Precious."
    [line] = [line for line in commands(refused.output) if line.startswith("/save")]
    CliRunner().invoke(cli, ["chat", "--index", "my index"], input=f"{talk}{line}\n")
    assert "museum" in (place.root / "my talk.md").read_text()


def test_an_index_that_was_not_pushed_names_the_push() -> None:
    from ragkit.index.milvus.data import _not_found
    from ragkit.index.milvus.location import MilvusLocation

    location = MilvusLocation.parse("milvus://ann:secret@localhost/hours?database=my%20own")
    [line] = commands(str(_not_found(location)))
    assert "secret" not in line
    push = command_of("index", "push")
    words = shlex.split(line)
    parsed = push.make_context("push", words[3:])
    assert MilvusLocation.parse(parsed.params["location"]).name == "hours"


def test_a_verified_index_says_that_its_sources_are_not_there(place: Place) -> None:
    shutil.move(place.docs, place.root / "elsewhere")
    done = CliRunner().invoke(cli, ["index", "verify", "my index"])
    assert done.exit_code == 0
    assert "3 files, such as" in done.output
    assert "the sources match" not in done.output
    as_json = CliRunner().invoke(cli, ["index", "verify", "my index", "--json"])
    assert len(json.loads(as_json.output)["missing_sources"]) == 3


def test_documents_in_memory_have_no_missing_sources(tmp_path: Path) -> None:
    Index.build([Document("a", "A", "Bread is dark.")], tmp_path / "i")
    assert Index.verify(tmp_path / "i").missing_sources == ()
