"""Plugins: formats, encoders and commands that installed packages add."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ragkit import Index, PluginError, SourceError
from ragkit.corpus import load_sources
from ragkit.corpus.formats import FORMATS
from ragkit.plugins import Registry
from support.parts import ROOT

EXAMPLE = ROOT / "examples" / "plugin"
SUBTITLES = """1
00:00:01,000 --> 00:00:04,000
<i>The lighthouse of Sandö is dark.</i>

2
00:00:59,000 --> 00:01:02,000
Its keeper left in March.

3
00:01:10,500 --> 00:01:12,000
Nobody has lit
the lamp since.
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the example's wheel is installed."""
    folder = tmp_path_factory.mktemp("plugin")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-cache-dir"]
    source = folder / "source"
    subprocess.run(["cp", "-r", str(EXAMPLE), str(source)], check=True)  # a build writes beside it
    wheel = [
        *pip,
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        str(source),
    ]
    subprocess.run(wheel, check=True)
    [built] = folder.glob("*.whl")
    site = folder / "site"
    install = [*pip, "install", "-q", "--no-deps", "--no-index", "--target", str(site), str(built)]
    subprocess.run(install, check=True)
    return site


def run_ragkit(*arguments: str, plugins: Path | None = None) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT), *([str(plugins)] if plugins else [])])
    return subprocess.run(
        [sys.executable, "-m", "ragkit", *arguments], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip


def ragkit_with(
    plugins: Path, *arguments: str, status: int = 0
) -> subprocess.CompletedProcess[str]:
    done = run_ragkit(*arguments, plugins=plugins)
    assert done.returncode == status, done.stdout + done.stderr
    return done


def make_plugin(folder: Path, package: str, entry_points: str, code: str) -> None:
    """Install a plugin as pip would: a module, and the metadata of its package."""
    module = package.replace("-", "_")
    (folder / f"{module}.py").write_text(code, encoding="utf-8")
    metadata = folder / f"{module}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(entry_points)


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path; the registry of formats lists the packages anew, and afterwards."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    FORMATS.__dict__.pop("_foreign", None)
    yield folder
    FORMATS.__dict__.pop("_foreign", None)


def test_the_example_reads_its_format_and_the_index_answers_from_it(
    installed: Path, tmp_path: Path
) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "lighthouse.srt").write_text(SUBTITLES, encoding="utf-8")
    (tmp_path / "films" / "notes.txt").write_text("A film of 1931.", encoding="utf-8")
    index = str(tmp_path / "index")
    ragkit_with(installed, "index", "build", str(tmp_path / "films"), "--out", index)
    answer = ragkit_with(
        installed, "ask", "When did the keeper leave?", "--index", index, "-k", "1"
    )
    assert "Its keeper left in March." in answer.stdout
    assert "lighthouse § 0:00" in answer.stdout
    # The index needs the plugin only where it reads files.
    assert Index.open(index).ask("Who has lit the lamp?").passages[0].citation.section == ("0:01",)
    assert ragkit_with(installed, "outline", index).stdout == "lighthouse\n  0:00\n  0:01\nnotes\n"


