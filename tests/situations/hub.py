"""The hub's door: other people's READMEs, tokens and proxies as they are, odd names of models."""

import contextlib
import io
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import huggingface_hub

from hub_models import ImageClassifier
from hub_models.cli import main
from hub_models.hub import read_config, write_config
from tests import pictures
from tests.conftest import LABELS, TINY, _hub
from tests.hub_repository import WRITER
from tests.hub_world import REPO, World
from tests.situations import Situation

Happens = Callable[[Path], str]
WORDS = "---\nlicense: mit\n---\n# Mine\n\nWords of the hub.\n"
OTHERS = "# From the folder\n"
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


@cache
def _tiny() -> Path:
    """A folder with measured results."""
    folder = Path(tempfile.mkdtemp(prefix="hub-situations-"), "tiny")
    ImageClassifier.create("mobilenetv2_025", LABELS, preprocess=TINY).save_pretrained(folder)
    results = {"test": {"accuracy": 0.75, "images": 8}}
    write_config(folder, replace(read_config(folder), results=results))
    return folder


def _world(root: Path) -> World:
    """A hub with no repository, an empty cache, and a folder to push."""
    _hub.reset()
    (root / "cache").mkdir()
    return World(_hub, root / "cache", Path(shutil.copytree(_tiny(), root / "folder")), WRITER)


def _there(world: World) -> bytes:
    found = world.hub.repositories[REPO].tree("main")
    return found[1].get("README.md", b"") if found else b""


@cache
def _card() -> str:
    """Our card, as a push renders it."""
    with tempfile.TemporaryDirectory() as root:
        world = _world(Path(root))
        assert world.push() == (0, "")
        return _there(world).decode()


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _push(
    theirs: Callable[[], str] | str | bytes, *words: str, own: str | bytes | None = None
) -> Happens:
    """Push where the hub has a README, and the folder another one of its own if `own` is given."""

    def happens(root: Path) -> str:
        before = _bytes(theirs() if callable(theirs) else theirs)
        world = _world(root)
        world.hub.commit(REPO, {"README.md": before} if before else {"notes.txt": b"theirs"})
        if own is not None:
            (world.folder / "README.md").write_bytes(_bytes(own))
        code, said = world.command("push", str(world.folder), REPO, *words)
        after = _there(world)
        pairs = after.count(b"\r\n")
        ends = f"{pairs} CRLF, {after.count(bytes([10])) - pairs} LF, {after.count(bytes([13]))} CR"
        shown = "as it was" if after == before else repr(after.decode("utf-8", "replace"))
        return f"{code} {said.strip()} README of {ends}: {shown}"

    return happens


def _changed(change: Callable[[str], str]) -> Happens:
    """Push where somebody has changed our card on the hub."""
    return _push(lambda: change(_card()))


def _with(name: str, value: str, *words: str) -> Happens:
    """Type a command, `pull` if none is given, with a variable of the environment set."""

    def happens(root: Path) -> str:
        world = _world(root)
        world.hub.commit(REPO, world.folder)
        was = os.environ.get(name)
        os.environ[name] = world.token = value if name == "HF_TOKEN" else world.token
        os.environ[name] = value
        huggingface_hub.close_session()  # it keeps the proxies that it began with
        try:
            code, said = world.command(*(words or ("pull", REPO)))
        finally:
            os.environ.pop(name)
            os.environ.update({} if was is None else {name: was})
            huggingface_hub.close_session()
        return f"{code} {said.strip()}"

    return happens


def _token(token: str) -> Happens:
    """Load a model by Python with a token."""

    def happens(root: Path) -> str:
        world = _world(root)
        world.hub.commit(REPO, world.folder)
        try:
            ImageClassifier.from_pretrained(REPO, token=token, cache_dir=world.cache)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return "loaded"

    return happens


def _token_file(root: Path) -> str:
    (root / "token").write_bytes(b"hf_caf\xe9")
    was = huggingface_hub.constants.HF_TOKEN_PATH
    huggingface_hub.constants.HF_TOKEN_PATH = str(root / "token")
    try:
        return _with("HF_TOKEN", "")(root)
    finally:
        huggingface_hub.constants.HF_TOKEN_PATH = was


