"""Class folders of tiny pictures, and what reading them and training on them say in one line."""

import contextlib
import io
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests import pictures
from tests.situations._scripts import Main, typed
from training.audit import audit
from training.class_table import table_lines
from training.data import load_data
from training.finetune import main as finetune

Happens = Callable[[Path], str]
_KINDS = {"jpg": "JPEG", "jpeg": "JPEG", "jfif": "JPEG", "tif": "TIFF", "avif": "AVIF"}


def make(root: Path, *names: str) -> Path:
    """Make root/data: "cat/4" are 4 pictures, "cat/a.png" one, "cat/a.txt" a text, "cat/" empty,
    "cat -> ../far" a link."""
    data = root / "data"
    for name in names:
        link, _, target = name.partition(" -> ")
        path = data / link
        path.parent.mkdir(parents=True, exist_ok=True)
        if target:
            path.symlink_to(target)
        elif name.endswith("/"):
            path.mkdir(exist_ok=True)
        elif path.name.isdigit():
            for i in range(int(path.name)):
                _draw(path.with_name(f"{i}.png"))
        elif path.suffix in (".txt", ".json", ".xml", ".heic"):
            path.write_text("no picture")
        else:
            _draw(path)
    return data


def said(main: Main, *words: object) -> str:
    """Give the exit code of a script and all that it says, without progress bars."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = main([str(word) for word in words])
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    return f"rc {code}: " + "; ".join(line for line in lines if line and "%|" not in line)


def reads(root: Path, source: str = "") -> str:
    """Give what is read of root/data, as a run prints it before it trains."""
    data = load_data(source or str(root / "data"), validation_fraction=0.5)
    lines = [*data.left_out, *table_lines(audit(data, quiet=True).classes)]
    return "; ".join(" ".join(line.split()) for line in lines)


def of_reading(*names: str) -> Happens:
    """Read such a folder."""
    return lambda root: reads(make(root, *names).parent)


def of_training(*names: str, **keys: object) -> Happens:
    """Train on such a folder, as it is typed."""

    def happens(root: Path) -> str:
        make(root, *names)
        return said(finetune, *typed(root, validation_fraction=0.5, **keys))

    return happens


def in_another_place(happens: Happens) -> Happens:
    """Let something happen in a folder of a name that is more than letters."""

    def happens_there(_: Path) -> str:
        with tempfile.TemporaryDirectory(prefix="j [v2] ") as root:
            return happens(Path(root)).replace(root, "")

    return happens_there


def _draw(path: Path) -> None:
    seed = sum(map(ord, str(path))) % 1000
    image = pictures.photo(16 + seed % 7, 16)
    path.write_bytes(pictures.encode(image, _KINDS.get(path.suffix[1:], "PNG")))
