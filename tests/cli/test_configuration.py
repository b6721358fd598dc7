"""Settings: command line before environment before file before default, and what is wrong with them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from ragkit import InputError
from ragkit.cli import cli
from ragkit.cli.configuration import DEFAULT, Configuration, load_configuration
from ragkit.cli.options import SettingOption
from ragkit.cli.settings import SETTINGS
from support.parts import DEFAULT_INDEX, ROOT

RAPALLO = "Who signed the Treaty of Rapallo?"


def ragkit(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    return subprocess.run(
        [sys.executable, "-m", "ragkit", *arguments], capture_output=True, text=True, check=False,
        cwd=cwd, env={**clean, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip


VARIABLES = {setting.variable for setting in SETTINGS.values() if setting.key != "cache"}


def written(folder: Path, text: str) -> Path:
    path = folder / "ragkit.toml"
    path.write_text(text, encoding="utf-8")
    return path


def loaded(folder: Path, text: str = "", **environment: str) -> Configuration:
    written(folder, text)
    return load_configuration(environment, folder)


def options() -> list[tuple[str, click.Option]]:
    """Every option of every command, with the command's path."""
    found: list[tuple[str, click.Option]] = []

    def collect(command: click.Command, path: str) -> None:
        found.extend((path, p) for p in command.params if isinstance(p, click.Option))
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                child = command.get_command(context, name)
                assert child
                collect(child, f"{path} {name}")

    collect(cli, "ragkit")
    return found


def passages(done: subprocess.CompletedProcess[str]) -> int:
    assert done.returncode == 0, done.stderr
    return len(json.loads(done.stdout)["passages"])


def test_an_option_comes_before_a_variable_before_the_file_before_the_default(
    tmp_path: Path,
) -> None:
    ask = ("ask", "--json", RAPALLO)
    assert passages(ragkit(*ask, cwd=tmp_path)) == SETTINGS["k"].default
    written(tmp_path, "k = 2")
    assert passages(ragkit(*ask, cwd=tmp_path)) == 2
    assert passages(ragkit(*ask, cwd=tmp_path, RAGKIT_K="3")) == 3
    assert passages(ragkit(*ask, "-k", "4", cwd=tmp_path, RAGKIT_K="3")) == 4


def test_a_switch_of_the_file_can_be_turned_around_on_the_command_line(
    tmp_path: Path,
) -> None:
    written(tmp_path, "reader = false")
    unread, read = (
        json.loads(ragkit("ask", "--json", RAPALLO, *more, cwd=tmp_path).stdout)
        for more in ((), ("--reader",))
    )
    assert read["short"] is not None
    assert unread.get("short") is None


def test_ragkit_config_shows_each_value_and_where_it_comes_from(tmp_path: Path) -> None:
    path = written(tmp_path, 'where = ["tag=a, b"]\n[serve]\nport = 9000\n')
    done = ragkit("config", "--json", cwd=tmp_path, RAGKIT_THRESHOLD="0.4")
    content = json.loads(done.stdout)
    assert content["file"] == str(path)
    shown = {entry["key"]: entry for entry in content["settings"]}
    assert list(shown) == list(SETTINGS)
    assert (shown["serve.port"]["value"], shown["serve.port"]["origin"]) == (9000, str(path))
    assert shown["where"]["value"] == ["tag=a, b"]
    assert (shown["threshold"]["value"], shown["threshold"]["origin"]) == (0.4, "RAGKIT_THRESHOLD")
    assert (shown["k"]["value"], shown["k"]["origin"]) == (5, DEFAULT)
    table = ragkit("config", cwd=tmp_path, RAGKIT_THRESHOLD="0.4").stdout
    assert re.search(r"^serve\.port +9000 +ragkit\.toml *$", table, re.M)
    assert re.search(r"^threshold +0\.4 +RAGKIT_THRESHOLD *$", table, re.M)


def test_secrets_are_never_printed(tmp_path: Path) -> None:
    text = 'index = "milvus://root:s3/cr@et@host:19530/x"\nllm-url = "http://host/v1?key=s3/cr@et"'
    written(tmp_path, text)
    for arguments in (("config",), ("config", "--json")):
        done = ragkit(*arguments, cwd=tmp_path, RAGKIT_TOKEN="s3/cr@et")
        assert done.returncode == 0
        assert "cr@et" not in done.stdout + done.stderr
        assert "RAGKIT_TOKEN" in done.stdout
        assert "host:19530/x" in done.stdout


