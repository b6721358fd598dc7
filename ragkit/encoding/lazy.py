"""LazyEncoder: an encoder whose properties are known before it is loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from ragkit.encoding.encoder import Encoded, Encoder, Fingerprint, Role

__all__ = ["LazyEncoder"]


class LazyEncoder:
    """The encoder of an index, found and verified when a text is first tokenized or encoded.

    An update that changes nothing needs only what the index recorded of it.
    """

    def __init__(
        self,
        load: Callable[[], Encoder],
        *,
        fingerprint: Fingerprint,
        dimension: int,
        readings: int,
        runtime: str,
    ) -> None:
        """``load``: loads the encoder that has these properties; raises if it is another one."""
        self._load = load
        self.fingerprint = fingerprint
        self.dimension = dimension
        self.readings = readings
        self.runtime = runtime

    @property
    def window(self) -> int:
        return self._encoder.window

    def encode(self, texts: Sequence[str], *, role: Role = "passage") -> list[Encoded]:
        return self._encoder.encode(texts, role=role)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._encoder.count_tokens(texts)

    @cached_property
    def _encoder(self) -> Encoder:
        return self._load()
