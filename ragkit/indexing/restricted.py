"""RestrictedIndex: the documents of an opened index that fulfil conditions."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ragkit.encoding import Fingerprint
from ragkit.index import Conditions, IndexData, RestrictedData
from ragkit.indexing.builder import BuildSettings, LocalIndex

if TYPE_CHECKING:
    from ragkit.indexing.remote import RemoteIndex

__all__ = ["RestrictedIndex"]


@dataclass(slots=True)
class _Newest:
    """The data of the whole index that was restricted last, with the result; its stale files."""

    pair: tuple[IndexData, RestrictedData] | None = None
    stale: tuple[Path, ...] | None = None


@dataclass(frozen=True, slots=True)
class RestrictedIndex:
    """The counterpart of ``LocalIndex``.

    Attributes:
        whole: the index with all documents.
        conditions: what the documents of this one fulfil, all of them.
        settings: what shaped it; retrieval parameters may differ from those of the whole.

    """

    whole: LocalIndex | RemoteIndex
    conditions: tuple[Conditions, ...]
    settings: BuildSettings
    _newest: _Newest = field(default_factory=_Newest)

    @classmethod
    def of(
        cls, whole: LocalIndex | RemoteIndex | RestrictedIndex, conditions: Conditions
    ) -> RestrictedIndex:
        """Return ``whole`` restricted to the documents that fulfil ``conditions``."""
        if isinstance(whole, RestrictedIndex):
            return cls(whole.whole, (*whole.conditions, conditions), whole.settings)
        return cls(whole, (conditions,), whole.settings)

    @property
    def data(self) -> IndexData:
        """The allowed part of the newest data, found once for each generation."""
        whole, pair = self.whole.data, self._newest.pair
        if pair is None or pair[0] is not whole:
            pair = self._newest.pair = (whole, RestrictedData(whole, self.conditions))
        return pair[1]

    @property
    def fingerprint(self) -> Fingerprint:
        """The model that encoded it."""
        return self.whole.fingerprint

    @property
    def generation(self) -> str:
        """The name of the whole index's generation."""
        return self.whole.generation

    @property
    def stale_sources(self) -> tuple[Path, ...]:
        """Those of the whole index that documents of this one came from."""
        if not isinstance(self.whole, LocalIndex) or not self.whole.stale_sources:
            return ()
        if self._newest.stale is None:
            documents = {document.id for document in self.data.documents}
            own = {one.path for one in self.whole.sources if one.document_id in documents}
            self._newest.stale = tuple(path for path in self.whole.stale_sources if path in own)
        return self._newest.stale
