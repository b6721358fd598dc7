"""The page of arithmetic is what its own snippet computes, and computes what the code does."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ragkit.index.token_quantizer import TokenQuantizer
from ragkit.index.vectors import choose_layout
from support.parts import ROOT

PAGE = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def snippet() -> dict[str, Any]:
    [code] = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 the page's own
    return names


def test_the_table_is_what_the_snippet_computes(snippet: dict[str, Any]) -> None:
    shown = "\n".join(re.findall(r"^\|.*\|$", PAGE, flags=re.MULTILINE))
    assert shown == snippet["table"]()


def test_an_index_of_that_size_is_laid_out_as_the_page_says(snippet: dict[str, Any]) -> None:
    costs: Callable[[int], dict[str, float]] = snippet["costs"]
    dimension = snippet["DIMENSION"]
    for passages in (40_000_000, 400_000_000):
        for name, kind in (("8 bits a component", "SQ8"), ("RaBitQ", "RaBitQ")):
            budget = int(2.002e9 * costs(passages)[f"memory to ask, {name}, GB"])
            layout = choose_layout(passages, dimension, budget)
            assert layout.faiss.endswith(kind)
            assert layout.token_bits == 2
    code = TokenQuantizer(2, dimension)
    assert snippet["TWO_BIT_TOKEN"] == code.width + np.float32().nbytes + np.int32().nbytes
