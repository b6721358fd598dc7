"""The routes of the HTTP API, one module a subject; each module has a ``router``."""
