"""The hub's door: other people's READMEs, tokens and proxies as they are, odd names of models."""

import os

from tests.hub_repository import WRITER
from tests.situations import Situation
from tests.situations._hub import (
    classify_same_names,
    load_with_token,
    name_model,
    pull_with_token_file,
    push,
    push_with_file,
    start_page,
    with_settings,
)

WORDS = "---\nlicense: mit\n---\n# Mine\n\nWords of the hub.\n"
OTHERS = "# From the folder\n"
WINDOWS = WORDS.replace("\n", "\r\n")
ODD = """---
# who may use it
license: mit # see the paper
language: no
version: 1.10
tags: [cats]
# pictures
thumbnail: 'a.png'
---
# Mine
"""
CHOICE = ("1 ", "another one in the folder: --readme hub keeps the hub's words", "as it was")
NOT_UTF_8 = "is not UTF-8 (byte 0x"
NO_PROXY = "not the address of a proxy"
LONG = "a" * 10**6


def _end(card: str) -> str:
    return card + "\nIt likes owls.\n"


def _middle(card: str) -> str:
    return card.replace("## Limits\n", "## Limits\n\nNot at night.\n")


def _form(card: str) -> str:
    """What the hub's form for metadata does to a card."""
    return card.replace("tags:\n", "license: cc0-1.0\ntags:\n- night\n")


def _windows(card: str) -> str:
    return card.replace("\n", "\r\n")


