"""Rows about where the page is: hosts, origins, proxies, and a real nginx."""

from collections.abc import Iterator
from functools import partial

from tests.nginx import NGINX, SNIPPET
from tests.situations import Situation
from tests.situations._page import ask_as, behind, root

_GUIDE = """location /tool/ {  # as Gradio's guide has it
    proxy_pass http://127.0.0.1:7860/;
    proxy_buffering off;
    proxy_redirect off;
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection "upgrade";
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-Host $host;
    proxy_set_header X-Forwarded-Proto $scheme;
}"""
_JUPYTER = """location /user/me%40x/proxy/7860/ {
    proxy_pass http://127.0.0.1:7860/;
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-Prefix /user/me%40x/proxy/7860;
    proxy_set_header X-Forwarded-Context /user/me%40x/proxy/7860;
    proxy_set_header X-ProxyContextPath /user/me%40x/proxy/7860;
}""".replace("location /user/me%40x", "location /user/me@x")
_WHOLE = """location /tool/ {
    proxy_pass http://127.0.0.1:7860;
    proxy_set_header Host $http_host;
}"""
_BARE = "location /tool/ { proxy_pass http://127.0.0.1:7860/; }"
_SLASHLESS = """location /tool {  # makes //zh/ of /tool/zh/
    proxy_pass http://127.0.0.1:7860/;
    proxy_set_header Host $http_host;
}"""


def _proxied() -> tuple[Situation, ...]:
    """Give the rows of a real nginx, of which there are none where it is not installed."""
    if NGINX is None:
        return ()
    snippet = SNIPPET.read_text(encoding="utf-8")
    whole = snippet.replace("7860/;", "7860;")
    script = _WHOLE.replace("}", "proxy_set_header X-Script-Name /tool; }")
    deep = _JUPYTER
    ways = {
        "deploy/nginx.conf and the settings that it names": (
            snippet,
            "/tool",
            {"ROOT_PATH": "HERE/tool", "PROXIES": "127.0.0.1"},
        ),
        "deploy/nginx.conf, /tool not taken away": (whole, "/tool", {"ROOT_PATH": "HERE/tool"}),
        "deploy/nginx.conf, and no setting at all": (snippet, "/tool", {}),
        "nginx as Gradio's guide has it": (_GUIDE, "/tool", {"PROXIES": "127.0.0.1"}),
        "nginx that tells nothing, ROOT_PATH the whole address": (
            _BARE,
            "/tool",
            {"ROOT_PATH": "HERE/tool/"},
        ),
        "nginx, /tool not taken away, ROOT_PATH=tool": (_WHOLE, "/tool", {"ROOT_PATH": "tool"}),
        "nginx, /tool not taken away, X-Script-Name": (script, "/tool", {"PROXIES": "127.0.0.1"}),
        "nginx, location without its last slash": (_SLASHLESS, "/tool", {}),
        "Jupyter's proxy, and no setting at all": (deep, "/user/me@x/proxy/7860", {}),
        "Jupyter's proxy is one of PROXIES": (
            deep,
            "/user/me@x/proxy/7860",
            {"PROXIES": "127.0.0.0/8"},
        ),
    }
    return tuple(
        Situation(
            given,
            "",
            partial(behind, location=location, prefix=prefix, **settings),
            (f"{prefix}/ cat", f"{prefix}/zh/ cat"),
        )
        for given, (location, prefix, settings) in ways.items()
    )


