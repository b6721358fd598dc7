"""What answers a question about a table, a list of questions and answers, or code."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragkit import Document, Index

NAMES = ("Vessel name", "Home port", "First launch", "Maximum payload", "Registered owner")
ROWS = [
    (vessel, port, f"{1990 + n}-03-1{n % 9}", f"{1200 + 17 * n} kg", f"{owner} Ltd")
    for n, (vessel, port, owner) in enumerate(
        zip(
            "Kestrel Osprey Heron Falcon Merlin Petrel Curlew Plover Dunlin Avocet Teal Snipe".split(),
            "Lyon Nice Brest Oban Cork Bari Pula Split Zadar Vigo Faro Porto".split(),
            "Arden Birch Cedar Dogwood Elm Fir Gorse Hazel Ivy Juniper Kapok Larch".split(),
            strict=True,
        )
    )
]
TABLES = {
    ".md": "\n".join(
        ["# Fleet", "", "| " + " | ".join(NAMES) + " |", "|" + "---|" * len(NAMES)]
        + ["| " + " | ".join(row) + " |" for row in ROWS]
    ),
    ".html": "<h1>Fleet</h1><table><tr>"
    + "".join(f"<th>{name}</th>" for name in NAMES)
    + "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) for row in ROWS)
    + "</table>",
    ".wiki": "{|\n! "
    + " !! ".join(NAMES)
    + "".join("\n|-\n| " + " || ".join(row) for row in ROWS)
    + "\n|}\n",
    ".txt": "\n".join("\t".join(row) for row in (NAMES, *ROWS)),
}
FAQ = {
    "Can I pay by card?": "Visa and Mastercard are accepted at every desk.",
    "How do I reset the meter?": "Hold the green button for five seconds.",
    "Where is the spare key?": "Behind the fuse box in the cellar.",
    "How often is the filter changed?": "Twice a year.",
}


@pytest.mark.parametrize("suffix", TABLES)
def test_a_question_about_a_row_is_answered_by_the_row(suffix: str, tmp_path: Path) -> None:
    source = tmp_path / f"fleet{suffix}"
    source.write_text(TABLES[suffix], encoding="utf-8")
    index = Index.build(source)
    for vessel, port, *_ in ROWS:
        best = index.search(f"What is the home port of the {vessel}?")[0]
        marked = [best.quote(span) for span in best.highlights]
        assert len(marked) == 1
        assert vessel in marked[0]
        assert port in marked[0]
        assert "\n" not in marked[0]
        assert best.lead is not None
        assert "Home port" in best.lead.quote


@pytest.mark.parametrize("between", ["\n\n", "\n"], ids=["paragraphs", "lines"])
def test_a_question_in_the_text_is_answered_by_what_follows_it(between: str) -> None:
    text = "\n\n".join(f"{question}{between}{answer}" for question, answer in FAQ.items())
    index = Index.build([Document("faq", "FAQ", text)])
    for question, expected in FAQ.items():
        answer = index.ask(question)
        assert answer.text == expected
        assert answer.passages[0].lead is not None
        assert answer.passages[0].lead.quote == question


def test_a_sentence_that_announces_code_is_answered_by_lines_of_it() -> None:
    code = "import tomllib\n\nwith open(path, 'rb') as file:\n    settings = tomllib.load(file)"
    text = f"Settings are kept in a file.\n\nTo parse a TOML file:\n\n```python\n{code}\n```\n"
    answer = Index.build([Document("d", "Manual", text)]).ask("How do I parse a TOML file?")
    assert answer.text in code
    assert "tomllib.load(file)" in answer.text
    assert "```" in answer.passages[0].text
