"""The page's layout: one picture in, two cards and a verdict out."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import gradio as gr

from demo import text
from demo.outcome import Comparison
from demo.render import render_card, render_verdict, verdict_line
from demo.safe_image import SafeImage
from demo.service import LIMITS
from demo.settings import Settings

EXAMPLES: Final = Path(__file__).resolve().parent / "examples"
_STYLE: Final = Path(__file__).resolve().parent / "style.css"
_KEPT_S: Final = 3600
_log = logging.getLogger(__name__)

Compare = Callable[[Path | None, str, str], Comparison]
IsFetching = Callable[[str, str], bool]


def build_page(
    compare: Compare,
    is_fetching: IsFetching,
    *,
    settings: Settings,
    choices: Sequence[str],
    defaults: Sequence[str],
) -> gr.Blocks:
    """Lay out the page and connect it to the models.

    Args:
        compare: Picture (or None), first source and second source to what to show.
        is_fetching: Whether one of two sources is still on its way.
        settings: As read at the start.
        choices: Sources on offer in both lists.
        defaults: At most two sources, chosen when the page opens.

    Returns:
        The page, not yet served.
    """
    show = _shower(compare, is_fetching, settings.unsure_below)
    with gr.Blocks(title=text.TITLE, analytics_enabled=False, delete_cache=(600, _KEPT_S)) as page:
        _html(f"<h1>{text.TITLE}</h1><p>{text.INTRODUCTION}</p>", "heading")
        with gr.Row(elem_id="columns"):
            with gr.Column(scale=2, min_width=300):
                picture = _picture()
                button = gr.Button(text.COMPARE, variant="primary", elem_id="compare")
            with gr.Column(scale=3, min_width=300):
                if not choices:
                    _html(verdict_line("problem", text.NO_MODELS), "no-models")
                verdict = _html(verdict_line("wait", text.STARTING), "verdict")
                hint = text.CHOOSE_TRUSTED if settings.trust_visitors else text.CHOOSE
                _html(f"<p>{hint}</p>", "hint")
                with gr.Row():
                    sides = [_side(index, choices, defaults) for index in range(2)]
        gr.Markdown(text.notes(settings.unsure_below), elem_id="notes")
        clock = gr.Timer(1, active=False)
        (left, left_card), (right, right_card) = sides
        events: dict[str, Any] = {
            "inputs": [picture, left, right],
            "outputs": [left_card, right_card, verdict, clock],
            "api_visibility": "private",
            "concurrency_limit": 2,
            "concurrency_id": "compare",
        }
        triggers = [page.load, picture.change, left.change, right.change, button.click]
        gr.on(triggers, show, trigger_mode="always_last", show_progress="minimal", **events)
        clock.tick(
            lambda *inputs: [gr.skip()] * 4 if is_fetching(*inputs[1:]) else show(*inputs),
            show_progress="hidden",
            **events,
        )
    page.queue(max_size=16, api_open=False)
    return page


def serve(page: gr.Blocks, settings: Settings) -> None:
    """Serve the page until the process is interrupted.

    Args:
        page: What `build_page` made.
        settings: Host and port.

    Raises:
        OSError: If the port is taken.
    """
    page.launch(
        server_name=settings.host,
        server_port=settings.port,
        theme=_theme(),
        css_paths=_STYLE,
        footer_links=["gradio"],
        allowed_paths=[str(EXAMPLES)],
        max_file_size=LIMITS.max_bytes,
        show_error=False,
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        share=False,
        quiet=True,
        prevent_thread_lock=True,
    )
    _log.info("the page is at http://%s:%d", settings.host, settings.port)
    page.block_thread()


def _shower(
    compare: Compare, is_fetching: IsFetching, unsure_below: float
) -> Callable[..., list[Any]]:
    def show(picture: Path | None, left: Any, right: Any) -> list[Any]:
        sources = [source if isinstance(source, str) else "" for source in (left, right)]
        comparison = compare(picture, *sources)
        return [
            render_card(comparison.left, unsure_below),
            render_card(comparison.right, unsure_below),
            render_verdict(comparison, unsure_below),
            gr.Timer(active=is_fetching(*sources)),
        ]

    return show


def _picture() -> SafeImage:
    picture = SafeImage(
        label=text.PICTURE,
        type="filepath",
        sources=["upload", "webcam", "clipboard"],
        buttons=["fullscreen"],
        placeholder=text.DROP_HERE,
        alt_text=text.PICTURE_ALT,
        height=340,
        elem_id="picture",
    )
    gr.Examples(
        [str(EXAMPLES / name) for name in ("cat.jpg", "cat-drawing.jpg", "dog-drawing.jpg")],
        inputs=picture,
        label=text.EXAMPLES,
        cache_examples=False,
        api_visibility="private",
        elem_id="examples",
    )
    return picture


def _side(
    index: int, choices: Sequence[str], defaults: Sequence[str]
) -> tuple[gr.Dropdown, gr.HTML]:
    name = ("left", "right")[index]
    with gr.Column(min_width=280):
        model = gr.Dropdown(
            list(choices),
            value=defaults[index] if index < len(defaults) else None,
            label=text.SIDES[index],
            allow_custom_value=True,
            elem_id=f"{name}-model",
        )
        card = _html(None, f"{name}-card")
    return model, card


def _html(value: str | None, name: str) -> gr.HTML:
    return gr.HTML(
        value, elem_id=name, elem_classes="own", apply_default_css=False, js_on_load=None
    )


def _theme() -> gr.themes.Base:
    # Hue and values chosen so that axe finds no contrast failure in light or dark. The SemiBold
    # file that gradio ships holds only a few letters; its Bold holds all.
    font = [gr.themes.LocalFont("Source Sans Pro", weights=(400, 700)), "system-ui", "sans-serif"]
    return gr.themes.Default(primary_hue="indigo", neutral_hue="slate", font=font).set(
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        block_label_text_color="*neutral_700",
        body_text_color_subdued="*neutral_600",
    )
