"""The values of a corpus: Document → Chunk, and Citation, which points back into a Document.

All are frozen. Offsets are Unicode code points of ``Document.text``, half-open ``[start, end)``.
A ``Citation`` whose span and quote differ in length cannot be built: a wrong citation is an error,
never a value.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ragkit.citations import links, verification
from ragkit.citations.passage_ids import format_passage_id
from ragkit.citations.reanchor import Anchoring, AnchorStatus, find_again
from ragkit.citations.verification import Offsets, Verification
from ragkit.errors import InputError
from ragkit.text.languages import primary_language
from ragkit.text.spans import Span

__all__ = [
    "Anchor",
    "Chunk",
    "Citation",
    "Document",
    "MetadataValue",
    "Said",
    "Section",
    "Span",
    "check_language",
]


MetadataValue = str | int | float | bool | Sequence[str]
"""A property of a document: one value, or several texts, any of which a filter may ask for."""


@dataclass(frozen=True, slots=True)
class Section:
    """A run of body text under one heading path (outermost first; ``()`` is the lead).

    ``start`` and ``end`` bound the body alone: the heading's own line is markup and lies outside.
    """

    path: tuple[str, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Document:
    """One article: its exact text and what it is called.

    ``id`` is a stable slug, unique in a corpus. ``text`` is what all offsets refer to.
    ``sections`` may be left empty: they are then read from ``==`` headings. ``metadata``: what
    questions can be filtered by, such as a date or tags. ``pages``: where each page of a paged
    source begins in ``text``, the first at 0; empty for others. ``language``: a code of ISO 639-1
    such as ``de``, by which words are stemmed and sentences split; None if its words are to tell.
    """

    id: str
    title: str
    text: str
    url: str | None = None
    sections: tuple[Section, ...] = ()
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict, hash=False)
    pages: tuple[int, ...] = ()
    language: str | None = None

    def __post_init__(self) -> None:
        for name in ("id", "title", "text"):
            value = getattr(self, name)
            if not isinstance(value, str):
                raise InputError(
                    f"Document.{name} is a {type(value).__name__}; expected a str. "
                    f"Pass Document(id=…, title=…, text=…, url=…)."
                )
        if not self.id.strip():
            raise InputError("Document.id is blank; expected a stable slug such as 'my-article'.")
        check_language(self.language, f"Document.language of {self.id!r}")
        before = 0
        for section in self.sections:
            if not before <= section.start < section.end <= len(self.text):
                raise InputError(
                    f"section {section.path} of {self.id!r} has the span [{section.start}, "
                    f"{section.end}); expected spans in order, apart, and inside [0, "
                    f"{len(self.text)})."
                )
            before = section.end
        for name, value in self.metadata.items():
            _check_metadata(self.id, name, value)
        if self.pages and (self.pages[0] != 0 or list(self.pages) != sorted(self.pages)):
            raise InputError(
                f"the pages of {self.id!r} begin at {self.pages[:5]}…; expected 0 and then "
                f"ascending offsets."
            )

    def page_at(self, offset: int) -> int | None:
        """The number, from 1, of the page that a code point is on; None if there are none."""
        return bisect_right(self.pages, offset) or None

    @property
    def pages_without_text(self) -> tuple[int, ...]:
        """The numbers, from 1, of the pages that have no text, such as scanned ones."""
        ends = (*self.pages[1:], len(self.text))
        numbered = enumerate(zip(self.pages, ends, strict=True), start=1)
        return tuple(number for number, (start, end) in numbered if start == end)

    def section_at(self, span: Span) -> tuple[str, ...]:
        """The heading path of the section that holds all of a span; ``()`` if none does."""
        at = bisect_right(self.sections, span.start, key=lambda section: section.start) - 1
        section = self.sections[at] if at >= 0 else None
        return section.path if section and span.end <= section.end else ()

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as a JSON-ready dictionary, for ``from_dict``."""
        return {
            "id": self.id,
            "title": self.title,
            "text": self.text,
            "url": self.url,
            "sections": [
                {"path": list(s.path), "start": s.start, "end": s.end} for s in self.sections
            ],
            "metadata": dict(self.metadata),
            "pages": list(self.pages),
            "language": self.language,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Document:
        """Build a document from the fields that ``to_dict`` returns; others are ignored.

        Raises:
            InputError: a field is missing or inconsistent.

        Example:
            >>> document = Document(id="hours", title="Library", text="It opens at nine.")
            >>> Document.from_dict(document.to_dict()) == document
            True

        """
        try:
            sections = [
                Section(tuple(s["path"]), s["start"], s["end"]) for s in content["sections"]
            ]
            return cls(
                content["id"],
                content["title"],
                content["text"],
                content["url"],
                tuple(sections),
                content["metadata"],
                tuple(content["pages"]),
                content.get("language"),  # which exports of older versions lack
            )
        except (TypeError, KeyError, AttributeError) as error:
            raise InputError(
                f"this is not a document ({type(error).__name__}: {error}); expected the fields of "
                f"Document.to_dict()."
            ) from error

    def cite(self, span: Span) -> Citation:
        """What stands at a span, as a citation. Raises InputError where the span is not inside."""
        start, end = span
        if not 0 <= start < end <= len(self.text):
            raise InputError(
                f"[{start}, {end}) is no span of {self.id!r}; expected one inside [0, "
                f"{len(self.text)}), not empty."
            )
        return Citation(
            document_id=self.id,
            title=self.title,
            section=self.section_at(span),
            start=start,
            end=end,
            quote=self.text[start:end],
            url=self.url,
            page=self.page_at(start),
        )


def check_language(language: object, name: str) -> None:
    """Raise InputError if a language is neither None nor of ISO 639-1; ``name`` names it."""
    if language is None:
        return
    code = primary_language(language) if isinstance(language, str) else None
    if code is None or code != language:
        raise InputError(
            f"{name} is {language!r}; expected a code of ISO 639-1 such as {code or 'de'!r}, or "
            f"None for that which its words tell."
        )


def _check_metadata(document_id: str, name: object, value: object) -> None:
    plain = isinstance(value, (str, int, float))
    listed = isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value)
    if not isinstance(name, str) or not (plain or listed):
        raise InputError(
            f"the metadata {name!r} of {document_id!r} is {value!r}; expected a text, a number, a "
            f"truth value, or a list of texts."
        )


