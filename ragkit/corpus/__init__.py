"""Sources → Documents: what was given is read whole, or refused with the reason."""

from __future__ import annotations

from ragkit.corpus.reading import (
    Source,
    SourceFile,
    Sources,
    iter_sources,
    read_sources,
    slug,
)

__all__ = ["Source", "SourceFile", "Sources", "iter_sources", "read_sources", "slug"]
