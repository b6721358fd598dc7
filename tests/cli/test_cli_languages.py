"""The command line speaks the reader's language; errors, help and JSON stay as they are."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner, Result

from ragkit.cli import cli

LEAGUE = "When did the USSR join the League of Nations?"
BREAD = "How do I bake sourdough bread?"
JAPANESE = {"LC_ALL": "ja_JP.UTF-8"}
GERMAN = {"LC_ALL": "", "LANG": "de_DE.UTF-8"}


def run(*arguments: str, lines: str = "", **variables: str) -> Result:
    return CliRunner().invoke(cli, arguments, input=lines, env=variables, catch_exceptions=False)


def test_an_answer_is_introduced_in_german() -> None:
    done = run("ask", LEAGUE, "-k", "1", **GERMAN)
    assert "joined the League of Nations in September 1934." in " ".join(done.stdout.split())
    assert "\nKonfidenz 0," in done.stdout
    assert "(wahrscheinlich)" in done.stdout
    assert "confidence" not in done.stdout


def test_an_abstention_is_said_in_japanese() -> None:
    done = run("ask", BREAD, **JAPANESE)
    assert done.exit_code == 1
    assert done.stdout.startswith("文書には書かれていません（")
    assert "（不確実）" in done.stdout


def test_a_chat_replies_in_the_readers_language() -> None:
    lines = f"thanks\n{LEAGUE}\nwho says so?\n{BREAD}\n/new\n"
    done = run("chat", lines=lines, **GERMAN)
    assert done.stdout.startswith("Gern geschehen.")
    assert ": „In 1933–34 the Soviet Union was" in " ".join(done.stdout.split())
    assert "Das steht nicht in den Dokumenten" in done.stdout
    assert "Am ähnlichsten:" in done.stdout
    assert "Das Gespräch ist vergessen" in done.stderr


def test_json_errors_and_help_do_not_change_with_the_language() -> None:
    lines = f"thanks\n{LEAGUE}\n{BREAD}\n/sources\n/new\n"
    for command in (
        ["chat", "--json"],
        ["ask", BREAD, "--json"],
        ["ask", "--help"],
        ["ask", "\x07"],
    ):
        english, japanese = (
            CliRunner().invoke(cli, command, input=lines, env=env) for env in ({}, JAPANESE)
        )
        assert japanese.output == english.output
        assert str(japanese.exception) == str(english.exception)


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX's")
def test_the_banner_of_a_terminal_is_german(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    from support.terminal import CTRL_C, CTRL_D, terminal

    for name, value in GERMAN.items():
        monkeypatch.setenv(name, value)
    with terminal(tmp_path_factory.mktemp("home")) as chat:
        assert "Stellen Sie Fragen zu: Germany–Soviet Union relations" in chat.banner
        assert "/help zeigt die Befehle; /quit oder Strg-D beendet." in chat.banner
        assert "/quit oder Strg-D beendet." in chat.press(CTRL_C)
        assert chat.leave(CTRL_D) == 0
