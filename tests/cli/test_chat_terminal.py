"""``ragkit chat`` in a real terminal: what a person types, and what the screen then shows."""

from __future__ import annotations

import json
import re
import stat
import sys
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

import pytest
from rich.cells import cell_len

from ragkit import Document, Index
from support.chat_endpoint import Reply, endpoint
from support.talks import TALKS, Line, Shown, Talk, spoken

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX's", allow_module_level=True)

from support.terminal import CTRL_C, CTRL_D, ENTER, TAB, UP, terminal

LEAGUE = "When did the USSR join the League of Nations?"
RAPALLO = "Who signed the Treaty of Rapallo?"
OFFICERS = "When did the first German officers go to Soviet Russia?"
BREAD = "How do I bake sourdough bread?"


def test_the_banner_says_what_it_is_and_how_to_leave(tmp_path: Path) -> None:
    with terminal(tmp_path) as chat:
        assert "Ask about Germany–Soviet Union relations (1918–1941)." in chat.banner
        assert "/help lists the commands; /quit or Ctrl-D leaves." in chat.banner
        assert chat.leave(CTRL_D) == 0
    with terminal(tmp_path) as chat:
        assert chat.leave("/quit" + ENTER) == 0


def test_blank_lines_only_prompt_again(tmp_path: Path) -> None:
    with terminal(tmp_path) as chat:
        for blank in ("", "   "):
            assert chat.enter(blank).replace(">", "").split() == []
        assert "September 1934. [1]" in chat.enter(LEAGUE)


def test_ctrl_c_cancels_the_line_and_not_the_chat(tmp_path: Path) -> None:
    with terminal(tmp_path) as chat:
        chat.type("Who signed the wrong", "the wrong")
        cancelled = chat.press(CTRL_C)
        assert "quit" not in cancelled
        assert "confidence" not in cancelled
        assert "/quit or Ctrl-D leaves." in chat.press(CTRL_C)  # on an empty line
        answer = chat.enter(RAPALLO)
        assert "the wrong" not in answer
        assert "Walther Rathenau" in answer


def test_a_line_is_edited_and_recalled(tmp_path: Path) -> None:
    with terminal(tmp_path) as chat:
        chat.type("signed the Treaty of Rapallo?", "Rapallo?")
        assert "Walther Rathenau" in chat.press("\x01Who " + ENTER)  # Ctrl-A: to its beginning
        assert "Walther Rathenau" in chat.press(UP + ENTER)
        assert chat.enter("/sources").count("§") == 1
        assert "§" in chat.press(UP + ENTER)
        assert "Walther Rathenau" in chat.press(UP + UP + ENTER)


def test_pasted_lines_are_one_question(tmp_path: Path) -> None:
    with terminal(tmp_path) as chat:
        answer = chat.press("\x1b[200~Who signed\nthe Treaty of Rapallo?\x1b[201~" + ENTER)
        assert answer.count("confidence") == 1
        assert "Walther Rathenau" in answer


def test_lines_are_remembered_for_the_next_chat_in_a_file_of_its_owner(tmp_path: Path) -> None:
    with terminal(tmp_path) as chat:
        chat.enter(RAPALLO)
        chat.leave(CTRL_D)
    file = tmp_path / "ragkit" / "chat-history"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    with terminal(tmp_path) as chat:
        assert "Walther Rathenau" in chat.press(UP + ENTER)


def test_without_history_nothing_is_written(tmp_path: Path) -> None:
    with terminal(tmp_path / "state", "--no-history") as chat:
        chat.enter("/help")
        assert "Ask a question" in chat.press(UP + ENTER)  # within the chat it is recalled
    assert not list(tmp_path.iterdir())


def test_a_state_folder_that_cannot_be_used_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "ragkit").write_text("not a folder", encoding="utf-8")
    with terminal(tmp_path) as chat:
        assert "Walther Rathenau" in chat.enter(RAPALLO)


def test_tab_completes_commands_and_the_files_of_save(tmp_path: Path) -> None:
    (tmp_path / "unusual-name.md").touch()
    with terminal(tmp_path) as chat:
        chat.type("/so" + TAB, "urces")
        assert "Nothing is cited yet." in chat.press(ENTER)
        chat.enter(RAPALLO)
        chat.type(f"/save {tmp_path}/unus" + TAB, "ual-name.md")
        assert "exists and is not overwritten" in chat.press(ENTER).replace("\n", " ")


