"""Equations of Office documents (OMML, ECMA-376 part 1, chapter 22.1) as a line of text.

``a/(b + c)``, ``x_1^2``, ``√(x)``, ``∑_(i=1)^n i``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from xml.etree.ElementTree import Element  # only a type: the tree is parsed elsewhere

__all__ = ["linear_text", "local_name"]


def local_name(name: str) -> str:
    """Return the name of an element or attribute without its namespace."""
    return name.rpartition("}")[2]


def linear_text(element: Element) -> str:
    """Return an equation, or a part of one, as a line of text."""
    name = local_name(element.tag)
    if name == "t":
        return element.text or ""
    if name in _FORMS:
        return _FORMS[name](element)
    if name.endswith("Pr"):  # properties
        return ""
    return "".join(map(linear_text, element))


def _part(element: Element, name: str) -> str:
    parts = [linear_text(child) for child in element if local_name(child.tag) == name]
    return "".join(parts).strip()


def _group(text: str) -> str:
    """Put what is more than one number or name in parentheses."""
    is_whole = (
        text.isalnum() or len(text) < 2 or (text[0] == "(" and text.find(")") == len(text) - 1)
    )
    return text if is_whole else f"({text})"


def _property(element: Element, name: str, default: str) -> str:
    for child in element:
        if not local_name(child.tag).endswith("Pr"):
            continue
        for value in child:
            if local_name(value.tag) == name:
                values = [text for key, text in value.items() if local_name(key) == "val"]
                return values[0] if values else ""
    return default


def _fraction(element: Element) -> str:
    return f"{_group(_part(element, 'num'))}/{_group(_part(element, 'den'))}"


def _scripts(element: Element) -> str:
    base = _group(_part(element, "e"))
    return base + _limits(element)


def _limits(element: Element) -> str:
    below, above = _part(element, "sub"), _part(element, "sup")
    return (f"_{_group(below)}" if below else "") + (f"^{_group(above)}" if above else "")


def _root(element: Element) -> str:
    degree = _part(element, "deg")
    return f"{_group(degree)}√({_part(element, 'e')})" if degree else f"√({_part(element, 'e')})"


def _operator(element: Element) -> str:
    sign = _property(element, "chr", "∫")
    return f"{sign}{_limits(element)} {_part(element, 'e')}"


def _delimited(element: Element) -> str:
    first, last = _property(element, "begChr", "("), _property(element, "endChr", ")")
    between = _property(element, "sepChr", "|")
    parts = [linear_text(child) for child in element if local_name(child.tag) == "e"]
    return f"{first}{between.join(parts)}{last}"


def _function(element: Element) -> str:
    return f"{_part(element, 'fName')} {_group(_part(element, 'e'))}"


def _below(element: Element) -> str:
    return f"{_part(element, 'e')}_{_group(_part(element, 'lim'))}"


def _above(element: Element) -> str:
    return f"{_part(element, 'e')}^{_group(_part(element, 'lim'))}"


def _rows(element: Element) -> str:
    rows = [child for child in element if local_name(child.tag) in ("mr", "e")]
    return "; ".join(
        ", ".join(map(linear_text, row)) if local_name(row.tag) == "mr" else linear_text(row)
        for row in rows
    )


_FORMS: Mapping[str, Callable[[Element], str]] = {
    "f": _fraction,
    "sSup": _scripts,
    "sSub": _scripts,
    "sSubSup": _scripts,
    "rad": _root,
    "nary": _operator,
    "d": _delimited,
    "func": _function,
    "limLow": _below,
    "limUpp": _above,
    "m": _rows,
    "eqArr": _rows,
}
