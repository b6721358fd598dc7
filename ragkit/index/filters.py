"""Filters: conditions on the metadata of documents.

    {"tag": "treaty"}                          equal; of a list, one of its texts is
    {"tag": ["treaty", "pact"]}                any of these
    {"date": {"min": "1922", "max": "1939"}}   within, ends included
    {"year": [{"min": 1922}, {"min": "1922"}]} within any of these, for values of several kinds

All conditions must hold. Every document has ``id``, ``title``, ``url`` and ``language``. Dates are
strings that sort as dates do (ISO 8601).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from ragkit.errors import FilterError
from ragkit.types import Document, MetadataValue

__all__ = [
    "BUILT_IN",
    "AnyOf",
    "Conditions",
    "Either",
    "Value",
    "ValueKind",
    "Where",
    "Within",
    "check_properties",
    "metadata_kinds",
    "parse_where",
]

Value = str | int | float | bool

Where = Mapping[str, Value | Sequence[Value | Mapping[str, Value]] | Mapping[str, Value]]
"""Name of a property → the value it must have, a range, or several of either."""

ValueKind = Literal["text", "number", "boolean", "mixed"]
"""Kind of value of a metadata property; a list of texts counts as text.

A property is mixed if the values of different documents are of different kinds.
"""

BUILT_IN = ("id", "title", "url", "language")
"""Properties that every document has, unless its metadata overrides them."""

_EXPRESSION = re.compile(r"([^<>=]+)(=|>=|<=)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The value equals one of these. Booleans never equal numbers."""

    values: tuple[Value, ...]
    _keys: frozenset[tuple[bool, Value]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        keys = frozenset((isinstance(one, bool), one) for one in self.values)
        object.__setattr__(self, "_keys", keys)

    def holds(self, value: MetadataValue | None) -> bool:
        """Whether a document's value fulfils the condition."""
        return any((isinstance(one, bool), one) in self._keys for one in _values(value))


@dataclass(frozen=True, slots=True)
class Within:
    """The value lies between ``least`` and ``most``, both included; None means unbounded.

    Strings are compared with strings, numbers with numbers.
    """

    least: str | float | None
    most: str | float | None

    @property
    def kind(self) -> type:
        """``str`` or ``float``: the kind of value that it compares."""
        return str if isinstance(self.most if self.least is None else self.least, str) else float

    def holds(self, value: MetadataValue | None) -> bool:
        """Whether a document's value fulfils the condition."""
        return any(
            (self.least is None or one >= self.least)  # type: ignore[operator]
            and (self.most is None or one <= self.most)  # type: ignore[operator]
            for one in _values(value)
            if _kind(one) is self.kind
        )


@dataclass(frozen=True, slots=True)
class Either:
    """One of these holds."""

    tests: tuple[AnyOf | Within, ...]

    def holds(self, value: MetadataValue | None) -> bool:
        """Whether a document's value fulfils the condition."""
        return any(test.holds(value) for test in self.tests)


@dataclass(frozen=True, slots=True, eq=False)
class Conditions:
    """Name of a property → its test. All must hold.

    Compared by identity, so that results can be cached: to Python, 1 and True are equal.
    """

    tests: Mapping[str, AnyOf | Within | Either]

    @classmethod
    def of(cls, where: object) -> Conditions:
        """Parse ``where``. Raises FilterError for a condition that is malformed."""
        if not isinstance(where, Mapping):
            raise FilterError(
                f"where is {where!r}; expected a mapping such as {{'tag': 'treaty'}}."
            )
        return cls({name: _test(name, condition) for name, condition in where.items()})


def check_properties(conditions: Conditions, properties: Iterable[str]) -> None:
    """Raise FilterError if a condition names a property that no document has."""
    names = {*BUILT_IN, *properties}
    for name in conditions.tests:
        if name not in names:
            raise FilterError(
                f"no document has the property {name!r}; they have {', '.join(sorted(names))}."
            )


def metadata_kinds(documents: Iterable[Document]) -> dict[str, ValueKind]:
    """Return the names of all metadata properties and the kind of value that each has."""
    kinds: dict[str, ValueKind] = {}
    for document in documents:
        for name, value in document.metadata.items():
            kind = _value_kind(value)
            kinds[name] = kind if kinds.get(name, kind) == kind else "mixed"
    return kinds


def parse_where(expressions: Iterable[str], kinds: Mapping[str, ValueKind]) -> Where:
    """Parse expressions such as ``tag=treaty`` and ``date>=1922`` into a ``where`` mapping.

    Args:
        expressions: ``NAME=VALUE``, ``NAME>=VALUE`` or ``NAME<=VALUE``. Several ``=`` with one
            name match any of their values.
        kinds: kind of value of each property, as ``metadata_kinds`` returns it. A value that is
            not of that kind stays a text, as does the value of any other property. A value of a
            mixed property is compared with each document's own value as that one's kind.

    Raises:
        FilterError: an expression has another form, or a name has both ``=`` and a bound.

    Example:
        >>> parse_where(["tag=pact", "tag=treaty", "year>=1922"], {"year": "number"})
        {'tag': ['pact', 'treaty'], 'year': {'min': 1922}}
        >>> parse_where(["year=2026"], {"year": "mixed"})
        {'year': [2026, '2026']}

    """
    where: dict[str, Any] = {}
    bounds: dict[str, dict[str, str]] = {}
    for expression in expressions:
        match = _EXPRESSION.fullmatch(expression)
        if match is None:
            raise FilterError(
                f"{expression!r} is not a condition; expected NAME=VALUE, NAME>=VALUE or "
                f"NAME<=VALUE."
            )
        name, operator, text = match[1].strip(), match[2], match[3].strip()
        if name in (bounds if operator == "=" else where):
            raise FilterError(f"{name!r} has both = and a bound; expected only one of them.")
        if operator == "=":
            where.setdefault(name, []).extend(_parse_values(text, kinds.get(name, "text")))
        else:
            bounds.setdefault(name, {})["min" if operator == ">=" else "max"] = text
    return where | {name: _range(own, kinds.get(name, "text")) for name, own in bounds.items()}


def _range(bounds: Mapping[str, str], kind: ValueKind) -> Mapping[str, Value] | list[Any]:
    """Return a range of that kind; for a mixed one, of texts and, if it can be, of numbers."""
    if kind != "mixed":
        return {end: _parse_value(text, kind) for end, text in bounds.items()}
    numbers = {end: _parse_value(text, "number") for end, text in bounds.items()}
    has_numbers = not any(isinstance(number, str) for number in numbers.values())
    return [numbers, dict(bounds)] if has_numbers else dict(bounds)


def _parse_values(text: str, kind: ValueKind) -> list[Value]:
    """Return the value of a kind; for a mixed one, what it may be: a number, a boolean, a text."""
    if kind != "mixed":
        return [_parse_value(text, kind)]
    parsed = [_parse_value(text, "number"), _parse_value(text, "boolean")]
    return [*(value for value in parsed if not isinstance(value, str)), text]


def _parse_value(text: str, kind: ValueKind) -> Value:
    if kind == "boolean" and text in {"true", "false"}:
        return text == "true"
    for parse in (int, float) if kind == "number" else ():  # as a float, a long id would change
        with suppress(ValueError):
            return parse(text)
    return text


def _value_kind(value: MetadataValue) -> ValueKind:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, (int, float)) else "text"


