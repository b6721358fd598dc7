"""What is installed is what was seen to work, and whose it is is known."""

from __future__ import annotations

import re
import tomllib
from itertools import chain

from packaging.requirements import Requirement

from support.parts import ROOT

PINS = dict(
    line.split("==")
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
)
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
LICENCES = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")

ALLOWED = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla Public License 2\.0|Zlib|CC0"
    r"|Public Domain|0BSD|CNRI-Python|AFL|LLVM|Unlicense|HPND"
)


def name_of(name: str) -> str:
    """As package registries compare them (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def rows() -> dict[str, list[str]]:
    found = [[cell.strip() for cell in line.split("|")[1:-1]] for line in LICENCES.splitlines()]
    return {name_of(cells[0]): cells[1:] for cells in found[:] if len(cells) == 4}


def test_every_pin_is_locked_by_checksum_and_nothing_else_is_for_this_system() -> None:
    locked: dict[str, str] = {}
    for entry in re.split(r"\n(?=[A-Za-z])", LOCK)[1:]:
        requirement = Requirement(entry.split("\\")[0].strip())
        checksums = re.findall(r"--hash=sha256:([0-9a-f]{64})", entry)
        assert checksums, requirement
        if requirement.marker is None or requirement.marker.evaluate():
            locked[name_of(requirement.name)] = (
                str(requirement.specifier).removeprefix("==").removesuffix("+cpu")
            )
    assert locked == {name_of(name): version for name, version in PINS.items()}


def test_everything_that_pyproject_names_is_pinned_to_a_version_that_it_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    pins = {name_of(name): version for name, version in PINS.items()}
    named = [Requirement(line) for line in [*project["dependencies"], *chain(*extras)]]
    for requirement in named:
        if requirement.name != project["name"]:
            assert requirement.specifier.contains(pins[name_of(requirement.name)]), requirement


def test_the_licence_of_everything_installed_is_listed_and_lets_anyone_use_it() -> None:
    listed = rows()
    for name, version in PINS.items():
        found, licence, _ = listed[name_of(name)]
        assert found.split("+")[0] == version, name
        assert ALLOWED.search(licence), f"{name}: {licence}"
        assert not re.search(r"\bA?GPL|General Public", licence), f"{name}: {licence}"
