"""The glossary's retired words are in no name that ragkit defines."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from support.parts import ROOT

GLOSSARY = ROOT / "docs" / "glossary.md"
PACKAGE = ROOT / "ragkit"
PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


class RetiredWord(NamedTuple):
    """A row of the table of retired words.

    Attributes:
        forms: the word in all its retired forms, lower case.
        allowed: names, and paths of files or of folders (which end in ``/``), that may have it.

    """

    forms: frozenset[str]
    allowed: frozenset[str]


class Name(NamedTuple):
    """A name that a module defines."""

    path: str
    line: int
    name: str


def table(title: str) -> list[list[str]]:
    """Return the cells of the rows of the table under a heading of the glossary."""
    text = GLOSSARY.read_text(encoding="utf-8")
    section = re.split(rf"^## {re.escape(title)}$", text, flags=re.M)[1].split("\n## ")[0]
    rows = [line.strip().strip("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.split("|")] for row in rows[2:]]


def code_in(cell: str) -> frozenset[str]:
    """Return what a cell has in backticks."""
    return frozenset(re.findall(r"`([^`]+)`", cell))


def retired_words() -> list[RetiredWord]:
    return [
        RetiredWord(code_in(word), code_in(allowed)) for word, _, allowed in table("Retired words")
    ]


def names_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield every function, class, parameter, variable, attribute and alias that a module defines."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.lineno, node.name
            case ast.arg():
                yield node.lineno, node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.lineno, node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.lineno, node.attr
            case (
                ast.ExceptHandler(name=str(name))
                | ast.MatchAs(name=str(name))
                | ast.MatchStar(name=str(name))
            ):
                yield node.lineno, name
            case ast.MatchMapping(rest=str(rest)):
                yield node.lineno, rest
            case ast.Import() | ast.ImportFrom():
                for alias in node.names:
                    if alias.asname:
                        yield node.lineno, alias.asname


def names() -> Iterator[Name]:
    """Yield every name that ragkit defines, those of its modules and packages included."""
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(ROOT).as_posix()
        yield Name(place, 1, path.parent.name if path.stem == "__init__" else path.stem)
        for line, name in names_in(ast.parse(path.read_text(encoding="utf-8"))):
            yield Name(place, line, name)


def parts(name: str) -> set[str]:
    """Return the words of a snake_case or CamelCase name, in lower case."""
    return {part.lower() for part in PART.findall(name)}


def is_allowed(word: RetiredWord, name: Name) -> bool:
    return name.name in word.allowed or any(
        name.path == place or (place.endswith("/") and name.path.startswith(place))
        for place in word.allowed
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("read_chunk", {"read", "chunk"}),
        ("_HTTPReader2", {"http", "reader", "2"}),
        ("ReadChunk", {"read", "chunk"}),
        ("thread", {"thread"}),
        ("MAX_BAGS", {"max", "bags"}),
    ],
)
def test_a_name_is_split_into_its_words(name: str, expected: set[str]) -> None:
    assert parts(name) == expected


def test_every_kind_of_name_is_looked_at() -> None:
    source = """
import numpy as a
class B:
    c: int
    def d(self, e, *f, g=1, **h):
        self.i = j = 1
        for k, (l, m) in []: pass
        with open("") as n: pass
        try: pass
        except OSError as o: pass
        [p for p in []]
        lambda q: (r := q)
        match j:
            case {"x": s, **t}: pass
            case [u, *v]: pass
async def w(): pass
"""
    found = {name for _, name in names_in(ast.parse(source))} - {"self"}
    assert found == {*"aBcdefghijklmnopqrstuvw"}


def test_no_name_has_a_retired_word() -> None:
    defined = list(names())
    wrong = [
        f"{name.path}:{name.line}: {name.name} ({', '.join(sorted(parts(name.name) & word.forms))})"
        for word in retired_words()
        for name in defined
        if parts(name.name) & word.forms and not is_allowed(word, name)
    ]
    assert not wrong, f"{len(wrong)} names have retired words:\n" + "\n".join(wrong)


def test_every_exception_to_a_retired_word_is_still_needed() -> None:
    defined = list(names())
    for word in retired_words():
        assert word.forms, "a row of the table names no word in backticks"
        for allowed in word.allowed:
            assert any(
                parts(name.name) & word.forms
                and is_allowed(word._replace(allowed=frozenset({allowed})), name)
                for name in defined
            ), f"{allowed} is allowed for {sorted(word.forms)}, but nothing there has the word"


def test_every_term_is_where_the_glossary_says() -> None:
    defined = {name.name for name in names()}
    files = {path.relative_to(ROOT).as_posix() for path in Path(PACKAGE).rglob("*")}
    for term, meaning, where in table("Terms"):
        assert term, "a row of the table of terms is empty"
        assert meaning, f"{term} has no meaning"
        for code in code_in(where):
            if "/" in code:
                assert code.rstrip("/") in files, f"{term}: there is no {code}"
            else:
                assert code.split(".")[-1] in defined, f"{term}: nothing is called {code}"
