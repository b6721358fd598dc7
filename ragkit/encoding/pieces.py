"""Large vocabularies of SentencePiece's unigram kind, without loading them.

A multilingual model has 250,000 pieces of words, and loading its tokenizer takes the better part of
a second and 280 MB, too much for one question. But only pieces that occur in a text can become its
tokens. So an export also has a table of all pieces, which is mapped into memory, and the library
``tokenizers`` gets a vocabulary of those that occur in the texts at hand. The tokens are the same.

The table is an array of three rows of 64 bits, one column a piece, sorted by the first row: the
piece's hash, its id, and its score as a float. The hash is a polynomial of the code points, so that
those of all parts of a text are computed together.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding.encoder import Tokens, load_tokenizer, prepared

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

__all__ = ["PieceTokenizer", "PieceTokens", "has_pieces", "write_pieces"]

_TABLE, _FRAME = "pieces.npy", "pieces.json"
_FEWEST: Final = 100_000
"""Pieces from which on there is a table: a smaller vocabulary loads in a tenth of a second."""

_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class PieceTokens:
    """The tokens of one text, as an ``Encoding`` of the library ``tokenizers`` has them."""

    ids: list[int]
    offsets: list[tuple[int, int]]
    special_tokens_mask: list[int]

    def __len__(self) -> int:
        """Count the tokens."""
        return len(self.ids)


def write_pieces(tokenizer: Path, folder: Path, *, fewest: int = _FEWEST) -> None:
    """Write the table of a tokenizer's pieces, if it is of this kind and has so many.

    Args:
        tokenizer: a ``tokenizer.json``.
        folder: gets ``pieces.npy``, and ``pieces.json``, the tokenizer without its pieces.
        fewest: how many pieces are worth a table.

    """
    frame = json.loads(tokenizer.read_text(encoding="utf-8"))
    model = frame["model"]
    if model["type"] != "Unigram" or model.get("byte_fallback") or model.get("unk_id") is None:
        return
    if len(model["vocab"]) < fewest:
        return
    pieces, scores = zip(*model["vocab"], strict=True)
    hashes = np.asarray([_hash(piece) for piece in pieces], dtype=np.uint64)
    if len(np.unique(hashes)) < len(hashes):
        return
    order = np.argsort(hashes)
    bits = np.asarray(scores, np.float64).view(np.uint64)
    ids = np.arange(len(pieces), dtype=np.uint64)
    np.save(folder / _TABLE, np.stack([hashes, ids, bits])[:, order])
    unknown, least = model["unk_id"], min(range(len(scores)), key=scores.__getitem__)
    # The score of the least likely piece decides what an unknown character costs.
    model |= {"vocab": [model["vocab"][unknown], model["vocab"][least]], "unk_id": 0}
    settings = {"unknown": unknown, "longest": max(map(len, pieces))}
    (folder / _FRAME).write_text(json.dumps({"frame": frame, **settings}), encoding="utf-8")


def has_pieces(folder: Path) -> bool:
    """Return whether ``write_pieces`` wrote a table to a folder."""
    return (folder / _FRAME).is_file()


class PieceTokenizer:
    """A tokenizer whose pieces stay on the disk. Any number of threads may share one.

    It has those methods of a ``Tokenizer`` that encoding texts needs; for long texts the library's
    own is faster.
    """

    def __init__(
        self, tokenizer: Path, *, load_whole: Callable[[Path], Tokenizer] = load_tokenizer
    ) -> None:
        """Use the files that ``write_pieces`` wrote beside a ``tokenizer.json``.

        Args:
            tokenizer: the file.
            load_whole: loads it for texts with a special token in them, which are rare.

        """
        from tokenizers import Tokenizer

        self._path, self._load_whole = tokenizer, load_whole
        self._own: Mapping[str, Any] = json.loads(
            (tokenizer.parent / _FRAME).read_text(encoding="utf-8")
        )
        frame = self._own["frame"]
        self._always = [(piece, score) for piece, score in frame["model"]["vocab"]]
        self._added = {one["content"]: int(one["id"]) for one in frame["added_tokens"]}
        table = np.asarray(np.load(tokenizer.parent / _TABLE, mmap_mode="r"))
        self._hashes, self._ids, self._scores = table[0], table[1], table[2].view(np.float64)
        self._bare = prepared(Tokenizer.from_str(json.dumps(frame)))

    def num_special_tokens_to_add(self, is_pair: bool) -> int:
        """Count the special tokens around a text, or around two."""
        return self._bare.num_special_tokens_to_add(is_pair)

    def encode(self, text: str, *, add_special_tokens: bool = True) -> Tokens:
        """Return the tokens of one text."""
        return self.encode_batch([text], add_special_tokens=add_special_tokens)[0]

    def encode_batch(
        self, texts: Sequence[str], *, add_special_tokens: bool = True
    ) -> Sequence[Tokens]:
        """Return the tokens of each text."""
        # What stands around a special token is normalised by itself.
        both = [own for text in texts for own in self._both(text)]
        if any(token in own for token in self._added for own in both):
            return self._whole.encode_batch(list(texts), add_special_tokens=add_special_tokens)
        own = self._pieces_in(texts)
        tokenizer = self._with(own)
        encodings = tokenizer.encode_batch(list(texts), add_special_tokens=add_special_tokens)
        ids = self._added | {piece: number for piece, (number, _) in own.items()}
        return [self._with_ids(encoding, ids) for encoding in encodings]

    @cached_property
    def _whole(self) -> Tokenizer:
        return self._load_whole(self._path)

    def _with(self, pieces: Mapping[str, tuple[int, float]]) -> Tokenizer:
        """The tokenizer with the vocabulary that some texts need."""
        from tokenizers import Tokenizer
        from tokenizers.models import Unigram

        vocabulary = dict(self._always) | {piece: score for piece, (_, score) in pieces.items()}
        tokenizer = Tokenizer(Unigram(list(vocabulary.items()), 0, byte_fallback=False))
        for part in ("normalizer", "pre_tokenizer", "post_processor"):
            if (own := getattr(self._bare, part)) is not None:
                setattr(tokenizer, part, own)
        return tokenizer

    def _with_ids(self, encoding: Encoding, ids: Mapping[str, int]) -> PieceTokens:
        unknown = self._own["unknown"]
        of_model = [ids.get(token, unknown) for token in encoding.tokens]
        return PieceTokens(of_model, encoding.offsets, encoding.special_tokens_mask)

    def _pieces_in(self, texts: Sequence[str]) -> dict[str, tuple[int, float]]:
        """Each piece that occurs in a text, with its id and its score."""
        occurring: dict[str, tuple[int, float]] = {}
        for text in texts:
            for part in self._parts(text):
                occurring |= self._pieces_of(part)
        return occurring

    def _both(self, text: str) -> tuple[str, str]:
        """The text as it is and normalised, in either of which a special token may stand."""
        normalizer = self._bare.normalizer
        return text, text if normalizer is None else normalizer.normalize_str(text)

    def _parts(self, text: str) -> list[str]:
        """The text as the model sees it: normalised, and cut as the tokenizer cuts before."""
        _, normal = self._both(text)
        cut = self._bare.pre_tokenizer
        return [normal] if cut is None else [part for part, _ in cut.pre_tokenize_str(normal)]

    def _pieces_of(self, part: str) -> dict[str, tuple[int, float]]:
        by_length = [np.zeros(0, np.uint64), *_hashes(part, self._own["longest"])]
        hashes = np.concatenate(by_length)
        starts = np.concatenate([np.arange(len(one)) for one in by_length])
        lengths = np.repeat(np.arange(len(by_length)), [len(one) for one in by_length])
        columns = np.minimum(np.searchsorted(self._hashes, hashes), len(self._hashes) - 1)
        own = self._hashes[columns] == hashes
        columns = columns[own]
        ends = starts[own] + lengths[own]
        return {
            part[start:end]: (number, score)
            for start, end, number, score in zip(
                starts[own].tolist(),
                ends.tolist(),
                self._ids[columns].tolist(),
                self._scores[columns].tolist(),
                strict=True,
            )
        }


def _hashes(text: str, longest: int) -> Iterator[NDArray[np.uint64]]:
    """For each length, the shortest first: the hash of the part of that length at each place."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint64)
    hashes = np.ones(len(codes) + 1, dtype=np.uint64)  # so that a leading NUL counts
    for length in range(1, min(longest, len(codes)) + 1):
        hashes = hashes[:-1] * _FACTOR + codes[length - 1 :]
        yield hashes


def _hash(piece: str) -> int:
    """The hash of a whole piece."""
    value = 1
    for code in map(ord, piece):
        value = (value * int(_FACTOR) + code) % 2**64
    return value
