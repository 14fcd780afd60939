"""A request to who asks and where the page is for them, through the proxies in between."""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from demo.host import Host, is_proxy, parse_host, parse_origin
from demo.refusal import Refused
from demo.settings import PREFIX, Settings, parse_root
from demo.visitor import name_client

# How proxies say under which path they show the page: most of them, WSGI's, Jupyter's.
_PREFIXES: Final = ("x-forwarded-prefix", "x-script-name", "x-forwarded-context")
_TOLD: Final = re.compile(rb"forwarded|x-forwarded-.*|x-script-name|x-gradio-server")
_PAGE: Final = re.compile(r"(?P<origin>https?://[^/?#]+)(?P<path>[^?#]*)/[^/?#]*(\?[^#]*)?")
_SLASHES: Final = re.compile(r"^//+")
_PROBES: Final = frozenset({"/healthz", "/readyz"})  # machines ask, under any name


class Place(NamedTuple):
    """Where the page is, for whoever sent a request.

    Attributes:
        client: Who asks, as `name_client` names them.
        scheme: "http" or "https".
        host: Of the page's address; its name is "" if nobody said it.
        prefix: Path under which a proxy shows the page; "" for none.
        route: What is asked for, below that path.
        base: Path of the page itself, in its language, without a slash at its end.
    """

    client: str
    scheme: str
    host: Host
    prefix: str
    route: str
    base: str

    def rewrite(self, scope: Mapping[str, Any]) -> dict[str, Any]:
        """Tell the application behind what is true, in place of what headers claim.

        Gradio believes anybody's forwarding headers, so they go. It gets its own back, by which it
        makes the addresses of files: it takes a path behind the host as well.

        Args:
            scope: Of the request.

        Returns:
            The scope as ASGI wants it below a path.
        """
        headers = [(n, v) for n, v in scope["headers"] if not _TOLD.fullmatch(n) and n != b"host"]
        if self.host.name:
            headers.append((b"host", str(self.host).encode()))
            headers.append((b"x-forwarded-host", f"{self.host}{self.base}".encode()))
            headers.append((b"x-forwarded-proto", self.scheme.encode()))
        path = {"root_path": self.prefix, "path": self.prefix + self.route}
        return {**scope, **path, "scheme": self.scheme, "headers": headers}


def find_place(scope: Mapping[str, Any], headers: Mapping[str, str], settings: Settings) -> Place:
    """Find out who asks for what, and check the names they call the demo.

    Args:
        scope: Of the request.
        headers: Names in lower case; the values of several of one name are joined by commas.
        settings: As read at the start.

    Returns:
        The place.

    Raises:
        Refused: If the demo is not known by that name, or another site's page asks for work.
    """
    address = (scope.get("client") or ("",))[0]
    told = headers if is_proxy(address, settings.proxies) else {}
    root = urlsplit(settings.root_path)
    public = parse_origin(f"{root.scheme}://{root.netloc}")
    prefix = unquote(root.path if public else root.path or _read_prefix(told))
    path = _SLASHES.sub("/", scope["path"])  # "location /tool" before "proxy_pass …/" makes two
    is_below = bool(prefix) and f"{path}/".startswith(f"{prefix}/")
    route = path[len(prefix) :] if is_below else path
    asked = _read_host(headers, told)
    if route not in _PROBES:
        _check_name(asked, public[1].name if public else "", settings, headers)
    # Many proxies leave out the port; one that is believed may.
    ours = _Ours((asked, *public[1:]) if public else (asked,), bool(told) and not asked.port)
    page = _read_page(headers.get("referer", ""), ours) if "/gradio_api/" in route else None
    seen = page[0] if page else None
    if scope["method"] == "POST" and "origin" in headers:
        seen = _check_origin(headers["origin"], ours)
    scheme, host = seen or public or (_read_scheme(scope, told), asked)
    base = quote(prefix) + ("/zh" if route.startswith("/zh/") else "")
    base = page[1] if page and not prefix else base
    client = name_client(address, headers.get("x-forwarded-for", ""), settings.proxies)
    return Place(client, scheme, host, prefix, route, base)


class _Ours(NamedTuple):
    """The hosts of the demo's own pages."""

    hosts: tuple[Host, ...]
    at_any_port: bool

    def have(self, host: Host) -> bool:
        return host in self.hosts or (self.at_any_port and host.name == self.hosts[0].name)


def _first(headers: Mapping[str, str], name: str) -> str:
    return headers.get(name, "").partition(",")[0].strip()


def _read_prefix(told: Mapping[str, str]) -> str:
    for name in _PREFIXES:
        parts = [part.strip(" /") for part in told.get(name, "").split(",")]
        prefix = "".join(f"/{part}" for part in parts if part)
        if prefix and not parse_root(prefix):
            raise Refused(400, "A proxy gave a path that is none.", f"{name} {told[name]}")
        if prefix:
            return prefix
    return ""


def _read_host(headers: Mapping[str, str], told: Mapping[str, str]) -> Host:
    text = _first(told, "x-forwarded-host") or headers.get("host", "")
    host = parse_host(text)
    if host is None:
        raise Refused(400, "The Host header holds no host.", f"Host {text}")
    return host


def _check_name(host: Host, public: str, settings: Settings, headers: Mapping[str, str]) -> None:
    names = settings.host_names
    if not names or host.name in {*names, public} - {""}:
        return
    known = ", ".join(names)
    reason = f"host {host} is none of {known}; {PREFIX}HOST_NAMES or {PREFIX}ROOT_PATH may name it"
    if headers.get("x-forwarded-host"):
        reason += f"; X-Forwarded-Host counts from {PREFIX}PROXIES alone"
    raise Refused(421, "The demo is not known by that name.", reason)


def _check_origin(origin: str, ours: _Ours) -> tuple[str, Host]:
    found = parse_origin(origin)
    if found and ours.have(found[1]):
        return found
    raise Refused(
        403,
        "Another site's page cannot ask in a visitor's name.",
        f"Origin {origin} is not {' or '.join(map(str, ours.hosts))}; if a proxy changes the Host, "
        f"{PREFIX}ROOT_PATH or X-Forwarded-Host from {PREFIX}PROXIES may give the page's address",
    )


def _read_scheme(scope: Mapping[str, Any], told: Mapping[str, str]) -> str:
    scheme = _first(told, "x-forwarded-proto").lower()
    return scheme if scheme in {"http", "https"} else scope.get("scheme", "http")


def _read_page(referer: str, ours: _Ours) -> tuple[tuple[str, Host], str] | None:
    """Read the address of the demo's own page that sent a request, which no proxy changes."""
    found = _PAGE.fullmatch(referer)
    origin = parse_origin(found["origin"]) if found else None
    if not found or not origin or not ours.have(origin[1]):
        return None
    path = found["path"]
    return (origin, path) if not path or parse_root(path) else None
