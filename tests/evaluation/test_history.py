"""The history of a question set: lines that are appended, their trend as a line, pictures and a table."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from ragkit import InputError
from ragkit.cli import cli
from ragkit.evaluation import (
    Figure,
    History,
    HistoryEntry,
    Report,
    html_report,
    load_history,
    markdown,
    record_run,
)
from ragkit.evaluation.significance import mean_interval
from ragkit.evaluation.trend import trend_html, trend_line

RUN = HistoryEntry(
    time="2025-03-01T12:00:00Z", commit="0123456789abcdef", name="questions", n=20, library="0.1.0",
    encoder="e", index="i", questions="q", chatbot="", figures={"Success@1": Figure(0.5, 0.3, 0.7)},
)  # fmt: skip


def run(day: int, value: float, **changes: str) -> HistoryEntry:
    entry = replace(RUN, time=f"2025-03-{day:02}T12:00:00Z", **changes)  # type: ignore[arg-type]
    return replace(entry, figures={"Success@1": Figure(value, value - 0.1, value + 0.1)})


def test_each_run_appends_one_line_and_older_lines_stay_as_they_are(
    report: Report, tmp_path: Path
) -> None:
    path = tmp_path / "history.jsonl"
    first = record_run(report, path)
    line = path.read_bytes()
    assert line.count(b"\n") == 1
    second = record_run(report.without({"Success@1": "no passages"}), path)
    assert path.read_bytes().startswith(line)
    assert load_history(path) == second
    assert second.entries[0] == first.entries[0]
    [entry] = first.entries
    assert (entry.index, entry.questions) == (
        report.configuration.index,
        report.configuration.questions,
    )
    success = entry.figures["Success@1"]
    assert success.value == pytest.approx(report.summary()["Success@1"], abs=1e-6)
    assert success.low < success.value < success.high
    assert "Success@1" not in second.entries[1].figures
    assert datetime.fromisoformat(entry.time).tzinfo == UTC


def test_the_interval_of_a_mean_is_wilsons() -> None:
    # Newcombe (1998), Table I: 81 of 263 and 0 of 20.
    assert mean_interval([1.0] * 81 + [0.0] * 182) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert mean_interval([0.0] * 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_a_broken_line_is_skipped_and_reported_and_a_cut_one_takes_no_other_with_it(
    report: Report, tmp_path: Path
) -> None:
    path = tmp_path / "history.jsonl"
    record_run(report, path)
    good = path.read_text(encoding="utf-8")
    newer = json.dumps({**json.loads(good), "format": 2})
    path.write_text(f"<<<<<<< HEAD\n{good}\n[]\n{newer}\n{good[:50]}", encoding="utf-8")
    history = record_run(report, path)
    assert len(history.entries) == 2
    assert [line.split(" (")[0] for line in history.skipped] == [
        "line 1",
        "line 4",
        "line 5",
        "line 6",
    ]
    assert "format 2, expected 1" in history.skipped[2]
    assert load_history(path) == history
    assert "Skipped: line 1" in trend_html(history)


@pytest.mark.parametrize("content", ["# Notes\n", '{"id": "q1", "question": "Who?"}\n', "\x00\xff"])
def test_another_file_is_refused_before_a_question_is_asked_and_stays_as_it_is(
    tmp_path: Path, content: str
) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text(content, encoding="latin-1")
    done = CliRunner().invoke(cli, ["eval", "--set", "nowhere", "--history", str(other)])
    assert isinstance(done.exception, InputError)
    assert "Expected the file that `ragkit eval --history` writes" in str(done.exception)
    assert other.read_text(encoding="latin-1") == content


def test_a_history_in_a_folder_that_does_not_exist_is_an_error(
    report: Report, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        record_run(report, tmp_path / "no" / "history.jsonl")


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_a_run_names_the_commit_and_whether_files_beside_the_history_differ_from_it(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    path = Path("history.jsonl")
    assert record_run(report, path).entries[-1].commit == ""
    git(tmp_path, "init", "-q")
    Path("notes.md").write_text("One.")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert record_run(report, path).entries[-1].commit == head
    assert record_run(report, path).entries[-1].commit == head  # the history itself differs now
    Path("notes.md").write_text("Two.")
    assert record_run(report, path).entries[-1].commit == f"{head}-dirty"


def test_the_trend_in_one_line_compares_runs_on_the_same_questions_alone() -> None:
    runs = [run(1, 0.2, questions="old"), run(2, 0.5), run(3, 0.6, index="j"), run(4, 0.55)]
    assert trend_line(History(tuple(runs[:1]))).startswith("Trend: first run on these questions")
    assert trend_line(History(tuple(runs[:2]))).startswith("Trend: first run on these questions")
    assert trend_line(History(tuple(runs))) == (
        "Trend of 3 runs on these questions since 2025-03-02: Success@1 0.500 → 0.550 (95 % "
        "interval 0.450 … 0.650), -0.050 since the run before; changes of the index: 2."
    )
    of_a_bot = [*runs, run(5, 0.9, chatbot="bot")]
    assert "first run" in trend_line(History(tuple(of_a_bot)))
    assert "no run with a measure" in trend_line(History((replace(RUN, figures={}),)))


def pictures(html: str) -> list[ET.Element]:
    page = html.replace("<p><small>", "<p>").replace("</small>", "")
    found = [part.split("</svg>")[0] + "</svg>" for part in page.split("<figcaption>")[1:]]
    return [ET.fromstring(part[part.index("<svg") :]) for part in found]  # noqa: S314 - our own output


def test_the_picture_breaks_at_another_set_and_marks_the_index_and_has_a_description() -> None:
    runs = (
        run(1, 0.2, questions="old"), run(2, 0.3, questions="old"), run(3, 0.5), run(4, 0.6, index="j"),
        run(5, 0.6, index="j", library="0.2.0"),
    )  # fmt: skip
    html = trend_html(History(runs))
    [picture] = pictures(html)
    by_class = [element.get("class") for element in picture]
    assert by_class.count("point") == by_class.count("interval") == 5
    assert by_class.count("set") == by_class.count("index") == 1
    lines = [e.get("points", "").split() for e in picture if e.get("class") == "line"]
    assert [len(line) for line in lines] == [2, 3]
    heights = [float(e.get("cy", 0)) for e in picture if e.get("class") == "point"]
    assert heights == sorted(heights, reverse=True)  # higher values stand higher
    title, description = picture[:2]
    assert picture.get("role") == "img"
    assert picture.get("aria-labelledby", "").split() == [title.get("id"), description.get("id")]
    assert "5 runs from 2025-03-01 to 2025-03-05: first 0.200, last 0.600" in (
        description.text or ""
    )
    assert "The question set changed before run 3." in (description.text or "")
    newest = html.split("<tbody>")[1].split("</tr>")[0]
    for cell in ("2025-03-05 12:00", "01234567", "ragkit 0.2.0", "0.600 (0.50–0.70)"):
        assert cell in newest


def test_one_run_and_many_runs_are_drawn_inside_their_picture() -> None:
    for number in (1, 2, 30, 90):
        runs = [replace(run(1 + i % 28, 1.0), index=str(i)) for i in range(number)]
        [picture] = pictures(trend_html(History(tuple(runs))))
        points = [e for e in picture if e.get("class") == "point"]
        assert len(points) == min(number, 50)
        for point in points:
            assert 40 <= float(point.get("cx", 0)) <= 350
            assert 12 <= float(point.get("cy", 0)) <= 140


def test_reports_have_the_trend_and_names_in_a_history_are_not_markup(report: Report) -> None:
    evil = "<script>alert(1)</script>|x"
    entry = replace(RUN, commit=evil, library=evil, name=evil, chatbot=evil)
    history = History((replace(entry, library="0"), entry), (f"line 9 ({evil})",))
    page = html_report(report, history)
    assert "<h2>Trend</h2>" in page
    assert "<script" not in page
    assert "<h2>Trend</h2>" not in html_report(report)
    text = markdown(report, None, History((RUN, RUN)))
    assert text.count("Trend of 2 runs on these questions") == 1
    assert "Trend" not in markdown(report)


def test_the_command_appends_and_shows_the_trend(tmp_path: Path) -> None:
    (tmp_path / "set.jsonl").write_text(
        '{"id": "q", "question": "Who signed at Rapallo?", "answerable": false}\n', encoding="utf-8"
    )
    history, summary = tmp_path / "history.jsonl", tmp_path / "summary.md"
    for _ in range(2):
        done = CliRunner().invoke(
            cli,
            ["eval", "--set", str(tmp_path / "set.jsonl"), "--history", str(history), "--markdown", str(summary)],
        )  # fmt: skip
        assert done.exit_code == 0, done.output
    assert len(load_history(history).entries) == 2
    assert "Trend of 2 runs" in summary.read_text(encoding="utf-8")
