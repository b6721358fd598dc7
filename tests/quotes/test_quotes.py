"""The verbatim gate: the documents contain every quotation that it calls verbatim, and no other."""

from __future__ import annotations

import json
import re
import time
import unicodedata
from collections.abc import Sequence

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ragkit import Citation, Document, InputError, Passage
from ragkit.answering.render import escape_markdown
from ragkit.quotes.checker import QuoteChecker
from ragkit.quotes.exact import MAX_PLACES
from ragkit.quotes.report import QuoteCheck, QuoteReport, QuoteStatus
from support.strategies import articles

RAPALLO = (
    "was signed by German Foreign Minister Walther Rathenau and his Soviet colleague "
    "Georgy Chicherin on April 16, 1922, during the Genoa Economic Conference"
)
RUMORS = "for a long time the consensus was that those rumors were wrong"
ZOO = Document(
    "zoo",
    "Zoo",
    "The zoo opened — late, as ever — in 1922. It has “grey wolves” and 3.5 percent of all bears. "
    "The keepers' cat isn't grey. Nobody feeds the non-aggressive lions after dark. "
    "Bears sleep... and wolves howl at −5 degrees. It cost 1,200 marks in Köln. "
    "Entry is free on Sundays for children. Entry costs 50% more in summer holidays.",
)
BAKERY = Document(
    "bakery", "Bakery", "The bakery opened in 1931. Rye bread is dark and keeps for a long week."
)


def check_quotes(
    text: str, documents: Sequence[Document], *, passages: Sequence[Passage] = ()
) -> QuoteReport:
    return QuoteChecker(documents).check(text, passages)


@pytest.fixture(scope="module")
def seed(article: Document) -> QuoteChecker:
    return QuoteChecker([article])


@pytest.fixture(scope="module")
def zoo() -> QuoteChecker:
    return QuoteChecker([ZOO, BAKERY])


def only(report: QuoteReport) -> QuoteCheck:
    [check] = report.checks
    return check


def quoted(check: QuoteCheck, *documents: Document) -> list[str]:
    """What the documents say at the places that a check names."""
    texts = {document.id: document.text for document in documents}
    return [texts[place.document_id][slice(*place.span)] for place in check.spans]


def passage(document: Document, quote: str, rank: int = 1) -> Passage:
    start = document.text.index(quote)
    citation = Citation(document.id, document.title, (), start, start + len(quote), quote)
    return Passage(quote, 1.0, rank, citation)


def folded(text: str) -> str:
    """Folding written a second time: NFC, without the invisible, single spaces."""
    return " ".join(re.sub("[\u200b\ufeff]", "", unicodedata.normalize("NFC", text)).split())


def test_an_exact_quotation_is_verbatim_and_its_place_is_cut_from_the_article(
    seed: QuoteChecker, article: Document
) -> None:
    text = f"The treaty “{RAPALLO}”."
    check = only(seed.check(text))
    assert check.status is QuoteStatus.VERBATIM
    assert check.text == text[check.start : check.end] == RAPALLO
    assert quoted(check, article) == [RAPALLO]
    assert (check.diff, check.similarity, check.reason) == ("", None, "")


@pytest.mark.parametrize(
    ("said", "diff"),
    [
        (RAPALLO.replace("1922", "1923"), "16, [-1922-]{+1923+}, during"),
        (RAPALLO.replace("April 16", "April 17"), "April [-16-]{+17+}, 1922"),
        (RAPALLO.replace("Walther Rathenau", "Gustav Stresemann"), "[-Walther Rathenau-]{+Gustav Stresemann+} and"),
        (RAPALLO.replace("was signed", "was not signed"), "was {+not+} signed"),
        (RUMORS.replace("were wrong", "were right"), "were [-wrong-]{+right+}"),
        (RUMORS.replace("were wrong", "weren’t wrong"), "[-were-]{+weren’t+} wrong"),
        (RUMORS.replace("that those", "those"), "was [-that-] those"),
        (RAPALLO.replace("German", "german"), "by [-German-]{+german+} Foreign"),
        (RAPALLO.replace("1922, during", "1922 during"), "1922[-,-] during"),
        ("restoring some diplomatic relations", "restoring [-full-]{+some+} diplomatic"),
        ("did have an immediate effect upon German relations", "did {+have an+} immediate"),
    ],
)  # fmt: skip
def test_a_changed_number_name_negation_or_mark_is_altered(
    seed: QuoteChecker, said: str, diff: str
) -> None:
    report = seed.check(f"It “{said}” [1].")
    check = only(report)
    assert check.status is QuoteStatus.ALTERED
    if "immediate" not in said:
        assert diff in check.diff
    assert check.similarity is not None
    assert 0.6 <= check.similarity <= 1
    assert not report.ok


