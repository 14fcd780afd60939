"""What several tabs of the page are made of."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import gradio as gr

from demo.safe_image import SafeImage
from demo.text import Text

LOOK_AGAIN_S: Final = 2  # while a model is on its way
COMPARED_AT_ONCE: Final = 8  # pictures: enough for a model's waiting requests to share a pass
EXAMPLES: Final = Path(__file__).resolve().parent / "examples"
_EXAMPLE_NAMES: Final = ("cat.jpg", "cat-drawing.jpg", "dog-drawing.jpg")


def html(value: str | None, name: str) -> gr.HTML:
    """Make a part of the page that is ours from border to border.

    Args:
        value: HTML.
        name: Its id in the page.

    Returns:
        The component.
    """
    return gr.HTML(
        value, elem_id=name, elem_classes="own", apply_default_css=False, js_on_load=None
    )


def picture_input(say: Text, name: str, *, height: int = 340) -> SafeImage:
    """Make a field for one picture, with examples below it.

    Args:
        say: The words of the page.
        name: Its id in the page.
        height: In CSS pixels.

    Returns:
        The component; its value is a checked path.
    """
    picture = SafeImage(
        label=say("picture"),
        type="filepath",
        sources=["upload", "webcam", "clipboard"],
        buttons=["fullscreen"],
        placeholder=say("drop_here"),
        alt_text=say("picture_alt"),
        height=height,
        elem_id=name,
    )
    picture.refusal = say("not_an_upload")
    gr.Examples(
        [str(EXAMPLES / name) for name in _EXAMPLE_NAMES],
        inputs=picture,
        label=say("examples"),
        cache_examples=False,
        api_visibility="private",
        elem_id=f"{name}-examples" if name != "picture" else "examples",
    )
    return picture


def model_input(
    label: str, choices: Sequence[str], default: str | None, *, name: str
) -> gr.Dropdown:
    """Make a list of models into which any other can be typed.

    Args:
        label: Above it.
        choices: Sources on offer.
        default: The one chosen at first; None for none.
        name: Its id in the page.

    Returns:
        The component.
    """
    return gr.Dropdown(
        list(choices), value=default, label=label, allow_custom_value=True, elem_id=name
    )


def picture_address(path: Path | None) -> str:
    """Give the address under which the page itself serves an upload.

    Args:
        path: Of the uploaded file; None if there is none.

    Returns:
        An address relative to the page; "" for none.
    """
    return "" if path is None else "gradio_api/file=" + quote(str(path))


def as_source(value: Any) -> str:
    """Take what a request gave as a model's name: text, or nothing at all."""
    return value if isinstance(value, str) else ""
