"""What belongs together in a text, what introduces it, and what may answer."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.text.blocks import MAX_LEAD, BlockKind, blocks, cells, introduces
from ragkit.text.spans import Span


def structure(text: str) -> list[tuple[str | None, list[str]]]:
    """Each block's lead and sentences, as text."""
    return [
        (text[slice(*block.lead)] if block.lead else None, [text[a:b] for a, b in block.sentences])
        for block in blocks(text, Span(0, len(text)))
    ]


ROWS = ["Bari | 2006 | 12", "Rome | 1955 | 73", "Turin | 2006 | 23"]


def test_rows_are_sentences_and_column_names_lead_to_them() -> None:
    text = "\n".join(["City | Opened | Stations", *ROWS])
    assert structure(text) == [("City | Opened | Stations", ROWS)]


def test_a_markdown_table_has_the_names_above_its_rule_whatever_they_are() -> None:
    head, rows = "| 2019 | 2020 |", ["| 1 | 2 |", "| 3 | |"]
    assert structure("\n".join([head, "|---|:--:|", *rows])) == [(head, rows)]


def test_a_caption_and_the_sentence_before_a_table_belong_to_its_lead() -> None:
    text = "Metros of Italy are these:\n\nIn 2020\nCity | Opened | Stations\n" + "\n".join(ROWS)
    lead = "Metros of Italy are these:\n\nIn 2020\nCity | Opened | Stations"
    assert structure(text) == [(lead, ROWS)]


def test_a_first_row_that_may_be_a_fact_leads_and_answers() -> None:
    text = "Capital | Paris\nPopulation | 68 million"
    assert structure(text) == [("Capital | Paris", ["Capital | Paris", "Population | 68 million"])]


def test_columns_divided_by_tabs_are_a_table() -> None:
    rows = [row.replace(" | ", "\t") for row in ROWS]
    text = "\n".join(["City\tOpened\tStations", *rows])
    assert structure(text) == [("City\tOpened\tStations", rows)]


def test_a_rule_between_rows_is_no_part_of_a_row() -> None:
    text = "a | b | c\n+---+---+\n1 | 2 | 3\n+---+---+\n4 | 5 | 6"
    assert structure(text) == [("a | b | c", ["1 | 2 | 3", "4 | 5 | 6"])]


def test_a_table_with_long_rows_is_one_block() -> None:
    rows = [f"{n} | {'word ' * 60}| 3" for n in range(4)]
    [(lead, sentences)] = structure("\n".join(["No | Text | Rank", *rows]))
    assert (lead, sentences) == ("No | Text | Rank", rows)


def test_a_pipe_in_prose_makes_no_table() -> None:
    text = "Use the | sign to join commands.\nIt was invented at Bell Labs."
    assert structure(text)[0][0] is None


def test_each_answer_of_a_list_of_questions_has_its_question_as_lead() -> None:
    text = "Can I pay by card?\n\nYes.\n\nEven abroad.\n\nIs it free?\n\nNo."
    assert structure(text) == [
        ("Can I pay by card?", ["Yes."]),
        ("Can I pay by card?", ["Even abroad."]),
        ("Is it free?", ["No."]),
    ]


def test_a_question_among_prose_leads_to_the_next_paragraph_alone() -> None:
    text = "It rained.\n\nWhy did he leave?\n\nNobody knows.\n\nThe house was sold."
    assert [lead for lead, _ in structure(text)] == [None, "Why did he leave?", None]


def test_questions_and_answers_line_by_line_are_told_apart() -> None:
    text = "Can I pay by card?\nYes, by any.\nIs there a discount?\nNo."
    assert structure(text) == [
        ("Can I pay by card?", ["Yes, by any."]),
        ("Is there a discount?", ["No."]),
    ]


def test_questions_behind_each_other_do_not_answer_each_other() -> None:
    assert structure("Who came?\n\nWho left?\n\nWho stayed?") == [
        (None, ["Who came?"]),
        (None, ["Who left?"]),
        (None, ["Who stayed?"]),
    ]
    assert structure("- Who came?\n- Who left?\n- Ann did.") == [
        (None, ["- Who came?", "- Who left?", "- Ann did."])
    ]


