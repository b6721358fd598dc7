"""The ``Encoder`` protocol, what it returns, and what its implementations share.

They share all that surrounds the model: tokenize, cut a long text into windows, join the windows'
vectors again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ragkit.errors import EncoderError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = [
    "Encoded",
    "Encoder",
    "Fingerprint",
    "Prompts",
    "Role",
    "TextTokenizer",
    "Tokens",
    "Vectors",
    "count_tokens",
    "encode_windows",
    "load_tokenizer",
    "longest_prompt",
    "normalised",
    "prepared",
    "read_compatibly",
    "read_tokenizer",
    "starts_of",
    "to_encoded",
    "without_front",
]

Vectors = NDArray[np.float32]
"""``(n, d)`` float32, a vector a row."""


Role = Literal["question", "passage"]
"""What a text is: some models read questions and passages after different prompts."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """What a model was trained to read in front of each text, such as "query: " (E5).

    Its tokens take part in the vector of the text, as in training, and not in late interaction,
    except of a model that was trained for it and matches them as well.
    """

    question: str = ""
    passage: str = ""

    def of(self, role: Role) -> str:
        """Return the prompt of a text in this role."""
        return self.question if role == "question" else self.passage


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Identifies a model by its prompts and the sha256 of each file that determines its output.

    Two models with the same ``digest`` produce the same vectors, whatever their names and folders.

    Attributes:
        name: the model's name, for messages.
        source: the argument for ``load_encoder`` that finds the model again. A hint only: it is
            not part of the identity.
        files: relative file name → sha256.
        prompts: read in front of questions and passages.

    """

    name: str
    source: str
    files: Mapping[str, str]
    prompts: Prompts = Prompts()

    @property
    def digest(self) -> str:
        """sha256 of the files' names and checksums and the prompts; name and source do not count.

        A model without prompts has the digest that it had before there were any.
        """
        parts = sorted(self.files.items())
        if self.prompts != Prompts():
            parts.append((self.prompts.question, self.prompts.passage))
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, as index manifests record it."""
        content = {
            "name": self.name,
            "source": self.source,
            "digest": self.digest,
            "files": dict(sorted(self.files.items())),
        }
        return (
            content if self.prompts == Prompts() else {**content, "prompts": asdict(self.prompts)}
        )

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Fingerprint:
        """Build a fingerprint from its JSON form."""
        prompts = Prompts(**value.get("prompts", {}))
        return cls(str(value["name"]), str(value["source"]), dict(value["files"]), prompts)


@dataclass(frozen=True, slots=True)
class Encoded:
    """The vectors of one text. All are float32 of unit norm.

    Attributes:
        vector: ``(d,)``, of the whole text.
        tokens: ``(n, d)``, of each token in its context; without special tokens, unless the model
            was trained to match these as well.
        starts: ``(n,)`` int64, code point of the text at which each token starts; the
            blank that some tokenizers count to the next word is skipped. -1 for a token that
            stands for no letters of the text: a special token, a marker, a mask token.

    """

    vector: Vectors
    tokens: Vectors
    starts: NDArray[np.int64]


class Encoder(Protocol):
    """A model that turns texts into vectors whose inner product is their cosine similarity."""

    @property
    def fingerprint(self) -> Fingerprint:
        """Identity of the model, recorded in every index built with it."""
        ...

    @property
    def dimension(self) -> int:
        """Length of each vector."""
        ...

    @property
    def window(self) -> int:
        """Most tokens of a text that the model takes at once, beside special tokens and prompt."""
        ...

    @property
    def readings(self) -> int:
        """How often it reads a chunk of an index: 1 if it was trained for late interaction.

        Any other model reads each chunk as a whole, and each of its sentences alone: 2.
        """
        ...

    @property
    def runtime(self) -> str:
        """What runs the model; the same weights on another give vectors with other last digits.

        Recorded in the index: an update reuses no vectors that another runtime made.
        """
        ...

    def encode(self, texts: Sequence[str], *, role: Role = "passage") -> list[Encoded]:
        """Encode each text in full; a text longer than the window is not truncated."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text, special tokens left out."""
        ...


