"""Options that several commands share, and options whose values are settings as well."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from ragkit.cli.configuration import Configuration, load_configuration
from ragkit.cli.settings import SETTINGS, Setting
from ragkit.errors import InputError

if TYPE_CHECKING:
    from ragkit.api import Index
    from ragkit.grounding import LanguageModel

__all__ = [
    "Command",
    "IndexLocation",
    "SettingOption",
    "configuration",
    "fresh_option",
    "index_option",
    "json_option",
    "language_model",
    "llm_options",
    "opened",
    "reader_option",
    "setting_option",
    "setting_value",
    "threshold_option",
    "where_option",
    "with_reader",
]

Command = TypeVar("Command", bound=Callable[..., Any])


class IndexLocation(click.Path):
    """A folder's path, or the address of an index on a server."""

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> str | bytes | os.PathLike[str]:
        from ragkit.indexing import is_remote

        return value if is_remote(value) else super().convert(value, param, ctx)


class SettingOption(click.Option):
    """An option of which the environment or ``ragkit.toml`` gives the value if it is absent."""

    def __init__(self, *arguments: Any, setting: Setting, **attributes: Any) -> None:
        """``setting``: whose value this option has."""
        super().__init__(*arguments, **attributes)
        self.setting = setting

    def consume_value(
        self, ctx: click.Context, opts: Mapping[str, Any]
    ) -> tuple[Any, ParameterSource]:
        value, source = super().consume_value(ctx, opts)
        if source is ParameterSource.DEFAULT and not ctx.resilient_parsing:
            effective = configuration(ctx).values.get(self.setting.key)
            if effective is not None:
                return effective.value, ParameterSource.DEFAULT_MAP
        return value, source


def configuration(ctx: click.Context) -> Configuration:
    """Return what the file and the environment set; read once, when a value is first needed.

    Raises:
        InputError: as ``load_configuration`` raises.

    """
    root = ctx.find_root()
    if root.obj is None:
        file = root.params.get("config_path")
        root.obj = load_configuration(os.environ, Path.cwd(), file=file)
    loaded: Configuration = root.obj
    return loaded


def setting_value(key: str) -> Any:
    """Return the value of a setting that is no option of the command that runs."""
    effective = configuration(click.get_current_context()).values.get(key)
    return SETTINGS[key].default if effective is None else effective.value


def setting_option(key: str, *names: str) -> Callable[[Command], Command]:
    """Return the option of a setting.

    Args:
        key: of the setting.
        names: as of ``click.option``, to replace the option's name or the parameter's.

    """
    setting = SETTINGS[key]
    flag = f"--{setting.name}/--no-{setting.name}" if setting.kind == "switch" else None
    option = flag or f"--{setting.name}"
    has_option = any(name.startswith("-") for name in names)
    return click.option(
        *([] if has_option else [option]),
        *names,
        cls=SettingOption,
        setting=setting,
        type=_type_of(setting),
        metavar=setting.metavar,
        default=setting.default,
        show_default=setting.kind not in ("switch", "list") and setting.default is not None,
        multiple=setting.kind == "list",
        help=setting.help,
    )


def _type_of(setting: Setting) -> Any:
    if setting.choices:
        return click.Choice(setting.choices)
    return {
        "whole number": click.INT,
        "number": click.FLOAT,
        "switch": click.BOOL,
        "path": click.Path(path_type=Path),
        "index": IndexLocation(path_type=Path),
    }.get(setting.kind, click.STRING)


index_option = setting_option("index", "index_path")
reader_option = setting_option("reader", "reads")
threshold_option = setting_option("threshold")
where_option = setting_option("where", "conditions")
fresh_option = setting_option("require-fresh")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def llm_options(command: Command) -> Command:
    """Add the options of a language model; ``language_model`` turns them into one."""
    for option in (
        setting_option("unsupported"),
        setting_option("llm-url"),
        setting_option("llm", "llm_name"),
    ):
        command = option(command)
    return command


def opened(index_path: Path | None, *, reads: bool, require_fresh: bool) -> Index:
    """Return the index that ``--index`` names, without its reader unless it ``reads``."""
    from ragkit.default import open_index

    return with_reader(open_index(index_path, require_fresh=require_fresh), reads=reads)


def with_reader(index: Index, *, reads: bool) -> Index:
    """Return the index as it is if it ``reads``, otherwise without a reader."""
    return index if reads else index.with_reader(None)


def language_model(
    name: str | None, url: str | None, *, counts_tokens: bool = False, **options: Any
) -> LanguageModel | None:
    """Return the model that ``--llm`` and ``--llm-url`` name, or None without ``--llm``.

    If it ``counts_tokens``, its server is asked to report them; few servers refuse to. Other
    ``options`` are those of ``ChatModel``.
    """
    from ragkit.grounding import ChatModel

    if name is None and url is not None:
        raise InputError(
            f"--llm-url {url} has no --llm beside it; expected the model's name as well."
        )
    if counts_tokens:
        options["stream_options"] = {"include_usage": True}
    return None if name is None else ChatModel(name, base_url=url, **options)
