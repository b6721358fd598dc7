"""Hypothesis strategies: articles as people write them, and worse."""

from __future__ import annotations

from hypothesis import strategies as st

WORDS = st.sampled_from(
    ["Treaty", "of", "Rapallo", "signed", "1922", "e.g.", "U.S.S.R.", "Köln", "Ko\u0308ln", "🇩🇪", "שלום",
     "договор", "(secret)", '"quoted"', "a", "x" * 90, "=", "Dr.", "3.5", "\u200b", "und"]
)  # fmt: skip
ENDS = st.sampled_from([". ", "? ", "! ", " ", '." ', "; "])
SENTENCES = st.builds(
    lambda words, end: " ".join(words) + end, st.lists(WORDS, min_size=1, max_size=14), ENDS
)
PARAGRAPHS = st.builds("".join, st.lists(SENTENCES, min_size=1, max_size=12))
ITEMS = st.builds(
    lambda mark, text: mark + text, st.sampled_from(["- ", "* ", "1. ", "# "]), SENTENCES
)
LISTS = st.builds("\n".join, st.lists(ITEMS, min_size=1, max_size=6))
HEADINGS = st.builds(
    lambda level, pad, title: "=" * level + pad + title + pad + "=" * level,
    st.integers(1, 6),
    st.sampled_from(["", " ", "  "]),
    st.sampled_from(["Trade", "See also", "A = B", "Trade", "1939 needs", "Ко\u0301", "x"]),
)
BLOCKS = st.one_of(PARAGRAPHS, LISTS, HEADINGS, st.sampled_from(["", "  ", "\t"]))
NEWLINES = st.sampled_from(["\n", "\r\n", "\n\n", "\r\n\r\n", "\r", "\n\n\n"])


@st.composite
def articles(draw: st.DrawFn) -> str:
    """A text of headings, paragraphs and lists, with any line ends, perhaps a byte order mark."""
    blocks = draw(st.lists(st.tuples(BLOCKS, NEWLINES), max_size=14))
    mark = draw(st.sampled_from(["", "\ufeff"]))
    return mark + "".join(block + newline for block, newline in blocks)