def test_the_example_encodes_and_the_index_finds_its_encoder_again(
    installed: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("A film of 1931.\n\nThe keeper left.", encoding="utf-8")
    index = str(tmp_path / "index")
    source = str(tmp_path / "notes.txt")
    ragkit_with(installed, "index", "build", source, "--out", index, "--model", "trigrams")
    asked = ragkit_with(
        installed, "ask", "Which keepers left?", "--index", index, "--threshold", "0"
    )
    assert "The keeper left." in asked.stdout
    ragkit_with(installed, "index", "update", index)
    without = run_ragkit("ask", "Which keepers left?", "--index", index)
    assert without.returncode == 4
    assert "'trigrams'" in without.stderr


def test_help_lists_plugins_and_doctor_imports_them(installed: Path) -> None:
    assert "outline  of ragkit-subtitles" in ragkit_with(installed, "--help").stdout
    found = ragkit_with(installed, "doctor").stdout
    assert "ragkit-subtitles 0.1.0: .srt (ragkit.formats)" in found
    assert "ragkit-subtitles 0.1.0: trigrams (ragkit.encoders)" in found


def test_a_plugin_that_cannot_be_imported_concerns_only_its_format(
    plugins: Path, tmp_path: Path
) -> None:
    make_plugin(
        plugins, "broken-plugin", "[ragkit.formats]\n.brk = broken_plugin:parse\n",
        "import no_such_library\n",
    )  # fmt: skip
    (tmp_path / "a.txt").write_text("Plain text.")
    (tmp_path / "a.brk").write_text("Other text.")
    assert [document.text for document, _ in load_sources(tmp_path / "a.txt")] == ["Plain text."]
    with pytest.raises(PluginError, match=r"broken-plugin 1\.0.*no_such_library.*pip uninstall"):
        load_sources(tmp_path / "a.brk")


def test_two_plugins_for_one_suffix_are_both_named(plugins: Path, tmp_path: Path) -> None:
    for package in ("first-plugin", "second-plugin"):
        make_plugin(
            plugins, package, f"[ragkit.formats]\n.two = {package.replace('-', '_')}:parse\n", ""
        )
    (tmp_path / "a.two").write_text("Text.")
    with pytest.raises(PluginError, match=r"first-plugin 1\.0 and second-plugin 1\.0 both"):
        load_sources(tmp_path / "a.two")


def test_a_plugin_cannot_replace_what_ragkit_has(
    plugins: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_plugin(
        plugins, "greedy-plugin", "[ragkit.formats]\n.txt = greedy_plugin:parse\nsrt = greedy_plugin:parse\n", "",
    )  # fmt: skip
    (tmp_path / "a.txt").write_text("Plain text.")
    assert len(load_sources(tmp_path / "a.txt")) == 1
    with pytest.raises(SourceError, match=r"suffix '\.none'"):
        load_sources(_file(tmp_path / "a.none"))
    assert "greedy-plugin provides '.txt'" in caplog.text
    assert "greedy-plugin provides 'srt'" in caplog.text


def _file(path: Path) -> Path:
    path.write_text("Text.")
    return path


PARSERS = {
    "raise ValueError('odd bytes')": (
        SourceError,
        "a.own cannot be parsed by the plugin own-plugin",
    ),
    "yield 'text'": (PluginError, "as a str; expected ragkit.ParsedDocument"),
    "yield ParsedDocument('a\\0b', ())": (SourceError, "a.own"),
}


@pytest.mark.parametrize("body", PARSERS)
def test_a_parser_that_fails_names_the_file_and_the_plugin(
    plugins: Path, tmp_path: Path, body: str
) -> None:
    code = f"from ragkit import ParsedDocument\ndef parse(file, path):\n    {body}\n    yield\n"
    make_plugin(plugins, "own-plugin", "[ragkit.formats]\n.own = own_plugin:parse\n", code)
    sys.modules.pop("own_plugin", None)
    error, message = PARSERS[body]
    with pytest.raises(error, match=message):
        load_sources(_file(tmp_path / "a.own"))


def test_a_command_that_is_none_is_an_error_and_other_commands_work(
    plugins: Path, tmp_path: Path
) -> None:
    make_plugin(
        plugins, "odd-plugin", "[ragkit.commands]\nodd = odd_plugin:odd\nbad = no_such_module:bad\n", "odd = 1\n",
    )  # fmt: skip
    assert "is a int; expected a click.Command" in ragkit_with(plugins, "odd", status=2).stderr
    assert "odd-plugin 1.0, which provides 'bad'" in ragkit_with(plugins, "bad", status=2).stderr
    listed = ragkit_with(plugins, "--help").stdout
    assert "of odd-plugin" in listed
    ragkit_with(plugins, "quotes", str(_file(tmp_path / "draft.txt")))


def test_names_that_ragkit_has_are_found_without_listing_packages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(**_: object) -> None:
        raise AssertionError("the packages were listed")

    monkeypatch.setattr("ragkit.plugins.entry_points", refuse)
    registry = Registry("ragkit.commands", {"ask": "ragkit.cli.ask:ask"})
    plugin = registry.find("ask")
    assert plugin is not None
    assert plugin.load().name == "ask"
    with pytest.raises(AssertionError):
        registry.find("other")


def test_the_example_is_described_by_its_metadata(installed: Path) -> None:
    [dist] = importlib.metadata.distributions(path=[str(installed)])
    groups = {point.group for point in dist.entry_points}
    assert groups == {"ragkit.formats", "ragkit.encoders", "ragkit.commands"}
