"""What the elements of a page are: which begin a line, and which are no part of its text."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = [
    "BLOCKS", "CELLS", "HEADINGS", "IMPLIED_ENDS", "LISTS", "PREFORMATTED", "SKIPPED", "VOID",
    "Attributes", "Token", "class_names", "is_heading_of_panel", "is_hidden", "is_never_text",
    "is_permalink", "types_of",
]  # fmt: skip

Attributes = Mapping[str, str | None]
Token = tuple[str, str, Attributes]
"""``("start" | "end" | "text", name or text, attributes)``."""

HEADINGS = frozenset("h1 h2 h3 h4 h5 h6".split())
LISTS = frozenset("ul ol dl menu dir".split())
# Elements that begin a new line:
# https://html.spec.whatwg.org/multipage/rendering.html#flow-content-3
BLOCKS = HEADINGS | LISTS | frozenset(
    "address article aside blockquote body caption center dd details dialog div dt fieldset "
    "figcaption figure footer form head header hgroup hr html legend li listing main nav optgroup "
    "option p plaintext pre search section summary table tbody td tfoot th thead tr xmp".split()
)  # fmt: skip
VOID = frozenset(
    "area base basefont bgsound br col embed frame hr image img input keygen link meta param "
    "source track wbr".split()
)
PREFORMATTED = frozenset("pre listing xmp plaintext".split())
CELLS = frozenset({"td", "th"})
# Left out with all that they contain: scripts, controls, pictures, navigation, what is struck out,
# and the pronunciation beside a word, which would be glued to it.
SKIPPED = frozenset(
    "annotation annotation-xml applet audio canvas datalist del embed iframe nav noembed noframes "
    "noscript object option optgroup rp rt rtc s script select strike style svg template textarea "
    "video".split()
)
_RUBY = frozenset("rb rt rtc rp".split())
# Start tag → (open elements that it closes, elements that it does not look beyond).
IMPLIED_ENDS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "li": (frozenset({"li"}), frozenset("ul ol menu dir table".split())),
    "dt": (frozenset({"dt", "dd"}), frozenset({"dl", "table"})),
    "dd": (frozenset({"dt", "dd"}), frozenset({"dl", "table"})),
    "td": (CELLS, frozenset({"tr", "table"})),
    "th": (CELLS, frozenset({"tr", "table"})),
    "tr": (CELLS | {"tr"}, frozenset({"table"})),
} | {
    part: (CELLS | frozenset("tr thead tbody tfoot caption".split()), frozenset({"table"}))
    for part in ("thead", "tbody", "tfoot")
} | {part: (_RUBY, frozenset({"ruby"})) for part in _RUBY}  # fmt: skip

_SKIPPED_ROLES = frozenset("banner complementary contentinfo navigation search".split())
_HIDDEN_STYLE = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
# Names of classes and ids by which pages mark what is on each of them, not their text.
_NEVER_TEXT = re.compile(
    r"""(?:site-?|main-?|top-?|page-?|global-?)?nav-?(?:bar|igation)(?:-(?:nav|container|wrapper))?
    |breadcrumbs?(?:-(?:nav|list|container|wrapper|bar))?|(?:wy|page|site)-breadcrumbs?
    |(?:eu-?)?(?:cookies?|gdpr|ccpa|consent|cookie-?consent|cookie-?law)
        -?(?:banner|bar|notice|notification|message|info|popup|pop-up|modal|overlay|dialog|box|
        manager|prompt|alert|container|wrapper|consent|disclaimer|law|warning)(?:-.*)?
    |doc-?nav|nav-?(?:header|footer)
    |onetrust-.*|cc-window|cc-banner|cybotcookiebot.*|osano-cm-.*|didomi-.*
    |skip-?(?:link|links|nav|navigation|to-(?:main|content|main-content))
    |headerlink|header-anchor|heading-anchor|hash-link|anchorjs-link|mw-editsection
    |(?:line-?nos?|line-?numbers?|gutter)""",
    re.IGNORECASE | re.VERBOSE,
)
_PAGE_BREAKS = frozenset({"pagebreak", "doc-pagebreak"})
"""Types of elements that contain the number of a printed page."""
_NEVER_TEXT_OF_PAGE = frozenset("html body main article".split())

# Alone, these are the mark of a link to the heading or term that it stands beside.
_PERMALINK_SIGNS = frozenset({"", "¶", "#", "§", "∞", "⚓", "🔗", "🔗︎", "⛓", "☍"})
_INVISIBLE = re.compile(r"[\s\u200b\u200c\u200d\u2060\ufe0e\ufe0f\ufeff]+")

_PANEL_CLASS = re.compile(
    r"(?:^|[\s_-])(?:accordion|collaps\w*|expand\w*|disclosure|faq|toggle|question)(?:$|[\s_-])",
    re.I,
)
_TAB_PANEL_CLASS = re.compile(
    r"(?:^|\s)(?:tab[-_]*(?:pane|panel|content)s?|accordion[\w-]*|collapse|collapsible[\w-]*)(?:\s|$)",
    re.I,
)
_MIN_QUESTION_WORDS = 4


def is_never_text(name: str, attributes: Attributes) -> bool:
    """Return whether an element is navigation, a banner, a permalink or line numbers."""
    if name in _NEVER_TEXT_OF_PAGE:
        return False
    if (attributes.get("role") or "").lower() in _SKIPPED_ROLES:
        return True
    if types_of(attributes) & _PAGE_BREAKS:
        return True
    return any(_NEVER_TEXT.fullmatch(one) for one in class_names(attributes))


def types_of(attributes: Attributes) -> frozenset[str]:
    """Return what an element of an e-book is: ``noteref``, ``doc-footnote``, ``pagebreak``."""
    names = f"{attributes.get('epub:type') or ''} {attributes.get('role') or ''}"
    return frozenset(names.lower().split())


def class_names(attributes: Attributes) -> list[str]:
    """Return the classes and the id of an element, with hyphens for underscores."""
    names = f"{attributes.get('class') or ''} {attributes.get('id') or ''}"
    return names.replace("_", "-").split()


def is_hidden(attributes: Attributes, controlled_ids: frozenset[str]) -> bool:
    """Return whether no reader can see an element.

    A panel that is hidden until its tab or its heading is clicked is part of the text.
    """
    hidden = attributes.get("hidden", "until-found")
    is_out_of_sight = (
        (hidden or "").lower() != "until-found"
        or (attributes.get("aria-hidden") or "").lower() == "true"
        or bool(_HIDDEN_STYLE.search(attributes.get("style") or ""))
    )
    is_panel = (
        (attributes.get("role") or "").lower() == "tabpanel"
        or attributes.get("id") in controlled_ids
        or _TAB_PANEL_CLASS.search(attributes.get("class") or "")
    )
    return is_out_of_sight and not is_panel


def is_permalink(text: str, attributes: Attributes) -> bool:
    """Return whether a link is only the mark that leads to its own place."""
    return "#" in (attributes.get("href") or "") and _INVISIBLE.sub("", text) in _PERMALINK_SIGNS


def is_heading_of_panel(text: str, attributes: Attributes) -> bool:
    """Return whether a button stands over text that it opens, such as a question of an FAQ."""
    kind = (attributes.get("type") or "").lower()
    if kind in ("submit", "reset") or "aria-haspopup" in attributes or not text:
        return False
    return (
        "aria-expanded" in attributes
        or "aria-controls" in attributes
        or (attributes.get("role") or "").lower() == "tab"
        or any(key.endswith("-toggle") for key in attributes)
        or bool(_PANEL_CLASS.search(attributes.get("class") or ""))
        or text.endswith(("?", "？", "؟"))
        or len(text.split()) >= _MIN_QUESTION_WORDS
    )
