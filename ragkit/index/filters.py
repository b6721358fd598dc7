"""Filters: conditions on the metadata of documents.

    {"tag": "treaty"}                          equal; of a list, one of its texts is
    {"tag": ["treaty", "pact"]}                any of these
    {"date": {"min": "1922", "max": "1939"}}   within, ends included

All conditions must hold. Every document has ``id``, ``title`` and ``url``. Dates are strings that
sort as dates do (ISO 8601).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ragkit.errors import FilterError
from ragkit.types import MetadataValue

__all__ = ["BUILT_IN", "AnyOf", "Conditions", "Value", "Where", "Within", "check_properties"]

Value = str | int | float | bool

Where = Mapping[str, Value | Sequence[Value] | Mapping[str, Value]]
"""Name of a property → the value it must have, one of several values, or a range."""

BUILT_IN = ("id", "title", "url")
"""Properties that every document has, unless its metadata overrides them."""


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


@dataclass(frozen=True, slots=True, eq=False)
class Conditions:
    """Name of a property → its test. All must hold.

    Compared by identity, so that results can be cached: to Python, 1 and True are equal.
    """

    tests: Mapping[str, AnyOf | Within]

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


def _test(name: str, condition: object) -> AnyOf | Within:
    if isinstance(condition, Mapping):
        return _within(name, condition)
    if isinstance(condition, (str, int, float)):
        return AnyOf((condition,))
    if isinstance(condition, Sequence) and all(isinstance(c, (str, int, float)) for c in condition):
        return AnyOf(tuple(condition))
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
        f"{{'min': …, 'max': …}} with texts or with numbers."
    )
