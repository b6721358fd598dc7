"""The corridor, walked: ``Index`` builds, opens, saves and answers; ``ask`` uses the default index.

This module only constructs and calls; what is done is done in the rooms below it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack, cast

from ragkit import indexing
from ragkit.answering import DEPTH, THRESHOLD, compose, passages_of
from ragkit.answering.answer import Abstention, Answer
from ragkit.answering.generated import GOOD, Generated, Sentence
from ragkit.answering.passage import Passage
from ragkit.chunking import Chunker
from ragkit.corpus import Sources
from ragkit.encoding import (
    DEFAULT_MODEL,
    Encoder,
    Fingerprint,
    Reranker,
    load_encoder,
    load_reranker,
    query_encoder,
)
from ragkit.errors import InputError
from ragkit.grounding import ChatModel, LanguageModel, Policy, check_policy, generate_sentences
from ragkit.index import Conditions, IndexData, Manifest, Weights, Where, parse_memory
from ragkit.indexing import Made, Progress, Reader, Recipe, is_remote, refuse_changed, refuse_other
from ragkit.quotes.checker import QuoteChecker, QuoteReport
from ragkit.retrieval import (
    Found,
    Query,
    check_k,
    check_threshold,
    clean_question,
    find,
    read_questions,
)
from ragkit.timing import stage
from ragkit.types import Document, Said

if TYPE_CHECKING:
    from ragkit.indexing.remote import Remote

__all__ = [
    "Index",
    "IndexLike",
    "aask",
    "ask",
    "ask_many",
    "check_quotes",
    "default_index",
    "open_index",
]


class Options(TypedDict, total=False):
    """How to answer; ``Index.ask`` says what each is."""

    k: int
    threshold: float
    where: Where | None
    llm: LanguageModel | str | None
    unsupported: Policy


DEFAULT_INDEX = "germany-soviet-union-relations-1918-1941"


class Index:
    """A corpus ready to be asked: documents, their chunks, and vectors. Immutable; share it freely.

    Make one with ``Index.build`` or ``Index.open``.
    """

    def __init__(
        self, made: Made | Remote, encoder: Encoder, *, reranker: Reranker | None = None
    ) -> None:
        self._made = made
        self._encoder = encoder
        self._reranker = reranker
        self._checking: tuple[str, QuoteChecker] | None = None

    @classmethod
    def build(
        cls,
        sources: Sources,
        path: str | os.PathLike[str] | None = None,
        *,
        encoder: Encoder | str | None = None,
        chunker: Chunker | None = None,
        weights: Weights | None = None,
        reranker: Reranker | str | None = None,
        memory: int | str | None = None,
        progress: Progress | None = None,
        workers: str | None = None,
    ) -> Index:
        """Read, chunk and encode ``sources``; save to ``path`` if one is given.

        ``sources``: a path, a pattern, a ``Document``, or several; a folder stands for its files.
        ``encoder``: a name for ``load_encoder`` (default: all-MiniLM-L6-v2), whose int8 export then
        reads the questions; or an ``Encoder``, which then reads both.
        ``weights``: the retriever's free parameters. ``reranker``: a cross-encoder (or its folder
        or hub name) that reads the best 50 again. ``progress``: called with (texts encoded, texts
        in all).

        With ``path``, a build that was interrupted goes on where it stopped when it is run again.

        ``memory``: how much of the index an asking process may keep in memory, in bytes or as
        ``"2GiB"`` (the default); by it and by the corpus's size is chosen how vectors are searched.

        ``workers``: a Ray cluster that encodes, such as ``"ray://host:10001"``, or ``"ray"`` for
        this machine's (``ragkit.indexing.ray`` says what its workers need); the index is the
        same.

        Raises SourceError, EncoderError, InputError; with a path IndexLockedError or
        IndexWriteError; with workers WorkersError or MissingExtraError. No sources make an empty
        index, which answers every question with an abstention.
        """
        builder = _resolve(encoder)
        recipe = Recipe(
            chunker or Chunker(),
            weights or Weights(),
            parse_memory(memory) if isinstance(memory, str) else memory,
        )
        second = _resolve_reranker(reranker)
        place = None if path is None else Path(path)
        with _reader(builder, workers) as reader:
            made = indexing.build(sources, builder, recipe, place, progress=progress, reader=reader)
        asker = builder if builder is encoder else query_encoder(builder.fingerprint)
        return cls(made, asker, reranker=second)

    @classmethod
    def update(
        cls,
        path: str | os.PathLike[str],
        sources: Sources,
        *,
        encoder: Encoder | str | None = None,
        progress: Progress | None = None,
        workers: str | None = None,
    ) -> Index:
        """Make the index at ``path`` that of ``sources``, as a fresh build would, and give it.

        Documents that are new or changed are chunked, and of them only chunks that read otherwise
        are encoded; what is no longer among ``sources`` is left out. Who reads meanwhile reads the
        old generation; an update that dies leaves it, and what it had encoded for the next.
        ``encoder``: the one that made the index, where the one recorded is not to be used.
        ``workers``: as for ``build``.

        Raises what ``open`` and ``build`` raise.
        """
        recorded = Manifest.read(Path(path)).encoder
        builder = _resolve(recorded.source if encoder is None else encoder)
        with _reader(builder, workers) as reader:
            made = indexing.update(Path(path), sources, builder, progress=progress, reader=reader)
        return cls(made, builder if builder is encoder else query_encoder(builder.fingerprint))

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        encoder: Encoder | str | None = None,
        reranker: Reranker | str | None = None,
        check_sources: bool = True,
    ) -> Index:
        """The index at ``path``, after its files, the model and its sources were checked.

        Questions are read by the int8 export of the model recorded, without torch; an ``encoder``
        given (an ``Encoder``, or a name where the one recorded cannot be found) is used instead. A
        ``reranker``, the folder or hub name of a cross-encoder, reads the best 50 again. With
        ``check_sources`` a source file that lies where it was, but changed, is an error too. Of
        files over 32 MiB each block is checked when it is first read.

        ``path`` may be where an index was pushed to, such as ``milvus://host:19530/name``. It is
        then always the newest one there, and has no sources to check.

        Raises IndexNotFoundError, IndexDamagedError, IndexReadError, IndexMismatchError,
        IndexStaleError, EncoderError; of a server also IndexServerError and MissingExtraError.
        """
        with stage("read and check the index"):
            made = _connected(str(path)) if is_remote(path) else indexing.read(Path(path))
        with stage("find and check the model"):
            model = _asker(made.fingerprint if encoder is None else encoder)
        refuse_other(path, model.fingerprint, made.fingerprint)
        if check_sources and isinstance(made, Made):
            refuse_changed(Path(path), made.sources)
        return cls(made, model, reranker=_resolve_reranker(reranker))

    @classmethod
    def repair(
        cls,
        path: str | os.PathLike[str],
        *,
        encoder: Encoder | str | None = None,
        progress: Progress | None = None,
    ) -> list[str]:
        """Make a damaged index whole again; the names of the files that were damaged.

        Texts come from the index, or where those are damaged from its sources, if they are what
        they were; only chunks whose vectors are damaged are read by the model again.

        Raises what ``open`` raises; IndexDamagedError where too little is left.
        """
        recorded = Manifest.read(Path(path)).encoder
        builder = _resolve(recorded.source if encoder is None else encoder)
        return indexing.repair(Path(path), builder, progress=progress)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Publish this index at ``path`` in one step: a reader sees the old one or the new one.

        Raises IndexLockedError or IndexWriteError; what stood at ``path`` then still stands.
        """
        indexing.save(self._local(), Path(path))

    def push(self, location: str, *, progress: Progress | None = None) -> None:
        """Copy this index to a server, where ``Index.open(location)`` asks it.

        ``location``: such as ``milvus://host:19530/name``. Readers there see the old one whole, and
        then the new one whole. ``progress``: called with (chunks pushed, chunks in all).

        Raises InputError for a location that cannot be read, IndexWriteError, IndexServerError,
        MissingExtraError.
        """
        from ragkit.indexing.remote import push

        push(self._local(), location, progress=progress)

    def ask(
        self,
        question: str,
        *,
        k: int = 5,
        threshold: float = THRESHOLD,
        where: Where | None = None,
        before: Sequence[Said] = (),
        standalone: str | None = None,
        llm: LanguageModel | str | None = None,
        unsupported: Policy = "drop",
    ) -> Answer:
        """The answer to ``question`` with its ``k`` best passages (fewer if the corpus has fewer).

        Below the confidence ``threshold`` (0–1) it abstains; ``ragkit eval threshold`` finds one
        for an error rate. ``where``: what the documents' metadata must be, such as ``{"tag":
        ["pact", "treaty"], "date": {"min": "1922"}}``: equal to one of these, or within; all
        conditions must hold. ``before``: what was said before, to read the question by, and
        ``standalone``: what to ask in its place; ``Conversation`` sees to both.

        ``llm``: a ``ChatModel`` (or the name of one of OpenAI's) writes the answer from the
        passages, unless ragkit abstains by itself; each of its sentences is checked against them,
        and those ``unsupported`` are dropped or marked. With none left it abstains.

        Raises QuestionError or InputError, and with ``llm`` LanguageModelError.
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
        threshold: float = THRESHOLD,
        where: Where | None = None,
        before: Sequence[Said] = (),
        standalone: str | None = None,
        llm: LanguageModel | str | None = None,
        unsupported: Policy = "drop",
    ) -> Iterator[Answer | Sentence]:
        """``ask``, as it comes about: the answer that needs no model, then what ``llm`` says, each
        sentence checked before it is given, then its Answer. Without ``llm`` the first alone.
        """
        check_policy(unsupported)
        writer = ChatModel(llm) if isinstance(llm, str) else llm
        check_k(k)
        check_threshold(threshold)
        asked = clean_question(question)
        read = asked if standalone is None else clean_question(standalone)
        said = [Said(clean_question(text), weight) for text, weight in before]
        data = self._data
        [(query, ranking)] = self._found(data, [read], max(k, DEPTH), where, said)
        with stage("compose the answer"):
            found = compose(data, replace(query, question=asked), ranking, k=k, threshold=threshold)
        yield found
        if writer is not None and found.answered:
            yield from _written(writer, found, unsupported)

    def ask_many(
        self,
        questions: Sequence[str],
        *,
        k: int = 5,
        threshold: float = THRESHOLD,
        where: Where | None = None,
    ) -> list[Answer]:
        """``ask`` for several questions, encoded in one batch; answers in the order asked."""
        check_k(k)
        check_threshold(threshold)
        data = self._data
        found = self._found(data, questions, max(k, DEPTH), where)
        with stage("compose the answer"):
            return [compose(data, *one, k=k, threshold=threshold) for one in found]

    async def aask(self, question: str, **options: Unpack[Options]) -> Answer:
        """``ask`` without blocking the event loop."""
        import asyncio

        return await asyncio.to_thread(self.ask, question, **options)

    def search(self, question: str, *, k: int = 5, where: Where | None = None) -> list[Passage]:
        """The ``k`` best passages alone, best first; ``where`` as for ``ask``."""
        data = self._data
        [(query, found)] = self._found(data, [question], check_k(k), where)
        return list(passages_of(data, query, found.ranking[:k]))

    def document(self, document_id: str) -> Document:
        """The document a citation names, to resolve or show it. Raises InputError if not here."""
        try:
            return self._data.document(document_id)
        except KeyError as error:
            some = ", ".join(repr(document.id) for document in self.documents[:3])
            raise InputError(
                f"the index has no document {document_id!r}; it has {len(self.documents)}, e.g. "
                f"{some or 'none'}."
            ) from error

    @property
    def documents(self) -> Sequence[Document]:
        """All documents, in the order they were given, each read when it is asked for."""
        return self._data.documents

    @property
    def encoder(self) -> Encoder:
        """The model that made the index and reads the questions."""
        return self._encoder

    @property
    def chunker(self) -> Chunker:
        """The settings that cut the documents into chunks."""
        return self._made.recipe.chunker

    @property
    def weights(self) -> Weights:
        """The retriever's free parameters."""
        return self._made.recipe.weights

    def with_weights(self, weights: Weights) -> Index:
        """The same index, asked with other parameters; ``save`` it to keep them."""
        recipe = replace(self._made.recipe, weights=weights)
        return Index(replace(self._made, recipe=recipe), self._encoder, reranker=self._reranker)

    @property
    def _quotes(self) -> QuoteChecker:
        known, generation = self._checking, self.generation
        if known is None or known[0] != generation:
            known = self._checking = (generation, QuoteChecker(self.documents))
        return known[1]

    @property
    def generation(self) -> str:
        """16 hexadecimal digits that follow from all the data: equal indexes, equal generations."""
        return self._made.named

    @property
    def counts(self) -> dict[str, int]:
        """How many documents, chunks and sentences there are."""
        return dict(self._data.counts)

    def __len__(self) -> int:
        """How many chunks there are to find."""
        return len(self._data)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{number} {name}" for name, number in self.counts.items())
        return f"<ragkit.Index: {sizes}, {self._encoder.fingerprint.name}>"

    @property
    def _data(self) -> IndexData:
        """Take it once for a question: the next time it may be a newer one."""
        return self._made.data

    def _local(self) -> Made:
        if isinstance(self._made, Made):
            return self._made
        raise InputError(
            f"the index at {self._made.location} lies on a server; expected one on this machine to "
            f"copy. Build it here from its sources."
        )

    def _found(
        self,
        data: IndexData,
        questions: Sequence[str],
        depth: int,
        where: Where | None,
        before: Sequence[Said] = (),
    ) -> list[tuple[Query, Found]]:
        if isinstance(questions, str):
            raise InputError("questions is one str; expected a list of them. Use ask for one.")
        cleaned = [clean_question(question) for question in questions]
        conditions = None if where is None else Conditions.of(where)
        allowed = None if conditions is None else data.allowed(conditions)
        with stage("read the question"):
            queries = read_questions(
                data, self._encoder, cleaned, self.weights, before, conditions=conditions
            )
        return [(query, find(data, query, depth, self._reranker, allowed)) for query in queries]


