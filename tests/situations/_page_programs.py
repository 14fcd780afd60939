"""Rows about what programs send, in which way, and when they leave."""

import base64
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.situations import Situation
from tests.situations._page import (
    FORM,
    MODEL,
    PART,
    as_base64,
    ask,
    leave,
    leave_download,
    leave_events,
    picture,
    program,
)

_BODIES: dict[str, tuple[Callable[[Path], str], str]] = {
    "raw body, no kind": (program(content=picture()), "200 cat"),
    "raw body that calls itself a form": (
        program(content=picture(), headers={"content-type": "application/x-www-form-urlencoded"}),
        "200 cat",
    ),
    "form, field image": (program(files={"image": ("a.png", picture())}), "200 cat"),
    "form, field file, models as fields": (
        program("/classify", files={"file": picture()}, data={"model": ["mobilenet-tiny"]}),
        "200 cat",
    ),
    "form of two files": (
        program(files=[("a", ("1.png", b"x")), ("a", ("2.png", b"y"))]),
        "400 the form must hold one picture, under any name, not 2: a, a (2)",
    ),
    "form without a file": (program(files={"model": (None, "x")}), "400 the form must hold one"),
    "form with an unknown field": (
        program(files={"a": b"x"}, data={"models": "b"}),
        "400 models is not known; model",
    ),
    "form cut off": (
        program(content=PART[:30], headers=dict([FORM.split(": ")])),
        "400 the form",
    ),
    "form without a boundary": (
        program(content=PART, headers={"content-type": "multipart/form-data"}),
        "400 the form cannot be read: Missing boundary",
    ),
    "JSON": (program(json={"image": as_base64()}), "200 cat"),
    "JSON, data: in front, wrapped at 76": (
        program(
            json={"picture": "data:image/png;base64," + base64.encodebytes(picture()).decode()}
        ),
        "200 cat",
    ),
    "JSON that names the models": (
        program("/classify", json={"picture": as_base64(), "model": ["resnet-tiny"]}),
        "200 dog",
    ),
    "JSON that calls itself a form": (
        program(
            content=json.dumps({"picture": as_base64()}),
            headers={"content-type": "application/x-www-form-urlencoded"},
        ),
        "200 cat",
    ),
    "JSON, wrong base64": (
        program(json={"image": "cat.png"}),
        "400 image must be the base64 of a",
    ),
    "JSON, data: that is no base64": (program(json={"image": "data:image/png,abcd"}), "400 image"),
    "JSON, a number": (program(json={"image": 5}), "400 image must be text: the base64"),
    "JSON, no picture": (
        program(json={}),
        "400 the JSON must hold one picture, under any name, not 0",
    ),
    "JSON as other services have it": (
        program(json={"inputs": "aGk=", "parameters": {"top_k": 1}}),
        "400 the JSON must hold one picture, under any name, not 2: inputs, parameters",
    ),
    "JSON, a list": (program(json=[as_base64()]), "400 the JSON must be an object"),
    "JSON, model a number": (
        program(json={"a": "b", "model": 1}),
        "400 model must be a name or a",
    ),
    "JSON that is none": (
        program(content=b"{'image'", headers={"content-type": "application/json"}),
        "400 the body is not JSON",
    ),
    "JSON, very deep": (program(content=b'{"a":' * 100_000), "400 the body is not JSON"),
    "empty body": (program(content=b""), "422 the picture: the file is empty"),
    "text": (program(content=b"hello"), "422 the picture: not a picture"),
    "models= for model=": (
        program("/classify?models=mobilenet-tiny"),
        "400 models is not known; model",
    ),
    "unknown key": (program("/classify?top=3"), "400 top is not known; model"),
    "unknown model": (
        program("/classify?model=resnet", content=picture()),
        "400 model 'resnet': resnet: not known here, and no owner/name of the hub; there",
    ),
    "unknown model beside a known one": (
        program(MODEL + "&model=a/b/c", content=picture()),
        "400 model 'a/b/c'",
    ),
    "model=": (program("/classify?model=", content=picture()), "400 model is empty"),
}
_METHODS = {
    "HEAD /healthz": "200",
    "HEAD /readyz": "200",
    "HEAD /metrics": "200",
    "HEAD /": "200",
    "HEAD /classify": "200 Allow: POST, HEAD, OPTIONS",
    "OPTIONS /classify": "204 Allow: POST, HEAD, OPTIONS",
    "OPTIONS /healthz": "204 Allow: GET, HEAD, OPTIONS",
    "GET /classify": "405 Allow: POST, HEAD, OPTIONS",
    "DELETE /classify": "405 Allow: POST, HEAD, OPTIONS",
    "POST /healthz": "405 Allow: GET, HEAD, OPTIONS",
    "PUT /": "405 Allow: GET, HEAD, OPTIONS",
    "PATCH /zh/config": "405 Allow: GET, HEAD, OPTIONS",
    "GET /gradio_api/upload": "405 Allow: POST, OPTIONS",
    "GET /gradio_api/heartbeat/": "404",
    "HEAD /gradio_api/heartbeat/2f42a519-52b3": "405 Allow: GET, OPTIONS",
    "GET /no%0Asuch": "| 1 log lines: refused with 404: GET /no\\nsuch from 127.0.0.1",
    "GET /gradio_api/queue/data?session_hash=lost": "1 log lines: refused with 404",
}
_GOODBYES: dict[str, Callable[[Path], str]] = {
    "in mid-upload": partial(
        leave,
        head=f"POST /gradio_api/upload HTTP/1.1\n{FORM}\nContent-Length: 1000000",
        body=PART + b"x" * 100_000,
    ),
    "in mid-upload, in chunks": partial(
        leave,
        head=f"POST /gradio_api/upload?upload_id=a HTTP/1.1\n{FORM}\nTransfer-Encoding: chunked",
        body=b"%x\r\n%s\r\n" % (len(PART), PART),
    ),
    "in the middle of a raw picture": partial(
        leave, head="POST /classify HTTP/1.1\nContent-Length: 1000", body=b"x"
    ),
    "in the middle of a form for programs": partial(
        leave, head=f"POST /classify HTTP/1.1\n{FORM}\nContent-Length: 1000", body=PART
    ),
    "before a word of what it announced": partial(
        leave, head="POST /gradio_api/queue/join HTTP/1.1\nContent-Length: 1000"
    ),
    "while models look at its picture": partial(
        leave, head=f"POST {MODEL} HTTP/1.1\nContent-Length: {len(picture())}", body=picture()
    ),
    "in mid-download": leave_download,
    "in the middle of events": leave_events,
    "while its heartbeat is listened to": partial(
        leave, head="GET /gradio_api/heartbeat/abc HTTP/1.1", read=10
    ),
}
PROGRAMS = (
    *(
        Situation(f"/classify: {given}", "", happens, (right,))
        for given, (happens, right) in _BODIES.items()
    ),
    *(
        Situation(
            asked,
            "",
            partial(ask, method=asked.split()[0], path=asked.split()[1]),
            (right,),
        )
        for asked, right in _METHODS.items()
    ),
    *(
        Situation(
            f"a client leaves {when}",
            "",
            happens,
            ("0 log lines, 0 files left",),
        )
        for when, happens in _GOODBYES.items()
    ),
)
