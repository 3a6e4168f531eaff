"""A headless Chromium that the tests of pages drive, without any service of its own running."""

import json
import shutil
import tempfile
from contextlib import contextmanager
from importlib.util import find_spec

FLAGS = (
    *(
        "headless",
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "no-first-run",
        "disable-background-networking",
    ),
    *("disable-component-update", "disable-sync", "window-size=1280,900"),
)


def missing():
    """What is not there of a browser, its driver and the package that speaks to it; '' if all are."""
    names = {"chromium": shutil.which("chromium"), "chromedriver": shutil.which("chromedriver")}
    names["selenium"] = find_spec("selenium")
    return ", ".join(name for name, found in names.items() if found is None)


@contextmanager
def opened(dark=False):
    """A browser with a profile of its own, which logs its console and its requests."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*FLAGS, f"user-data-dir={profile}"):
            options.add_argument(f"--{flag}")
        driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        if dark:
            features = [{"name": "prefers-color-scheme", "value": "dark"}]
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        try:
            yield driver
        finally:
            driver.quit()


def requests(driver, page):
    """Addresses that the document `page` asked for, itself included, since the log was last read."""
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
    return [one["request"]["url"] for one in sent if one["documentURL"] == page]