def test_an_altered_quotation_has_the_most_similar_place(
    seed: QuoteChecker, article: Document
) -> None:
    check = only(seed.check(f"“{RAPALLO.replace('Rathenau', 'Schmidt')}”"))
    assert quoted(check, article) == [RAPALLO]
    assert check.similarity == pytest.approx(22 / 23, abs=1e-4)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("and 3.5 percent of all bears", "verbatim"),
        ("5 percent of all bears", "altered"),
        ("howl at −5 degrees", "verbatim"),
        ("howl at -5 degrees", "verbatim"),
        ("wolves howl at 5 degrees", "altered"),
        ("5 degrees. It cost", "altered"),
        ("It cost 1,200 marks", "verbatim"),
        ("200 marks in Köln", "altered"),
        ("wolves howl at −5 degrees. It cost 1", "altered"),
        ("Entry costs 50 % more", "verbatim"),
        ("Entry costs 50", "altered"),
        ("aggressive lions after dark", "altered"),
        ("feeds the non-aggressive lions", "verbatim"),
        ("feeds the non–aggressive lions", "verbatim"),
        ("feeds the non aggressive lions", "altered"),
        ("The keepers’ cat isn’t grey", "verbatim"),
        ("The keepers' cat is grey", "altered"),
        ("keepers' cat is", "altered"),
        ("It cost 1,200 marks in Ko\u0308ln", "verbatim"),
        ("It cost 1,200 marks in Koln", "altered"),
        ("The zoo opened - late, as ever - in 1922", "verbatim"),
        ("The zoo opened—late, as ever--in 1922", "verbatim"),
        ("the zoo opened", "verbatim"),
        ("[t]he zoo opened", "verbatim"),
        ("The Zoo opened", "altered"),
        ("THE ZOO OPENED", "altered"),
        ("It has ‘grey wolves’ and", "verbatim"),
        ("It has grey wolves and", "altered"),
        ("Bears sleep… and wolves howl", "verbatim"),
        ("Bears sleep ... and  wolves\nhowl", "verbatim"),
        ("Entry is free on Sundays,", "verbatim"),
        ("Entry is free on Sundays.", "verbatim"),
        ("Entry is free on Sundays!", "altered"),
        ("… entry is free on Sundays …", "verbatim"),
        ("*Entry is free on Sundays*", "verbatim"),
        ("elephants never forget their keepers", "absent"),
        (r"Entry is free on Sundays\,", "verbatim"),
        (r"Bears sleep\… and wolves howl", "altered"),  # Markdown escapes ASCII punctuation alone
        (r"Entry is free on\-Sundays", "altered"),
    ],
)
def test_spellings_may_differ_and_words_may_not(zoo: QuoteChecker, said: str, status: str) -> None:
    assert only(zoo.check(f"We read “{said}” there.")).status == status


@pytest.mark.parametrize(
    "text",
    [
        "It says “{}”.", 'It says "{}".', "It says „{}“.", "It says „{}”.", "It says «{}».",
        "It says « {} ».", "It says »{}«.", "It says ‘{}’.", "> {}", ">{}\n", "> “{}”",
        "So:\n\n> {}\n> — The Zoo, *Guide*\n\nYes.", "(“{}”)", '*"{}"*', '“"{}"”', '"“{}”"',
        "An unclosed “ here.\n\nThen “{}”.", 'A 5" nail and "{}".', "The zoo’s “{}” isn’t.",
    ],
)  # fmt: skip
def test_quotation_marks_of_every_kind_are_parsed(zoo: QuoteChecker, text: str) -> None:
    check = only(zoo.check(text.format("Rye bread is dark and keeps")))
    assert check.status is QuoteStatus.VERBATIM
    assert quoted(check, BAKERY) == ["Rye bread is dark and keeps"]