def test_a_number_is_the_answer_of_the_question_before_it_and_else_introduces() -> None:
    assert structure("How many?\n\n42\n\nThe end is near.")[0] == ("How many?", ["42"])
    assert structure("17\n\nThe end is near.") == [("17", ["The end is near."])]


def test_the_last_sentence_of_a_paragraph_leads_to_the_list_that_it_announces() -> None:
    text = "Rivers are long. Their lengths are:\n\n- Rhine 1233 km\n- Elbe 1094 km"
    assert structure(text) == [
        (None, ["Rivers are long."]),
        ("Their lengths are:", ["- Rhine 1233 km", "- Elbe 1094 km"]),
    ]


def test_lines_of_fenced_code_are_sentences_blank_lines_or_not() -> None:
    text = "To parse TOML:\n\n```python\nimport tomllib\n\ndata = tomllib.load(f)\n```\n\nDone."
    assert structure(text) == [
        ("To parse TOML:\n\n```python", ["import tomllib", "data = tomllib.load(f)"]),
        (None, ["Done."]),
    ]


def test_a_fence_that_is_never_closed_is_text() -> None:
    assert structure("```\none\n\ntwo") == [(None, ["```\none"]), (None, ["two"])]


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("Anna Schmidt\n12 Hill Street\n80331 Munich\nGermany", 4),
        ("The woods are lovely, dark and deep,\nBut I have promises to keep.\nAnd miles to go", 2),
        ("x = 1\ny = f(x)\nprint(x,\n      y)", 4),
    ],
)
def test_lines_broken_on_purpose_are_sentences(text: str, units: int) -> None:
    [(_, sentences)] = structure(text)
    assert len(sentences) == units
    assert "\n".join(sentences).split() == text.split()


def test_hard_wrapped_prose_is_not_cut_at_its_lines() -> None:
    text = (
        "This is a paragraph of prose that an editor has wrapped, and which\n"
        "goes on for several lines and mentions that on the 23rd of August\n"
        "Molotov and Ribbentrop signed the pact which has had their names\n"
        "since. It ends here."
    )
    [(_, sentences)] = structure(text)
    assert [sentence.split()[-1] for sentence in sentences] == ["since.", "here."]


def test_a_conversation_stays_one_block() -> None:
    turns = ["Ann: who owns the service?", "Bob: no idea", "Ann: and who pays?", "Bob: Heron does"]
    assert structure("\n".join(turns)) == [(None, turns)]


@pytest.mark.parametrize("sentence", ["Who?", "“Who?”", "谁？", "The lengths are:", "**Q:**"])
def test_a_sentence_that_asks_or_announces_introduces(sentence: str) -> None:
    assert introduces(sentence)


@pytest.mark.parametrize("sentence", ["He asked who.", "At 10:30 it began.", "?x is a variable"])
def test_other_sentences_do_not_introduce(sentence: str) -> None:
    assert not introduces(sentence)


def test_what_is_longer_than_a_lead_may_be_is_a_text_of_its_own() -> None:
    question = "w" * MAX_LEAD + "?"
    assert structure(f"{question}\n\nYes.") == [(None, [question]), (None, ["Yes."])]


PIECES = st.sampled_from(
    ["a | b\n", "| c | d |\n", "|---|---|\n", "1\t2\n", "\n", "Why?\n", "It is:\n", "Yes. No.\n",
     "- item\n", "```\n", "  x = 1;\n", "7\n", "Ann: hi\n", "word " * 12 + "\n", "x" * 210 + "\n"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=12).map("".join))
def test_blocks_are_in_order_apart_and_hold_every_visible_character(text: str) -> None:
    end = 0
    for block in blocks(text, Span(0, len(text))):
        assert not text[end : block.span.start].strip()
        assert block.span.start < block.span.end
        end = block.span.end
        assert block.sentences
        places = [place for sentence in block.sentences for place in sentence]
        assert places == sorted(places)
        assert places[-1] <= block.span.end
        if block.lead is not None:
            assert block.lead.start < block.lead.end <= len(text)
            assert block.lead.start <= block.sentences[0].start
            assert block.lead.end - block.lead.start <= MAX_LEAD
    assert not text[end:].strip()


