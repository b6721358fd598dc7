"""An Answer as text, Markdown and HTML. Corpus text is untrusted: it is escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from urllib.parse import quote

from ragkit.types import GOOD, Answer, Passage, Sentence, Span

__all__ = ["sentence_markdown", "to_html", "to_markdown", "to_text"]

_URL_SAFE = "%:/?#[]@!$&'()*+,;=~"
NO_ANSWER = "The corpus does not say."
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-!|~&])")


def to_text(answer: Answer) -> str:
    """For a terminal or a log: what answers, then where each passage stands."""
    head = answer.text if answer.answered else _abstention(answer)
    places = (
        f"[{p.rank}] {p.citation.label} [{p.citation.start}:{p.citation.end}]"
        for p in answer.passages
    )
    return "\n".join([head, "", *places]).rstrip()


def to_markdown(answer: Answer) -> str:
    """CommonMark: the answer with its ``[rank]``, then numbered citations with their quotes."""
    head = _markdown_head(answer)
    entries = (_markdown_entry(passage) for passage in answer.passages)
    return "\n\n".join([head, *entries]) + "\n"


def to_html(answer: Answer) -> str:
    """A self-contained fragment for notebooks, without scripts or styles sheets."""
    head = answer.text if answer.answered else _abstention(answer)
    items = "".join(f"<li>{_html_entry(passage)}</li>" for passage in answer.passages)
    return f"<div><p><strong>{html.escape(head)}</strong></p><ol>{items}</ol></div>"


def sentence_markdown(sentence: Sentence) -> str:
    """A language model's sentence: what it is worth, or the ranks of the passages it is from."""
    if sentence.status in GOOD:
        return _escape(sentence.text) + "".join(f" [{rank}]" for rank in sentence.passages)
    return f"~~{_escape(sentence.text)}~~ ({sentence.status})"


def _markdown_head(answer: Answer) -> str:
    if answer.generated is None and answer.answered:
        return _escape(answer.text) + " [1]"
    said = answer.generated.sentences if answer.generated else ()
    told = " ".join(sentence_markdown(sentence) for sentence in said if sentence.kept)
    if answer.answered:
        return told
    return "\n\n".join(filter(None, [told, _abstention(answer)]))


def _abstention(answer: Answer) -> str:
    return f"{NO_ANSWER} ({answer.reason})" if answer.reason else NO_ANSWER


def _escape(text: str) -> str:
    """Markdown's special characters escaped, on one line."""
    escaped = _MARKDOWN.sub(r"\\\1", " ".join(text.split()))
    # A number with a full stop in front of a line would begin a list.
    return re.sub(r"^(\d+)\.", r"\1\\.", escaped)


def _markdown_entry(passage: Passage) -> str:
    citation = passage.citation
    label = _escape(citation.label)
    url = quote(citation.url or "", safe=_URL_SAFE)
    place = f"[{label}](<{url}>)" if _is_web(citation.url) else label
    quotes = " … ".join(passage.quote(span) for span in passage.highlights)
    return f"{passage.rank}. {place}, {citation.start}–{citation.end}\n   > {_escape(quotes)}"


def _html_entry(passage: Passage) -> str:
    citation = passage.citation
    label = html.escape(citation.label)
    if _is_web(citation.url):
        label = f'<a href="{html.escape(citation.url or "")}" rel="noopener">{label}</a>'
    return f"{label}<blockquote>{''.join(_marked(passage))}</blockquote>"


def _marked(passage: Passage) -> Iterator[str]:
    offset = passage.citation.start
    position = 0
    for span in passage.highlights:
        yield html.escape(passage.text[position : span.start - offset])
        yield f"<mark>{_with_phrase(passage, span)}</mark>"
        position = span.end - offset
    yield html.escape(passage.text[position:])


def _with_phrase(passage: Passage, span: Span) -> str:
    """A highlight as HTML, the phrase in it in bold."""
    phrase = passage.phrase
    if phrase is None or not (span.start <= phrase.start and phrase.end <= span.end):
        return html.escape(passage.quote(span))
    before, after = Span(span.start, phrase.start), Span(phrase.end, span.end)
    return (
        html.escape(passage.quote(before))
        + f"<b>{html.escape(passage.quote(phrase))}</b>"
        + html.escape(passage.quote(after))
    )


def _is_web(url: str | None) -> bool:
    """Only http(s) is ever linked: a corpus may not smuggle in ``javascript:``."""
    return bool(url) and str(url).lower().startswith(("https://", "http://"))