IndexLike = Index | str | os.PathLike[str] | None


def ask(question: str, *, index: IndexLike = None, **options: Unpack[Options]) -> Answer:
    """What the corpus says to ``question``, with its ``k`` best passages as proof.

    ``index``: an Index, a path to one, or None for the article that ragkit carries (Wikipedia,
    "Germany–Soviet Union relations (1918–1941)"). ``options``: those of ``Index.ask``, ``k`` (5),
    ``threshold`` (the confidence, 0–1, below which the answer abstains), ``where``, ``llm``,
    ``unsupported``.

    >>> from ragkit import ask
    >>> answer = ask("Who signed the Treaty of Rapallo?")
    >>> answer.passages[0].citation.section[-1]
    'Treaty of Rapallo 1922 and secret military cooperation'

    Raises QuestionError, InputError, what ``Index.open`` raises, and with ``llm``
    LanguageModelError.
    """
    return open_index(index).ask(question, **options)


def ask_many(
    questions: Sequence[str],
    *,
    index: IndexLike = None,
    k: int = 5,
    threshold: float = THRESHOLD,
    where: Where | None = None,
) -> list[Answer]:
    """``ask`` for several questions, encoded in one batch; answers in the order asked."""
    return open_index(index).ask_many(questions, k=k, threshold=threshold, where=where)


