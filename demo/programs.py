"""One request for programs: a picture in, what the models say out, with nothing kept on disk."""

import json
from collections.abc import Sequence
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from demo.endpoints import render_comparison
from demo.outcome import Comparison
from demo.picture import LIMITS, Picture
from demo.service import Service
from demo.settings import Settings
from demo.text import Text
from hub_models import ConfigError, HubModelsError

PATH: Final = "/classify"
MAX_BYTES: Final = LIMITS.max_bytes
MAX_MODELS: Final = 2
MAX_WAITING: Final = 32  # requests; whoever comes then is asked to come back


class Busy(Exception):
    """Raised when too many programs ask at once."""


class Programs:
    """Answers programs, a bounded number at a time.

    Args:
        service: The models; those that the page shows first if a program names none.
        settings: As read at the start.
    """

    def __init__(self, service: Service, settings: Settings) -> None:
        self.service, self._settings = service, settings
        self._waiting = 0

    async def compare(self, content: bytes, sources: Sequence[str]) -> dict[str, Any]:
        """Say what models make of a picture.

        Args:
            content: Of the picture's file.
            sources: Of the models.

        Returns:
            What `render_comparison` does.

        Raises:
            ImageError: If the picture cannot be read.
            ConfigError: If there are too many models, or none.
            Busy: If too many ask already.
        """
        sources = sources or self.service.defaults
        if not 0 < len(sources) <= MAX_MODELS:
            raise ConfigError("one model or two are needed")
        if self._waiting >= MAX_WAITING:
            raise Busy("That was a lot at once; please come back.")
        self._waiting += 1  # in the one thread of the event loop
        try:
            picture = Picture(content, "the picture")
            outcomes = await run_in_threadpool(self.service.ask, picture, *sources)
        finally:
            self._waiting -= 1
        return render_comparison(Comparison(outcomes), self._settings.unsure_below, Text())


def add_programs(app: FastAPI, programs: Programs) -> None:
    """Add `POST /classify?model=A&model=B`, whose body is the picture.

    Args:
        app: Gets the route.
        programs: Answer.
    """

    @app.post(PATH)
    async def classify(request: Request) -> Response:
        try:
            sources = request.query_params.getlist("model")
            return _answer(200, await programs.compare(await request.body(), sources))
        except HubModelsError as error:
            return _answer(422, {"error": str(error)})
        except Busy as error:
            return _answer(503, {"error": str(error)}, wait_s=1)


def _answer(status: int, content: dict[str, Any], *, wait_s: int = 0) -> Response:
    headers = {"retry-after": str(wait_s)} if wait_s else None
    body = json.dumps(content, ensure_ascii=False)
    return Response(body, status, headers, media_type="application/json")
