"""The demo in a thread of the tests; its settings can change between requests."""

import asyncio
import logging
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from demo.guard import Guard
from demo.server import build_app, make_server
from demo.service import Service
from demo.settings import PREFIX, QUIET, Settings, read_settings


class Served:
    """The whole demo behind a socket; each `use` puts a new guard, with its settings, in front.

    Args:
        cards: Folder of the models.
        uploads: Folder that gets what is uploaded.

    Attributes:
        port: On 127.0.0.1.
        ended: How many requests have been answered.
        service: The models.
    """

    def __init__(self, cards: Path, uploads: Path) -> None:
        self._cards, self.ended = cards, 0
        self.service = Service(Settings(cards=cards))
        self._patch = pytest.MonkeyPatch()
        self._patch.setenv("GRADIO_TEMP_DIR", str(uploads))  # gradio looks at it again and again
        with pytest.MonkeyPatch.context() as patch:
            for name, value in QUIET.items():
                patch.setenv(name, value)
            patch.setenv("HUB_MODELS_CACHE", os.devnull)  # no exports in the background
            # In a running loop: outside of one gradio makes loops that it never closes. And in a
            # thread: the browser's driver keeps a loop running in this one.
            with ThreadPoolExecutor(1) as thread:
                self._guard = thread.submit(lambda: asyncio.run(self._build())).result()
            self.service.ask(None, *self.service.choices)
            for thread in threading.enumerate():
                if thread.name.endswith("(_load)"):
                    thread.join()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._server = make_server(self, self.service)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listener]}, daemon=True
        )
        self._thread.start()

    def use(self, **settings: str) -> None:
        """Take settings, as app.py reads them from variables.

        Args:
            settings: Ours by their names without the prefix, Gradio's as they are.
        """
        variables = {
            name if name.startswith("GRADIO_") else f"{PREFIX}{name}": value
            for name, value in settings.items()
        }
        given = {f"{PREFIX}CARDS": str(self._cards), f"{PREFIX}RATE": "0"}
        chosen = read_settings(given | variables)
        self._guard = Guard(self._guard._app, chosen, self.service.work, self.service.metrics)

    def stop(self) -> None:
        """End the server and its thread."""
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()
        self._patch.undo()

    async def _build(self) -> Guard:
        return build_app(self.service, Settings(cards=self._cards, rate=0))

    def wait_for(self, requests: int) -> None:
        """Wait until so many requests have ended, and none is under way.

        Args:
            requests: Since the start.
        """
        while self.ended < requests or self._server.server_state.tasks:
            time.sleep(0.01)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve as an application."""
        try:
            await self._guard(scope, receive, send)
        finally:
            self.ended += scope["type"] == "http"


class Log(logging.Handler):
    """What is logged meanwhile, as one text.

    Attributes:
        lines: A text per record, traceback included.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def __enter__(self) -> "Log":
        logging.getLogger().addHandler(self)
        for name in ("uvicorn", "uvicorn.error"):
            logging.getLogger(name).addHandler(self)
        return self

    def __exit__(self, *error: object) -> None:
        for name in ("", "uvicorn", "uvicorn.error"):
            logging.getLogger(name).removeHandler(self)
