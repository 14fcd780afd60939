"""The tab that shows a picture to torchvision's own ImageNet model of an architecture."""

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any, Final

import gradio as gr

from demo.engine import IMAGENET
from demo.imagenet import IMAGENET_NAMES
from demo.page_parts import (
    COMPARED_AT_ONCE,
    LOOK_AGAIN_S,
    as_source,
    html,
    picture_address,
    picture_input,
)
from demo.render import CardRenderer
from demo.service import Service
from demo.text import Text
from demo.verdict import status

SHOWN_CLASSES: Final = 3


def build_imagenet(service: Service, say: Text) -> None:
    """Lay out the tab and connect it to the models.

    Args:
        service: The models; these are fetched when first asked for.
        say: The words of the page.
    """
    html(f"<p>{escape(say('imagenet_hint'))}</p>", "imagenet-hint")
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            picture = picture_input(say, "imagenet-picture")
        with gr.Column(scale=3, min_width=300):
            architecture = gr.Dropdown(
                list(IMAGENET_NAMES),
                value=IMAGENET_NAMES[0],
                label=say("architecture"),
                elem_id="imagenet-architecture",
            )
            button = gr.Button(say("classify"), variant="primary", elem_id="imagenet-start")
            card = html(None, "imagenet-card")
    clock = gr.Timer(LOOK_AGAIN_S, active=False)
    events: dict[str, Any] = {
        "inputs": [picture, architecture],
        "outputs": [card, clock],
        "api_visibility": "private",
        "concurrency_limit": COMPARED_AT_ONCE,
        "concurrency_id": "compare",
    }
    show = _shower(service, say)
    button.click(show, show_progress="minimal", **events)
    clock.tick(show, show_progress="hidden", **events)


def _shower(service: Service, say: Text) -> Callable[..., list[Any]]:
    def show(picture: Path | None, architecture: Any) -> list[Any]:
        if picture is None:
            return [status("wait", say("no_picture")), gr.Timer(active=False)]
        source = IMAGENET + as_source(architecture)
        comparison = service.compare(picture, source)
        if comparison.problem:
            sentence = say("bad_picture", problem=comparison.problem.rstrip("."))
            return [status("problem", sentence), gr.Timer(active=False)]
        renderer = CardRenderer(say, 0.0, picture_address(picture), shown=SHOWN_CLASSES)
        card = renderer.card(comparison.outcomes[0], "imagenet")
        return [card, gr.Timer(active=comparison.is_waiting)]

    return show
