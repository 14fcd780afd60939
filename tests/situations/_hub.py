"""What is done at the hub's door: a push onto a README, a command with a setting, an odd name."""

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from unittest.mock import patch

import huggingface_hub

from hub_models import ImageClassifier
from hub_models.cli import main
from hub_models.hub import read_config, write_config
from tests import pictures
from tests.conftest import LABELS, TINY, _hub
from tests.hub_repository import WRITER
from tests.hub_world import REPO, World
from tests.processes import HANG_S

Happens = Callable[[Path], str]


@cache
def measured_folder() -> Path:
    """A folder with measured results."""
    folder = Path(tempfile.mkdtemp(prefix="hub-situations-"), "tiny")
    ImageClassifier.create("mobilenetv2_025", LABELS, preprocess=TINY).save_pretrained(folder)
    results = {"test": {"accuracy": 0.75, "images": 8}}
    write_config(folder, replace(read_config(folder), results=results))
    return folder


def a_world(root: Path) -> World:
    """A hub with no repository, an empty cache, and a folder to push."""
    _hub.reset()
    (root / "cache").mkdir()
    return World(
        _hub, root / "cache", Path(shutil.copytree(measured_folder(), root / "folder")), WRITER
    )


def readme_there(world: World) -> bytes:
    found = world.hub.repositories[REPO].tree("main")
    return found[1].get("README.md", b"") if found else b""


@cache
def our_card() -> str:
    """Our card, as a push renders it."""
    with tempfile.TemporaryDirectory() as root:
        world = a_world(Path(root))
        assert world.push() == (0, "")
        return readme_there(world).decode()


def as_bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def push(
    theirs: Callable[[str], str] | str | bytes,
    *words: str,
    own: Callable[[str], str] | str | bytes | None = None,
) -> Happens:
    """Push where the hub has a README, and the folder another one of its own if `own` is given.

    Each is the README itself, or what was changed in our card.
    """

    def happens(root: Path) -> str:
        card = our_card() if callable(theirs) else ""
        before = as_bytes(theirs(card) if callable(theirs) else theirs)
        world = a_world(root)
        world.hub.commit(REPO, {"README.md": before} if before else {"notes.txt": b"theirs"})
        if own is not None:
            path = world.folder / "README.md"
            path.write_bytes(as_bytes(own(path.read_text()) if callable(own) else own))
        code, said = world.command("push", str(world.folder), REPO, *words)
        after = readme_there(world)
        pairs = after.count(b"\r\n")
        ends = f"{pairs} CRLF, {after.count(bytes([10])) - pairs} LF, {after.count(bytes([13]))} CR"
        shown = "as it was" if after == before else repr(after.decode("utf-8", "replace"))
        return f"{code} {said.strip()} README of {ends}: {shown}"

    return happens


def with_settings(settings: dict[str, str], *, pushes: bool = False) -> Happens:
    """Pull or push with variables of the environment set."""

    def happens(root: Path) -> str:
        world = a_world(root)
        world.hub.commit(REPO, world.folder)
        world.token = settings.get("HF_TOKEN", WRITER)
        with patch.dict(os.environ, settings):
            huggingface_hub.close_session()  # it keeps the proxies that it began with
            code, said = world.push() if pushes else world.pull()
        huggingface_hub.close_session()
        return f"{code} {said.strip()}"

    return happens


def load_with_token(token: str) -> Happens:
    """Load a model by Python with a token."""

    def happens(root: Path) -> str:
        world = a_world(root)
        world.hub.commit(REPO, world.folder)
        try:
            ImageClassifier.from_pretrained(REPO, token=token, cache_dir=world.cache)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return "loaded"

    return happens


def pull_with_token_file(root: Path) -> str:
    (root / "token").write_bytes(b"hf_caf\xe9")
    was = huggingface_hub.constants.HF_TOKEN_PATH
    huggingface_hub.constants.HF_TOKEN_PATH = str(root / "token")
    try:
        return with_settings({"HF_TOKEN": ""})(root)
    finally:
        huggingface_hub.constants.HF_TOKEN_PATH = was


def name_model(source: str) -> Happens:
    """Name a model in an odd way."""

    def happens(root: Path) -> str:
        code, said = a_world(root).command("info", source)
        return f"{code} {'short' if len(said) < 300 else 'LONG'}: {said.strip()}"

    return happens


def push_with_file(name: str, content: bytes) -> Happens:
    """Push a folder with an odd file."""

    def happens(root: Path) -> str:
        world = a_world(root)
        (world.folder / name).write_bytes(content)
        code, said = world.push()
        return f"{code} {said.strip()}"

    return happens


def start_page(root: Path) -> str:
    """Start the page behind a SOCKS proxy."""
    done = subprocess.run(
        [sys.executable, "app.py"],
        env=os.environ | {"ALL_PROXY": "socks5://h:1080"},
        capture_output=True,
        text=True,
        timeout=HANG_S,
    )
    return f"{done.returncode} {done.stderr.strip()}"


def classify_same_names(root: Path) -> str:
    for parent in ("a", "b"):
        shutil.copytree(measured_folder(), root / parent / "checkpoint")
        (root / parent / "cat.jpg").write_bytes(pictures.encode(pictures.photo(64, 48), "JPEG"))
    (root / "b" / "bad.jpg").write_text("not a picture")
    seen = [str(root / path) for path in ("a/cat.jpg", "b/cat.jpg", "b/bad.jpg")]
    models = [f"--model={root}/{parent}/checkpoint" for parent in ("a", "b")]
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        main(["classify", *seen, *models, "--top", "1"])
    return " / ".join(re.sub(r"  \w+ [\d.]+%", "", line) for line in said.getvalue().splitlines())
