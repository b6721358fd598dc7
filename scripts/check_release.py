"""Check what ``scripts/release`` built, and write its provenance.

The wheel must hold every module and data file of the package and the default index, and nothing
else; the version must be the one that CHANGELOG.md and CITATION.cff name.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Check the files in a folder (first argument) that were built from a commit (second)."""
    folder, commit = Path(sys.argv[1]), sys.argv[2]
    [wheel] = folder.glob("*.whl")
    [sdist] = folder.glob("*.tar.gz")
    check_contents(wheel)
    check_version(wheel.name.split("-")[1])
    write_provenance(folder, [wheel, sdist], commit)


def check_contents(wheel: Path) -> None:
    """Compare the wheel's files with those that git knows."""
    tracked = subprocess.run(
        ["git", "ls-files", "ragkit", "indexes"],  # noqa: S607 - git is where the user has it
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    expected = {re.sub(r"^indexes/", "ragkit/indexes/", name) for name in tracked}
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    if names != expected:
        raise SystemExit(
            f"{wheel.name} differs from the repository; missing: {sorted(expected - names)[:5]}, "
            f"too much: {sorted(names - expected)[:5]}."
        )


def check_version(version: str) -> None:
    """Refuse a version that the changelog, the citation file or ``server.json`` does not name."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    if not re.search(rf"^## {re.escape(version)}\b", changelog, re.MULTILINE):
        raise SystemExit(f"CHANGELOG.md has no section for {version}; write one.")
    if f"\nversion: {version}\n" not in citation:
        raise SystemExit(f"CITATION.cff does not name version {version}; correct it.")
    server = json.loads((ROOT / "server.json").read_text(encoding="utf-8"))
    if not server["version"] == server["packages"][0]["version"] == version:
        raise SystemExit(f"server.json does not name version {version}; correct it.")


def write_provenance(folder: Path, files: list[Path], commit: str) -> None:
    """Write an in-toto statement (SLSA provenance 1) over the files, to be signed."""
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": f.name, "digest": {"sha256": hashlib.sha256(f.read_bytes()).hexdigest()}}
            for f in files
        ],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "scripts/release",
                "externalParameters": {},
                "resolvedDependencies": [{"digest": {"gitCommit": commit}}],
            },
            "runDetails": {"builder": {"id": "scripts/release"}},
        },
    }
    (folder / "provenance.json").write_text(
        json.dumps(statement, indent=1) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
