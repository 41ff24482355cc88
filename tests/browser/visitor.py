"""Visitor: somebody in front of a browser, who finds things by the words on a page, and waits until they are there."""

from __future__ import annotations

import base64
import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from tests.browser import chromium, measures

#: What has not come by then never will.
LIMIT_SECONDS = 30.0
#: Pixels of a picture.
HIGHEST_PICTURE = 1200
#: Keys by the code points that WebDriver has for them.
TAB, ENTER, SPACE, DOWN = "\ue004", "\ue007", " ", "\ue015"

_XPATH, _CSS = "xpath", "css selector"
_PASSING = {"StaleElementReferenceException", "NoSuchElementException", "ElementClickInterceptedException"}


class Visitor:
    """
    One browser.

    site  the address of the server; pages are named by their paths
    """

    def __init__(self) -> None:
        self.site = ""
        self.driver = chromium.start()
        self.resize(1280, 900)

    def leave(self) -> None:
        """Close the browser."""
        self.driver.quit()

    def forget(self) -> None:
        """Become a new visitor: without a log-in, with scripts, in the light."""
        self.driver.get("about:blank")
        self.command("Network.clearBrowserCookies")
        self.command("Emulation.setScriptExecutionDisabled", value=False)
        self.command("Emulation.setEmulatedMedia", features=[])
        # Live pages rest while nobody looks at them, and a window that nobody sees has no focus.
        self.command("Emulation.setFocusEmulationEnabled", enabled=True)
        self.resize(1280, 900)

    # Settings of the browser

    def resize(self, width: int, height: int) -> None:
        """Make the page so many pixels wide and high, whatever the least size of a window is."""
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    def turn_scripts_off(self) -> None:
        self.command("Emulation.setScriptExecutionDisabled", value=True)

    def prefer(self, theme: str) -> None:
        """Prefer the light or the dark theme, as the system would say."""
        self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])

    def command(self, name: str, /, **arguments: Any) -> Any:
        return self.driver.execute_cdp_cmd(name, arguments)

    # Going and looking

    def go(self, path: str) -> None:
        """Open a page, and wait until all of it is there: the driver may answer while it is still being read."""
        self.measure(measures.LEAVE)
        self.driver.get(self.site + path)
        self.wait_until(lambda: self.measure(measures.ARRIVED), f"{path} is loaded")

    @property
    def path(self) -> str:
        """The page that is open, with its query."""
        parts = urlsplit(self.driver.current_url)
        return f"{parts.path}?{parts.query}" if parts.query else parts.path

    @property
    def text(self) -> str:
        """All that can be read on the page."""
        return str(self.driver.find_element(_CSS, "body").text)

    def read(self, selector: str) -> str:
        """Return what can be read in the first element that fits a CSS selector."""
        return str(self._find(_CSS, selector).text)

    def count(self, selector: str) -> int:
        """Return how many elements fit a CSS selector."""
        return len(self.driver.find_elements(_CSS, selector))

    def row(self, *words: str) -> str:
        """Return the text of the row of a table that has all these words."""
        return str(self._find(_XPATH, f"//tr{_having(words)}").text)

    def wait_until(self, condition: Callable[[], Any], what: str) -> Any:
        """Ask again and again, also while the page is being exchanged, and return what was answered at last."""
        end = time.monotonic() + LIMIT_SECONDS
        while True:
            with _passing():
                if answer := condition():
                    return answer
            if time.monotonic() > end:
                raise AssertionError(f"Waited {LIMIT_SECONDS:g} s in vain until {what}, at {self.path}:\n{self.text}")
            time.sleep(0.05)

    def wait_for(self, text: str, inside: str = "body") -> None:
        """Wait until the page says so, by itself, in an element that fits a CSS selector."""

        def is_said() -> bool:
            return any(text in found.text for found in self.driver.find_elements(_CSS, inside))

        self.wait_until(is_said, f"{inside} says {text!r}")

    def reload_until(self, condition: Callable[[], Any], what: str) -> None:
        """Load the page again and again until it says so."""

        def holds() -> Any:
            self.driver.refresh()
            return condition()

        self.wait_until(holds, what)

    # Doing

    def click(self, text: str, inside: str = "") -> None:
        """
        Click on the link or the button with this text.

        inside  an XPath of what it stands in

        The answer may come later: who goes elsewhere at once would be taken back by it, so wait for a word of it first.
        """
        quoted = _quoted(text)
        places = (
            f"{inside}//a[normalize-space()={quoted}]",
            f"{inside}//button[normalize-space()={quoted}]",
            f"{inside}//input[@type='submit' and @value={quoted}]",
        )
        self._act(" | ".join(places), lambda found: found.click())

    def click_in_row(self, text: str, *words: str) -> None:
        """Click on a link in the row of a table that has all these words."""
        self.click(text, f"//tr{_having(words)}")

    def tick(self, *words: str) -> None:
        """Tick the box at the beginning of the row of a list that has all these words."""
        self._act(f"//tr{_having(words)}//input[@type='checkbox']", lambda found: found.click())

    def choose(self, label: str) -> None:
        """Choose the radio button, or tick the box, with a label that begins so."""
        self._act(f"//label[starts-with(normalize-space(), {_quoted(label)})]", lambda found: found.click())

    def fill(self, label: str, value: str) -> None:
        """Write into the field with this label, in place of what stands there."""

        def write(found: Any) -> None:
            found.clear()
            found.send_keys(value)

        self._act(_field(label), write)

    def fill_moment(self, label: str, moment: datetime) -> None:
        """Type a moment into the browser's own field for it, as one does in English: the month first."""
        self.fill(label, f"{moment:%m%d%Y}{TAB}{moment:%I%M%p}")

    def select(self, label: str, option: str) -> None:
        """Choose an option of the list with this label."""
        place = f"{_field(label)}/option[normalize-space()={_quoted(option)}]"
        self._act(place, lambda found: found.click())

    def press(self, *keys: str) -> None:
        """Press keys, wherever the keyboard is."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def take_cookie(self, name: str, value: str) -> None:
        """Have a cookie of the site."""
        self.command("Network.setCookie", name=name, value=value, url=self.site)

    def log_in(self, name: str, password: str) -> None:
        """Fill in the form of the log-in."""
        self.fill("Username:", name)
        self.fill("Password:", password)
        self.click("Log in")

    # With the keyboard alone

    def focused(self) -> str:
        """Return what the keyboard is at: its text, or its name in a form."""
        return str(self.measure(measures.FOCUSED))

    def tab_to(self, what: str, most: int = 200) -> None:
        """Press the tab key until the keyboard is at the element with this text or name."""
        for _ in range(most):
            self.press(TAB)
            if self.focused() == what:
                return
        raise AssertionError(f"The keyboard does not come to {what!r} at {self.path}.")

    def skip_navigation(self) -> None:
        """Go to the content of a new page by the first link of all, as whoever has no mouse does."""
        self.tab_to("Skip to main content", most=1)
        self.press(ENTER)

    # Measuring

    def fold_the_navigation(self) -> None:
        """Fold the list of all models that stands beside every page, as its own button would."""
        self.driver.execute_script("localStorage.setItem('django.admin.navSidebarIsOpen', 'false')")

    def rest(self) -> None:
        """Look at nothing in particular: no field has the keyboard."""
        self.driver.execute_script("document.activeElement.blur()")

    def complaints(self) -> list[str]:
        """Return what the browser wrote into its console since it was asked last."""
        said = [entry["message"] for entry in self.driver.get_log("browser")]
        # The browser asks for an icon of its own accord; the project has none.
        return [message for message in said if "/favicon.ico" not in message]

    def measure(self, script: str, *arguments: str) -> Any:
        """Return what one of measures.py says."""
        return self.driver.execute_script(script, *arguments)

    def picture(self, until: str = "") -> bytes:
        """
        Return a picture of the page, as PNG; of one that is very long, the beginning.

        until  a CSS selector: the picture ends above the first element that fits it
        """
        size = self.command("Page.getLayoutMetrics")["cssContentSize"]
        # What sticks to the window is drawn as high as that.
        self.resize(size["width"], size["height"])
        height = self.measure(measures.TOP, until) if until else min(size["height"], HIGHEST_PICTURE)
        clip = {"x": 0, "y": 0, "width": size["width"], "height": height, "scale": 1}
        taken = self.command("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(taken["data"])

    def _find(self, kind: str, place: str) -> Any:
        return self.wait_until(lambda: self.driver.find_elements(kind, place), f"there is {place}")[0]

    def _act(self, place: str, deed: Callable[[Any], Any]) -> None:
        """Do it to the first visible element there, as soon as there is one."""

        def act() -> bool:
            for found in self.driver.find_elements(_XPATH, place):
                if found.is_displayed():
                    deed(found)
                    return True
            return False

        self.wait_until(act, f"there is {place}")


@contextlib.contextmanager
def _passing() -> Iterator[None]:
    """Overlook what only means that the page is being exchanged."""
    try:
        yield
    except Exception as error:
        if type(error).__name__ not in _PASSING:
            raise


def _field(label: str) -> str:
    labels = f"//label[starts-with(normalize-space(), {_quoted(label)})]"
    return f"(//*[@id={labels}/@for] | {labels}//select)"


def _having(words: tuple[str, ...]) -> str:
    return "".join(f"[contains(normalize-space(), {_quoted(word)})]" for word in words)


def _quoted(text: str) -> str:
    """Write a text as XPath does, which has no way to escape a quote."""
    return f'"{text}"' if '"' not in text else f"'{text}'"