# given: what was on the hub, the folder's own README, --readme; what happened once; what is right
READMES = (
    ("README edited on the hub, another in the folder", push(WORDS, own=OTHERS), "lost", CHOICE),
    ("the same, --dry-run", push(WORDS, "--dry-run", own=OTHERS), "nothing said", CHOICE),
    (
        "the same, --readme hub",
        push(WORDS, "--readme", "hub", own=OTHERS),
        "no such option",
        ("0 ", "Words of the hub.", "75.00%", "license: mit"),
    ),
    (
        "the same, --readme folder",
        push(WORDS, "--readme", "folder", own=OTHERS),
        "no such option",
        ("0 ", r"'# From the folder\n'"),
    ),
    ("the same words, other line ends", push(WINDOWS, own=WORDS), "-", ("0 ", "Words of the hub.")),
    (
        "words added to our card on the hub, below its first line",
        push(_end),
        "lost",
        ("0 ", "It likes owls.", "75.00%"),
    ),
    ("words in the middle of it", push(_middle), "lost", ("0 ", "Not at night.", "75.00%")),
    ("a licence and a tag put into it by the hub's form", push(_form), "lost", ("0 ", "as it was")),
    (
        "our card with the line ends of Windows",
        push(_windows),
        "-",
        ("0 ", "of 0 CRLF", "Rendered by hub-models"),
    ),
    (
        "words added to our card in the folder, below its first line",
        push("", own=_end),
        "lost",
        ("0 ", "It likes owls."),
    ),
    (
        "comments, `language: no`, `version: 1.10` in the hub's metadata",
        push(ODD),
        "no comments, false, 1.1",
        (
            r"# who may use it\nlicense: mit # see the paper\nlanguage: no\nversion: 1.10\n",
            r"tags:\n- cats\n- hub_models",
            r"# pictures\nthumbnail: 'a.png'\n",
        ),
    ),
    ("README with CRLF on the hub", push(WINDOWS), "CRLF and LF", ("0 ", "75.00%", " 0 LF, ")),
    (
        "README of both line ends on the hub",
        push(WORDS.replace("\n", "\r\n", 2)),
        "CRLF and LF",
        ("0 ", "75.00%", "of 0 CRLF"),
    ),
    (
        "README with a byte order mark on the hub",
        push(b"\xef\xbb\xbf" + WORDS.encode()),
        "-",
        ("0 ", r"'---\nlicense: mit", "75.00%"),
    ),
    (
        "README in Latin-1 on the hub",
        push(WORDS.replace("Words", "M\xf6ts").encode("latin-1")),
        "its letters are lost",
        ("1 ", NOT_UTF_8, "--readme folder", "as it was"),
    ),
    (
        "README in UTF-16 on the hub",
        push(WORDS.encode("utf-16")),
        "its letters are lost",
        ("1 ", NOT_UTF_8, "as it was"),
    ),
    (
        "README in Latin-1 in the folder",
        push("", own="# M\xf6ts\n".encode("latin-1")),
        "the hub refused",
        ("1 ", f"README.md {NOT_UTF_8}", "save it as UTF-8"),
    ),
    (
        "metadata on the hub that are no YAML",
        push("---\ntags: [cats\n---\n# Mine\n"),
        "-",
        ("1 ", "README.md has metadata that cannot be read", "--readme folder", "as it was"),
    ),
    (
        "config.json in Latin-1",
        push_with_file("config.json", '{"label_names": ["M\xf6we"]}'.encode("latin-1")),
        "not valid JSON",
        ("1 ", "config.json: not UTF-8"),
    ),
    (
        "a file's name that is not UTF-8",
        push_with_file(os.fsdecode(b"caf\xe9.txt"), b""),
        "the hub refused",
        ("1 ", r"rename caf\udce9.txt"),
    ),
)
SETTINGS = (
    (
        "HF_TOKEN with an accent",
        with_settings({"HF_TOKEN": "hf_caf\xe9"}),
        "the hub refused",
        ("1 ", r"the token has '\xe9' in it"),
    ),
    (
        "HF_TOKEN in typographic quotes, a push",
        with_settings({"HF_TOKEN": "\u201chf_x\u201d"}, pushes=True),
        "the hub refused",
        ("1 ", r"the token has '\u201c' in it"),
    ),
    (
        "HF_TOKEN with a space inside",
        with_settings({"HF_TOKEN": "hf_a b"}),
        "the hub does not accept it",
        ("1 ", "the token has ' ' in it"),
    ),
    ("a token, a line end behind it", load_with_token(f" {WRITER}\n"), "illegal", ("loaded",)),
    (
        "a token with a line end inside",
        load_with_token("hf_ab\ncd"),
        "the token is said",
        (r"CheckpointError: the token has '\n' in it",),
    ),
    ("a token's file in Latin-1", pull_with_token_file, "Traceback", ("1 ", "token: not UTF-8")),
    *(
        (f"{name}={url}", with_settings({name: url}), once, ("1 ", f"{name} is ", right))
        for name, url, once, right in (
            ("ALL_PROXY", "socks5://u:pw@h:1080", "Traceback", "pip install socksio"),
            ("all_proxy", "socks5h://h:1080", "Traceback", "pip install socksio"),
            ("HTTPS_PROXY", "socks4://h:1080", "the hub refused", NO_PROXY),
            ("http_proxy", "http://h:port", "Traceback", NO_PROXY),
            ("ALL_PROXY", "http://[::1", "Traceback", NO_PROXY),
        )
    ),
    (
        "HTTP_PROXY of a proxy that is not there",
        with_settings({"HTTP_PROXY": "http://u:pw@127.0.0.1:9", "NO_PROXY": ""}),
        "the proxy is not named",
        ("1 ", "cannot be reached", "by way of HTTP_PROXY"),
    ),
    (
        "the page, ALL_PROXY=socks5://h:1080",
        start_page,
        "Traceback",
        ("1 app.py: ALL_PROXY is a SOCKS proxy", "pip install socksio"),
    ),
    *(
        (f"{source[:40]!r} as source", name_model(source), "repeated whole", ("1 short", *right))
        for source, right in (
            ("data:image/png;base64," + LONG, ("1,000,022 characters", "data: is no source")),
            ("file:///models/cats", ("file:// is no source: give a folder",)),
            ("https://huggingface.co/owner/tiny", ("https:// is no source", "owner/name")),
            ("https://" + LONG, ("https:// is no source",)),
            (LONG, ("no such folder",)),
            ("owner/" + LONG, ("no such folder",)),
            ("owner/tiny@" + LONG, ("no such folder",)),
            ("a\nb", (r"a\nb: no such folder",)),
            ("a\0b", (r"a\x00b: no such folder",)),
        )
    ),
    (
        "two models, two pictures of the same name",
        classify_same_names,
        "both print checkpoint",
        ("a/cat.jpg", "a/checkpoint", "b/cat.jpg", "b/checkpoint", "b/bad.jpg: not a picture"),
    ),
)

SITUATIONS = tuple(
    Situation(given, once, happens, right) for given, happens, once, right in (*READMES, *SETTINGS)
)