def test_a_block_quote_is_one_quotation_over_its_lines(zoo: QuoteChecker) -> None:
    text = "Thus:\n\n> Rye bread is dark\n> and keeps for a\n>  long week. [1]\n\n“Entry is free”"
    report = zoo.check(text)
    assert [check.status for check in report.checks] == ["verbatim", "verbatim"]
    block = report.checks[0]
    assert block.text == text[block.start : block.end]
    assert block.text.startswith("Rye bread is dark\n> and")
    assert block.markers == (1,)
    assert quoted(block, BAKERY) == ["Rye bread is dark and keeps for a long week."]


def test_of_nested_quotations_the_outermost_is_checked(zoo: QuoteChecker) -> None:
    report = zoo.check(
        "He said “It has ‘grey wolves’ and 3.5 percent” and \"It has 'grey wolves'\"."
    )
    assert [check.text for check in report.checks] == [
        "It has ‘grey wolves’ and 3.5 percent",
        "It has 'grey wolves'",
    ]
    assert report.ok


def test_an_unclosed_mark_ends_with_its_paragraph(zoo: QuoteChecker) -> None:
    assert zoo.check("He said “Rye bread is dark.\n\nAnd more” followed.").checks == ()
    assert len(zoo.check("“Lost “Rye bread is dark”.\n\n”“").checks) == 1


def test_scare_quotes_are_short_and_no_failure(zoo: QuoteChecker) -> None:
    report = zoo.check("The “big deal” was ‘odd’, and “?! … ?! … ?! … ?!” too [7]. “”")
    assert {check.status for check in report.checks} == {QuoteStatus.SHORT}
    assert len(report.checks) == 3
    assert report.ok


def test_pieces_between_ellipses_are_stitched_in_order(
    seed: QuoteChecker, article: Document
) -> None:
    for ellipsis in ("…", "...", "[...]", "[…]", ". . ."):
        said = f"Rumors of a secret military supplement {ellipsis} was later challenged"
        check = only(seed.check(f"“{said}.”"))
        assert check.status is QuoteStatus.STITCHED
        assert quoted(check, article) == [
            "Rumors of a secret military supplement",
            "was later challenged",
        ]


def test_pieces_from_two_documents_are_stitched(zoo: QuoteChecker) -> None:
    check = only(zoo.check("“Entry is free on Sundays … keeps for a long week”"))
    assert check.status is QuoteStatus.STITCHED
    assert [place.document_id for place in check.spans] == ["zoo", "bakery"]


def test_sentences_joined_without_an_ellipsis_are_stitched(zoo: QuoteChecker) -> None:
    said = "Rye bread is dark and keeps for a long week. Entry is free on Sundays for children."
    check = only(zoo.check(f"“{said}”"))
    assert check.status is QuoteStatus.STITCHED
    assert " ".join(quoted(check, ZOO, BAKERY)) == said.removesuffix(".")


def test_long_runs_joined_within_a_sentence_are_stitched(zoo: QuoteChecker) -> None:
    runs = [
        "Entry is free on Sundays",
        "feeds the non-aggressive lions after",
        "keeps for a long week",
    ]
    check = only(zoo.check(f"“{' '.join(runs)}”"))
    assert check.status is QuoteStatus.STITCHED
    assert quoted(check, ZOO, BAKERY) == runs


def test_a_sentence_that_lost_its_first_word_is_altered() -> None:
    document = Document("d", "D", "The bears came back in May. Not all of them were fed by hand.")
    check = only(check_quotes("“bears came back in May. All of them were fed by hand”", [document]))
    assert check.status is QuoteStatus.ALTERED
    document = Document("d", "D", "The bears came back in May. Hardly Anna fed them all by hand.")
    check = only(check_quotes("“bears came back in May. Anna fed them all by hand”", [document]))
    assert check.status is QuoteStatus.ALTERED
    assert check.diff == "bears came back in May. [-Hardly-] Anna fed them all by hand"


def test_a_word_left_out_is_altered_and_not_two_runs() -> None:
    document = Document(
        "d", "D", "The panel found that the drug did not reduce the risk of death at all."
    )
    said = "The panel found that the drug did reduce the risk of death at all"
    check = only(check_quotes(f"“{said}”", [document]))
    assert check.status is QuoteStatus.ALTERED
    assert check.diff == "The panel found that the drug did [-not-] reduce the risk of death at all"