async def aask(question: str, *, index: IndexLike = None, **options: Unpack[Options]) -> Answer:
    """``ask`` without blocking the event loop."""
    import asyncio

    return await asyncio.to_thread(ask, question, index=index, **options)


def check_quotes(
    text: str, index: IndexLike = None, *, passages: Sequence[Passage] = ()
) -> QuoteReport:
    """The verbatim gate: whether each quotation in ``text`` really stands in the corpus.

    ``text``: anything, a language model's answer above all. Its markers ``[1]``, ``[2, 3]`` name
    ``passages`` by rank, best given as ``answer.passages``. No model is used.
    """
    return open_index(index)._quotes.check(text, passages)


@lru_cache(maxsize=1)
def default_index() -> Index:
    """The index that ragkit carries, opened once for the process."""
    inside = Path(__file__).parent / "indexes" / DEFAULT_INDEX
    beside = Path(__file__).parent.parent / "indexes" / DEFAULT_INDEX
    return Index.open(inside if inside.is_dir() else beside)


def open_index(index: IndexLike) -> Index:
    """The Index that is meant: itself, one at a path or server, or for None ragkit's own."""
    if index is None:
        return default_index()
    if isinstance(index, Index):
        return index
    if isinstance(index, (str, os.PathLike)):
        return Index.open(index)
    raise InputError(
        f"index is a {type(index).__name__}; expected a ragkit.Index, a path, or None."
    )


