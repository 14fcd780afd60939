"""The hub's client, who it says it is, and its errors: each ends here in one sentence."""

import os
import re
from collections.abc import Callable
from importlib.util import find_spec
from typing import Final, TypeVar

import httpx2
import huggingface_hub
from huggingface_hub import constants
from huggingface_hub import errors as hub_errors

from hub_models import __version__
from hub_models.errors import CheckpointError, shortened

Result = TypeVar("Result")

WHY_NO_PICKLE: Final = "only safetensors are read: loading a pickle can run any code"
# The client's errors share no base: no connection at all is an HTTPError, most are OSErrors,
# and a forced download that fails, like an upload, is a ValueError or RuntimeError with a cause.
_CLIENT_ERRORS: Final = (
    httpx2.HTTPError,
    OSError,
    ValueError,
    RuntimeError,
    httpx2.InvalidURL,
    ImportError,  # of the package for SOCKS
    hub_errors.RevisionResolutionError,
    hub_errors.XetDownloadError,
)
_PROXIES: Final = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
_NOT_IN_TOKENS: Final = re.compile(r"[^!-~]")
_REFUSALS: Final = {
    401: "the hub does not accept the token, or wants one (`hf auth login`, or HF_TOKEN)",
    403: "the token may not do this",
    409: "somebody else changed it at the same moment; try again",
    412: "somebody else pushed meanwhile; try again",
    429: "the hub asks to wait: too many requests",
}
_SECRET: Final = re.compile(r"hf_\w+|(?<=\?)[^\s'\")]+")  # tokens, signed addresses


def connect(token: str | bool | None) -> huggingface_hub.HfApi:
    """Make a client of the hub that says who asks.

    Args:
        token: As in huggingface_hub.

    Returns:
        The client.
    """
    return huggingface_hub.HfApi(
        token=_sendable(token), library_name="hub_models", library_version=__version__
    )


def _sendable(token: str | bool | None) -> str | bool | None:
    """Take the line end off a token, and refuse one that no header of HTTP can hold."""
    try:
        found = huggingface_hub.get_token() if token in (None, True) else token
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{constants.HF_TOKEN_PATH}: not UTF-8, so no token") from error
    if not isinstance(found, str):
        return token
    found = found.strip()
    wrong = _NOT_IN_TOKENS.search(found)
    if wrong:
        raise CheckpointError(
            f"the token has {wrong[0]!a} in it, which no token has: copy it once more, into "
            "HF_TOKEN or by `hf auth login`"
        )
    return (found or None) if isinstance(token, str) else token


def told(call: Callable[[], Result], where: str, what: str = "") -> Result:
    """Call the client; its errors become one sentence, with the client's own as the cause.

    Args:
        call: What to do.
        where: The repository with its revision, for the sentence.
        what: The file or revision it is about, if it is about one.

    Returns:
        What the call gives.

    Raises:
        CheckpointError: If the hub refuses or cannot be reached, or the disk is full.
    """
    try:
        return call()
    except _CLIENT_ERRORS as error:
        is_of_settings = type(error) in (ImportError, ValueError, httpx2.InvalidURL)
        fault = proxy_fault() if is_of_settings else None
        sentence = fault or _sentence(error, shortened(what))
        raise CheckpointError(f"{shortened(where)}: {sentence}") from error


def _sentence(error: BaseException, what: str) -> str:  # noqa: C901  # a table of cases
    is_typed = what.startswith("revision")  # so a folder may have been meant
    absent = f"{'no such folder, and ' if is_typed else ''}{what} is not in the cache"
    match error:
        case hub_errors.HfHubHTTPError():
            return _refusal(error, what)
        case hub_errors.OfflineModeIsEnabled():
            return f"{absent} (HF_HUB_OFFLINE)"
        case hub_errors.RevisionResolutionError() | hub_errors.LocalEntryNotFoundError():
            if error.__cause__ is None:
                return f"{absent} (local_files_only)"
            return _sentence(error.__cause__, what)
        case hub_errors.HFValidationError():
            return f"no such folder, and not a name a hub takes ({_first_line(error)})"
        case ValueError() | RuntimeError():
            return _failed_call(error, what)
        case OSError(errno=int()):
            return f"{what or 'a file'} cannot be written or read here ({error.strerror})"
        case httpx2.ConnectError() | httpx2.TimeoutException():
            return f"no such folder, and the hub cannot be reached ({_first_line(error)}{_way()})"
        case httpx2.ProxyError():
            return f"the proxy does not let us through ({_first_line(error)}{_way()})"
        case httpx2.InvalidURL() | httpx2.UnsupportedProtocol():
            return f"HF_ENDPOINT or NO_PROXY has an address that is none ({_first_line(error)})"
        case _:
            return f"the hub did not deliver {what or 'an answer'} ({_first_line(error)})"


def _way() -> str:
    names = [name for name in os.environ if name.upper() in _PROXIES and os.environ[name]]
    return f"; by way of {', '.join(names)}" if names else ""


def proxy_fault() -> str | None:
    """Say which variable names a proxy that no client can use, without its value: a password.

    Returns:
        One sentence; None if nothing is wrong.
    """
    for name in filter(os.environ.get, os.environ):
        if name.upper() not in _PROXIES:
            continue
        url = os.environ[name]
        try:
            proxy = httpx2.Proxy(url if "://" in url else f"http://{url}")
        except (ValueError, httpx2.InvalidURL):
            return (
                f"{name} is not the address of a proxy: http://host:port is, or https, socks5, "
                "socks5h"
            )
        if proxy.url.scheme.startswith("socks") and find_spec("socksio") is None:
            return f"{name} is a SOCKS proxy, for which a package is missing: pip install socksio"
    return None


def _refusal(error: hub_errors.HfHubHTTPError, what: str) -> str:
    match error:
        case hub_errors.GatedRepoError():
            return "access must be asked for on the hub first, or a token given"
        case hub_errors.RepositoryNotFoundError():
            return "no such folder, and no such repository on the hub (or it is private)"
        case hub_errors.RevisionNotFoundError():
            return "the repository has no such revision"
        case hub_errors.RemoteEntryNotFoundError():
            why = f"; {WHY_NO_PICKLE}" if what.endswith(".safetensors") else ""
            return f"{what} is missing there{why}"
    status = error.response.status_code
    known = _REFUSALS.get(status, "the hub refused" if status < 500 else "the hub has failed")
    about = f" at {what}" if what else ""
    said = f": {_without_secrets(error.server_message)}" if error.server_message else ""
    return f"{known}{about} (HTTP {status}{said})"


def _failed_call(error: BaseException, what: str) -> str:
    """Look through the client's wrappers: a forced download, an upload, a card it validated."""
    cause = error.__cause__
    if isinstance(cause, _CLIENT_ERRORS) and not isinstance(cause, hub_errors.BadRequestError):
        return _sentence(cause, what)
    return f"the hub refused ({shortened(_without_secrets(str(error)), 300)})"


def _first_line(error: BaseException) -> str:
    said = _without_secrets(str(error).strip().split("\n", 1)[0])
    return shortened(said, 300) or type(error).__name__


def _without_secrets(text: str) -> str:
    return _SECRET.sub("...", " ".join(text.split()))