def test_single_words_picked_from_anywhere_are_absent(seed: QuoteChecker) -> None:
    assert only(seed.check("“Hitler … signed … Rapallo”")).status is QuoteStatus.ABSENT


def test_an_altered_piece_makes_the_whole_altered(zoo: QuoteChecker) -> None:
    check = only(zoo.check("“The bakery opened in 1932 … keeps for a long week”"))
    assert check.status is QuoteStatus.ALTERED
    assert check.diff == "The bakery opened in [-1931-]{+1932+} … keeps for a long week"
    assert check.similarity == 0.9


def test_a_quotation_outside_the_passages_it_names_is_misattributed(zoo: QuoteChecker) -> None:
    passages = [
        passage(ZOO, "Entry is free on Sundays for children."),
        passage(BAKERY, BAKERY.text, 2),
    ]
    said = "“Rye bread is dark”"
    for text, status in [
        (f"{said} [2].", "verbatim"),
        (f"{said}. [2]", "verbatim"),
        (f"{said}[1][2]", "verbatim"),
        (f"{said} [1, 2]", "verbatim"),
        ("“Rye bread is dark. [2]”", "verbatim"),
        (f"{said} [1].", "misattributed"),
        (f"> Rye bread is dark\n> — The Baker [1]\n\n{'x' * 3}", "misattributed"),
        ("> Rye bread is dark\n[1]\n", "misattributed"),
        (f"{said} and so on [1].", "verbatim"),
        (f"{said}\n\n[1]", "verbatim"),
    ]:
        report = zoo.check(text, passages)
        assert only(report).status == status, text
        assert quoted(only(report), BAKERY) == [only(report).text.split(".")[0]]
        assert report.ok is (status == "verbatim")


def test_a_stitched_quotation_must_be_inside_its_passages_too(zoo: QuoteChecker) -> None:
    passages = [
        passage(ZOO, "Entry is free on Sundays for children."),
        passage(BAKERY, BAKERY.text, 2),
    ]
    said = "“Entry is free on Sundays … keeps for a long week”"
    assert only(zoo.check(f"{said} [1][2]", passages)).status is QuoteStatus.STITCHED
    assert only(zoo.check(f"{said} [1]", passages)).status is QuoteStatus.MISATTRIBUTED


def test_a_quotation_may_run_from_a_passage_into_the_next_if_both_are_named(
    zoo: QuoteChecker,
) -> None:
    passages = [
        passage(BAKERY, "The bakery opened in 1931."),
        passage(BAKERY, "Rye bread is dark", 2),
    ]
    said = "“opened in 1931. Rye bread is”"
    assert only(zoo.check(f"{said} [1, 2]", passages)).status is QuoteStatus.VERBATIM
    assert only(zoo.check(f"{said} [1]", passages)).status is QuoteStatus.MISATTRIBUTED


def test_a_marker_beyond_the_passages_is_named(zoo: QuoteChecker) -> None:
    passages = [passage(BAKERY, BAKERY.text)]
    check = only(zoo.check("“Rye bread is dark” [9]", passages))
    assert check.status is QuoteStatus.MISATTRIBUTED
    assert "no such passage: [9]; the last one is [1]" in check.reason
    check = only(zoo.check("“Rye bread is dark” [1][0]", passages))
    assert check.status is QuoteStatus.VERBATIM
    assert check.reason == "no such passage: [0]; the last one is [1]"


def test_without_passages_markers_are_listed_and_not_judged(zoo: QuoteChecker) -> None:
    check = only(zoo.check("“Rye bread is dark” [9; 3]."))
    assert (check.status, check.markers) == (QuoteStatus.VERBATIM, (9, 3))


def test_markers_without_a_quotation_are_listed(zoo: QuoteChecker) -> None:
    text = "It is dark [1]. It opened [2, 7]. “Rye bread is dark” [1]. In [citation needed] 1931."
    report = zoo.check(text, [passage(BAKERY, BAKERY.text), passage(ZOO, ZOO.text, 2)])
    assert [(m.number, m.beyond) for m in report.markers] == [(1, False), (2, False), (7, True)]
    assert [text[m.start : m.end] for m in report.markers] == ["[1]", "[2, 7]", "[2, 7]"]
    assert "no such passage: [7]" in str(report)


