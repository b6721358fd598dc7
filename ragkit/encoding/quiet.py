"""Loading a model without its libraries' progress bars, and with one kind of error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ragkit.errors import EncoderError

__all__ = ["quiet_loading"]


@contextmanager
def quiet_loading(directory: Path) -> Iterator[None]:
    """Hide transformers' loading bar; turn whatever loading raises into an EncoderError."""
    from transformers.utils import logging

    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    # A model folder can fail in torch, transformers or safetensors, each with its own types.
    except Exception as error:
        raise EncoderError(
            f"the model in {directory} could not be loaded ({type(error).__name__}: {error}); "
            f"expected a whole sentence-transformers model."
        ) from error
    finally:
        if bars:
            logging.enable_progress_bar()
