"""What ``ragkit.toml`` and the environment set: the file is found, parsed and checked.

The command line comes before the environment, the environment before the file, and the file before
the defaults.
"""

from __future__ import annotations

import logging
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ragkit.cli.settings import SETTINGS, Setting
from ragkit.errors import InputError

__all__ = [
    "DEFAULT",
    "FILE_NAME",
    "Configuration",
    "Effective",
    "load_configuration",
    "without_credentials",
]

FILE_NAME = "ragkit.toml"
DEFAULT = "default"
"""Origin of a value that neither a variable nor the file sets."""

_PROJECT_ROOT = ".git"
_SWITCHES = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
_CREDENTIALS = re.compile(r"(?<=://)\S+(?=@)|(?<=\?)\S+")
"""In an address: user and password, and the query, where services take keys."""
_OF_KUBERNETES = re.compile(r"_SERVICE_(HOST|PORT)|_PORT_\d")
"""In what Kubernetes sets in every container for a service that is called ragkit."""
_log = logging.getLogger("ragkit")


@dataclass(frozen=True, slots=True)
class Effective:
    """The value of a setting, and where it comes from.

    Attributes:
        setting: the setting.
        value: its value; None for none.
        origin: the environment variable, the path of the file, ``DEFAULT``, or ``--config``.

    """

    setting: Setting
    value: Any
    origin: str

    @property
    def shown(self) -> Any:
        """The value as it may be shown: without a secret, or credentials in an address."""
        if self.setting.secret:
            return None if self.value is None else "(secret)"
        return without_credentials(self.value)


@dataclass(frozen=True, slots=True)
class Configuration:
    """All settings that a file and the environment set.

    Attributes:
        file: the file that was read; None if there is none.
        values: key → value, of the settings that are set.

    """

    file: Path | None
    values: Mapping[str, Effective]

    def effective(self) -> list[Effective]:
        """Return every setting with its value, in the order of the reference."""
        return [
            self.values.get(key, Effective(setting, setting.default, DEFAULT))
            for key, setting in SETTINGS.items()
        ]


def load_configuration(
    environment: Mapping[str, str], folder: Path, *, file: Path | None = None
) -> Configuration:
    """Return what the environment and a configuration file set.

    Args:
        environment: environment variables; those named ``RAGKIT_…`` are looked at.
        folder: where the search for ``ragkit.toml`` begins, if neither ``file`` nor
            ``RAGKIT_CONFIG`` names one.
        file: the file to read.

    Raises:
        InputError: the file is missing, unreadable or no TOML; a key is unknown; or a value has
            another type or range than expected.

    """
    variables = dict(_from_environment(environment))
    if file is not None:
        variables["config"] = Effective(SETTINGS["config"], str(file), "--config")
    elif "config" in variables:
        file = Path(variables["config"].value)
    path = _search(folder) if file is None else file
    values = dict(_from_file(path)) if path else {}
    return Configuration(path, {**values, **variables})


def _search(folder: Path) -> Path | None:
    """Return the nearest file from a folder up to its project's root; beyond that none is read.

    Outside a project only the folder itself is looked at: a file in a folder that others can write,
    such as /tmp, must not configure what runs somewhere below it.
    """
    above = [folder, *folder.parents]
    depth = next((n for n, one in enumerate(above) if (one / _PROJECT_ROOT).exists()), 0)
    candidates = (one / FILE_NAME for one in above[: depth + 1])
    return next((path for path in candidates if path.is_file()), None)


def _from_environment(environment: Mapping[str, str]) -> Iterator[tuple[str, Effective]]:
    by_variable = {setting.variable: setting for setting in SETTINGS.values()}
    for variable, text in environment.items():
        setting = by_variable.get(variable)
        if setting is None:
            _warn_of_typo(variable, list(by_variable))
        elif text or setting.secret:  # an empty token must not turn the protection off
            yield setting.key, Effective(setting, _parsed(setting, variable, text), variable)


def _warn_of_typo(variable: str, variables: list[str]) -> None:
    """Warn of a variable that is nearly one of ragkit's; others may have their own reasons."""
    if not variable.startswith("RAGKIT_") or _OF_KUBERNETES.search(variable):
        return
    if close := get_close_matches(variable, variables, 1, cutoff=0.9):
        _log.warning("the variable %s is not used; did you mean %s?", variable, close[0])


