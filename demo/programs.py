"""One request for programs: a picture in, what the models say out, with nothing kept on disk."""

import json
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from demo.endpoints import render_comparison
from demo.outcome import Comparison
from demo.picture import LIMITS, Picture
from demo.service import Service
from demo.settings import Settings
from demo.text import Text
from hub_models import ImageError

PATH: Final = "/classify"
MAX_BYTES: Final = LIMITS.max_bytes
MAX_MODELS: Final = 2
MAX_WAITING: Final = 32  # requests; whoever comes then is asked to come back


def add_programs(app: FastAPI, service: Service, settings: Settings) -> None:
    """Add `POST /classify?model=A&model=B`, whose body is the picture.

    Args:
        app: Gets the route.
        service: The models; those that the page shows first if none is named.
        settings: As read at the start.
    """
    waiting: set[object] = set()

    @app.post(PATH)
    async def classify(request: Request) -> Response:
        sources = request.query_params.getlist("model") or list(service.defaults)
        if not 0 < len(sources) <= MAX_MODELS:
            return _answer(422, {"error": "one model or two are needed"})
        if len(waiting) >= MAX_WAITING:
            return _answer(503, {"error": "That was a lot at once; please come back."}, wait_s=1)
        place = object()
        waiting.add(place)
        try:
            picture = Picture(await request.body(), "the picture")
            outcomes = await run_in_threadpool(service.ask, picture, *sources)
        except ImageError as error:
            return _answer(422, {"error": str(error)})
        finally:
            waiting.discard(place)
        comparison = Comparison(outcomes)
        return _answer(200, render_comparison(comparison, settings.unsure_below, Text()))


def _answer(status: int, content: dict[str, Any], *, wait_s: int = 0) -> Response:
    headers = {"retry-after": str(wait_s)} if wait_s else None
    body = json.dumps(content, ensure_ascii=False)
    return Response(body, status, headers, media_type="application/json")
