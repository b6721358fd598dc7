"""``server.json``, by which the MCP registry lists the server.

The rules are those of the registry's schema 2025-12-11, which the file names: see
https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json
"""

from __future__ import annotations

import json
import tomllib
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

import ragkit
from ragkit.cli import cli
from support.parts import ROOT

SERVER: dict[str, Any] = json.loads((ROOT / "server.json").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

ARGUMENT = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": {"enum": ["named", "positional"]},
        "format": {"enum": ["string", "number", "boolean", "filepath"]},
        "isRequired": {"type": "boolean"},
    },
    "if": {"properties": {"type": {"const": "named"}}},
    "then": {"required": ["name"]},
    "else": {"anyOf": [{"required": ["value"]}, {"required": ["valueHint"]}]},
}
RULES = {
    "type": "object",
    "required": ["$schema", "name", "description", "version", "packages"],
    "properties": {
        "$schema": {
            "const": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
        },
        "name": {"pattern": r"^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$", "minLength": 3, "maxLength": 200},
        "title": {"minLength": 1, "maxLength": 100},
        "description": {"minLength": 1, "maxLength": 100},
        "version": {"maxLength": 255},
        "packages": {
            "items": {
                "required": ["registryType", "identifier", "transport", "runtimeHint"],
                "properties": {
                    "transport": {"properties": {"type": {"const": "stdio"}}},
                    "runtimeArguments": {"items": ARGUMENT},
                    "packageArguments": {"items": ARGUMENT},
                },
            }
        },
    },
}


def test_the_file_keeps_to_the_rules_of_the_schema_that_it_names() -> None:
    jsonschema.validate(SERVER, RULES)


@pytest.mark.parametrize(
    "change", [{"description": "x" * 101}, {"name": "no-slash"}, {"packages": [{}]}]
)
def test_a_file_that_breaks_a_rule_is_noticed(change: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(SERVER | change, RULES)


def test_its_versions_are_the_packages() -> None:
    [package] = SERVER["packages"]
    [extra] = package["runtimeArguments"]
    assert SERVER["version"] == package["version"] == ragkit.__version__
    assert extra["value"] == f"{PROJECT['name']}[mcp]=={ragkit.__version__}"


def test_the_package_has_a_program_of_its_own_name_which_uvx_runs() -> None:
    [package] = SERVER["packages"]
    assert package["identifier"] == PROJECT["name"]
    assert PROJECT["scripts"][PROJECT["name"]] == PROJECT["scripts"]["ragkit"]


def test_its_arguments_are_a_command_that_the_program_accepts() -> None:
    [package] = SERVER["packages"]
    program, *arguments = [
        [one["name"], one["placeholder"]] if one["type"] == "named" else [one["value"]]
        for one in package["packageArguments"]
    ]
    context = cli.make_context("ragkit", program)
    command = cli.get_command(context, program[0])
    assert command is not None
    options = [part for argument in arguments for part in argument]
    parsed = command.make_context(program[0], options, parent=context).params
    assert str(parsed["index_path"]) == "indexes/handbook"
    assert parsed["about"] == "the staff handbook"
