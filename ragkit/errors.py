"""Every error that ragkit raises on purpose, in one tree.

    RagkitError
    ├── InputError                 an argument cannot be used        (also a ValueError)
    │   ├── QuestionError          the question cannot be asked
    │   ├── FilterError            a condition is malformed, or on what no document has
    │   └── SourceError            a source cannot be read
    ├── EncoderError               a model is missing, altered or unusable
    ├── LanguageModelError         an endpoint cannot be reached, refuses the call, or breaks off
    ├── StoreError                 something about an index on disk
    │   ├── IndexNotFoundError     nothing is there
    │   ├── IndexDamagedError      a file is missing, cut, altered or foreign
    │   ├── IndexReadError         it could not be read here and now: permissions, file handles
    │   ├── IndexMismatchError     made by another model or another format
    │   ├── IndexStaleError        its source changed after it was built
    │   ├── IndexExistsError       documents of an index that is there would be dropped
    │   ├── IndexLockedError       another process is writing it
    │   ├── IndexWriteError        it could not be written; what stood there still stands
    │   └── IndexServerError       the server that it lies on does not answer, or refuses
    ├── WorkersError               a cluster's workers cannot be reached, differ, or failed
    ├── PluginError                another package's plugin fails, or two claim one name
    └── MissingExtraError          an optional dependency is not installed

A message says what was found, what was expected and what to do. Catching ``RagkitError``
catches them all; nothing else is raised for a cause that lies outside the caller's own code.
"""

from __future__ import annotations

__all__ = [
    "EncoderError",
    "FilterError",
    "IndexDamagedError",
    "IndexExistsError",
    "IndexLockedError",
    "IndexMismatchError",
    "IndexNotFoundError",
    "IndexReadError",
    "IndexServerError",
    "IndexStaleError",
    "IndexWriteError",
    "InputError",
    "LanguageModelError",
    "MissingExtraError",
    "PluginError",
    "QuestionError",
    "RagkitError",
    "SourceError",
    "StoreError",
    "WorkersError",
]


class RagkitError(Exception):
    """The root: what ragkit found, what it expected, and what to do."""


class InputError(RagkitError, ValueError):
    """An argument cannot be used as it is."""


class QuestionError(InputError):
    """The question cannot be asked: not a string, blank, too long, or with control characters."""


class FilterError(InputError):
    """A condition on documents is malformed, or on a property that no document has."""


class SourceError(InputError):
    """A source cannot be read: missing, empty, binary, not UTF-8, not permitted, or ambiguous."""


class EncoderError(RagkitError):
    """A model is missing, differs from the weights it claims to be, or cannot be loaded."""


class LanguageModelError(RagkitError):
    """A language model's endpoint could not be reached, refused the call, or broke off at once."""


class StoreError(RagkitError):
    """An index on disk cannot be used."""


class IndexNotFoundError(StoreError):
    """There is no index at that path."""


class IndexDamagedError(StoreError):
    """A file of the index is missing, cut, altered, or not what the manifest says."""


class IndexReadError(StoreError):
    """The index could not be read here and now, which says nothing about what is on the disk."""


class IndexMismatchError(StoreError):
    """The index was made by another model, or in a format that this version does not read."""


class IndexStaleError(StoreError):
    """A source file changed after the index was built from it."""


class IndexExistsError(StoreError):
    """An index with other documents stands where one was to be built."""


class IndexLockedError(StoreError):
    """Another process holds the index's write lock."""


class IndexWriteError(StoreError):
    """The index could not be written. What stood at the path before still stands."""


class IndexServerError(StoreError):
    """The server that an index lies on could not be reached, refused the call, or failed."""


class WorkersError(RagkitError):
    """Workers cannot be reached, do not read as this process does, or failed."""


class PluginError(RagkitError):
    """A plugin cannot be imported or does not keep to its interface, or two claim one name."""


class MissingExtraError(RagkitError, ImportError):
    """An optional dependency is not installed; the message carries the install line."""

    @classmethod
    def of(
        cls, extra: str, package: str, *, what: str = "this feature", end: str = ""
    ) -> MissingExtraError:
        """Return the error for a missing package, with the command that installs its extra.

        Args:
            extra: of ragkit-cited.
            package: what it brings.
            what: what needs the package.
            end: what else can be done, after the command.

        """
        return cls(
            f"{what} needs {package}, which is not installed. "
            f"Run: pip install 'ragkit-cited[{extra}]'{end}"
        )