def test_every_place_of_a_repeated_quotation_is_listed_up_to_a_limit() -> None:
    document = Document("d", "D", "All work and no play. " * 300)
    check = only(check_quotes("“no play. All work”", [document, BAKERY]))
    assert len(check.spans) == MAX_PLACES
    assert set(quoted(check, document)) == {"no play. All work"}


def test_paragraphs_quoted_with_their_own_markers_are_verbatim(
    seed: QuoteChecker, article: Document
) -> None:
    paragraphs = [p for p in article.text.split("\n\n") if len(p) > 200 and "\n" not in p][:20]
    passages = [passage(article, text, rank) for rank, text in enumerate(paragraphs, start=1)]
    text = "\n\n".join(f"> {p.text} [{p.rank}]" for p in passages)
    report = seed.check(text, passages)
    assert [check.status for check in report.checks] == ["verbatim"] * 20
    assert [check.markers for check in report.checks] == [(rank,) for rank in range(1, 21)]


def test_a_report_is_json_ready_and_readable(zoo: QuoteChecker) -> None:
    report = zoo.check("“The bakery opened in 1932” [1]. “Rye bread is dark” [2].")
    content = json.loads(json.dumps(report.to_dict()))
    assert content["ok"] is False
    assert content["markers"] == []
    assert content["checks"][0] == {
        "text": "The bakery opened in 1932",
        "start": 1,
        "end": 26,
        "markers": [1],
        "status": "altered",
        "spans": [{"document_id": "bakery", "start": 0, "end": 25}],
        "diff": "The bakery opened in [-1931-]{+1932+}",
        "similarity": 0.8,
        "reason": "it differs from the document",
    }
    assert str(report).startswith("not ok: 1 verbatim, 1 altered\n")
    assert "altered [1:26] “The bakery opened in 1932” [1]" in str(report)
    assert str(zoo.check("Nothing is quoted.")) == "ok: no quotation"


def test_without_documents_every_quotation_is_absent() -> None:
    assert only(check_quotes("“Rye bread is dark”", [])).status is QuoteStatus.ABSENT
    empty = [Document("a", "A", ""), Document("b", "B", " … ")]
    assert only(check_quotes("“Rye bread … is dark …”", empty)).status is QuoteStatus.ABSENT


