"""The page in one language: its tabs, and how it looks."""

from pathlib import Path
from typing import Final

import gradio as gr

from demo.endpoints import build_endpoints
from demo.page_parts import html
from demo.service import Service
from demo.settings import Settings
from demo.tab_about import build_about
from demo.tab_batch import build_batch
from demo.tab_compare import build_compare
from demo.tab_imagenet import build_imagenet
from demo.tab_models import build_models
from demo.tab_tradeoff import build_tradeoff
from demo.text import CATALOGUES, Text

STYLE: Final = Path(__file__).resolve().parent / "style.css"
# Gradio looks every so many seconds for uploads older than so many: gone within the hour.
_LOOK_EVERY_S: Final = 300
_KEPT_S: Final = 3000


def build_page(service: Service, settings: Settings, say: Text) -> gr.Blocks:
    """Lay out the page and connect it to the models.

    Args:
        service: The models.
        settings: As read at the start.
        say: The words of the page.

    Returns:
        The page, not yet served.
    """
    with gr.Blocks(
        title=say("title"), analytics_enabled=False, delete_cache=(_LOOK_EVERY_S, _KEPT_S)
    ) as page:
        html(_heading(say), "heading")
        with gr.Tab(say("tab_compare"), id="compare"):
            build_compare(page, service, settings, say)
        with gr.Tab(say("tab_batch"), id="batch"):
            build_batch(service, say)
        with gr.Tab(say("tab_tradeoff"), id="tradeoff"):
            build_tradeoff(service, settings, say)
        with gr.Tab(say("tab_imagenet"), id="imagenet"):
            build_imagenet(service, say)
        with gr.Tab(say("tab_models"), id="models") as tab:
            build_models(tab, service, say)
        with gr.Tab(say("tab_about"), id="about"):
            build_about(settings, say)
        build_endpoints(service, settings, say)
    page.queue(max_size=16, api_open=False)
    return page


def _heading(say: Text) -> str:
    others = [language for language in CATALOGUES if language != say.language]
    links = " ".join(
        f'<a href="./?lang={language}" lang="{language}" hreflang="{language}">'
        f"{Text(language)('language')}</a>"
        for language in others
    )
    return f'<p class="languages">{links}</p><h1>{say("title")}</h1><p>{say("introduction")}</p>'


def make_theme() -> gr.themes.Base:
    """Make the page's colours and letters; axe finds no contrast failure in light or dark."""
    # The SemiBold file that gradio ships holds only a few letters; its Bold holds all.
    font = [gr.themes.LocalFont("Source Sans Pro", weights=(400, 700)), "system-ui", "sans-serif"]
    return gr.themes.Default(primary_hue="indigo", neutral_hue="slate", font=font).set(
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        block_label_text_color="*neutral_700",
        body_text_color_subdued="*neutral_600",
    )
