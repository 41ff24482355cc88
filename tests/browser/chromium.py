"""
Chromium and its driver, as the system has installed them, without a window.

    apt-get install chromium chromium-driver     in Debian; .ci/run does it
    DURABLE_TEST_CHROMIUM=/path/to/chromium      another one, and DURABLE_TEST_CHROMEDRIVER likewise

Where something is missing, missing() says what, and the tests of this package are skipped.
"""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from typing import Any

if find_spec("selenium"):
    from selenium import webdriver

#: The names that distributions give the programs.
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_DRIVERS = ("chromedriver", "chromium.chromedriver")
_SWITCHES = (
    "--headless=new",
    # Containers have neither the rights that the sandbox needs nor much shared memory.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    # Nothing may leave this machine, and no proxy of it may come between.
    "--disable-background-networking",
    "--disable-component-update",
    "--no-proxy-server",
    "--no-first-run",
    "--force-device-scale-factor=1",
    "--hide-scrollbars",
    "--lang=en-US",
)


def missing() -> str:
    """Return why there is no browser to test with; nothing if there is one."""
    needs = {
        "chromium": _program("DURABLE_TEST_CHROMIUM", _BROWSERS),
        "chromium-driver": _program("DURABLE_TEST_CHROMEDRIVER", _DRIVERS),
        "the Python package selenium": find_spec("selenium"),
    }
    absent = [name for name, found in needs.items() if not found]
    if not absent:
        return ""
    return f"NO BROWSER: the pages were not tried in one, for want of {', '.join(absent)}. See CONTRIBUTING.md."


def start() -> Any:
    """Return a driver of a new browser, with a profile of its own that is gone afterwards."""
    options = webdriver.ChromeOptions()
    options.binary_location = _program("DURABLE_TEST_CHROMIUM", _BROWSERS)
    for switch in _SWITCHES:
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # With its path given, selenium looks for no driver to download.
    service = webdriver.ChromeService(executable_path=_program("DURABLE_TEST_CHROMEDRIVER", _DRIVERS))
    return webdriver.Chrome(options=options, service=service)


def _program(variable: str, names: tuple[str, ...]) -> str:
    given = os.environ.get(variable)
    found = [shutil.which(name) for name in ([given] if given else names)]
    return next((path for path in found if path), "")
