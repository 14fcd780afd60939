"""Where people put the page: proxies, platforms, clients that leave, programs of every habit."""

from functools import partial
from pathlib import Path

from demo.settings import read_settings
from demo.text import choose_language
from hub_models import ConfigError
from tests.situations import Situation
from tests.situations._page import frames
from tests.situations._page_once import ONCE
from tests.situations._page_places import PLACES
from tests.situations._page_programs import PROGRAMS


def _settle(folder: Path, **environment: str) -> str:
    del folder
    try:
        settings = read_settings(environment)
    except ConfigError as error:
        return f"refused: {error}"
    names = ",".join(settings.host_names)
    return f"{settings.host} {settings.port} {settings.root_path or '/'} {names};"


def _language(folder: Path, accepted: str) -> str:
    del folder
    return choose_language("", accepted)


_SETTINGS = {
    "PORT of a platform": ({"PORT": "8080"}, "127.0.0.1 8080 "),
    "GRADIO_SERVER_PORT before PORT": (
        {"PORT": "8080", "GRADIO_SERVER_PORT": "7000"},
        "127.0.0.1 7000 ",
    ),
    "our PORT before both": (
        {"PORT": "80", "GRADIO_SERVER_PORT": "81", "HUB_MODELS_DEMO_PORT": "82"},
        "127.0.0.1 82 ",
    ),
    "PORT is no number": ({"PORT": "tcp://10.0.0.1:80"}, "PORT must be a whole number from 1 to"),
    "GRADIO_SERVER_PORT is out of range": (
        {"GRADIO_SERVER_PORT": "70000"},
        "refused: GRADIO_SERVER_PORT must be a whole number from 1 to 65535, not '70000'",
    ),
    "GRADIO_SERVER_NAME": ({"GRADIO_SERVER_NAME": "0.0.0.0"}, "0.0.0.0 7860 / ;"),
    "our HOST before Gradio's": (
        {"GRADIO_SERVER_NAME": "0.0.0.0", "HUB_MODELS_DEMO_HOST": "127.0.0.1"},
        "127.0.0.1 7860 ",
    ),
    "HOST in brackets": (
        {"HUB_MODELS_DEMO_HOST": "[::1]"},
        "::1 7860 / localhost,127.0.0.1,[::1];",
    ),
    "HOST ::1": ({"HUB_MODELS_DEMO_HOST": "::1"}, "::1 7860 "),
    "HOST is another address of this machine": (
        {"HUB_MODELS_DEMO_HOST": "127.0.0.2"},
        "localhost,127.0.0.1,[::1],127.0.0.2;",
    ),
    "HOST LocalHost.": ({"HUB_MODELS_DEMO_HOST": "LocalHost."}, "localhost 7860 / localhost,"),
    "HOST with a port": (
        {"HUB_MODELS_DEMO_HOST": "127.0.0.1:8000"},
        "HUB_MODELS_DEMO_HOST must be an IP address or the name of a host, without a port",
    ),
    "HOST is an address of the web": (
        {"GRADIO_SERVER_NAME": "http://localhost"},
        "GRADIO_SERVER_NAME must be an IP address or the name of a host",
    ),
    "HOST is a Unix socket": ({"HUB_MODELS_DEMO_HOST": "unix:/run/a"}, "must be an IP address or"),
    "GRADIO_ROOT_PATH": ({"GRADIO_ROOT_PATH": "/tool/"}, "127.0.0.1 7860 /tool "),
    "ROOT_PATH is an address": (
        {"HUB_MODELS_DEMO_ROOT_PATH": "https://Demo.example:443/a/b/"},
        " https://demo.example/a/b ",
    ),
    "ROOT_PATH is a page's own path": (
        {"HUB_MODELS_DEMO_ROOT_PATH": "/zh"},
        "none of the demo's own",
    ),
    "ROOT_PATH leads up": (
        {"HUB_MODELS_DEMO_ROOT_PATH": "/a/../b"},
        "must be a path such as /tool",
    ),
    "ROOT_PATH with a query": (
        {"HUB_MODELS_DEMO_ROOT_PATH": "/a?b"},
        "must be a path such as /tool",
    ),
    "HOST_NAMES with a port": (
        {"HUB_MODELS_DEMO_HOST_NAMES": "a.example:443"},
        "HUB_MODELS_DEMO_HOST_NAMES must be host names without a port, not 'a.example:443'",
    ),
    "FRAMES that would add a rule": (
        {"HUB_MODELS_DEMO_FRAMES": "https://a.example; script-src *"},
        "HUB_MODELS_DEMO_FRAMES must be sites such as",
    ),
    "PROXIES is a name": ({"HUB_MODELS_DEMO_PROXIES": "10.0.0.0/33"}, "must be IP addresses, not"),
}
_FRAMES = {
    "": "frame-ancestors 'self' https://huggingface.co https://*.hf.space;",
    "https://a.example, *.b.c:8443": "frame-ancestors 'self' https://a.example *.b.c:8443;",
    "none": "frame-ancestors 'self';",
    "*": "frame-ancestors 'self' *;",
}
_LANGUAGES = {
    "zh;q=0": "en",
    "zh; q=0.000, en": "en",
    "zh;q=0, *": "en",
    "en;q=0, *": "zh-CN",
    "*": "en",
    "*;q=0.5, zh;q=0.3": "en",
    "zh-TW": "zh-CN",
    "zh-Hant-HK, en;q=0.9": "zh-CN",
    "zh-CN;q=0, zh": "en",
    "en;q=0.2, zh ; q = 0.3": "zh-CN",
    "zh;q=5, zh;q=nan, ;;,": "en",
}
_ROWS = (
    *PLACES,
    *(
        Situation(given, "", partial(_settle, **variables), (right,))
        for given, (variables, right) in _SETTINGS.items()
    ),
    *(
        Situation(
            f"FRAMES={sites}",
            "",
            partial(frames, **{"FRAMES": sites} if sites else {}),
            (right,),
        )
        for sites, right in _FRAMES.items()
    ),
    *(
        Situation(f"Accept-Language: {header}", "", partial(_language, accepted=header), (right,))
        for header, right in _LANGUAGES.items()
    ),
    *PROGRAMS,
)
SITUATIONS = tuple(row._replace(once=ONCE.get(row.given, "the same")) for row in _ROWS)
