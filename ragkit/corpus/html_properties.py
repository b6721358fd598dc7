"""What a page says about itself: its title, address, language, and ``<meta>`` values."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ragkit.corpus.html_elements import Attributes
from ragkit.text.languages import primary_language
from ragkit.types import MetadataValue

__all__ = ["PageProperties"]

_DATES = ("article:published_time", "date", "dc.date", "dcterms.date", "dcterms.created")


@dataclass(slots=True)
class PageProperties:
    """The title, address, language and ``<meta>`` values of a page, collected tag by tag."""

    title: str = ""
    canonical_url: str | None = None
    language: str | None = None
    meta: dict[str, list[str]] = field(default_factory=dict)

    def add_tag(self, name: str, attributes: Attributes) -> None:
        """Collect what a start tag says about the page."""
        if name == "html":
            tag = attributes.get("lang") or attributes.get("xml:lang") or ""
            self.language = self.language or primary_language(tag)
        if name == "link" and "canonical" in (attributes.get("rel") or "").lower().split():
            self.canonical_url = self.canonical_url or _web_address(attributes.get("href"))
        if name == "meta":
            key = attributes.get("name") or attributes.get("property") or ""
            content = " ".join((attributes.get("content") or "").split())
            if content:
                self.meta.setdefault(key.strip().lower(), []).append(content)

    @property
    def url(self) -> str | None:
        """The page's own address."""
        return self.canonical_url or _web_address(self.meta.get("og:url", [None])[0])

    @property
    def metadata(self) -> dict[str, MetadataValue]:
        """``date`` and ``tags``, if the page has them."""
        metadata: dict[str, MetadataValue] = {}
        dates = [self.meta[name][0] for name in _DATES if name in self.meta]
        keywords = ",".join(self.meta.get("keywords", [])).split(",")
        words = [*keywords, *self.meta.get("article:tag", [])]
        tags = tuple(dict.fromkeys(word.strip() for word in words if word.strip()))
        if dates:
            metadata["date"] = dates[0]
        if tags:
            metadata["tags"] = tags
        return metadata


def _web_address(value: str | None) -> str | None:
    address = (value or "").strip()
    return address if re.match(r"https?://[^\s/]", address, re.IGNORECASE) else None