def _test(name: str, condition: object) -> AnyOf | Within | Either:
    if isinstance(condition, Mapping):
        return _within(name, condition)
    if isinstance(condition, (str, int, float)):
        return AnyOf((condition,))
    if not isinstance(condition, Sequence):
        raise _malformed(name, condition)
    if all(isinstance(one, (str, int, float)) for one in condition):
        return AnyOf(tuple(condition))
    if all(isinstance(one, Mapping) for one in condition):
        return Either(tuple(_within(name, one) for one in condition))
    raise _malformed(name, condition)


def _within(name: str, bounds: Mapping[object, object]) -> Within:
    least, most = bounds.get("min"), bounds.get("max")
    ends = [end for end in (least, most) if end is not None]
    kinds = {_kind(end) for end in ends}
    if not ends or not set(bounds) <= {"min", "max"} or len(kinds) > 1 or None in kinds:
        raise _malformed(name, bounds)
    return Within(least, most)  # type: ignore[arg-type]  # as their kinds say


def _values(value: MetadataValue | None) -> Sequence[Value]:
    if value is None:
        return ()
    return [value] if isinstance(value, (str, int, float)) else value


def _kind(value: object) -> type | None:
    """``str`` or ``float``, by which values may be compared; None for any other."""
    if isinstance(value, str):
        return str
    return float if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _malformed(name: str, condition: object) -> FilterError:
    return FilterError(
        f"the condition on {name!r} is {condition!r}; expected a value, a list of values, or "
        f"{{'min': …, 'max': …}} with texts or with numbers, or a list of these."
    )
