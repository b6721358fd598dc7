"""Answerer: everything that an opened index can be asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, TypeVar, Unpack, cast

from ragkit.answering import DEPTH, compose, is_calibrated, passages_of
from ragkit.answering.answer import Answer, Passage
from ragkit.answering.generated import Sentence
from ragkit.answering.render import rows_html
from ragkit.chunking import Chunker
from ragkit.citations.passage_ids import parse_passage_id
from ragkit.corpus import LeftOut, SourceFile
from ragkit.encoding import Encoder, Reranker, query_encoder
from ragkit.errors import InputError
from ragkit.grounding import ChatModel, LanguageModel, Policy, check_policy, generate_answer
from ragkit.index import AllowedChunks, Conditions, IndexData, RetrievalConfig, Where
from ragkit.index.filters import ValueKind, metadata_kinds
from ragkit.indexing import LocalIndex, RestrictedIndex
from ragkit.quotes.checker import QuoteChecker
from ragkit.reading import Reader, Result, read_result
from ragkit.retrieval import (
    Query,
    check_k,
    check_threshold,
    clean_question,
    encode_questions,
    encode_turn,
    retrieve,
)
from ragkit.timing import LAP, Operation, Part, observer
from ragkit.types import Citation, Document, Said, Span

if TYPE_CHECKING:
    from ragkit.corpus.pdf_image import PageImage
    from ragkit.indexing.remote import RemoteIndex

__all__ = ["Answerer", "Options"]

T = TypeVar("T")


_SHOWN_TITLES = 5


class Options(TypedDict, total=False):
    """The keyword arguments of ``Index.ask``."""

    k: int
    threshold: float | None
    where: Where | None
    llm: LanguageModel | str | None
    unsupported: Policy


class Answerer:
    """An opened index and the encoder of its questions. Immutable; share it freely."""

    def __init__(
        self,
        opened: LocalIndex | RemoteIndex | RestrictedIndex,
        encoder: Encoder | None = None,
        *,
        reranker: Reranker | None = None,
        reader: Reader | None = None,
    ) -> None:
        self._opened = opened
        self._encoder = encoder
        self._reranker = reranker
        self._reader = reader
        self._quote_checker: tuple[str, QuoteChecker] | None = None

    def ask(
        self,
        question: str,
        *,
        k: int = 5,
        threshold: float | None = None,
        where: Where | None = None,
        before: Sequence[Said] = (),
        standalone: str | None = None,
        llm: LanguageModel | str | None = None,
        unsupported: Policy = "drop",
    ) -> Answer:
        """Answer ``question`` with its ``k`` best passages, fewer if the corpus has fewer.

        Args:
            question: what to ask, at most 4,000 characters.
            k: number of passages.
            threshold: confidence, 0–1, below which the answer abstains; None for the default:
                the reader's own; without one 0.19 with a model that reads a chunk once, such as
                the default model, and 0.12 with others.
                ``ragkit eval threshold`` finds one for an error rate.
            where: conditions on the documents' metadata, such as ``{"tag": ["pact", "treaty"],
                "date": {"min": "1922"}}``: equal to one of several values, or within a range. All
                conditions must hold.
            before: what was said before, which the question may refer to.
            standalone: the question rewritten to stand alone. It replaces ``question`` in
                retrieval; with ``before``, both are matched. ``Conversation`` sets both.
            llm: a ``ChatModel``, or the name of one of OpenAI's, that writes the answer from the
                passages unless ragkit itself abstains. Each of its sentences is checked against the
                passages, with the reader if there is one; if none is left, the answer abstains.
            unsupported: ``"drop"`` or ``"mark"`` sentences that the passages do not support.

        Raises:
            QuestionError: the question cannot be asked.
            InputError: another argument cannot be used.
            LanguageModelError: with ``llm``, the endpoint failed.

        """
        *_, last = self.stream(
            question,
            k=k,
            threshold=threshold,
            where=where,
            before=before,
            standalone=standalone,
            llm=llm,
            unsupported=unsupported,
        )
        return cast("Answer", last)

    def stream(
        self,
        question: str,
        *,
        k: int = 5,
        threshold: float | None = None,
        where: Where | None = None,
        before: Sequence[Said] = (),
        standalone: str | None = None,
        llm: LanguageModel | str | None = None,
        unsupported: Policy = "drop",
    ) -> Iterator[Answer | Sentence]:
        """Answer as ``ask`` does, step by step.

        Yields:
            The answer without a language model; then each sentence that ``llm`` writes, already
            checked; then its Answer. Without ``llm``, the first alone.

        """
        steps = self._answer(
            question,
            k=k,
            threshold=threshold,
            where=where,
            before=before,
            standalone=standalone,
            llm=llm,
            unsupported=unsupported,
        )
        return self._watched("ask", k, [standalone or question], steps)

    def _answer(
        self,
        question: str,
        *,
        k: int,
        threshold: float | None,
        where: Where | None,
        before: Sequence[Said],
        standalone: str | None,
        llm: LanguageModel | str | None,
        unsupported: Policy,
    ) -> Iterator[Answer | Sentence]:
        if unsupported != "drop":
            check_policy(unsupported)
        model = ChatModel(llm) if isinstance(llm, str) else llm
        check_k(k)
        check_threshold(threshold)
        asked = clean_question(question)
        alone = None if standalone is None else clean_question(standalone)
        history = [Said(clean_question(text), weight) for text, weight in before]
        data = self._data
        conditions, allowed = self._conditions(data, where)
        query = encode_turn(
            data, self.encoder, asked, alone, config=self.config, before=history,
            conditions=conditions,
        )  # fmt: skip
        [result] = self._retrieve(data, [query], max(k, DEPTH), allowed)
        answer = self._composed(data, result, k, threshold)
        LAP.get()(Part.COMPOSE)
        yield answer
        if model is not None and answer.answered:
            yield from generate_answer(model, answer, unsupported, self._reader)

    def ask_many(
        self,
        questions: Sequence[str],
        *,
        k: int = 5,
        threshold: float | None = None,
        where: Where | None = None,
    ) -> list[Answer]:
        """Answer several questions, encoded in one batch; answers are in the order asked."""
        if isinstance(questions, str):
            raise InputError("questions is one str; expected a list of them. Use ask for one.")
        steps = self._answer_many(questions, k, threshold, where)
        [answers] = self._watched("ask_many", k, questions, steps)
        return answers

    def _answer_many(
        self, questions: Sequence[str], k: int, threshold: float | None, where: Where | None
    ) -> Iterator[list[Answer]]:
        check_k(k)
        check_threshold(threshold)
        cleaned = [clean_question(question) for question in questions]
        data = self._data
        results = self._find(data, cleaned, max(k, DEPTH), where)
        answers = [self._composed(data, one, k, threshold) for one in results]
        LAP.get()(Part.COMPOSE)
        yield answers

    async def aask(self, question: str, **options: Unpack[Options]) -> Answer:
        """Answer as ``ask`` does, without blocking the event loop."""
        import asyncio

        return await asyncio.to_thread(self.ask, question, **options)

    def search(self, question: str, *, k: int = 5, where: Where | None = None) -> list[Passage]:
        """Return the ``k`` best passages alone, best first; ``where`` as for ``ask``."""
        [passages] = self._watched("search", k, [question], self._search(question, k, where))
        return passages

    def _search(self, question: str, k: int, where: Where | None) -> Iterator[list[Passage]]:
        data = self._data
        cleaned = clean_question(question)
        [result] = self._find(data, [cleaned], max(check_k(k), DEPTH), where)
        passages = list(passages_of(data, result, k))
        LAP.get()(Part.COMPOSE)
        yield passages

    def _watched(
        self,
        name: Literal["ask", "ask_many", "search"],
        k: int,
        questions: Sequence[str],
        steps: Iterator[T],
    ) -> Iterator[T]:
        """Let the observer watch ``steps``, if there is one."""
        watcher = observer()
        if watcher is None:
            return steps
        text = "\n".join(map(str, questions))  # not checked yet
        operation = Operation(name, k, self.generation, self._opened.fingerprint.name, text)
        return watcher.watch(operation, steps)

    def _composed(self, data: IndexData, result: Result, k: int, threshold: float | None) -> Answer:
        answer = compose(data, result, k=k, threshold=threshold)
        source = self._opened.fingerprint.source
        calibrated = is_calibrated(data, result, source) if answer.passages else True
        return replace(answer, stale=bool(self.stale_sources), calibrated=calibrated)

    @property
    def missing_sources(self) -> tuple[Path, ...]:
        """Source files that were missing when the index was opened, or all of them if it moved."""
        return self._opened.missing_sources if isinstance(self._opened, LocalIndex) else ()

    @property
    def stale_sources(self) -> tuple[Path, ...]:
        """The source files that had changed when the index was opened."""
        return self._opened.stale_sources

    def document(self, document_id: str) -> Document:
        """Return the document that a citation names. Raises InputError if it is not here."""
        try:
            return self._data.document(document_id)
        except KeyError as error:
            some = ", ".join(repr(document.id) for document in self.documents[:3])
            raise InputError(
                f"the index has no document {document_id!r}; it has {len(self.documents)}, e.g. "
                f"{some or 'none'}."
            ) from error

    def cite(self, passage_id: str) -> Citation:
        """Return the citation that ``DOCUMENT#START-END`` names, such as ``Citation.passage_id``.

        Raises:
            InputError: this is no such id, or its document or span is not in the index.

        """
        document_id, span = parse_passage_id(passage_id)
        return self.document(document_id).cite(span)

    def source_path(self, document_id: str) -> Path | None:
        """Return the file that a document came from, to open it.

        It is a path of this machine, so citations and their JSON do not contain it.

        Returns:
            The path, which may no longer exist; None for a document from memory, an index on a
            server or one that is restricted.

        """
        source = self._source_of(document_id)
        return None if source is None else source.path

    def _source_of(self, document_id: str) -> SourceFile | None:
        sources = self._opened.sources if isinstance(self._opened, LocalIndex) else ()
        return next((one for one in sources if one.document_id == document_id), None)

    def page_images(
        self, citation: Citation, *, highlights: Sequence[Span] = (), scale: float = 2.0
    ) -> list[PageImage]:
        """Return pictures of the pages of a PDF on which a citation stands, with it marked.

        Args:
            citation: of a document that came from a PDF, such as ``answer.passages[0].citation``.
            highlights: spans to mark more strongly, such as ``answer.passages[0].highlights``.
            scale: pixels a point, a 72nd of an inch; above 4,000 pixels a side it is reduced.

        Returns:
            A picture for each page, in order; a passage may go on over the end of one.

        Raises:
            InputError: the document is not from a PDF on this machine, or does not hold the quote.
            IndexStaleError: the file changed since it was indexed, or is missing.
            MissingExtraError: the extra ``documents`` is not installed.

        """
        from ragkit.corpus.pdf_image import page_images

        document = self.document(citation.document_id)
        citation.offsets(document)  # raises where the quote is not at its place
        return page_images(
            document,
            self._source_of(document.id) or SourceFile(document.id, None, ""),
            citation.span,
            highlights=highlights,
            scale=scale,
        )

    @property
    def left_out(self) -> LeftOut:
        """What ``Index.build`` or ``Index.update`` left out; empty for an index that was opened."""
        return self._opened.left_out if isinstance(self._opened, LocalIndex) else LeftOut()

    @property
    def documents(self) -> Sequence[Document]:
        """All documents in the order they were given, each loaded when it is accessed."""
        return self._data.documents

    @property
    def metadata(self) -> dict[str, ValueKind]:
        """The documents' metadata properties and their kinds: "text", "number", "boolean", "mixed".

        Computed from all documents at each call; a list of texts counts as text. The kind is
        "mixed" if documents have values of several kinds.
        """
        return metadata_kinds(self.documents)

    @property
    def encoder(self) -> Encoder:
        """The model that encodes the questions; loaded when it is first needed."""
        if self._encoder is None:
            self._encoder = query_encoder(self._opened.fingerprint)
        return self._encoder

    @property
    def chunker(self) -> Chunker:
        """The settings that cut the documents into chunks."""
        return self._opened.settings.chunker

    @property
    def config(self) -> RetrievalConfig:
        """The free parameters of retrieval."""
        return self._opened.settings.config

    @property
    def generation(self) -> str:
        """16 hexadecimal digits that identify the data: equal indexes have equal generations."""
        return self._opened.generation

    @property
    def counts(self) -> dict[str, int]:
        """Number of documents, chunks and sentences; of a restricted index, not of sentences."""
        return dict(self._data.counts)

    def __len__(self) -> int:
        """Number of chunks."""
        return len(self._data)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{number} {name}" for name, number in self.counts.items())
        return f"<ragkit.Index: {sizes}, {self._opened.fingerprint.name}>"

    def _repr_html_(self) -> str:
        """Return what the index holds as an HTML fragment for a notebook."""
        documents = self.documents
        titles = ", ".join(document.title for document in documents[:_SHOWN_TITLES])
        more = len(documents) - _SHOWN_TITLES
        rows = {
            **{name: f"{number:,}" for name, number in self.counts.items()},
            "titles": f"{titles} and {more:,} more" if more > 0 else titles,
            "encoder": self._opened.fingerprint.name,
            "generation": self.generation,
        }
        stale = ", ".join(path.name for path in self.stale_sources)
        return rows_html("ragkit.Index", rows | ({"changed sources": stale} if stale else {}))

    @property
    def _quotes(self) -> QuoteChecker:
        """The quotation checker of this index's documents, built once per generation."""
        cached, generation = self._quote_checker, self.generation
        if cached is None or cached[0] != generation:
            cached = self._quote_checker = (generation, QuoteChecker(self.documents))
        return cached[1]

    @property
    def _data(self) -> IndexData:
        """The data as of now. Take it once for a question: the next time it may be newer."""
        data: IndexData = self._opened.data
        data.check_files()
        return data

    def _conditions(
        self, data: IndexData, where: Where | None
    ) -> tuple[Conditions | None, AllowedChunks | None]:
        """Parse the conditions on documents, and find the chunks that fulfil them."""
        conditions = None if where is None else Conditions.of(where)
        return conditions, None if conditions is None else data.allowed(conditions)

    def _find(
        self, data: IndexData, questions: Sequence[str], depth: int, where: Where | None
    ) -> list[Result]:
        """Encode questions in one batch, and find and read passages for each."""
        conditions, allowed = self._conditions(data, where)
        queries = encode_questions(
            data, self.encoder, questions, self.config, conditions=conditions
        )
        return self._retrieve(data, queries, depth, allowed)

    def _retrieve(
        self, data: IndexData, queries: Sequence[Query], depth: int, allowed: AllowedChunks | None
    ) -> list[Result]:
        LAP.get()(Part.ENCODE)
        return [self._read(data, query, depth, allowed) for query in queries]

    def _read(
        self, data: IndexData, query: Query, depth: int, allowed: AllowedChunks | None
    ) -> Result:
        retrieved = retrieve(data, query, depth, self._reranker, allowed)
        result = read_result(data, query, retrieved, self._reader)
        if self._reader is not None:
            LAP.get()(Part.READ)
        return result
