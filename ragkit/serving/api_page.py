"""The page at ``/docs``: Swagger UI, which shows the API and tries it out, loaded from here alone.

The package ``fastapi-swagger`` carries Swagger UI's files; its code is not used, since it would
write an inline script, which the page's policy forbids.
"""

from __future__ import annotations

from importlib.resources import files

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from ragkit.errors import MissingExtraError
from ragkit.serving.pages import page_html

__all__ = ["add_api_page"]


def add_api_page(app: FastAPI) -> None:
    """Add ``/docs`` and the files that it loads.

    Raises:
        MissingExtraError: The files are not installed.

    """
    try:
        files_of_page = files("fastapi_swagger") / "resources"
    except ModuleNotFoundError as error:
        raise MissingExtraError.of("serve", "fastapi-swagger") from error

    def page() -> HTMLResponse:
        return HTMLResponse(page_html("docs.html", "en"))

    app.add_api_route("/docs", page, methods=["GET", "HEAD"], include_in_schema=False)
    app.mount("/docs", StaticFiles(directory=str(files_of_page)))
