"""The tab that asks two models about one picture: a card each, and a verdict."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from demo.page_parts import (
    COMPARED_AT_ONCE,
    LOOK_AGAIN_S,
    as_source,
    html,
    model_input,
    picture_address,
    picture_input,
)
from demo.render import CardRenderer
from demo.service import Service
from demo.settings import Settings
from demo.text import Text
from demo.verdict import render_verdict, status

SIDES = ("left", "right")


def build_compare(page: gr.Blocks, service: Service, settings: Settings, say: Text) -> None:
    """Lay out the tab and connect it to the models.

    Args:
        page: Whose opening asks for a first answer.
        service: The models.
        settings: As read at the start.
        say: The words of the page.
    """
    with gr.Row(elem_id="columns"):
        with gr.Column(scale=2, min_width=300):
            picture = picture_input(say, "picture")
            button = gr.Button(say("compare"), variant="primary", elem_id="compare")
        with gr.Column(scale=3, min_width=300):
            if not service.choices:
                html(status("problem", say("no_models")), "no-models")
            verdict = html(status("wait", say("starting")), "verdict")
            hint = say("choose_trusted" if settings.trust_visitors else "choose")
            html(f"<p>{hint}</p>", "hint")
            with gr.Row():
                sides = [_side(index, service, say) for index in range(len(SIDES))]
    gr.Markdown(say("notes", unsure_below=f"{settings.unsure_below:.0%}"), elem_id="notes")
    clock = gr.Timer(LOOK_AGAIN_S, active=False)
    (left, left_card), (right, right_card) = sides
    show = _shower(service, settings.unsure_below, say)
    events: dict[str, Any] = {
        "inputs": [picture, left, right],
        "outputs": [left_card, right_card, verdict, clock],
        "api_visibility": "private",
        "concurrency_limit": COMPARED_AT_ONCE,
        "concurrency_id": "compare",
    }
    triggers = [page.load, picture.change, left.change, right.change, button.click]
    gr.on(triggers, show, trigger_mode="always_last", show_progress="minimal", **events)
    clock.tick(show, show_progress="hidden", **events)


def _shower(service: Service, unsure_below: float, say: Text) -> Callable[..., list[Any]]:
    def show(picture: Path | None, left: Any, right: Any) -> list[Any]:
        sources = [as_source(left), as_source(right)]
        comparison = service.compare(picture, *sources)
        renderer = CardRenderer(say, unsure_below, picture_address(comparison.picture))
        cards = zip(comparison.outcomes, SIDES, strict=True)
        return [
            *(renderer.card(outcome, side) for outcome, side in cards),
            render_verdict(comparison, unsure_below, say),
            gr.Timer(active=comparison.is_waiting),
        ]

    return show


def _side(index: int, service: Service, say: Text) -> tuple[gr.Dropdown, gr.HTML]:
    name = SIDES[index]
    default = service.defaults[index] if index < len(service.defaults) else None
    with gr.Column(min_width=280):
        label = say(("first_model", "second_model")[index])
        model = model_input(label, service.choices, default, name=f"{name}-model")
        card = html(None, f"{name}-card")
    return model, card