def test_every_command_does_what_help_says(tmp_path: Path) -> None:
    with terminal(tmp_path, columns=90) as chat:
        printed = chat.enter("/help")
        for name in ("/sources", "/open N", "/save [FILE]", "/new", "/help", "/quit"):
            assert name in printed
        chat.enter(LEAGUE)
        chat.enter(RAPALLO)
        sources = chat.enter("/sources")
        assert re.findall(r"^\[(\d)\]", sources, re.M) == ["1", "2"]
        assert sources.count("https://en.wikipedia.org/wiki/") == 2
        passage = chat.enter("/open 1")
        assert "\n[1] Germany–Soviet Union relations" in passage
        assert "Maxim Litvinov" in passage  # it begins before the sentence that answered
        for name in ("talk.md", "talk.json"):
            assert f"Saved 2 answers to {tmp_path}/{name}" in chat.enter(
                f"/save {tmp_path}/{name}"
            ).replace("\n/", " /").replace("to\n", "to ")
        assert "[2]" in (tmp_path / "talk.md").read_text(encoding="utf-8")
        saved = json.loads((tmp_path / "talk.json").read_text(encoding="utf-8"))
        assert [turn["question"] for turn in saved["turns"]] == [LEAGUE, RAPALLO]
        assert "forgotten" in chat.enter("/new")
        assert "Nothing is cited yet." in chat.enter("/sources")
        assert "1922, during" in chat.enter(RAPALLO)
        assert "no command /nonsense" in chat.enter("/nonsense")
        assert chat.leave("/quit" + ENTER) == 0


def test_a_passage_is_shown_in_the_browser_that_the_environment_names(tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}\n', encoding="utf-8")
    browser.chmod(0o755)
    with terminal(tmp_path, BROWSER=f"{browser} %s") as chat:
        chat.enter(OFFICERS)
        assert "Opened https://en.wikipedia.org/" in chat.enter("/open 1 --browser")
    assert opened.read_text(encoding="utf-8").partition("#:~:text=")[2].startswith("The%20first")
    with terminal(tmp_path, BROWSER="false %s", PATH="") as chat:
        chat.enter(OFFICERS)
        shown = chat.enter("/open 1 --browser").replace("\n", " ")
        assert "no browser can be opened here. Open https://" in shown


@pytest.mark.parametrize("columns", [40, 72, 160])
def test_answers_are_wrapped_at_words_to_the_width_of_the_terminal(
    tmp_path: Path, columns: int
) -> None:
    with terminal(tmp_path, columns=columns) as chat:
        answer = chat.enter(RAPALLO)
        lines = answer[answer.index("The Treaty of Rapallo between") :].splitlines()
        widths = list(map(len, lines))
        assert max(widths) <= min(columns, 100)
        assert max(widths) > min(columns, 100) - 20  # and the width is used
        text = " ".join(answer.split())
        assert "the main trading and diplomatic partner of the Soviet Union. [1]" in text


def test_wide_characters_count_as_two(tmp_path: Path) -> None:
    text = "東京は日本の首都であり、人口が多い都市です。" * 3
    index = Index.build([Document("tokyo", "東京", text)])
    index.save(tmp_path / "index")
    with terminal(
        tmp_path, "--index", str(tmp_path / "index"), "--threshold", "0", columns=40
    ) as chat:
        answer = chat.enter("東京は日本の首都ですか?")
        lines = answer[answer.rindex("?") :].splitlines()[1:]
        assert 36 <= max(map(cell_len, lines)) <= 40
        assert text[:22] in "".join(lines)


def test_no_color_is_respected(tmp_path: Path) -> None:
    with terminal(tmp_path) as chat:
        chat.enter(RAPALLO)
        assert "\x1b[1m" in chat.raw
    with terminal(tmp_path, NO_COLOR="1") as chat:
        chat.enter(RAPALLO)
        assert not re.search(r"\x1b\[[1-9][0-9;]*m", chat.raw)


