"""An answer as text, Markdown and HTML. Corpus text is untrusted: it is escaped."""

from __future__ import annotations

import html as escaping
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ragkit.answering.generated import GOOD, Sentence
from ragkit.citations.urls import encode_url, is_web_url
from ragkit.text.spans import Span
from ragkit.types import Citation

__all__ = [
    "STALE",
    "Quoted",
    "abstention",
    "escape_markdown",
    "html",
    "markdown",
    "sentence_markdown",
    "text",
]

NO_ANSWER = "The corpus does not say."
STALE = "The documents changed after they were indexed; this may be out of date."
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-!|~&])")


class Quoted(NamedTuple):
    """One passage as it is shown: its rank, its citation, and what to emphasise in the quote."""

    rank: int
    citation: Citation
    highlights: Sequence[Span]
    phrase: Span | None

    def quote(self, span: Span) -> str:
        """Return the text of a span of the document, inside the citation."""
        start = self.citation.start
        return self.citation.quote[span.start - start : span.end - start]


def text(head: str, passages: Sequence[Quoted]) -> str:
    """For a terminal or a log: the answer, then where each passage stands."""
    places = (
        f"[{p.rank}] {p.citation.label} [{p.citation.start}:{p.citation.end}]" for p in passages
    )
    return "\n".join([head, "", *places]).rstrip()


def markdown(head: str, passages: Sequence[Quoted]) -> str:
    """CommonMark: ``head``, which is Markdown already, then numbered citations with quotes."""
    return "\n\n".join([head, *map(_markdown_entry, passages)]) + "\n"


def html(head: str, passages: Sequence[Quoted]) -> str:
    """A self-contained HTML fragment for notebooks, without scripts or style sheets."""
    items = "".join([f"<li>{_html_entry(passage)}</li>" for passage in passages])
    return f"<div><p><strong>{escaping.escape(head)}</strong></p><ol>{items}</ol></div>"


def abstention(reason: str | None) -> str:
    """The sentence shown in place of an answer."""
    return f"{NO_ANSWER} ({reason})" if reason else NO_ANSWER


def sentence_markdown(sentence: Sentence) -> str:
    """A language model's sentence: what it is worth, or the ranks of the passages it is from."""
    if sentence.status in GOOD:
        return escape_markdown(sentence.text) + "".join(f" [{rank}]" for rank in sentence.passages)
    return f"~~{escape_markdown(sentence.text)}~~ ({sentence.status})"


def escape_markdown(text: str) -> str:
    """Markdown's special characters escaped, on one line."""
    escaped = _MARKDOWN.sub(r"\\\1", " ".join(text.split()))
    # A number with a full stop in front of a line would begin a list.
    return re.sub(r"^(\d+)\.", r"\1\\.", escaped)


def _markdown_entry(passage: Quoted) -> str:
    citation = passage.citation
    label = escape_markdown(citation.label)
    url = encode_url(citation.url or "")
    place = f"[{label}](<{url}>)" if is_web_url(citation.url) else label
    quotes = " … ".join([passage.quote(span) for span in passage.highlights])
    where = f"{citation.start}–{citation.end}"
    return f"{passage.rank}. {place}, {where}\n   > {escape_markdown(quotes)}"


def _html_entry(passage: Quoted) -> str:
    citation = passage.citation
    label = escaping.escape(citation.label)
    if is_web_url(citation.url):
        label = f'<a href="{escaping.escape(citation.url or "")}" rel="noopener">{label}</a>'
    return f"{label}<blockquote>{''.join(_marked(passage))}</blockquote>"


def _marked(passage: Quoted) -> Iterator[str]:
    position = passage.citation.start
    for span in passage.highlights:
        yield escaping.escape(passage.quote(Span(position, span.start)))
        yield f"<mark>{_with_phrase(passage, span)}</mark>"
        position = span.end
    yield escaping.escape(passage.quote(Span(position, passage.citation.end)))


def _with_phrase(passage: Quoted, span: Span) -> str:
    """A highlight as HTML, the phrase in it in bold."""
    phrase = passage.phrase
    if phrase is None or not (span.start <= phrase.start and phrase.end <= span.end):
        return escaping.escape(passage.quote(span))
    before, after = Span(span.start, phrase.start), Span(phrase.end, span.end)
    return (
        escaping.escape(passage.quote(before))
        + f"<b>{escaping.escape(passage.quote(phrase))}</b>"
        + escaping.escape(passage.quote(after))
    )
