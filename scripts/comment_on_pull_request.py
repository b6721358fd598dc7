"""Post a Markdown file as a comment on the pull request of a GitHub Actions job, or update it.

    comment_on_pull_request.py summary.md --name eval

The comment begins with a hidden mark that has the name, by which the next run finds it. Only the
standard library is used. GitHub's own variables say where: GITHUB_API_URL, GITHUB_REPOSITORY,
GITHUB_EVENT_PATH (the pull request) and GITHUB_TOKEN.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

MAX_CHARACTERS = 65_000  # GitHub refuses a comment of more than 65,536
CUT = "\n\n(Cut here; the job summary has all of it.)\n"
PER_PAGE = 100
MAX_PAGES = 50
TIMEOUT = 30.0  # seconds a call


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path, help="Markdown to post")
    parser.add_argument("--name", required=True, help="tells this comment from others of its kind")
    arguments = parser.parse_args()
    event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    mark = f"<!-- ragkit gate: {arguments.name.replace('--', '- -')} -->"
    body = comment_body(mark, arguments.file.read_text(encoding="utf-8"))
    try:
        print(post(event["pull_request"]["number"], mark, body))
    except (OSError, HTTPException, ValueError) as error:
        # The gate decides on the job, and a comment does not.
        print(f"::warning title=ragkit gate::{reason(error)}")
    return 0


def reason(error: Exception) -> str:
    """Return in a line why there is no comment."""
    if isinstance(error, urllib.error.HTTPError) and error.code == 403:
        # As for a fork's pull request, whose jobs get a token that may only read.
        return "The token may not write comments on pull requests."
    cause = " ".join(f"{type(error).__name__}: {error}".split())
    return f"No comment was posted on the pull request ({cause})."


def comment_body(mark: str, text: str) -> str:
    """Return the comment: the mark, then the text, cut if GitHub would refuse it."""
    body = f"{mark}\n{text}"
    return body if len(body) <= MAX_CHARACTERS else body[: MAX_CHARACTERS - len(CUT)] + CUT


def post(number: int, mark: str, body: str) -> str:
    """Update the comment that has the mark, or post a new one; return its address."""
    issue = f"issues/{number}/comments"
    old = next((c["id"] for c in comments(issue) if (c["body"] or "").startswith(mark)), None)
    if old is None:
        return str(call("POST", issue, {"body": body})["html_url"])
    return str(call("PATCH", f"issues/comments/{old}", {"body": body})["html_url"])


def comments(issue: str) -> Iterator[Any]:
    for page in range(1, MAX_PAGES + 1):
        listed = call("GET", f"{issue}?per_page={PER_PAGE}&page={page}")
        yield from listed
        if len(listed) < PER_PAGE:
            return


def call(method: str, path: str, content: Any = None) -> Any:
    """Call GitHub's REST API on the repository and return the JSON of the response."""
    api, repository = os.environ["GITHUB_API_URL"], os.environ["GITHUB_REPOSITORY"]
    request = urllib.request.Request(  # noqa: S310 - the address is GitHub's own
        f"{api}/repos/{repository}/{path}",
        data=None if content is None else json.dumps(content).encode(),
        method=method,
        headers={
            "Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}",
            "Accept": "application/vnd.github+json",
            "Content-Type": "application/json",
            "X-GitHub-Api-Version": "2022-11-28",
        },
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:  # noqa: S310
        return json.loads(response.read())


if __name__ == "__main__":
    sys.exit(main())
