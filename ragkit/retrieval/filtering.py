"""Which documents a question is asked of: conditions on their metadata.

    {"tag": "treaty"}                          equal; of a list, one of its texts is
    {"tag": ["treaty", "pact"]}                any of these
    {"date": {"min": "1922", "max": "1939"}}   within, ends included

All conditions must hold. ``id``, ``title`` and ``url`` are every document's own. Dates are texts
that sort as dates do (ISO 8601).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ragkit.errors import FilterError
from ragkit.index import IndexData
from ragkit.types import Document, MetadataValue

__all__ = ["Allowed", "Where", "allowed_chunks"]

Value = str | int | float | bool
Condition = Value | Sequence[Value] | Mapping[str, Value]

Where = Mapping[str, Condition]
"""A property of documents → what it must be."""

Allowed = NDArray[np.bool_] | None
"""``(n,)``: which chunks may be found; None for all."""

_OWN = ("id", "title", "url")


def allowed_chunks(data: IndexData, where: Where | None) -> Allowed:
    """The chunks of documents that fulfil ``where``.

    Raises FilterError for a condition of another form, and a property that no document has.
    """
    if where is None:
        return None
    if not isinstance(where, Mapping):
        raise FilterError(f"where is {where!r}; expected a mapping such as {{'tag': 'treaty'}}.")
    tests = {name: _test(name, condition) for name, condition in where.items()}
    if data.documents:
        _refuse_unknown(tests, data.documents)
    fine = [
        all(test(_property(document, name)) for name, test in tests.items())
        for document in data.documents
    ]
    return np.asarray(fine, dtype=np.bool_)[data.chunks[:, 0]]


def _property(document: Document, name: str) -> MetadataValue | None:
    found = document.metadata.get(name)
    return getattr(document, name) if found is None and name in _OWN else found


def _refuse_unknown(names: Mapping[str, object], documents: Sequence[Document]) -> None:
    known = {*_OWN}.union(*(document.metadata for document in documents))
    for name in names:
        if name not in known:
            raise FilterError(
                f"no document has the property {name!r}; they have {', '.join(sorted(known))}."
            )


def _test(name: str, condition: object) -> Callable[[MetadataValue | None], bool]:
    if isinstance(condition, Mapping):
        return _within(name, condition)
    if isinstance(condition, (str, int, float)):
        return _any_of([condition])
    if isinstance(condition, Sequence) and all(isinstance(c, (str, int, float)) for c in condition):
        return _any_of(list(condition))
    raise _malformed(name, condition)


def _any_of(wanted: Sequence[object]) -> Callable[[MetadataValue | None], bool]:
    # Typed, since to Python 1 equals True.
    typed = {(type(one) is bool, one) for one in wanted}
    return lambda found: any((type(one) is bool, one) in typed for one in _values(found))


def _within(name: str, bounds: Mapping[object, object]) -> Callable[[MetadataValue | None], bool]:
    least, most = bounds.get("min"), bounds.get("max")
    ends = [end for end in (least, most) if end is not None]
    kinds = {_kind(end) for end in ends}
    if not ends or not set(bounds) <= {"min", "max"} or len(kinds) > 1 or None in kinds:
        raise _malformed(name, bounds)

    def test(found: MetadataValue | None) -> bool:
        return any(
            (least is None or one >= least) and (most is None or one <= most)  # type: ignore[operator]
            for one in _values(found)
            if _kind(one) in kinds
        )

    return test


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
