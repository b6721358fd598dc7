"""ragkit: cited passages for questions. ``from ragkit import ask`` is the way in.

Importing this costs next to nothing: every name is loaded when it is first used (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ragkit.answering.answer import Abstention as Abstention
    from ragkit.answering.answer import Answer as Answer
    from ragkit.answering.answer import Choice as Choice
    from ragkit.answering.answer import Passage as Passage
    from ragkit.answering.answer import Remark as Remark
    from ragkit.answering.generated import Generated as Generated
    from ragkit.answering.generated import Sentence as Sentence
    from ragkit.answering.generated import Support as Support
    from ragkit.answering.saved_citations import citations_in as citations_in
    from ragkit.api import Index as Index
    from ragkit.chunking import Chunker as Chunker
    from ragkit.citations.reanchor import AnchorStatus as AnchorStatus
    from ragkit.citations.verification import Offsets as Offsets
    from ragkit.citations.verification import Verification as Verification
    from ragkit.conversation import Conversation as Conversation
    from ragkit.conversation import Transcript as Transcript
    from ragkit.conversation import Turn as Turn
    from ragkit.conversation import rewriter as rewriter
    from ragkit.corpus.left_out import LeftOut as LeftOut
    from ragkit.corpus.left_out import LeftOutFile as LeftOutFile
    from ragkit.corpus.parser import ParsedDocument as ParsedDocument
    from ragkit.corpus.pdf_image import PageImage as PageImage
    from ragkit.default import aask as aask
    from ragkit.default import ask as ask
    from ragkit.default import ask_many as ask_many
    from ragkit.default import check_quotes as check_quotes
    from ragkit.default import check_support as check_support
    from ragkit.default import default_index as default_index
    from ragkit.encoding import Encoder as Encoder
    from ragkit.encoding import Prompts as Prompts
    from ragkit.encoding import Reranker as Reranker
    from ragkit.encoding import load_encoder as load_encoder
    from ragkit.errors import EncoderError as EncoderError
    from ragkit.errors import FilterError as FilterError
    from ragkit.errors import IndexDamagedError as IndexDamagedError
    from ragkit.errors import IndexExistsError as IndexExistsError
    from ragkit.errors import IndexLockedError as IndexLockedError
    from ragkit.errors import IndexMismatchError as IndexMismatchError
    from ragkit.errors import IndexNotFoundError as IndexNotFoundError
    from ragkit.errors import IndexReadError as IndexReadError
    from ragkit.errors import IndexServerError as IndexServerError
    from ragkit.errors import IndexStaleError as IndexStaleError
    from ragkit.errors import IndexWriteError as IndexWriteError
    from ragkit.errors import InputError as InputError
    from ragkit.errors import LanguageModelError as LanguageModelError
    from ragkit.errors import MissingExtraError as MissingExtraError
    from ragkit.errors import PluginError as PluginError
    from ragkit.errors import QuestionError as QuestionError
    from ragkit.errors import RagkitError as RagkitError
    from ragkit.errors import SourceError as SourceError
    from ragkit.errors import StoreError as StoreError
    from ragkit.errors import WorkersError as WorkersError
    from ragkit.grounding import ChatModel as ChatModel
    from ragkit.grounding import LanguageModel as LanguageModel
    from ragkit.index.config import RetrievalConfig as RetrievalConfig
    from ragkit.indexing.reports import IndexInfo as IndexInfo
    from ragkit.indexing.reports import UpdateReport as UpdateReport
    from ragkit.quotes.report import QuoteReport as QuoteReport
    from ragkit.quotes.report import QuoteStatus as QuoteStatus
    from ragkit.retrieval.scoring import Match as Match
    from ragkit.text.spans import Span as Span
    from ragkit.types import Anchor as Anchor
    from ragkit.types import Citation as Citation
    from ragkit.types import Document as Document
    from ragkit.types import Said as Said
    from ragkit.types import Section as Section

__version__ = "0.1.0"

_NAMES_OF = {
    "ragkit.answering.answer": "Abstention Answer Choice Passage Remark",
    "ragkit.answering.generated": "Generated Sentence Support",
    "ragkit.answering.saved_citations": "citations_in",
    "ragkit.api": "Index",
    "ragkit.chunking": "Chunker",
    "ragkit.citations.reanchor": "AnchorStatus",
    "ragkit.citations.verification": "Offsets Verification",
    "ragkit.conversation": "Conversation Transcript Turn rewriter",
    "ragkit.corpus.left_out": "LeftOut LeftOutFile",
    "ragkit.corpus.parser": "ParsedDocument",
    "ragkit.corpus.pdf_image": "PageImage",
    "ragkit.default": "aask ask ask_many check_quotes check_support default_index",
    "ragkit.encoding": "Encoder Prompts Reranker load_encoder",
    "ragkit.errors": (
        "EncoderError FilterError IndexDamagedError IndexExistsError IndexLockedError "
        "IndexMismatchError "
        "IndexNotFoundError IndexReadError IndexServerError IndexStaleError IndexWriteError "
        "InputError LanguageModelError MissingExtraError PluginError QuestionError RagkitError "
        "SourceError "
        "StoreError WorkersError"
    ),
    "ragkit.grounding": "ChatModel LanguageModel",
    "ragkit.index.config": "RetrievalConfig",
    "ragkit.indexing.reports": "IndexInfo UpdateReport",
    "ragkit.quotes.report": "QuoteReport QuoteStatus",
    "ragkit.retrieval.scoring": "Match",
    "ragkit.text.spans": "Span",
    "ragkit.types": "Anchor Citation Document Said Section",
}
_MODULE_OF = {name: module for module, names in _NAMES_OF.items() for name in names.split()}

__all__ = ["__version__", *_MODULE_OF]  # noqa: PLE0604 - the keys are strings


def __getattr__(name: str) -> object:
    if name == "Weights":
        from warnings import warn

        from ragkit.index.config import Weights

        warn("ragkit.Weights is now ragkit.RetrievalConfig.", DeprecationWarning, stacklevel=2)
        return Weights
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'ragkit' has no attribute {name!r}")
    value: object = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
