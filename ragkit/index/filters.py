"""Which documents a question is asked of: conditions on their metadata.

    {"tag": "treaty"}                          equal; of a list, one of its texts is
    {"tag": ["treaty", "pact"]}                any of these
    {"date": {"min": "1922", "max": "1939"}}   within, ends included

All conditions must hold. ``id``, ``title`` and ``url`` are every document's own. Dates are texts
that sort as dates do (ISO 8601).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ragkit.errors import FilterError
from ragkit.types import MetadataValue

__all__ = ["OWN", "AnyOf", "Conditions", "Value", "Where", "Within", "refuse_unknown"]

Value = str | int | float | bool

Where = Mapping[str, Value | Sequence[Value] | Mapping[str, Value]]
"""A property of documents → what it must be."""

OWN = ("id", "title", "url")
"""Properties that every document has, unless its metadata has one of that name."""


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Equal to one of these; ``True`` is no 1."""

    values: tuple[Value, ...]
    _wanted: frozenset[tuple[bool, Value]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        wanted = frozenset((isinstance(one, bool), one) for one in self.values)
        object.__setattr__(self, "_wanted", wanted)

    def holds(self, found: MetadataValue | None) -> bool:
        return any((isinstance(one, bool), one) in self._wanted for one in _values(found))


@dataclass(frozen=True, slots=True)
class Within:
    """From ``least`` to ``most``, both included, None for no end; texts and numbers apart."""

    least: str | float | None
    most: str | float | None

    @property
    def kind(self) -> type:
        return str if isinstance(self.most if self.least is None else self.least, str) else float

    def holds(self, found: MetadataValue | None) -> bool:
        return any(
            (self.least is None or one >= self.least)  # type: ignore[operator]
            and (self.most is None or one <= self.most)  # type: ignore[operator]
            for one in _values(found)
            if _kind(one) is self.kind
        )


@dataclass(frozen=True, slots=True, eq=False)
class Conditions:
    """A property of documents → its test. All must hold.

    Told apart by identity, so that what fulfils them can be kept: 1 and True are equal to Python.
    """

    tests: Mapping[str, AnyOf | Within]

    @classmethod
    def of(cls, where: object) -> Conditions:
        """What ``where`` says. Raises FilterError for a condition of another form."""
        if not isinstance(where, Mapping):
            raise FilterError(
                f"where is {where!r}; expected a mapping such as {{'tag': 'treaty'}}."
            )
        return cls({name: _test(name, condition) for name, condition in where.items()})


def refuse_unknown(conditions: Conditions, known: Iterable[str]) -> None:
    """Raises FilterError for a property that is not among the ``known``."""
    names = {*OWN, *known}
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


def _values(found: MetadataValue | None) -> Sequence[Value]:
    if found is None:
        return ()
    return [found] if isinstance(found, (str, int, float)) else found


def _kind(value: object) -> type | None:
    """What may be compared with what."""
    if isinstance(value, str):
        return str
    return float if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _malformed(name: str, condition: object) -> FilterError:
    return FilterError(
        f"the condition on {name!r} is {condition!r}; expected a value, a list of values, or "
        f"{{'min': …, 'max': …}} with texts or with numbers."
    )