def test_columns_held_apart_by_blanks_are_a_table() -> None:
    text = "Route         Adult  Child\nLeith - Fife   4.10   2.00\nFife - Angus   6.40   3.20\n"
    assert structure(text) == [
        ("Route         Adult  Child", ["Leith - Fife   4.10   2.00", "Fife - Angus   6.40   3.20"])
    ]


def test_years_above_amounts_are_names_of_columns_with_the_sentence_before_them() -> None:
    text = (
        "The following table shows net sales.\n\n              2023    2022\n"
        "Europe      94,294  95,118\nAsia         4,190   4,001\n"
    )
    [(lead, rows)] = structure(text)
    assert lead == "The following table shows net sales.\n\n              2023    2022"
    assert rows == ["Europe      94,294  95,118", "Asia         4,190   4,001"]


def test_a_simple_table_of_restructuredtext_is_one() -> None:
    text = "====== =====\nRoute  Adult\n====== =====\nLeith  4.10\nFife   6.40\n====== =====\n"
    assert structure(text) == [("====== =====\nRoute  Adult", ["Leith  4.10", "Fife   6.40"])]


def test_a_line_that_goes_on_in_one_column_belongs_to_its_row() -> None:
    text = "-q, --quiet    print nothing\n-n, --number   print at most\n               so many\n-x, --exit     stop\n"
    [(_, rows)] = structure(text)
    assert "-n, --number   print at most\n               so many" in rows


def test_justified_prose_is_no_table() -> None:
    text = (
        "It  was long believed  that the tower  had been\nbuilt by  Robert,  but the drawings found"
        "  in\n1962 in the  cellar show the  hand of Alan, his\neldest  son.\n"
    )
    assert structure(text)[0][0] is None


@pytest.mark.parametrize(
    ("text", "lead", "sentences"),
    [
        ("Opening hours\nThe museum opens at nine and closes at five.", "Opening hours",
         ["The museum opens at nine and closes at five."]),
        ("Ann Berg  9:41 AM\nThe certificate expires on the third of May.", "Ann Berg  9:41 AM",
         ["The certificate expires on the third of May."]),
        ("Halden Ltd\n12 Quay Street\nLeith EH6 6AA\nTel. 0131 555", "Halden Ltd",
         ["12 Quay Street", "Leith EH6 6AA", "Tel. 0131 555"]),
        ("!!! note\n    The seal lasts two years.", "!!! note", ["The seal lasts two years."]),
        ("Opening hours\n\nThe museum opens at nine.", "Opening hours",
         ["The museum opens at nine."]),
        ("How many books may I borrow\n\nTwelve at a time may be borrowed.",
         "How many books may I borrow", ["Twelve at a time may be borrowed."]),
        ("<details>\n<summary>Is it free?</summary>\n\nIt is free for schools.",
         "<summary>Is it free?</summary>", ["It is free for schools."]),
    ],
)  # fmt: skip
def test_a_heading_without_markup_leads_to_what_follows(
    text: str, lead: str, sentences: list[str]
) -> None:
    assert structure(text)[-1] == (lead, sentences)


@pytest.mark.parametrize(
    "text",
    [
        "The lamp of\nParis is red.",
        "Ann Berg\nBen Cole\nCy Dorn",
        "The heron stands upon the weir,\nThe miller counts his bread.",
        "* An item that is wrapped at about this width of\n  the page and goes on\n  here.",
    ],
)
def test_what_only_looks_like_a_heading_leads_to_nothing(text: str) -> None:
    assert [lead for lead, _ in structure(text)] == [None]


def test_the_rows_of_a_table_in_html_are_sentences() -> None:
    text = "<table>\n<tr><th>A</th></tr>\n<tr><td>1</td></tr>\n<tr><td>2</td></tr>\n</table>"
    assert structure(text)[1] == (
        "<tr><th>A</th></tr>", ["<tr><td>1</td></tr>", "<tr><td>2</td></tr>", "</table>"],
    )  # fmt: skip