def _source(source: str) -> Happens:
    """Name a model in an odd way."""

    def happens(root: Path) -> str:
        code, said = _world(root).command("info", source)
        return f"{code} {'short' if len(said) < 300 else 'LONG'}: {said.strip()}"

    return happens


def _broken(name: str, content: bytes) -> Happens:
    """Push a folder with an odd file."""

    def happens(root: Path) -> str:
        world = _world(root)
        (world.folder / name).write_bytes(content)
        code, said = world.push()
        return f"{code} {said.strip()}"

    return happens


def _same_names(root: Path) -> str:
    for parent in ("a", "b"):
        shutil.copytree(_tiny(), root / parent / "checkpoint")
        (root / parent / "cat.jpg").write_bytes(pictures.encode(pictures.photo(64, 48), "JPEG"))
    (root / "b" / "bad.jpg").write_text("not a picture")
    seen = [str(root / path) for path in ("a/cat.jpg", "b/cat.jpg", "b/bad.jpg")]
    models = [f"--model={root}/{parent}/checkpoint" for parent in ("a", "b")]
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        main(["classify", *seen, *models, "--top", "1"])
    return " / ".join(re.sub(r"  \w+ [\d.]+%", "", line) for line in said.getvalue().splitlines())


SITUATIONS = (
    Situation(
        "README edited on the hub, another one in the folder",
        "the hub's is lost",
        _push(WORDS, own=OTHERS),
        CHOICE,
    ),
    Situation(
        "the same, --dry-run", "nothing is said", _push(WORDS, "--dry-run", own=OTHERS), CHOICE
    ),
    Situation(
        "the same, --readme hub",
        "no such option",
        _push(WORDS, "--readme", "hub", own=OTHERS),
        ("0 ", "Words of the hub.", "75.00%", "license: mit"),
    ),
    Situation(
        "the same, --readme folder",
        "no such option",
        _push(WORDS, "--readme", "folder", own=OTHERS),
        ("0 ", r"'# From the folder\n'"),
    ),
    Situation(
        "the same words on both sides, other line ends",
        "-",
        _push(WORDS.replace("\n", "\r\n"), own=WORDS),
        ("0 ", "Words of the hub."),
    ),
    Situation(
        "words added to our card on the hub, below its first line",
        "lost",
        _changed(lambda card: card + "\nIt likes owls.\n"),
        ("0 ", "It likes owls.", "75.00%"),
    ),
    Situation(
        "words in the middle of our card on the hub",
        "lost",
        _changed(lambda card: card.replace("## Limits\n", "## Limits\n\nNot at night.\n")),
        ("0 ", "Not at night.", "75.00%"),
    ),
    Situation(
        "licence and tag put into our card by the hub's form",
        "lost",
        _changed(lambda card: card.replace("tags:\n", "license: cc0-1.0\ntags:\n- night\n")),
        ("0 ", "license: cc0-1.0", "- night", "Rendered by hub-models", "75.00%"),
    ),
    Situation(
        "our card with the line ends of Windows",
        "-",
        _changed(lambda card: card.replace("\n", "\r\n").replace("\ufeff", "")),
        ("0 ", "Rendered by hub-models", " 0 CRLF"),
    ),
    Situation(
        "words added to our card in the folder, below its first line",
        "lost",
        lambda root: _push("", own=(_tiny() / "README.md").read_text() + "\nOwls too.\n")(root),
        ("0 ", "Owls too."),
    ),
    Situation(
        "comments, `language: no`, `version: 1.10` in the hub's metadata",
        "no comments, false, 1.1",
        _push(ODD),
        (
            r"# who may use it\nlicense: mit # see the paper\nlanguage: no\nversion: 1.10\n",
            r"tags:\n- cats\n- hub_models",
            r"# pictures\nthumbnail: ",
        ),
    ),
    Situation(
        "CRLF README on the hub",
        "two kinds of line end",
        _push(WORDS.replace("\n", "\r\n")),
        ("0 ", "75.00%", " 0 LF, "),
    ),
    Situation(
        "README of both line ends on the hub",
        "both",
        _push(WORDS.replace("\n", "\r\n", 3)),
        ("0 ", "75.00%", "of 0 CRLF"),
    ),
    Situation(
        "README with a byte order mark on the hub",
        "-",
        _push(b"\xef\xbb\xbf" + WORDS.encode()),
        ("0 ", "'---\\nlicense: mit", "75.00%"),
    ),
    Situation(
        "README in Latin-1 on the hub",
        "its letters are lost",
        _push(WORDS.replace("Words", "M\xf6ts").encode("latin-1")),
        ("1 ", NOT_UTF_8, "--readme folder", "as it was"),
    ),
    Situation(
        "README in UTF-16 on the hub",
        "its letters are lost",
        _push(WORDS.encode("utf-16")),
        ("1 ", NOT_UTF_8, "as it was"),
    ),
    Situation(
        "README in Latin-1 in the folder",
        "the hub refused",
        _push("", own="# M\xf6ts\n".encode("latin-1")),
        ("1 ", "folder/README.md " + NOT_UTF_8, "save it as UTF-8"),
    ),
    Situation(
        "metadata on the hub that are no YAML",
        "-",
        _push("---\ntags: [cats\n---\n# Mine\n"),
        ("1 ", "README.md has metadata that cannot be read", "--readme folder", "as it was"),
    ),
    Situation(
        "config.json in Latin-1",
        "-",
        _broken("config.json", '{"label_names": ["M\xf6we"]}'.encode("latin-1")),
        ("1 ", "config.json", "UTF-8"),
    ),
    Situation(
        "a file's name that is not UTF-8",
        "the hub refused",
        _broken(os.fsdecode(b"caf\xe9.txt"), b""),
        ("1 ", "rename caf\\udce9.txt"),
    ),
    Situation(
        "HF_TOKEN with an accent",
        "the hub refused",
        _with("HF_TOKEN", "hf_caf\xe9"),
        ("1 ", r"the token has '\xe9' in it"),
    ),
    Situation(
        "HF_TOKEN in typographic quotes",
        "the hub refused",
        _with("HF_TOKEN", f"\u201c{WRITER}\u201d", "push", str(_tiny()), REPO),
        ("1 ", r"the token has '\u201c' in it"),
    ),
    Situation(
        "HF_TOKEN with a space inside", "-", _with("HF_TOKEN", "hf_a b"), ("1 ", "has ' ' in it")
    ),
    Situation(
        "a token with a line end behind it", "illegal header", _token(f" {WRITER}\n"), ("loaded",)
    ),
    Situation(
        "a token with a line end inside",
        "the token in the sentence",
        _token("hf_ab\ncd"),
        (r"CheckpointError: the token has '\n' in it",),
    ),
    Situation("a token's file in Latin-1", "-", _token_file, ("1 ", "token: not UTF-8")),
    *(
        Situation(
            f"{name}={url}", once, _with(name, url), ("1 ", name.upper() and f"{name} is", *right)
        )
        for name, url, once, right in (
            ("ALL_PROXY", "socks5://u:pw@h:1080", "Traceback", ("pip install socksio",)),
            ("all_proxy", "socks5h://h:1080", "Traceback", ("pip install socksio",)),
            ("HTTPS_PROXY", "socks4://h:1080", "the hub refused", ("not the address of a proxy",)),
            ("http_proxy", "http://h:port", "Traceback", ("not the address of a proxy",)),
            ("ALL_PROXY", "http://[::1", "Traceback", ("not the address of a proxy",)),
        )
    ),
    Situation(
        "a `data:` URL as source",
        "repeated whole",
        _source("data:image/png;base64," + "iVBORw0KGgo" * 90_000),
        ("1 short", "data:image/png;base64,iVBO", "990,022 characters", "data: is no source"),
    ),
    Situation(
        "file:///models/cats as source",
        "-",
        _source("file:///models/cats"),
        ("1 short", "file:// is no source: give a folder"),
    ),
    Situation(
        "a source of a million letters", "repeated whole", _source("a" * 10**6), ("1 short",)
    ),
    Situation(
        "a source with a line end", "two lines", _source("a\nb"), ("1 short", r"a\nb: no such")
    ),
    Situation(
        "two models, two pictures of the same name",
        "both print checkpoint",
        _same_names,
        tuple(f"{p}/cat.jpg  {{}}{m}/checkpoint".format("") for p in "ab" for m in "ab")[:0]
        + ("a/cat.jpg", "a/checkpoint", "b/cat.jpg", "b/checkpoint", "b/bad.jpg: not a picture"),
    ),
)
