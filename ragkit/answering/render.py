"""An answer as text, Markdown and HTML. Corpus text is untrusted: it is escaped."""

from __future__ import annotations

import html as escaping
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ragkit.answering.generated import GOOD, Sentence
from ragkit.catalogue import Catalogue, catalogue
from ragkit.citations.urls import encode_url, is_web_url
from ragkit.text.spans import Span
from ragkit.types import Citation

__all__ = [
    "Quoted",
    "ShownTurn",
    "abstention",
    "escape_markdown",
    "html",
    "markdown",
    "passage_html",
    "rows_html",
    "sentence_markdown",
    "text",
    "turns_html",
]

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


class ShownTurn(NamedTuple):
    """A turn of a conversation as it is shown; ``answer`` is empty if there was none."""

    question: str
    standalone: str
    answer: str
    source: Citation | None


# The fragments for notebooks have no scripts and no style sheets, and take the notebook's colours,
# so that they are readable on light and on dark ones.


def html(head: str, passages: Sequence[Quoted], notes: Iterable[str] = ()) -> str:
    """An HTML fragment for notebooks: the answer, notes on it, and the passages."""
    items = "".join([f"<li>{_html_entry(passage)}</li>" for passage in passages])
    return (
        f"<div><p><strong>{escaping.escape(head)}</strong></p>"
        f"{''.join(map(_note, notes))}<ol>{items}</ol></div>"
    )


def passage_html(passage: Quoted, note: str) -> str:
    """An HTML fragment for notebooks: one passage, and a note on it."""
    return f"<div>{_html_entry(passage)}{_note(note)}</div>"


def turns_html(turns: Sequence[ShownTurn]) -> str:
    """An HTML fragment for notebooks: questions, their answers, and where these stand."""
    if not turns:
        return "<div><p><em>No question is remembered yet.</em></p></div>"
    return f"<div><ol>{''.join(map(_turn, turns))}</ol></div>"


def rows_html(title: str, rows: Mapping[str, str]) -> str:
    """An HTML fragment for notebooks: a title, and a table of names and values."""
    body = "".join(
        f'<tr><th scope="row" style="text-align:left">{escaping.escape(name)}</th>'
        f'<td style="text-align:left">{escaping.escape(value)}</td></tr>'
        for name, value in rows.items()
    )
    return f"<div><p><strong>{escaping.escape(title)}</strong></p><table>{body}</table></div>"


def abstention(reason: str | None, messages: Catalogue) -> str:
    """The sentence shown in place of an answer."""
    if not reason:
        return messages.text("answer.corpus_silent")
    return messages.text("answer.corpus_silent_because", reason=messages.text(f"reason.{reason}"))


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


def _turn(turn: ShownTurn) -> str:
    parts = [f"<strong>{escaping.escape(turn.question)}</strong>"]
    if turn.standalone != turn.question:
        parts.append(_note(f"You asked about: {turn.standalone}"))
    parts.append(f"<p>{escaping.escape(turn.answer or abstention(None, catalogue('en')))}</p>")
    if turn.source is not None:
        parts.append(f"<p><small>{_label(turn.source)}</small></p>")
    return f"<li>{''.join(parts)}</li>"


def _note(text: str) -> str:
    return f"<p><small>{escaping.escape(text)}</small></p>"


def _label(citation: Citation) -> str:
    """A citation's label, linked if its document is on the web."""
    label = escaping.escape(citation.label)
    if not is_web_url(citation.url):
        return label
    return f'<a href="{escaping.escape(citation.url or "")}" rel="noopener">{label}</a>'


def _html_entry(passage: Quoted) -> str:
    return f"{_label(passage.citation)}<blockquote>{''.join(_marked(passage))}</blockquote>"


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