class Tokens(Protocol):
    """The tokens of one text: an ``Encoding`` of the library ``tokenizers``, or the like.

    Attributes:
        ids: of each token.
        offsets: of each token, its first code point in the text and the one after its last.
        special_tokens_mask: 1 for each token that the tokenizer put around the text.

    """

    @property
    def ids(self) -> list[int]: ...
    @property
    def offsets(self) -> list[tuple[int, int]]: ...
    @property
    def special_tokens_mask(self) -> list[int]: ...
    def __len__(self) -> int: ...


class TextTokenizer(Protocol):
    """What encoding texts needs of a tokenizer: a ``Tokenizer`` of ``tokenizers``, or the like."""

    def encode(self, text: str, /, *, add_special_tokens: bool = ...) -> Tokens: ...
    def encode_batch(
        self, texts: list[str], /, *, add_special_tokens: bool = ...
    ) -> Sequence[Tokens]: ...
    def num_special_tokens_to_add(self, is_pair: bool) -> int: ...


EncodeBatch = Callable[[Sequence[str], Sequence[Tokens]], list[Encoded]]
"""Encodes texts that fit the model's window. Arguments: the texts, and the tokens of each."""


def load_tokenizer(path: Path) -> Tokenizer:
    """Load a fast tokenizer, set to neither pad nor truncate, and to read as ``read_compatibly``.

    Args:
        path: a ``tokenizer.json``.

    Returns:
        A tokenizer of its own for each call.

    Raises:
        EncoderError: the file is missing or malformed.

    """
    return prepared(read_tokenizer(path))


def prepared(tokenizer: Tokenizer) -> Tokenizer:
    """Set a tokenizer to neither pad nor truncate, and to read as ``read_compatibly``."""
    tokenizer.no_padding()
    tokenizer.no_truncation()
    read_compatibly(tokenizer)
    return tokenizer


def read_tokenizer(path: Path) -> Tokenizer:
    """Load a fast tokenizer as it was saved; otherwise as ``load_tokenizer``."""
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(path))
    # tokenizers raises a bare Exception for a missing or malformed file.
    except Exception as error:
        raise EncoderError(
            f"{path} cannot be loaded ({error}); expected a fast tokenizer. "
            f"Save the model with SentenceTransformer.save_pretrained."
        ) from error


def read_compatibly(tokenizer: Tokenizer) -> None:
    """Let a tokenizer read ligatures and their like as the letters they stand for.

    Models were trained on the letters: "inﬂammable" with one character for "fl" is an unknown word
    to them. Offsets still refer to the text as it is written.
    """
    from tokenizers.normalizers import NFKC, Sequence

    own = tokenizer.normalizer
    tokenizer.normalizer = NFKC() if own is None else Sequence([NFKC(), own])


def count_tokens(tokenizer: TextTokenizer, texts: Sequence[str]) -> list[int]:
    """Count the tokens of each text, special tokens left out."""
    encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return [len(encoding.ids) for encoding in encodings]


def longest_prompt(tokenizer: TextTokenizer, prompts: Prompts) -> int:
    """Count the tokens of the longer of both prompts."""
    return max(count_tokens(tokenizer, [prompts.question, prompts.passage]))


def encode_windows(
    texts: Sequence[str],
    tokenizer: TextTokenizer,
    window: int,
    encode_batch: EncodeBatch,
    *,
    prompt: str = "",
) -> list[Encoded]:
    """Encode texts of any length with a model that takes ``window`` tokens at once.

    A longer text is cut into windows at token boundaries. Its tokens are those of all windows in
    order; its vector is the mean of the windows' vectors, weighted by tokens, of unit norm again.

    Args:
        texts: the texts to encode.
        tokenizer: the model's tokenizer.
        window: most tokens of a text, beside special tokens and the prompt.
        encode_batch: runs the model on texts that fit the window.
        prompt: put in front of each text, or of each of its windows.

    Returns:
        One ``Encoded`` a text, in order; without the tokens of the prompt, unless these start at
        -1.

    """
    prompted = [prompt + text for text in texts]
    encodings = tokenizer.encode_batch(prompted)
    longest = max(map(len, encodings), default=0)
    room = window + tokenizer.num_special_tokens_to_add(is_pair=False)
    if longest <= room or longest <= room + count_tokens(tokenizer, [prompt])[0]:
        return [_without_prompt(one, prompt) for one in encode_batch(prompted, encodings)]
    windows_by_text = [_cut_into_windows(text, tokenizer, window) for text in texts]
    all_windows = [prompt + text for windows in windows_by_text for _, text in windows]
    all_encoded = encode_batch(all_windows, tokenizer.encode_batch(all_windows))
    encoded = (_without_prompt(one, prompt) for one in all_encoded)
    return [
        _join_windows([(start, next(encoded)) for start, _ in windows])
        for windows in windows_by_text
    ]


