"""A model behind WSGI, loaded and used before the workers are forked.

gunicorn --preload --workers 2 tests.served:application
"""

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

from hub_models import load_runtime

runtime = load_runtime(os.environ["MODEL"], engine=os.environ["ENGINE"], threads=2)
runtime.classify(os.environ["PHOTO"])


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Classify the picture in the body of a request."""
    picture = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    start_response("200 OK", [("Content-Type", "application/json")])
    labels = [prediction.label for prediction in runtime.classify(picture)]
    return [json.dumps({"process": os.getpid(), "labels": labels}).encode()]