def test_the_file_is_looked_for_upwards_to_the_root_of_the_project(tmp_path: Path) -> None:
    inner = tmp_path / "project" / "notes" / "2026"
    inner.mkdir(parents=True)
    written(tmp_path, "k = 1")
    assert load_configuration({}, inner).file is None  # no project: only the folder itself
    (tmp_path / "project" / ".git").mkdir()
    assert load_configuration({}, inner).file is None  # above the root of the project
    path = written(tmp_path / "project", "k = 2")
    assert load_configuration({}, inner).file == path
    nearer = written(inner.parent, "k = 3")
    assert load_configuration({}, inner).file == nearer


def test_a_named_file_replaces_the_one_that_is_looked_for(tmp_path: Path) -> None:
    written(tmp_path, "k = 1")
    (tmp_path / "other.toml").write_text("k = 2", encoding="utf-8")
    (tmp_path / "third.toml").write_text("k = 3", encoding="utf-8")
    ask = ("ask", "--json", RAPALLO)
    assert passages(ragkit(*ask, cwd=tmp_path, RAGKIT_CONFIG="other.toml")) == 2
    named = ragkit("--config", "third.toml", *ask, cwd=tmp_path, RAGKIT_CONFIG="other.toml")
    assert passages(named) == 3


def test_paths_in_the_file_are_relative_to_it_and_those_in_variables_to_the_working_folder(
    tmp_path: Path,
) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "inner").mkdir()
    (tmp_path / "own").symlink_to(DEFAULT_INDEX)
    written(tmp_path, 'index = "own"')
    assert passages(ragkit("ask", "--json", RAPALLO, cwd=tmp_path / "inner")) == 5
    done = ragkit("ask", RAPALLO, cwd=tmp_path / "inner", RAGKIT_INDEX="own")
    assert "no index at own" in done.stderr
    address = loaded(tmp_path, 'index = "milvus://host:19530/own"')
    assert address.values["index"].value == "milvus://host:19530/own"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("k = ", "is not TOML"),
        ("k = 0", "k is 0; expected a whole number, 1 or more."),
        ("k = true", "k is True (a boolean); expected a whole number"),
        ("k = 2.0", "k is 2.0 (a float); expected a whole number"),
        ("threshold = 1.5", "threshold is 1.5; expected a number from 0 to 1."),
        ("threshold = nan", "threshold is nan; expected a number from 0 to 1."),
        ("reader = 1", "reader is 1 (an integer); expected true or false."),
        ('where = "a=b"', "where is 'a=b' (a string); expected a list of texts."),
        ('unsupported = "keep"', "unsupported is 'keep'; expected drop or mark."),
        ('[serve]\nport = "8000"', "serve.port is '8000' (a string); expected a whole number from 0 to 65535."),
        ("llm = 2026-11-30", "llm is datetime.date(2026, 11, 30) (a date or time); expected a text."),
        ("serve = 8000", "serve is 8000 (an integer); expected a table, [serve], with host, port"),
        ("port = 8000", "there is no setting 'port'. Did you mean serve.port or mcp.port?"),
        ("tresholds = 0.1", "there is no setting 'tresholds'. Did you mean threshold?"),
        ("[serve]\nallow_host = []", "Did you mean serve.allow-host?"),
        ("[serve]\nzzz = 1", "there is no setting 'serve.zzz'. Expected in [serve]: host, port"),
        ("[zzz]\nzzz = 1", "Expected in the file: index, k, threshold"),
        ('token = "x"', "'token' cannot be set in a file. Set the environment variable RAGKIT_TOKEN."),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_named_with_what_was_expected(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as error:
        loaded(tmp_path, text)
    assert str(error.value).startswith(str(tmp_path / "ragkit.toml"))


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("RAGKIT_K", "three", "RAGKIT_K is 'three'; expected a whole number, 1 or more."),
        ("RAGKIT_SERVE_PORT", "70000", "expected a whole number from 0 to 65535"),
        ("RAGKIT_READER", "maybe", "RAGKIT_READER is 'maybe'; expected true or false."),
        ("RAGKIT_CONFIG", "nowhere.toml", "there is no configuration file nowhere.toml"),
    ],
)
def test_what_is_wrong_with_a_variable_is_named_with_what_was_expected(
    tmp_path: Path, variable: str, text: str, message: str
) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        load_configuration({variable: text}, tmp_path)
    done = ragkit("ask", RAPALLO, cwd=tmp_path, **{variable: text})
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_variables_are_read_as_the_type_of_their_setting(tmp_path: Path) -> None:
    values = loaded(
        tmp_path, RAGKIT_SERVE_ALLOW_HOST="a.example, b.example,", RAGKIT_READER="Yes",
        RAGKIT_CHAT_HISTORY="off", RAGKIT_THRESHOLD="1e-1", RAGKIT_LLM="", RAGKIT_TOKEN="",
    ).values  # fmt: skip
    assert values["serve.allow-host"].value == ("a.example", "b.example")
    assert values["reader"].value is True
    assert values["chat.history"].value is False
    assert values["threshold"].value == 0.1
    assert "llm" not in values  # an empty variable sets nothing,
    assert values["token"].value == ""  # except a token, which must not turn protection off


