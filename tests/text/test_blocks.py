"""What belongs together in a text, what introduces it, and what may answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.text.blocks import MAX_LEAD, blocks, introduces
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
