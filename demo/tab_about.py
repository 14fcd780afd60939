"""The tab that says what the models are, where their data came from, and what is kept."""

import platform
import re
from importlib.metadata import version
from pathlib import Path
from typing import Final

import gradio as gr

from demo.loader import find_embedded
from demo.settings import Settings
from demo.text import Text
from hub_models import __version__

_PACKAGES: Final = ("torch", "torchvision", "gradio", "huggingface_hub", "pillow")
_FRONT_MATTER: Final = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


def build_about(settings: Settings, say: Text) -> None:
    """Lay out the tab.

    Args:
        settings: As read at the start.
        say: The words of the page.
    """
    gr.Markdown(say("about"), elem_id="about")
    for name, folder in find_embedded(settings.cards).items():
        with gr.Accordion(name, open=False):
            gr.Markdown(read_card(folder), elem_classes="card")
    gr.Markdown(f"## {say('versions')}\n\n{list_versions()}", elem_id="versions")


def read_card(folder: Path) -> str:
    """Read a model's card without what only machines read.

    Args:
        folder: A checkpoint folder.

    Returns:
        Markdown; empty if there is no card.
    """
    try:
        card = (folder / "README.md").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return _FRONT_MATTER.sub("", card)


def list_versions() -> str:
    """List what the demo runs on, without importing it, as Markdown."""
    lines = [f"hub_models {__version__}", f"Python {platform.python_version()}"]
    return "\n".join(f"- {line}" for line in [*lines, *(f"{p} {version(p)}" for p in _PACKAGES)])
