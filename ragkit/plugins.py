"""What other packages add: document formats, encoders and commands, by their entry points.

    ragkit.formats     a suffix, such as ".srt"     →  a function ``parse(file, path)``
    ragkit.encoders    a model's name               →  a function ``load(name, runtime=, prompts=)``
    ragkit.commands    a command's name             →  a ``click.Command``

What ragkit itself has and what plugins add is looked up in the same ``Registry``. A plugin is
imported when it is first used, and the entry points of the installed packages are listed when one
is first looked for. What fails concerns only those who use it: a plugin that cannot be imported, or
two that claim one name, are a ``PluginError`` for that name and nothing else. What ragkit itself
has cannot be replaced: a plugin that claims such a name is ignored, and the log says so.
"""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ragkit.errors import PluginError, RagkitError

__all__ = ["Plugin", "Registry"]

_OWN_PACKAGE = "ragkit-cited"
_log = logging.getLogger("ragkit")


@dataclass(frozen=True, slots=True)
class Plugin:
    """A part that is found by its name.

    Attributes:
        name: what it is found by, such as a suffix.
        target: where it is, ``module:attribute``.
        package: the distribution that it is from.
        version: of the distribution.

    """

    name: str
    target: str
    package: str
    version: str

    @property
    def is_foreign(self) -> bool:
        """Whether it is from another package than ragkit."""
        return self.package != _OWN_PACKAGE

    def load(self) -> Any:
        """Import it.

        Raises:
            PluginError: it is from another package and cannot be imported.

        """
        module, _, attribute = self.target.partition(":")
        if not self.is_foreign:
            return getattr(import_module(module), attribute)
        try:
            return EntryPoint(self.name, self.target, "").load()
        except RagkitError:
            raise
        # Whatever a foreign module does when it is imported must not pass for a fault of ragkit's.
        except Exception as error:
            raise PluginError(
                f"the plugin {self.package} {self.version}, which provides {self.name!r}, cannot "
                f"be imported: {self.target}: {type(error).__name__}: {error}. Repair it, or "
                f"remove it: pip uninstall {self.package}"
            ) from error


class Registry:
    """The parts of one kind, by name: ragkit's own, and those of plugins.

    Args:
        group: the group of entry points that plugins use, such as ``ragkit.formats``.
        own: name → ``module:attribute`` of ragkit's own parts.
        names: what a plugin's name must match; one that does not is ignored, and the log says so.

    """

    def __init__(self, group: str, own: Mapping[str, str], *, names: str = ".+") -> None:
        self.group = group
        self.own = dict(own)
        self._form = re.compile(names)

    def names(self) -> list[str]:
        """Return ragkit's own names, then those that plugins add."""
        return [*self.own, *sorted(self._foreign)]

    def find(self, name: str) -> Plugin | None:
        """Return the part with this name, or None.

        The installed packages are only listed for a name that ragkit itself does not have.

        Raises:
            PluginError: several packages provide it.

        """
        if name in self.own:
            return Plugin(name, self.own[name], _OWN_PACKAGE, "")
        claims = self._foreign.get(name, ())
        if len(claims) > 1:
            packages = " and ".join(f"{one.package} {one.version}" for one in claims)
            raise PluginError(
                f"{packages} both provide {name!r} ({self.group}); expected one. Remove one of "
                f"them: pip uninstall {claims[-1].package}"
            )
        return claims[0] if claims else None

    def plugins(self) -> list[Plugin]:
        """Return what plugins provide, with every claim of a name that several claim."""
        return [plugin for claims in self._foreign.values() for plugin in claims]

    @cached_property
    def _foreign(self) -> Mapping[str, Sequence[Plugin]]:
        """All claims to each name that ragkit itself does not have, by package."""
        claims: dict[str, list[Plugin]] = defaultdict(list)
        for plugin in _installed(self.group):
            fault = self._fault_of(plugin)
            if fault is None:
                claims[plugin.name].append(plugin)
            else:
                _log.warning("%s", fault)
        return dict(claims)

    def _fault_of(self, plugin: Plugin) -> str | None:
        """Return why a plugin is ignored, or None."""
        claim = f"the plugin {plugin.package} provides {plugin.name!r} ({self.group})"
        if plugin.name in self.own:
            return f"{claim}, which ragkit has itself: it is ignored."
        if not self._form.fullmatch(plugin.name):
            return f"{claim}; expected a name like {self._form.pattern}: it is ignored."
        return None


def _installed(group: str) -> Iterator[Plugin]:
    """Yield the entry points of a group; the same package may be on the path twice."""
    every = {
        Plugin(point.name, point.value, point.dist.name, point.dist.version)
        for point in entry_points(group=group)
        if point.dist is not None
    }
    yield from sorted(every, key=lambda plugin: (plugin.name, plugin.package))
