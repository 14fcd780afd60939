"""One request for programs: a picture in, what the models say out, with nothing kept on disk."""

from collections.abc import Sequence
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from demo.endpoints import render_comparison
from demo.outcome import Comparison, Failure, Fetching
from demo.picture import LIMITS, Picture
from demo.refusal import Refused, render_refusal
from demo.request import MAX_NAME, read_request
from demo.service import Service
from demo.settings import Settings
from demo.text import Text
from hub_models import ConfigError, HubModelsError

PATH: Final = "/classify"
MAX_BYTES: Final = LIMITS.max_bytes * 4 // 3 + 2**16  # base64, and what is around it
MAX_MODELS: Final = 2
MAX_WAITING: Final = 32  # requests; whoever comes then is asked to come back
ASK_AGAIN_S: Final = 2  # while a model is on its way


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

    async def compare(self, content: bytes, sources: Sequence[str]) -> Comparison:
        """Say what models make of a picture.

        Args:
            content: Of the picture's file.
            sources: Of the models.

        Returns:
            What became of each model.

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
        return Comparison(outcomes)

    def render(self, comparison: Comparison) -> dict[str, Any]:
        """Write a comparison as JSON, in English.

        Args:
            comparison: What became of each model.

        Returns:
            What `render_comparison` does.
        """
        return render_comparison(comparison, self._settings.unsure_below, Text())


def add_programs(app: FastAPI, programs: Programs) -> None:
    """Add `POST /classify?model=A&model=B`, whose body is or holds the picture.

    Args:
        app: Gets the route.
        programs: Answer.
    """

    @app.post(PATH)
    async def classify(request: Request) -> Response:
        try:
            return JSONResponse(await _answer(request, programs))
        except Refused as refused:
            return render_refusal(refused, request.scope, programs.service.metrics)


async def _answer(request: Request, programs: Programs) -> dict[str, Any]:
    try:
        content, sources = await read_request(request)
    except ConfigError as error:
        raise Refused(400, str(error)) from error
    try:
        comparison = await programs.compare(content, sources)
    except HubModelsError as error:
        raise Refused(422, str(error)) from error
    except Busy as error:
        raise Refused(503, str(error), headers={"retry-after": "1"}) from error
    said = programs.render(comparison)
    for outcome in comparison.outcomes:
        if isinstance(outcome, Failure):
            sentence = f"model {outcome.source[:MAX_NAME]!r}: {outcome.sentence}"
            raise Refused(400, sentence, more=said)
    for outcome in comparison.outcomes:
        if isinstance(outcome, Fetching):
            wait = {"retry-after": str(ASK_AGAIN_S)}
            sentence = f"{outcome.source} is being fetched; ask again"
            raise Refused(503, sentence, headers=wait, more=said)
    return said
