"""Options that name a chatbot to evaluate in place of the index."""

from __future__ import annotations

import functools
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ragkit.cli.options import Command, setting_option, setting_value
from ragkit.errors import InputError

if TYPE_CHECKING:
    from ragkit.evaluation import Chatbot

__all__ = ["chatbot_options"]

_OPTIONS = (
    setting_option("eval.endpoint"),
    click.option(
        "--callable",
        "function",
        metavar="MODULE:FUNCTION",
        help="Evaluate this Python function in place of the index: it takes a question and "
        "returns a text, or a dict with text, citations, answered and confidence.",
    ),
    setting_option("eval.endpoint-model"),
    setting_option("eval.body"),
    setting_option("eval.text-path"),
    setting_option("eval.citations-path"),
    setting_option("eval.answered-path"),
    setting_option("eval.confidence-path"),
    setting_option("eval.abstains-with"),
    setting_option("eval.paraphrases"),
)


def chatbot_options(command: Command) -> Command:
    """Add the options of a chatbot; the command gets it as ``chatbot``, or None."""

    @functools.wraps(command)
    def with_chatbot(
        *, endpoint: str | None, function: str | None, endpoint_model: str, body: str | None,
        text_path: str | None, citations_path: str | None, answered_path: str | None,
        confidence_path: str | None, abstains_with: str | None, paraphrases: bool, **rest: Any,
    ) -> Any:  # fmt: skip
        from ragkit.evaluation import Chatbot, ChatEndpoint, ReplyPaths
        from ragkit.evaluation.endpoint import short_address

        if endpoint is not None and function is not None:
            raise InputError("--endpoint and --callable are both there; expected one of them.")
        _refuse_stray(has_endpoint=endpoint is not None, has_function=function is not None)
        chatbot: Chatbot | None = None
        if endpoint is not None:
            call = ChatEndpoint(
                endpoint,
                model=endpoint_model,
                paths=ReplyPaths(text_path, citations_path, answered_path, confidence_path),
                body=_parsed(body),
                token=setting_value("endpoint-token"),
            )
            chatbot = Chatbot(short_address(endpoint), call, abstains_with, paraphrases)
        elif function is not None:
            chatbot = Chatbot(function, _imported(function), abstains_with, paraphrases)
        return command(chatbot=chatbot, **rest)

    for option in reversed(_OPTIONS):
        with_chatbot = option(with_chatbot)
    return with_chatbot  # type: ignore[return-value]


_OF_ENDPOINT = (
    "endpoint_model", "body", "text_path", "citations_path", "answered_path", "confidence_path",
)  # fmt: skip
_OF_CHATBOT = ("abstains_with", "paraphrases")


def _refuse_stray(*, has_endpoint: bool, has_function: bool) -> None:
    """Raise InputError for an option of a chatbot without the chatbot: it would do nothing."""
    context = click.get_current_context()
    needed = dict.fromkeys(_OF_ENDPOINT, (has_endpoint, "--endpoint"))
    either = (has_endpoint or has_function, "--endpoint or --callable")
    for name, (is_there, expected) in (needed | dict.fromkeys(_OF_CHATBOT, either)).items():
        is_typed = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if is_typed and not is_there:
            option = f"--{name.replace('_', '-')}"
            raise InputError(f"{option} has no {expected} beside it; expected that, or neither.")


def _parsed(body: str | None) -> Any:
    try:
        return None if body is None else json.loads(body)
    except ValueError as error:
        raise InputError(f"--body is not JSON ({error}): {body!r}.") from error


def _imported(name: str) -> Any:
    """Return the function that ``MODULE:FUNCTION`` names; modules of this folder come first."""
    module, _, attributes = name.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        function: Any = import_module(module)
        for attribute in attributes.split("."):
            function = getattr(function, attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"--callable {name} cannot be imported ({type(error).__name__}: {error}); expected "
            f"MODULE:FUNCTION, such as my_bot:answer."
        ) from error
    if not callable(function):
        raise InputError(f"--callable {name} is a {type(function).__name__}; expected a function.")
    return function
