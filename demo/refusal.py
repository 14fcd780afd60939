"""A request that gets no answer: one sentence for whoever asked, one line in the log."""

import logging
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from demo.metrics import Metrics

_MAX_LENGTH = 300  # of what a stranger wrote, in the log
_log = logging.getLogger(__name__)


class Refused(Exception):
    """Raised where a request is refused.

    Args:
        status: Of HTTP.
        sentence: For whoever asked.
        reason: For the log, where it says more.
        headers: Of the answer.
        more: What stands in the answer beside the sentence.
    """

    def __init__(
        self,
        status: int,
        sentence: str,
        reason: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.reason = status, sentence, reason or sentence
        self.headers, self.more = dict(headers or {}), dict(more or {})


def render_refusal(refused: Refused, scope: Mapping[str, Any], metrics: Metrics) -> Response:
    """Count a refusal, write its line into the log, and say it.

    Args:
        refused: What was raised.
        scope: Of the request.
        metrics: Count it.

    Returns:
        JSON; Gradio's page shows "detail" or "error".
    """
    metrics.refused.labels(status=str(refused.status)).inc()
    address = (scope.get("client") or ("nobody",))[0]
    asked = quote_stranger(f"{scope['method']} {scope['path']}")
    reason = quote_stranger(refused.reason)
    _log.warning("refused with %d: %s from %s: %s", refused.status, asked, address, reason)
    said = {"detail": refused.sentence, "error": refused.sentence}
    return JSONResponse(said | refused.more, refused.status, refused.headers)


def quote_stranger(text: str) -> str:
    """Make text that a stranger wrote fit for one line of a log.

    Args:
        text: With line ends, escape codes, or of any length.

    Returns:
        Printable ASCII, cut.
    """
    return ascii(text[:_MAX_LENGTH])[1:-1]
