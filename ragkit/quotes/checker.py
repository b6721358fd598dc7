"""The verbatim gate: check whether the documents contain what a text quotes.

The text may come from anywhere, above all from a language model. No model is used, and the time
is linear in the text. A check takes these steps, each in its own module:

1. ``parsing``: text → quotations and citation markers
2. ``tokens``: quotation → normalized words and punctuation marks
3. ``exact``: look the tokens up in the ``corpus``, as one run or in parts
4. ``nearest``: otherwise find the most similar place, and ``diff`` the two
5. ``judging``: decide the status
6. ``report``: the values returned
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ragkit.answering.answer import Passage
from ragkit.errors import InputError
from ragkit.quotes.corpus import TokenIndex, TokenRange
from ragkit.quotes.judging import judge
from ragkit.quotes.parsing import Quotation, parse_quotations, unattached_markers
from ragkit.quotes.report import QuoteCheck, QuoteReport
from ragkit.types import Citation, Document

__all__ = ["QuoteChecker"]


class QuoteChecker:
    """Check any number of texts against the same documents. Immutable and safe to share.

    Args:
        documents: the documents to look quotations up in, with distinct ids.

    Raises:
        InputError: ``documents`` is no sequence of Documents, or two have the same id.

    Example:
        >>> from ragkit import Document
        >>> checker = QuoteChecker([Document("bakery", "Bakery", "Rye bread is dark.")])
        >>> print(checker.check("They say “rye bread is pale”."))
        not ok: 1 altered
        altered [10:27] “rye bread is pale”
            it differs from the document
            rye bread is [-dark-]{+pale+}
            bakery [0:17]

    """

    def __init__(self, documents: Sequence[Document]) -> None:
        self._index = TokenIndex(_checked_documents(documents))

    def check(self, text: str, passages: Sequence[Passage | Citation] = ()) -> QuoteReport:
        """Check each quotation of a text.

        Quotations are “…”, "…", „…“, «…» and ‘…’ inside one paragraph, and Markdown block quotes.
        Of nested quotations only the outermost is checked.

        Args:
            text: the text to check.
            passages: what the markers in the text cite: ``[n]`` directly after a quotation cites
                ``passages[n - 1]``, a passage or its citation. If empty, markers are listed but
                not judged.

        Returns:
            The verdict on each quotation, and the markers that belong to none.

        Raises:
            InputError: ``text`` is not a str, or a passage is not from these documents.

        """
        if not isinstance(text, str):
            raise InputError(
                f"text is a {type(text).__name__}; expected a str. Pass the text to be checked, "
                f"e.g. a model's answer."
            )
        ranges = _passage_ranges(self._index, passages)
        quotations = list(parse_quotations(text))
        checks = (judge(self._index, quotation, ranges) for quotation in quotations)
        markers = unattached_markers(text, quotations, len(ranges))
        return QuoteReport(tuple(checks), tuple(markers))

    def check_quote(self, quote: str) -> QuoteCheck:
        """Check a text that is one quotation as a whole, without quotation marks.

        >>> from ragkit import Document
        >>> checker = QuoteChecker([Document("bakery", "Bakery", "Rye bread is dark.")])
        >>> checker.check_quote("Rye  bread is dark").status.value
        'verbatim'

        """
        return judge(self._index, Quotation(quote, quote, 0, len(quote), len(quote), ()), ())


def _checked_documents(documents: object) -> tuple[Document, ...]:
    if isinstance(documents, (str, Document, Mapping)) or not isinstance(documents, Sequence):
        raise InputError(
            f"documents is a {type(documents).__name__}; expected a sequence of Documents. Pass "
            f"[document], or index.documents."
        )
    ids: set[str] = set()
    for number, document in enumerate(documents):
        if not isinstance(document, Document):
            raise InputError(
                f"documents[{number}] is a {type(document).__name__}; expected a Document. Pass "
                f"Document(id=…, title=…, text=…)."
            )
        if document.id in ids:
            raise InputError(
                f"documents[{number}] has the id {document.id!r} of an earlier document; ids are "
                f"unique in a corpus. Leave one out or rename it."
            )
        ids.add(document.id)
    return tuple(documents)


def _passage_ranges(index: TokenIndex, passages: object) -> list[TokenRange]:
    if isinstance(passages, (str, Passage, Citation)) or not isinstance(passages, Sequence):
        raise InputError(
            f"passages is a {type(passages).__name__}; expected a sequence of Passages. Pass "
            f"answer.passages, or [passage]."
        )
    return [_passage_range(index, passage, n) for n, passage in enumerate(passages, start=1)]


def _passage_range(index: TokenIndex, passage: object, rank: int) -> TokenRange:
    if not isinstance(passage, (Passage, Citation)):
        raise InputError(
            f"passage [{rank}] is a {type(passage).__name__}; expected a Passage or a Citation. "
            f"Pass answer.passages."
        )
    citation = passage if isinstance(passage, Citation) else passage.citation
    number = index.numbers.get(citation.document_id)
    if number is None or index.documents[number].text[slice(*citation.span)] != citation.quote:
        raise InputError(
            f"passage [{rank}] cites {citation.document_id!r} at [{citation.start}, "
            f"{citation.end}), where the documents do not have its quote. Pass the documents that "
            f"the passages were found in."
        )
    return index.tokens_inside(number, citation.span)
