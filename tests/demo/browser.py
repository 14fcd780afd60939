"""The real app.py in a process of its own, and what drives a real browser."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.processes import HANG_S

sync_api = pytest.importorskip("playwright.sync_api")

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",  # the camera
    "--use-fake-ui-for-media-stream",
]
DEAD_HUB = "http://127.0.0.1:9"
sync_api.expect.set_options(timeout=HANG_S * 1000)

MARKS = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium"),
]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def environment(port, cards, hub=DEAD_HUB, **settings):
    return os.environ | {
        "HF_ENDPOINT": hub,
        **{
            name if name.startswith("HF_") else f"HUB_MODELS_DEMO_{name}": value
            for name, value in settings.items()
        },
        "HUB_MODELS_DEMO_PORT": str(port),
        "HUB_MODELS_DEMO_CARDS": str(cards),
    }


class Demo:
    """A running app.py; its output goes to a file, read when a test fails."""

    def __init__(self, cards, folder, hub=DEAD_HUB, port=None, **settings):
        port = port or free_port()
        self.url = f"http://127.0.0.1:{port}/"
        self.log = folder / "log.txt"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "app.py")],
                env=environment(port, cards, hub, **settings),
                cwd=folder,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait(self):
        for _ in range(10 * HANG_S):
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(self.url) as response:
                    assert response.status == 200
                    return self
            except OSError:
                time.sleep(0.1)
        self.stop()
        raise AssertionError(self.log.read_text())

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=HANG_S)


class Visit:
    """One visitor's page, with what it complained of and whom it asked."""

    def __init__(self, context, url, waits="Waiting for a picture"):
        self.complaints, self.hosts = [], set()
        self.page = context.new_page()
        self.page.set_default_timeout(HANG_S * 1000)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._note)
        self.page.goto(url)
        self.expect("#verdict", waits)

    def open(self, tab):
        self.page.get_by_role("tab", name=tab, exact=True).click()

    def clarity(self, selector):
        return self.page.locator(selector).evaluate("e => Number(getComputedStyle(e).opacity)")

    def _hear(self, message):
        if message.type == "error":
            self.complaints.append(message.text)

    def _note(self, request):
        if not request.url.startswith(("data:", "blob:")):
            self.hosts.add(request.url.split("/")[2].partition(":")[0])

    def expect(self, selector, words):
        sync_api.expect(self.page.locator(selector)).to_contain_text(words)

    def text(self, selector):
        return self.page.locator(selector).inner_text()

    def upload(self, path):
        self.page.set_input_files("#picture input[type=file]", str(path))

    def choose(self, side, source):
        field = self.page.locator(f"#{side}-model input")
        field.fill(source)
        field.press("Enter")
