"""The reference encoder: any sentence-transformers bi-encoder, on CPU or GPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from ragkit.encoding.encoder import (
    Encoded,
    Fingerprint,
    Role,
    Tokens,
    count_tokens,
    encode_windows,
    load_tokenizer,
    longest_prompt,
    read_compatibly,
    to_encoded,
)
from ragkit.errors import EncoderError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

__all__ = ["BATCH", "SentenceTransformerEncoder", "model_loading"]

BATCH = 32
"""Texts of one forward pass."""


class SentenceTransformerEncoder:
    """Encode with a sentence-transformers model. Threads may share one; it encodes one at a time.

    The model is loaded when the first text is encoded.
    """

    readings = 2
    runtime = "reference"

    def __init__(self, fingerprint: Fingerprint, directory: Path) -> None:
        """Use the model in a folder that ``SentenceTransformer.save_pretrained`` wrote."""
        self._fingerprint = fingerprint
        self._directory = directory
        # The model's own tokenizer keeps its padding settings in shared state.
        self._lock = Lock()

    @property
    def fingerprint(self) -> Fingerprint:
        """Identity of the model."""
        return self._fingerprint

    @property
    def dimension(self) -> int:
        """Length of each vector."""
        return int(self._model.get_embedding_dimension() or 0)

    @cached_property
    def window(self) -> int:
        """Most tokens of a text that the model takes at once, beside special tokens and prompt."""
        special = self._tokenizer.num_special_tokens_to_add(is_pair=False)
        prompt = longest_prompt(self._tokenizer, self._fingerprint.prompts)
        return self._longest - special - prompt

    @property
    def _longest(self) -> int:
        """Most tokens that the model takes at once, all counted."""
        return int(self._model.max_seq_length or 512)

    def encode(self, texts: Sequence[str], *, role: Role = "passage") -> list[Encoded]:
        """Encode each text: the vector by the model's pooling, the tokens from its last layer."""
        if not texts:
            return []
        encode_batch = partial(self._encode_batch, role)
        prompt = self._fingerprint.prompts.of(role)
        return encode_windows(texts, self._tokenizer, self.window, encode_batch, prompt=prompt)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text, special tokens left out."""
        return count_tokens(self._tokenizer, texts)

    def _encode_batch(
        self, _: Role, texts: Sequence[str], encodings: Sequence[Tokens]
    ) -> list[Encoded]:
        with self._lock:
            outputs = self._model.encode(
                list(texts), batch_size=BATCH, output_value=None, normalize_embeddings=True
            )
        return [
            to_encoded(
                output["sentence_embedding"].float().cpu().numpy(),
                output["token_embeddings"].float().cpu().numpy(),
                text,
                encoding,
            )
            for output, text, encoding in zip(outputs, texts, encodings, strict=True)
        ]

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return load_tokenizer(self._directory / "tokenizer.json")

    @cached_property
    def _model(self) -> SentenceTransformer:
        from sentence_transformers import SentenceTransformer

        with model_loading(self._directory):
            model = SentenceTransformer(
                str(self._directory),
                trust_remote_code=False,
                local_files_only=True,
                model_kwargs={"use_safetensors": True},
            )
            model.default_prompt_name = None  # the prompts are in the texts already
            read_compatibly(model.tokenizer.backend_tokenizer)
            return model


@contextmanager
def model_loading(directory: Path) -> Iterator[None]:
    """Load a model inside the block without progress bars or reports, and with one type of error.

    Args:
        directory: the model's folder, named in the error.

    Raises:
        EncoderError: the block raised anything.

    """
    from transformers.utils import logging

    bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()  # it lists weights that a folder rightly lacks
    try:
        yield
    # A model folder can fail in torch, transformers or safetensors, each with types of its own.
    except Exception as error:
        raise EncoderError(
            f"the model in {directory} could not be loaded ({type(error).__name__}: {error}); "
            f"expected a complete sentence-transformers model."
        ) from error
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