def test_sentences_of_a_language_model_are_shown_as_they_come(tmp_path: Path) -> None:
    reply = "The USSR joined the League of Nations in September 1934. [1] "
    slow = Reply(reply + "It was recognized in 1933–34 by Spain. [1] " * 40, pause=0.05)
    with (
        endpoint([slow, "Rathenau signed the Treaty of Rapallo. [1]"]) as told,
        terminal(tmp_path, "--llm", "m", "--llm-url", told.url, OPENAI_API_KEY="x") as chat,
    ):
        assert "m writes the answers; each of its sentences is checked." in chat.banner
        chat.type(LEAGUE + ENTER, "m is writing")
        chat.wait_for("September 1934.")  # long before the end
        assert "Cancelled." in chat.press(CTRL_C)
        answer = chat.enter(RAPALLO)
        assert "Rathenau signed the Treaty of Rapallo. [2]" in answer
        assert "confidence" in answer
        chat.enter(f"/save {tmp_path}/talk.md")
    text = (tmp_path / "talk.md").read_text(encoding="utf-8")
    assert RAPALLO in text
    assert LEAGUE not in text  # what was cancelled is no part of the talk


COMMANDS: Sequence[Sequence[tuple[str, str]]] = (
    [
        (OFFICERS, "March 1922. [1]"),
        ("/open 1", "Junkers began building aircraft at Fili"),
        (BREAD, "The corpus does not say"),
        (RAPALLO, "Georgy Chicherin"),
        ("/sources", "[2] Germany"),
    ],
    [
        ("//srv, what is it for?", "confidence"),
        ("/srv", "no command /srv"),
        (OFFICERS, "in March 1922."),
    ],
    [
        (RAPALLO, "[1]"),
        ("/new", "forgotten"),
        ("/open 1", "nothing is cited yet"),
        (LEAGUE, "September 1934. [1]"),
        ("/help", "Ctrl-C cancels a line or an answer."),
    ],
    [
        ("/sources", "Nothing is cited yet."),
        ("/save", "nothing to save yet"),
        ("/open", "found nothing"),
        (LEAGUE, "Romania, and Bulgaria"),
        ("/open 2", "expected a number from 1 to 1"),
    ],
    [
        ("/open seven", "found seven"),
        ("/help me", "stands alone"),
        ('/save "open', "without its second"),
        (RAPALLO, "Walther Rathenau"),
    ],
)
"""Lines with commands between questions, each with a text that the screen shows after it."""


@pytest.mark.parametrize("lines", COMMANDS, ids=lambda lines: lines[0][0][:30])
def test_commands_may_stand_between_questions(
    tmp_path: Path, lines: Sequence[tuple[str, str]]
) -> None:
    with terminal(tmp_path) as chat:
        for line, expected in lines:
            shown = chat.enter(line)
            answer = shown[shown.rindex(f"{line}\n") + len(line) :]
            assert expected in answer or expected in " ".join(answer.split()), line
        assert chat.leave(CTRL_D) == 0


def shown_after(line: str, screen: str) -> Shown:
    """What a person reads on the screen after a line that they entered."""
    answer = screen[screen.rindex(f"{line}\n") + len(line) :]
    paragraphs = [" ".join(part.split()) for part in answer.strip().split("\n\n")]
    understood = ""
    if paragraphs[0].startswith("You asked about: "):
        understood = paragraphs.pop(0).removeprefix("You asked about: ")
    said = takewhile(lambda part: not part.startswith(("[", "Nearest:")), paragraphs)
    text = " ".join(said)
    source = re.search(r"^\[\d+\] .*(?:\n    .*)*", answer, re.M)
    return Shown(
        text, source[0] if source else "", understood, text.startswith("The corpus does not say")
    )


@pytest.mark.parametrize("talk", TALKS, ids=lambda talk: talk.name)
def test_a_talk_goes_as_its_script_says(tmp_path: Path, manuals: Index, talk: Talk) -> None:
    arguments = []
    if talk.about == "manuals":
        manuals.save(tmp_path / "index")
        arguments = ["--index", str(tmp_path / "index")]
    with terminal(tmp_path, *arguments) as chat:
        screen = ""

        def enter(line: Line) -> Shown:
            nonlocal screen
            letter = re.search(rf"^ *(\w)\) {re.escape(line.choose)}", screen, re.M)
            typed = letter[1] if line.choose and letter else line.say
            screen = chat.enter(typed if not typed.startswith("/") else f"/{typed}")
            return shown_after(typed, screen)

        assert spoken(talk, enter) == []
        assert "Traceback" not in chat.raw
        assert chat.leave(CTRL_D) == 0
