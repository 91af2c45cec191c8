"""Somebody at the admin page: a browser that complains of whatever a person would not see."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect

PATIENCE_MS = 20_000

expect.set_options(timeout=PATIENCE_MS)


class Visitor:
    """One person's browser on the installation at `url`. `complaints`: what went wrong behind the page."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        page.on("request", self._note_stranger)

    def go(self, path: str) -> None:
        """Open a page of the installation."""
        self.page.goto(self.url + path)

    def log_in(self, password: str) -> None:
        """From the login page to where it leads."""
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()
        expect(self.page.get_by_role("button", name="Log out")).to_be_visible()

    def press(self, name: str, *, reason: str | None = None) -> None:
        """Press a button that asks back, and the one that means it."""
        confirm = self.page.locator("details.confirm", has=self.page.locator("summary", has_text=name)).first
        confirm.locator("summary").click()
        if reason is not None:
            confirm.get_by_role("textbox").first.fill(reason)
        confirm.get_by_role("button", name=name).click()

    def is_told(self, text: str | re.Pattern[str]) -> None:
        """The page says so after a press."""
        expect(self.page.locator(".notice").filter(has_text=text).first).to_be_visible()

    def shows(self, text: str | re.Pattern[str]) -> None:
        """It stands on the page."""
        expect(self.page.locator("main")).to_contain_text(text)

    def barriers(self) -> list[str]:
        """What axe finds wrong with the page as it stands (WCAG 2.2 A and AA, and what axe holds to be good)."""
        found: list[Mapping[str, Any]] = Axe().run(self.page).response["violations"]
        return [f"{each['id']} {node['target']}: {node['failureSummary']}" for each in found for node in each["nodes"]]

    def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        wider: int = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        return max(0, wider)

    def _note(self, message: ConsoleMessage) -> None:
        # The browser's own words for an answer like 403 are no fault of the page.
        if message.type in {"error", "warning"} and not message.text.startswith("Failed to load resource"):
            self.complaints.append(f"console: {message.text}")

    def _note_stranger(self, request: Request) -> None:
        if urlsplit(request.url).netloc != urlsplit(self.url).netloc:
            self.complaints.append(f"asked elsewhere: {request.url}")


@contextmanager
def visiting(browser: Browser, url: str, **options: Any) -> Iterator[Visitor]:
    """A browser without a past; `options` are Playwright's of a context. When it closes there was no complaint."""
    with browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options}) as context:
        visitor = Visitor(context.new_page(), url)
        yield visitor
        assert visitor.complaints == []
