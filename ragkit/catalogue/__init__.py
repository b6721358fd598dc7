"""The sentences that people read, in several languages: one JSON file a language.

The command line, the server and the chat page all take them from here.
"""

from ragkit.catalogue.catalogue import LANGUAGES, Catalogue, catalogue
from ragkit.catalogue.choice import accepted_language, best_language, environment_language
from ragkit.catalogue.plurals import PLURAL_FORMS, plural_form

__all__ = [
    "LANGUAGES",
    "PLURAL_FORMS",
    "Catalogue",
    "accepted_language",
    "best_language",
    "catalogue",
    "environment_language",
    "plural_form",
]