@pytest.mark.parametrize(
    ("text", "documents", "passages", "message"),
    [
        (None, [ZOO], (), "text is a NoneType; expected a str"),
        (b"x", [ZOO], (), "text is a bytes"),
        ("x", ZOO, (), "documents is a Document; expected a sequence"),
        ("x", "zoo", (), "documents is a str"),
        ("x", [ZOO, "bakery"], (), r"documents\[1\] is a str; expected a Document"),
        ("x", [ZOO, ZOO], (), "ids are unique"),
        ("x", [ZOO], None, "passages is a NoneType"),
        ("x", [ZOO], ["zoo"], r"passage \[1\] is a str; expected a Passage"),
        ("x", [ZOO], [passage(BAKERY, "Rye")], r"passage \[1\] cites 'bakery' at \[27, 30\)"),
    ],
)
def test_unusable_input_is_refused_with_what_to_do(
    text: object, documents: object, passages: object, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        check_quotes(text, documents, passages=passages)  # type: ignore[arg-type]
    assert "Pass" in str(caught.value) or "Leave" in str(caught.value)


MARK = re.compile("[\"“”„«»‘’‚'>\\[]")


@settings(max_examples=60, deadline=None)
@given(articles(), st.data())
def test_any_exact_slice_of_any_article_is_verbatim(text: str, data: st.DataObject) -> None:
    words = list(re.finditer(r"\S+", text))
    assume(len(words) >= 5)
    first = data.draw(st.integers(0, len(words) - 5))
    last = data.draw(st.integers(first + 4, min(len(words) - 1, first + 40)))
    slice_ = text[words[first].start() : words[last].end()]
    assume(not MARK.search(slice_) and len(re.findall(r"\b\w+\b", slice_)) >= 5)
    said = " ".join(slice_.split())
    document = Document("d", "D", text)
    check = only(check_quotes(f"The article says “{said}” [1].", [BAKERY, document]))
    assert check.status is QuoteStatus.VERBATIM
    assert check.text == said
    assert folded(slice_) in {folded(found) for found in quoted(check, document)}


MARKUP = st.sampled_from(
    ["“", "”", '"', "„", "«", "»", "‘", "’", "\n\n", "\n> ", " [1]", " [2, 99]", "…", "...", ".",
     " - ", "—", "Rye bread is dark", " and keeps ", "The zoo opened", "\u0301", "\ud800", "5", "%"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(MARKUP, st.text(max_size=8)), max_size=40).map("".join))
def test_any_text_is_checked_without_an_error(zoo: QuoteChecker, text: str) -> None:
    report = zoo.check(text, [passage(BAKERY, BAKERY.text)])
    assert str(report)
    json.dumps(report.to_dict())
    for check in report.checks:
        assert check.text == text[check.start : check.end]
        for place in check.spans:
            assert 0 <= place.span.start < place.span.end <= len(ZOO.text)
        assert bool(check.spans) == (check.status not in {QuoteStatus.SHORT, QuoteStatus.ABSENT})
        assert bool(check.diff) == (check.status is QuoteStatus.ALTERED)
    starts = [check.start for check in report.checks]
    assert starts == sorted(starts)


def test_a_typical_answer_is_checked_in_milliseconds(seed: QuoteChecker) -> None:
    text = f"“{RAPALLO}” [1]. “{RUMORS.replace('wrong', 'right')}” [2]. “cheese on the moon” [3]."
    seed.check(text)
    best = min(_seconds(seed, text) for _ in range(5))
    assert best < 0.01


HOSTILE = {
    "marks": "“" * 100_000,
    "pairs of marks": "“”" * 50_000,
    "closing marks": "“" * 50_000 + "»" * 50_000,
    "markers": "“Rye bread is dark” " + "[1]" * 10_000,
    "an unclosed marker": "[" + "1," * 50_000,
    "one quotation": "“" + "the treaty of Rapallo and " * 4_000 + "”",
    "one quotation of marks": "“a b c" + "!" * 100_000 + "”",
    "one quotation of space": "“50 of a" + " " * 100_000 + "%”",
    "pieces": "“" + "of the … " * 11_000 + "”",
    "block lines": "> [1]\n" * 16_000,
    "blank lines": "\n \n" * 33_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_text_takes_no_quadratic_time(seed: QuoteChecker, text: str) -> None:
    assert _seconds(seed, text) < 5  # measured: under 1 s; squared it would be hours


def test_a_long_altered_quotation_is_compared_to_its_end(
    seed: QuoteChecker, article: Document
) -> None:
    long = " ".join(article.text.replace('"', "").split())[100:30_000].partition(" ")[2]
    changed = long.replace("Rathenau", "Schmidt", 1)
    check = only(seed.check(f"“{changed}”"))
    assert check.status is QuoteStatus.ALTERED
    assert "[-Rathenau-]{+Schmidt+}" in check.diff
    assert check.similarity is not None
    assert check.similarity > 0.99


def _seconds(checker: QuoteChecker, text: str) -> float:
    start = time.perf_counter()
    checker.check(text)
    return time.perf_counter() - start


def test_ragkits_own_answers_in_markdown_are_verbatim() -> None:
    text = "The Molotov-Ribbentrop pact (23 August) cost 3.5 % *more* than [planned] & agreed!"
    pact = Document("pact", "Pact", text)
    quoted = f"> {escape_markdown(text)} [1]"
    assert "\\-" in quoted
    assert only(QuoteChecker([pact]).check(quoted)).status == "verbatim"
    changed = quoted.replace("23", "24")
    check = only(QuoteChecker([pact]).check(changed))
    assert check.status == "altered"
    assert "\\" not in check.diff


def test_backslashes_of_the_documents_are_quoted_as_they_are() -> None:
    path = Document("path", "Path", r"The files are in C:\_old\-files on that machine.")
    checker = QuoteChecker([path])
    assert only(checker.check(r"“in C:\_old\-files on that machine”")).status == "verbatim"
