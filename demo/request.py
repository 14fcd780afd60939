"""What a program sends to a picture's bytes and names of models: raw, a form, or JSON."""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException

from hub_models import ConfigError

MODEL: Final = "model"  # may stand in the query, the form or the JSON, once per model
_DATA: Final = re.compile(r"data:[^,]*;base64,", re.IGNORECASE)
_KNOWN: Final = "model, which names one, and may stand there twice,"
_MAX_FIELDS: Final = 20
MAX_NAME: Final = 50  # characters of a stranger's word in a sentence


async def read_request(request: Request) -> tuple[bytes, list[str]]:
    """Read a picture and the models to ask about it.

    Args:
        request: Its body is the picture's file, a form with that file, or JSON with its base64,
            each under any name.

    Returns:
        The encoded bytes, not yet looked at, and the sources, none if none is named.

    Raises:
        ConfigError: If it is none of these, or names something other than `model`.
    """
    query = request.query_params
    _check_query(query)
    kind = request.headers.get("content-type", "").lower()
    if kind.startswith("multipart/"):
        content, more = await _read_form(request)
    else:
        content = await request.body()
        if _is_json(kind) or content.lstrip()[:1] == b"{":  # no picture begins so
            content, more = _read_json(content)
        else:
            more = []
    sources = [*query.getlist(MODEL), *more]
    if not all(map(str.strip, sources)):
        raise ConfigError("model is empty")
    return content, sources


def decode(picture: str, name: str = "picture") -> bytes:
    """Turn base64 into bytes.

    Args:
        picture: As it came, with or without a "data:image/...;base64," in front.
        name: What the message calls it.

    Returns:
        The file's bytes.

    Raises:
        ConfigError: If it is no base64.
    """
    try:
        return base64.b64decode("".join(_DATA.sub("", picture, count=1).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ConfigError(f"{name} must be the base64 of a picture's file") from error


def _is_json(kind: str) -> bool:
    media = kind.partition(";")[0].strip()
    return media == "application/json" or media.endswith("+json")


async def _read_form(request: Request) -> tuple[bytes, list[str]]:
    files: dict[str, bytes] = {}
    models: list[str] = []
    try:
        async with request.form(max_files=_MAX_FIELDS, max_fields=_MAX_FIELDS) as form:
            for place, (name, value) in enumerate(form.multi_items()):
                if isinstance(value, UploadFile):
                    files[f"{name} ({place + 1})" if name in files else name] = await value.read()
                elif name == MODEL:
                    models.append(value)
                else:
                    raise ConfigError(f"{_cut(name)} is not known; {_KNOWN} is")
    except HTTPException as error:
        if type(error.__context__) is not MultiPartException:  # the guard's
            raise error.__context__ or error from None
        raise ConfigError(f"the form cannot be read: {error.detail}") from error
    return _only(files, "the form"), models


def _read_json(body: bytes) -> tuple[bytes, list[str]]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:  # not in UTF-8, for one
        raise ConfigError("the body is not JSON") from error
    if not isinstance(said, dict):
        raise ConfigError("the JSON must be an object with the base64 of a picture's file")
    models = said.pop(MODEL, [])
    models = [models] if isinstance(models, str) else models
    if not isinstance(models, list) or not all(isinstance(model, str) for model in models):
        raise ConfigError("model must be a name or a list of names")
    picture, name = _only(said, "the JSON"), _cut(next(iter(said)))
    if not isinstance(picture, str):
        raise ConfigError(f"{name} must be text: the base64 of a picture's file")
    return decode(picture, name), models


def _only(pictures: Mapping[str, Any], where: str) -> Any:
    """Take the one picture that there must be."""
    if len(pictures) == 1:
        return next(iter(pictures.values()))
    names = f": {', '.join(map(_cut, pictures))}" if pictures else ""
    raise ConfigError(f"{where} must hold one picture, under any name, not {len(pictures)}{names}")


def _check_query(names: Iterable[str]) -> None:
    for name in names:
        if name != MODEL:
            raise ConfigError(f"{_cut(name)} is not known; {_KNOWN} is")


def _cut(name: str) -> str:
    return name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}…"
