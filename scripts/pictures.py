"""Take the pictures of the documentation from the chat page: ``python scripts/pictures.py``.

Needs ``ragkit-cited[serve,browser]`` and Chromium; it starts ``ragkit serve`` itself.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"
OFFICERS = "When did the first German officers go to Soviet Russia?"
LEAGUE = "When did the USSR join the League of Nations?"
BREAD = "How do I bake sourdough bread?"
WIDE = ViewportSize(width=1280, height=760)
PHONE = ViewportSize(width=390, height=760)
COLOURS = 128


def main() -> None:
    """Start the server, take the pictures, stop the server."""
    command = [sys.executable, "-m", "ragkit", "serve", "--port", "0"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)  # noqa: S603
    try:
        found = re.search(r"http://\S+", server.stderr.readline() if server.stderr else "")
        if found is None:
            raise SystemExit("ragkit serve did not start; run it by hand to see why.")
        with sync_playwright() as playwright:
            chromium = shutil.which("chromium")
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            walk(browser, found[0])
    finally:
        server.terminate()
        server.wait(30)


def walk(browser: Browser, url: str) -> None:
    """Take an answer, a follow-up question, one without an answer, a phone, languages, the API."""
    page = opened(browser, url, "light")
    ask(page, OFFICERS)
    picture(page, "page")
    ask(page, LEAGUE)
    ask(page, "and why was it expelled?")
    picture(page, "follow-up")
    page = opened(browser, url, "dark")
    ask(page, BREAD)
    picture(page, "abstained")
    page = opened(browser, url, "light", phone=True)
    ask(page, LEAGUE)
    picture(page, "phone")
    page = opened(browser, url, "light", locale="ar-EG")
    ask(page, OFFICERS)
    picture(page, "arabic")
    page = opened(browser, url, "light", locale="zh-CN")
    ask(page, LEAGUE)
    ask(page, BREAD)
    picture(page, "chinese")
    page = opened(browser, url, "light", phone=True, locale="ar-EG")
    ask(page, LEAGUE)
    picture(page, "arabic-phone")
    page = opened(browser, f"{url}/docs", "light")
    expect(page.get_by_text("/v1/conversations", exact=True).first).to_be_visible()
    picture(page, "api")


def opened(
    browser: Browser, url: str, scheme: str, *, phone: bool = False, locale: str = "en-GB"
) -> Page:
    context = browser.new_context(
        viewport=PHONE if phone else WIDE,
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
        locale=locale,
    )
    page = context.new_page()
    page.goto(url)
    return page


def ask(page: Page, question: str) -> None:
    page.locator("#question").fill(question)
    page.keyboard.press("Enter")
    turn = page.get_by_role("heading", name=question).locator("..")
    expect(turn.locator(".facts")).to_be_visible()


def picture(page: Page, name: str) -> None:
    """Save the page with few colours: text on plain ground needs no more."""
    path = PICTURES / f"{name}.png"
    page.wait_for_load_state("networkidle")
    page.screenshot(path=path)
    Image.open(path).convert("RGB").quantize(COLOURS).save(path, optimize=True)


if __name__ == "__main__":
    main()