def test_the_lines_of_a_wrapped_item_are_one_sentence() -> None:
    item = '* "git revert" can take more than one commit\n  on the command line, but it was not said\n  there.'
    assert structure(item) == [(None, [item])]


def test_an_escaped_bar_at_the_end_of_a_row_is_no_frame() -> None:
    row = "| x | a \\|"
    assert [row[slice(*cell)] for cell in cells(row, Span(0, len(row)))] == ["", "x", "a \\|"]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("-   Ann has it. It is red.\n-   Ben has none.\n-   Cy has two.", 4),
        ("1.  Open the lid.\n2.  Fill the tank.\n3.  Close it.", 3),
        ("Q:  Who pays?\nA:  The tenant.\nQ:  When?\nA:  In May.", 4),
        ("Anna:   Is it open?\nBen:   It is.\nCy:   Since nine.", 3),
        ("The cat sat.  It purred at us.\nThe dog ran.  It barked at me.\nIt ate.  It mooed.", 6),
        ("This is about the castle.\n- - -\nAnd this is about another thing.", 2),
    ],
)  # fmt: skip
def test_wide_blanks_after_a_mark_a_speaker_or_a_sentence_make_no_table(
    text: str, sentences: int
) -> None:
    assert [lead for lead, _ in structure(text) if lead and "Ann has" in lead] == []
    own = blocks(text, Span(0, len(text)))
    assert {block.kind for block in own} == {BlockKind.PARAGRAPH}
    assert sum(len(own_sentences) for _, own_sentences in structure(text)) == sentences


def test_a_log_with_one_endless_line_is_read_in_linear_time() -> None:
    def steps(lines: int) -> int:
        text = "\n".join(["INFO started request"] * lines + ["{" + '"a":1,' * 20 * lines + "}"])
        calls = 0

        def count(*_: object) -> None:
            nonlocal calls
            calls += 1

        sys.setprofile(count)
        try:
            blocks(text, Span(0, len(text)))
        finally:
            sys.setprofile(None)
        return calls

    assert steps(400) < 4 * steps(150)


@pytest.mark.parametrize(
    "text",
    [
        "Population 3,000\n\nThe town lies on the Rhine.",
        "Capital: Rome\n\nThe country has 60 million people.",
        "Rent 450 euros\nThe flat has two rooms, and a kitchen that is shared with the neighbours.",
        "The rent is due on\nMonday, unless the office is closed for a holiday, and goes to Ann.",
        "We met the\nRussian ambassador, who had come from Rapallo on the day before, and left.",
        "Die Miete ist am Ersten des Monats\nMontags zu zahlen, wenn das Amt offen ist, an die Stadt.",
        "The following year he died in Paris.\n\nCity | Opened | Stops\nBari | 2006 | 12",
    ],
)  # fmt: skip
def test_a_fact_or_the_beginning_of_a_sentence_leads_to_nothing_and_answers(text: str) -> None:
    first = text.split("\n", maxsplit=1)[0]
    assert any(first in sentence for _, own in structure(text) for sentence in own)


@pytest.mark.parametrize(
    "label", ["Step 2: Install", "Part II: The War", "Terms and Conditions of the Use"]
)
def test_numbered_and_long_titles_lead_to_what_follows(label: str) -> None:
    [(lead, _)] = structure(f"{label}\n\nRun the installer as an administrator.")
    assert lead == label


def test_a_column_with_an_empty_cell_is_still_one_of_numbers() -> None:
    text = "Town\tPeople\tMayor\nUlm\t126000\tAnsbacher\nGera\t\tDannenberg\nJena\t110000\tNitzsche"
    [(lead, rows)] = structure(text)
    assert (lead, len(rows)) == ("Town\tPeople\tMayor", 3)


def test_a_line_after_an_article_goes_on_whatever_it_begins_with() -> None:
    text = (
        "Wer den Antrag stellt, muss ihn bis zum\n16. April beim Amt einreichen, sonst verfällt der\n"
        "Anspruch auf die Zulage.\nEr gilt."
    )
    [(_, sentences)] = structure(text)
    assert sentences[0].startswith("Wer den")
    assert sentences[0].endswith("Zulage.")