def _parsed(setting: Setting, variable: str, text: str) -> Any:
    """Return the value of a variable's text."""
    try:
        match setting.kind:
            case "whole number":
                value: Any = int(text)
            case "number":
                value = float(text)
            case "switch":
                value = _SWITCHES[text.strip().lower()]
            case "list":
                value = tuple(part.strip() for part in text.split(",") if part.strip())
            case _:
                value = text
    except (ValueError, KeyError):
        raise _wrong(setting, variable, repr(text)) from None
    _check(setting, variable, value)
    return value


def _from_file(path: Path) -> Iterator[tuple[str, Effective]]:
    for key, value in _flattened(_toml(path), path):
        setting = SETTINGS.get(key)
        if setting is None:
            raise InputError(f"{path}: there is no setting {key!r}.{_suggestion(key)}")
        if not setting.in_file:
            raise InputError(
                f"{path}: {key!r} cannot be set in a file. Set the environment variable "
                f"{setting.variable}."
            )
        yield key, Effective(setting, _typed(setting, path, value), str(path))


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise InputError(
            f"there is no configuration file {path}. Correct --config or RAGKIT_CONFIG, or write "
            f"the file."
        ) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # no UTF-8, or no TOML
        raise InputError(f"{path} is not TOML: {error}. Correct it there.") from error


def _flattened(content: Mapping[str, Any], path: Path) -> Iterator[tuple[str, Any]]:
    """Yield ``table.key`` for each key of a table."""
    tables = {key.partition(".")[0] for key in SETTINGS if "." in key}
    for key, value in content.items():
        if key in tables and not isinstance(value, dict):
            raise InputError(
                f"{path}: {key} is {_described(value)}; expected a table, [{key}], with "
                f"{', '.join(_names_in(key))}."
            )
        if isinstance(value, dict):
            yield from ((f"{key}.{name}", inner) for name, inner in value.items())
        else:
            yield key, value


def _names_in(table: str) -> list[str]:
    """Return the names of the settings in a table; those in none for ``""``."""
    return [
        setting.name
        for key, setting in SETTINGS.items()
        if key.rpartition(".")[0] == table and setting.in_file
    ]


def _suggestion(key: str) -> str:
    """Return the setting that was probably intended, or all settings of the key's table."""
    table, _, name = key.replace("_", "-").rpartition(".")
    keys = [one for one, setting in SETTINGS.items() if setting.in_file]
    names = get_close_matches(name, {SETTINGS[one].name for one in keys}, 1)
    similar = [one for one in keys if SETTINGS[one].name in names]
    beside = [one for one in similar if one.rpartition(".")[0] == table] or similar
    if beside:
        return f" Did you mean {' or '.join(beside)}?"
    place = f"[{table}]" if _names_in(table) and table else "the file"
    return f" Expected in {place}: {', '.join(_names_in(table) or _names_in(''))}."


def _typed(setting: Setting, path: Path, value: Any) -> Any:
    """Return a value of the file with its type checked; a path relative to the file's folder."""
    where, kind = f"{path}: {setting.key}", setting.kind
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    is_right = {
        "whole number": is_number and isinstance(value, int),
        "number": is_number,
        "switch": isinstance(value, bool),
        "list": isinstance(value, list) and all(isinstance(part, str) for part in value),
    }.get(kind, isinstance(value, str))
    if not is_right:
        raise _wrong(setting, where, _described(value))
    _check(setting, where, value)
    if kind == "list":
        return tuple(value)
    if kind == "path" or (kind == "index" and "://" not in value):
        return str(path.parent / Path(value).expanduser())
    return value


def _check(setting: Setting, where: str, value: Any) -> None:
    """Raise InputError for a value that is not a choice, or out of range."""
    if setting.choices and value not in setting.choices:
        raise _wrong(setting, where, repr(value))
    below = setting.low is not None and not value >= setting.low
    if below or (setting.high is not None and not value <= setting.high):
        raise _wrong(setting, where, repr(value))


def _wrong(setting: Setting, where: str, value: str) -> InputError:
    shown = "a secret" if setting.secret else value
    return InputError(f"{where} is {shown}; expected {setting.expected}.")


def _described(value: Any) -> str:
    """Return a value of TOML with the name that TOML has for its type."""
    names = {bool: "a boolean", int: "an integer", float: "a float", str: "a string",
             list: "an array", dict: "a table"}  # fmt: skip
    return f"{value!r} ({names.get(type(value), 'a date or time')})"


def without_credentials(value: Any) -> Any:
    if isinstance(value, str):
        return _CREDENTIALS.sub("…", value) if "://" in value else value
    return value