def _connected(location: str) -> Remote:
    from ragkit.indexing.remote import connect

    return connect(location)


def _resolve(encoder: Encoder | str | None) -> Encoder:
    if encoder is None or isinstance(encoder, (str, os.PathLike)):
        return load_encoder(DEFAULT_MODEL if encoder is None else os.fspath(encoder))
    return encoder


def _reader(encoder: Encoder, workers: str | None) -> AbstractContextManager[Reader | None]:
    """Context: who reads, None for this process."""
    if workers is None:
        return nullcontext()
    from ragkit.indexing.ray import spread

    return spread(encoder, workers)


def _asker(encoder: Encoder | Fingerprint | str) -> Encoder:
    if isinstance(encoder, (str, os.PathLike)):
        return query_encoder(_resolve(encoder).fingerprint)
    return query_encoder(encoder) if isinstance(encoder, Fingerprint) else encoder


def _resolve_reranker(reranker: Reranker | str | None) -> Reranker | None:
    if isinstance(reranker, (str, os.PathLike)):
        return load_reranker(os.fspath(reranker))
    return reranker


def _written(llm: LanguageModel, found: Answer, policy: Policy) -> Iterator[Answer | Sentence]:
    """What the model says, and then the answer that is left of it."""
    writing = generate_sentences(llm, found.standalone, found.passages, policy=policy)
    said: list[Sentence] = []
    while True:
        try:
            sentence = next(writing)
        except StopIteration as end:
            finish: str = end.value
            break
        said.append(sentence)
        yield sentence
    generated = Generated(llm.name, finish, tuple(said))
    if any(sentence.status in GOOD for sentence in said):
        text = " ".join(_with_markers(sentence) for sentence in said if sentence.kept)
        yield replace(found, text=text, generated=generated)
        return
    reason = Abstention.REFUSED if finish == "refused" else Abstention.UNSUPPORTED
    yield replace(found, answered=False, text="", reason=reason, generated=generated)


def _with_markers(sentence: Sentence) -> str:
    if sentence.status in GOOD:
        return sentence.text + "".join(f" [{rank}]" for rank in sentence.passages)
    return f"{sentence.text} [{sentence.status}]"
