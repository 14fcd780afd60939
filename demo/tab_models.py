"""The tab that shows which models are in memory, and fetches others from the hub."""

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import gradio as gr

from demo.loader import MAX_LOADED
from demo.outcome import Failure, Fetching, Outcome, Ready
from demo.page_parts import LOOK_AGAIN_S, as_source, html
from demo.render import CardRenderer
from demo.service import Service
from demo.text import Text

MAX_OWN = 20  # a visitor's own; the memory's bound is the loader's


def build_models(tab: gr.Tab, service: Service, say: Text) -> None:
    """Lay out the tab and connect it to the models.

    Args:
        tab: Whose opening lists the models.
        service: The models.
        say: The words of the page.
    """
    html(f"<p>{escape(say('models_hint', count=MAX_LOADED))}</p>", "models-hint")
    with gr.Row():
        source = gr.Textbox(
            label=say("model_to_fetch"), placeholder="owner/name@revision", elem_id="fetch-source"
        )
        fetch = gr.Button(say("fetch"), variant="primary", elem_id="fetch", min_width=120, scale=0)
    table = html(None, "models-table")
    own = gr.State([])  # a visitor's own, not shown to others
    clock = gr.Timer(LOOK_AGAIN_S, active=False)
    events: dict[str, Any] = {
        "outputs": [table, own, clock],
        "api_visibility": "private",
        "show_progress": "hidden",
    }
    show = _shower(service, say)
    gr.on([fetch.click, source.submit], show, [own, source], **events)
    gr.on([tab.select, clock.tick], show, [own], **events)


def _shower(service: Service, say: Text) -> Callable[..., list[Any]]:
    def show(own: list[str], asked: Any = "") -> list[Any]:
        source = as_source(asked).strip()
        failed: list[Outcome] = []
        if source:
            outcome = service.ask(None, source)[0]  # begins to fetch it
            failed = [outcome] if isinstance(outcome, Failure) else []
            own = [*dict.fromkeys([*own, source])][-MAX_OWN:]
        known = dict.fromkeys([*service.choices, *own])
        outcomes = {
            name: service.ask(None, name)[0] if service.loader.has(name) else None for name in known
        }
        for failure in failed:
            outcomes[source] = failure
        is_fetching = any(isinstance(outcome, Fetching) for outcome in outcomes.values())
        return [render_models(outcomes, say), own, gr.Timer(active=is_fetching)]

    return show


def render_models(outcomes: dict[str, Outcome | None], say: Text) -> str:
    """Draw the table of models.

    Args:
        outcomes: Source -> what became of it; None for one that nobody asked for yet.
        say: The words of the page.

    Returns:
        HTML.
    """
    keys: Sequence[str] = ("model", "state", "revision", "architecture", "size")
    heads = "".join(f'<th scope="col">{escape(say(key))}</th>' for key in keys)
    rows = "".join(_row(name, outcome, say) for name, outcome in outcomes.items())
    return (
        f'<div class="scroll" tabindex="0"><table class="rows"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _row(name: str, outcome: Outcome | None, say: Text) -> str:
    head = f'<tr><th scope="row">{escape(name)}</th>'
    match outcome:
        case Ready(facts):
            size = say("megabytes", number=f"{facts.weight_bytes / 1e6:.1f}")
            cells = (say("in_memory"), facts.revision or "", facts.architecture, size)
            return head + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
        case Fetching():
            sentence = CardRenderer(say, 0.0).fetching(outcome)
        case Failure(_, reason):
            sentence = say("unusable", reason=reason.rstrip("."))
        case _:
            sentence = say("not_loaded")
    return f'{head}<td colspan="4">{escape(sentence)}</td></tr>'