def test_a_variable_with_a_typo_is_a_warning_and_what_kubernetes_sets_is_none(
    tmp_path: Path,
) -> None:
    done = ragkit("config", cwd=tmp_path, RAGKIT_SERVE_PROT="1")
    assert done.returncode == 0
    assert "RAGKIT_SERVE_PROT is not used; did you mean RAGKIT_SERVE_PORT?" in done.stderr
    done = ragkit(
        "config", cwd=tmp_path, RAGKIT_PORT_80_TCP_ADDR="10.0.0.1", RAGKIT_SERVICE_HOST="10.0.0.1"
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_help_and_commands_without_settings_work_beside_a_broken_file(tmp_path: Path) -> None:
    written(tmp_path, "k = ")
    for arguments in (("--help",), ("serve", "--help"), ("index", "info", str(DEFAULT_INDEX))):
        assert ragkit(*arguments, cwd=tmp_path).returncode == 0


def test_every_setting_is_an_option_and_the_option_says_what_the_table_says() -> None:
    used = set()
    for path, option in options():
        if isinstance(option, SettingOption):
            used.add(option.setting.key)
            assert option.help == option.setting.help, path
            assert f"--{option.setting.name}" in option.opts or option.opts == ["-k"], path
    assert set(SETTINGS) - used == {"config", "endpoint-token", "cache"}
    assert "--config" in {name for _, option in options() for name in option.opts}


def test_an_option_that_is_a_setting_in_one_command_is_the_same_in_all() -> None:
    of_settings = {o.opts[0] for _, o in options() if isinstance(o, SettingOption)}
    others = {
        (path, option.opts[0])
        for path, option in options()
        if not isinstance(option, SettingOption) and option.opts[0] in of_settings
    }
    assert others == {
        ("ragkit eval run", "--history"),  # a file of figures, not the lines typed in a chat
        ("ragkit eval gate", "--history"),
        ("ragkit eval review", "--port"),  # one page on this machine, for an hour
        ("ragkit eval generate", "--llm"),  # without it, templates write the questions
        ("ragkit eval generate", "--llm-url"),
        ("ragkit tune", "--index"),  # these change or compare the index: it has to be named
        ("ragkit index reanchor", "--index"),
        ("ragkit index build", "--workers"),  # a cluster's address, not a number of processes
        ("ragkit index update", "--workers"),
        ("ragkit index update", "--language"),  # by default that of the index, not of a file
        ("ragkit index update", "--drop-missing"),  # drops documents: never by a file
    }


def test_no_two_settings_have_one_variable_and_no_variable_is_outside_the_table() -> None:
    variables = [setting.variable for setting in SETTINGS.values()]
    assert len(variables) == len(set(variables))
    for path in [
        *ROOT.glob("ragkit/**/*.py"),
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("deploy/*"),
    ]:
        if path.is_file() and path.name != "settings.py":
            for name in re.findall(r"\bRAGKIT_[A-Z][A-Z_]*\b", path.read_text(encoding="utf-8")):
                assert name in variables or path.name == "configuration.py", f"{path}: {name}"