@dataclass(frozen=True, slots=True)
class Chunk:
    """The unit that is indexed: a span inside one section, and its sentences' spans.

    ``section`` counts into its document's ``sections``. ``lead`` introduces the sentences and is
    none of them: the question that they answer, the names of their columns. It stands in front of
    them, in this chunk or in one before it.
    """

    document_id: str
    section: int
    start: int
    end: int
    sentences: tuple[Span, ...]
    lead: Span | None = None

    @property
    def body(self) -> Span:
        """All of the sentences: the chunk without a lead that stands in it."""
        return Span(self.sentences[0].start, self.end)


@dataclass(frozen=True, slots=True)
class Citation:
    """A verbatim quote and its place: ``document.text[start:end] == quote``.

    A citation whose span and quote differ in length cannot be built.

    Attributes:
        document_id: id of the cited document.
        title: the document's title.
        section: heading path, outermost first, without the document's title.
        start: first code point of the quote in the document's text.
        end: one past the last code point of the quote.
        quote: the quoted text, never empty.
        url: the document's address, or None.
        page: page of a paged source on which the quote begins, from 1, else None.

    """

    document_id: str
    title: str
    section: tuple[str, ...]
    start: int
    end: int
    quote: str
    url: str | None = None
    page: int | None = None

    def __post_init__(self) -> None:
        if self.start < 0 or self.end - self.start != len(self.quote) or not self.quote:
            raise InputError(
                f"a citation of {self.document_id!r} has the span [{self.start}, {self.end}) but a "
                f"quote of {len(self.quote)} code points; they must agree and not be empty."
            )

    @property
    def span(self) -> Span:
        """``Span(start, end)``."""
        return Span(self.start, self.end)

    @property
    def passage_id(self) -> str:
        """``DOCUMENT#START-END``, which stays the same while the document does."""
        return format_passage_id(self.document_id, self.span)

    @property
    def label(self) -> str:
        """Title and heading path in one line: ``Article § Section › Subsection, p. 3``."""
        path = f" § {' › '.join(self.section)}" if self.section else ""
        return f"{self.title}{path}" + (f", p. {self.page}" if self.page else "")

    def verify(self, document: Document) -> Verification:
        """Check that ``document`` has the quote at the span.

        Returns:
            ``Verification(ok, reason)``; if not ok, ``reason`` says what was found instead.

        """
        return verification.verify(self, document)

    def offsets(self, document: Document) -> Offsets:
        """Return the span in code points, UTF-16 code units and UTF-8 bytes.

        Raises:
            InputError: the citation does not hold in ``document``.

        """
        return verification.offsets(self, document)

    def annotation(self, document: Document, *, span: Span | None = None) -> dict[str, Any]:
        """Return the citation, or ``span`` inside it, as a W3C Web Annotation (JSON-LD).

        Raises:
            InputError: the citation does not hold, or ``span`` lies outside it.

        """
        return verification.annotation(self, document, span=span)

    def deep_link(self, document: Document, *, span: Span | None = None) -> str | None:
        """Return the document's URL with a text fragment (``#:~:text=``) that scrolls to the quote.

        Returns:
            The link, or None if the document has no http(s) URL.

        Raises:
            InputError: the citation does not hold, or ``span`` lies outside it.

        """
        return links.deep_link(self, document, span=span)

    def reanchor(self, document: Document) -> Anchor:
        """Find the quote again after ``document`` was edited.

        Raises:
            InputError: ``document`` has another id than the cited document.

        """
        anchoring = find_again(self, document)
        return Anchor(anchoring.status, self._moved(document, anchoring), anchoring.similarity)

    def _moved(self, document: Document, anchoring: Anchoring) -> Citation | None:
        if anchoring.span is None:
            return None
        start, end = anchoring.span
        return replace(
            self,
            title=document.title,
            section=anchoring.section,
            start=start,
            end=end,
            quote=document.text[start:end],
            url=document.url,
            page=document.page_at(start),
        )

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Citation:
        """Build a citation from the fields that ``to_dict`` returns.

        Raises:
            InputError: a field is missing, unknown or inconsistent.

        """
        try:
            return cls(**{**content, "section": tuple(content["section"])})
        except (TypeError, KeyError) as error:
            raise InputError(
                f"this is not a citation ({type(error).__name__}: {error}); expected the fields of "
                f"Citation.to_dict()."
            ) from error

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as a JSON-ready dictionary."""
        return {
            "document_id": self.document_id,
            "title": self.title,
            "section": list(self.section),
            "start": self.start,
            "end": self.end,
            "quote": self.quote,
            "url": self.url,
            "page": self.page,
        }


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where a quote stands in an edited document.

    Attributes:
        status: unchanged, moved, changed or gone.
        citation: the new citation, which holds in the new text; None if the quote is gone.
        similarity: 0–1, difflib's ratio over words; 1 for the exact quote, below 0.6 if gone.

    """

    status: AnchorStatus
    citation: Citation | None
    similarity: float


class Said(NamedTuple):
    """Something said before a question, to read it by.

    ``weight``: what its words count beside the question's own (1): 0 lets them only colour it.
    """

    text: str
    weight: float
