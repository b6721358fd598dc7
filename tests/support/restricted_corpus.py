"""A corpus of which only half may be read by everybody, and an ``access.toml`` for it."""

from __future__ import annotations

import re
from pathlib import Path

from ragkit import Document
from ragkit.serving.access import token_digest

READABLE = (
    Document("fees", "Fees", "A library card costs ten euros a year. Children pay nothing.",
             metadata={"audience": "all"}),
    Document("hours", "Opening hours", "The library opens at nine. On Sundays it is closed.",
             metadata={"audience": ["all", "staff"], "floor": 2}),
)  # fmt: skip
HIDDEN = (
    Document("pay", "Salaries", "Anna Zwillinger earns 3,000 euros a month at the library.",
             url="https://example.org/wages", metadata={"audience": "staff", "grade": "E9"}),
    Document("plan", "Relocation", "The library will move to Quedlinburg. Anna pays for it.",
             metadata={"audience": "board"}),
)  # fmt: skip
CORPUS = (HIDDEN[0], READABLE[0], HIDDEN[1], READABLE[1])

SECRETS = (
    "Zwillinger",
    "3,000",
    "Quedlinburg",
    "Salaries",
    "Relocation",
    "example.org/wages",
    "E9",
)
"""What only those documents say, and no request of the tests does."""

PRESS, BOARD, NOBODY = "token-of-the-press", "token-of-the-board", "token-of-nobody"
PROXY = "10.0.0.5"

RULES = f"""
[[token]]
name = "press"
sha256 = "{token_digest(PRESS)}"
where = {{ audience = "all" }}

[[token]]
name = "board"
sha256 = "{token_digest(BOARD)}"
everything = true
metrics = true

[[token]]
name = "misspelt"
sha256 = "{token_digest(NOBODY)}"
where = {{ audiance = "all" }}

[proxy]
addresses = ["{PROXY}"]
user = "X-Forwarded-User"

[[group]]
name = "staff"
when = {{ X-Forwarded-Groups = "staff" }}
where = {{ audience = ["all", "staff"] }}
"""


def rules_file(folder: Path, more: str = "") -> Path:
    """Write the rules; ``more`` stands in front of them."""
    path = folder / "access.toml"
    path.write_text(more + RULES, encoding="utf-8")
    return path


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def secrets_in(text: str) -> list[str]:
    """Return the secrets that stand in a text as words; random ids can contain the short ones."""
    return [secret for secret in SECRETS if re.search(rf"(?<!\w){secret}(?!\w)", text)]