_DEMO = {"HOST_NAMES": "demo.example"}
_ORIGINS = {
    "Host names port 443": ({"host": "demo.example:443"}, {}, "200 cat"),
    "Host names port 80": ({"host": "demo.example:80", "origin": "http://demo.example"}, {}, "200"),
    "Origin names port 443": ({"origin": "https://demo.example:443"}, {}, "200 cat"),
    "upper case, a dot at the end": ({"host": "DEMO.Example."}, {}, "200 cat"),
    "Host and Origin with another port": (
        {"host": "demo.example:8443", "origin": "https://Demo.example:8443"},
        {},
        "200 cat",
    ),
    "Origin of another port": ({"origin": "https://demo.example:8443"}, {}, "403"),
    "Origin null": ({"origin": "null"}, {}, "403"),
    "Origin that is no address": ({"origin": "https://[demo.example"}, {}, "403"),
    "Host that is no host": ({"host": "demo.example/a"}, {}, "400"),
    "Host with a user in front": ({"host": "me@demo.example"}, {}, "400"),
    "IPv6 with a port": (
        {"host": "[::1]:7860", "origin": "http://[0:0:0:0:0:0:0:1]:7860"},
        {"HOST_NAMES": "::1"},
        "200 cat",
    ),
    "proxy rewrites Host, ROOT_PATH has the address": (
        {"host": "127.0.0.1:7860"},
        {"HOST_NAMES": "127.0.0.1", "ROOT_PATH": "https://demo.example"},
        "200 cat",
    ),
    "X-Forwarded-Host of a proxy": (
        {"host": "10.0.0.7:7860", "x-forwarded-host": "demo.example"},
        {"PROXIES": "127.0.0.1"},
        "200 cat",
    ),
    "X-Forwarded-Host names port 443": (
        {"host": "10.0.0.7:7860", "x-forwarded-host": "demo.example:443"},
        {"PROXIES": "127.0.0.0/8"},
        "200 cat",
    ),
    "X-Forwarded-Host is a list": (
        {"host": "10.0.0.7", "x-forwarded-host": "demo.example, inner.example:81"},
        {"PROXIES": "127.0.0.1"},
        "200 cat",
    ),
    "proxy leaves the port out": (
        {"x-forwarded-host": "demo.example", "origin": "https://demo.example:8443"},
        {"PROXIES": "127.0.0.1"},
        "200 cat",
    ),
    "another site through the proxy": (
        {"x-forwarded-host": "demo.example", "origin": "https://evil.example"},
        {"PROXIES": "127.0.0.1"},
        "403",
    ),
    "X-Forwarded-Host of a stranger": (
        {"host": "10.0.0.7:7860", "x-forwarded-host": "demo.example"},
        {},
        "X-Forwarded-Host counts from HUB_MODELS_DEMO_PROXIES alone",
    ),
    "X-Forwarded-Host of a proxy that names another": (
        {"x-forwarded-host": "evil.example"},
        {"PROXIES": "127.0.0.1"},
        "421",
    ),
    "line ends and colours in an Origin": (
        {"origin": "https://a\x85\x9b31mINFO fine".encode("latin-1")},
        {},
        "1 log lines: refused with 403: POST /classify from 127.0.0.1: Origin https://a\\x85\\x9b31m",
    ),
    "X-Forwarded-Prefix that leads elsewhere": (
        {"x-forwarded-prefix": "//evil.example"},
        {"PROXIES": "127.0.0.1"},
        "200 cat",
    ),
    "X-Forwarded-Prefix that is no path": (
        {"x-forwarded-prefix": "/a/../b"},
        {"PROXIES": "127.0.0.1"},
        "400",
    ),
}


def _origin_rows() -> Iterator[Situation]:
    for given, (changes, settings, right) in _ORIGINS.items():
        headers = {"host": "demo.example", "origin": "https://demo.example"} | changes
        refused = () if right.startswith(("200", "1")) else ("1 log lines: refused with",)
        yield Situation(
            given,
            "",
            ask_as(headers, **_DEMO | settings),
            (right, *refused),
        )


PLACES = (
    *_origin_rows(),
    Situation(
        "a stranger's X-Forwarded-Host and X-Gradio-Server",
        "",
        partial(
            root,
            headers={"x-forwarded-host": "evil.example", "x-gradio-server": "http://evil.example"},
        ),
        ("200 http://127.0.0.1", "clean"),
    ),
    Situation(
        "a proxy's host, scheme and prefix",
        "",
        partial(
            root,
            headers={
                "x-forwarded-host": "demo.example",
                "x-forwarded-proto": "https",
                "x-forwarded-prefix": "/a,/b",
            },
            HOST_NAMES="demo.example",
            PROXIES="127.0.0.1",
        ),
        ("200 https://demo.example/a/b clean",),
    ),
    *_proxied(),
)
