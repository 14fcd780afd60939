"""A hub, a cache and a folder, and `hub-models` run on them here or in a process of its own."""

import contextlib
import io
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from huggingface_hub import constants

from hub_models.cli import main
from tests.hub_repository import WRITER
from tests.hub_server import HubServer
from tests.processes import HANG_S

REPO = "owner/tiny"


@dataclass
class World:
    """A hub with one good repository, an empty cache, and a good folder to push."""

    hub: HubServer
    cache: Path
    folder: Path
    token: str = ""
    offline: bool = False
    commits: list[str] = field(default_factory=list)

    def command(self, *words: str) -> tuple[int, str]:
        """Run `hub-models` in this process; give its exit code and what it says on stderr."""
        was = constants.HF_HUB_CACHE, constants.HF_HUB_OFFLINE, os.environ.get("HF_TOKEN")
        constants.HF_HUB_CACHE, constants.HF_HUB_OFFLINE = str(self.cache), self.offline
        os.environ["HF_TOKEN"] = self.token
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
                return main(list(words)), said.getvalue()
        finally:
            constants.HF_HUB_CACHE, constants.HF_HUB_OFFLINE = was[:2]
            os.environ["HF_TOKEN"] = was[2] or ""

    def pull(self) -> tuple[int, str]:
        return self.command("pull", REPO)

    def push(self) -> tuple[int, str]:
        self.token = self.token or WRITER
        return self.command("push", str(self.folder), REPO)

    def process(self, before: str = "true") -> "subprocess.Popen[str]":
        """Start a pull in a process of its own, `before` it a shell command on $CACHE."""
        code = f"import sys; from hub_models.cli import main; sys.exit(main(['pull', {REPO!r}]))"
        pull = f"exec {shlex.quote(sys.executable)} -c {shlex.quote(code)}"
        is_plain = before == "true"
        shell = ["sh", "-c", f"{before} && {pull}"]
        return subprocess.Popen(
            shell if is_plain else ["unshare", "--mount", *shell],
            env=os.environ
            | {"CACHE": str(self.cache), "HF_HUB_CACHE": str(self.cache), "HF_TOKEN": self.token},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ended(self, process: "subprocess.Popen[str]") -> tuple[int, str]:
        _, said = process.communicate(timeout=HANG_S)
        return process.returncode, said

    def blob(self, name: str) -> Path:
        """Find a cached file's content."""
        return next(self.cache.glob(f"models--*/snapshots/*/{name}")).resolve()