def without_front(encoded: Encoded, front: int) -> Encoded:
    """The same without the tokens of the first ``front`` code points."""
    keep = (encoded.starts >= front) | (encoded.starts < 0)
    return Encoded(encoded.vector, encoded.tokens[keep], _moved(encoded.starts[keep], -front))


def to_encoded(pooled: Vectors, hidden_states: Vectors, text: str, encoding: Tokens) -> Encoded:
    """Turn what a model computed for one text into an ``Encoded``.

    Args:
        pooled: ``(d,)``, the vector of the text, of any norm.
        hidden_states: ``(tokens, d)`` of the last layer, special tokens included.
        text: the text.
        encoding: the tokens of the text.

    Returns:
        The vectors with unit norm, without special tokens.

    """
    own = np.flatnonzero(np.asarray(encoding.special_tokens_mask) == 0).tolist()
    starts = starts_of(text, encoding, own)
    return Encoded(normalised(pooled), normalised(hidden_states[own]), starts)


def starts_of(text: str, encoding: Tokens, tokens: Sequence[int]) -> NDArray[np.int64]:
    """Return the code point of the text at which each of some of its tokens starts."""
    offsets = encoding.offsets
    return np.asarray([_start(text, *offsets[i]) for i in tokens], dtype=np.int64)


def normalised(vectors: Vectors) -> Vectors:
    """Return vectors, of any norm, with unit norm."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: Vectors = (vectors / np.maximum(norms, 1e-12)).astype(np.float32)
    return unit


def _start(text: str, start: int, end: int) -> int:
    """Where a token's own letters start: SentencePiece and BPE count the blank before to a word."""
    return start + 1 if end - start > 1 and text[start].isspace() else start


def _without_prompt(encoded: Encoded, prompt: str) -> Encoded:
    return without_front(encoded, len(prompt)) if prompt else encoded


def _cut_into_windows(text: str, tokenizer: TextTokenizer, window: int) -> list[tuple[int, str]]:
    """Return the start and the text of each window; each fits the model."""
    windows: list[tuple[int, str]] = []
    todo = [(0, text)]
    while todo:
        start, part = todo.pop()
        offsets = tokenizer.encode(part, add_special_tokens=False).offsets
        if len(offsets) <= window or len(part) == 1:
            windows.append((start, part))
            continue
        # One code point may be several tokens, so a cut must lie after the part's start; and a
        # part may have more tokens alone than inside the text, so each part is checked again.
        boundaries = {offsets[i][0] for i in range(window, len(offsets), window)} - {0}
        cuts = [0, *(sorted(boundaries) or [len(part) // 2]), len(part)]
        todo += [(start + a, part[a:b]) for a, b in reversed(list(pairwise(cuts)))]
    return windows


def _join_windows(windows: Sequence[tuple[int, Encoded]]) -> Encoded:
    if len(windows) == 1:
        return windows[0][1]
    weighted = sum(part.vector * max(1, len(part.tokens)) for _, part in windows)
    return Encoded(
        normalised(np.asarray(weighted)),
        np.concatenate([part.tokens for _, part in windows]),
        np.concatenate([_moved(part.starts, start) for start, part in windows]),
    )


def _moved(starts: NDArray[np.int64], by: int) -> NDArray[np.int64]:
    """Where tokens start in a text that starts ``by`` code points before."""
    return np.where(starts < 0, -1, starts + by)
