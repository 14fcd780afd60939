"""The tab that helps to choose: measured numbers, a recommendation, times of this very machine."""

from collections.abc import Callable, Iterator
from functools import partial
from html import escape
from pathlib import Path
from typing import Any, Final

import gradio as gr

from demo.outcome import Failure, Ready
from demo.page_parts import EXAMPLES, as_source, html, model_input
from demo.picture import Picture
from demo.service import Service
from demo.settings import Settings
from demo.text import Text
from demo.tradeoff import render_choice, render_scenarios, render_tradeoff, table
from demo.verdict import status
from hub_models.comparison import Comparison, read_comparison
from hub_models.errors import ConfigError, HubModelsError
from hub_models.recommend import PRIORITIES, Wish
from hub_models.timing import time_together

FILE: Final = "comparison.json"  # in the folder of the embedded models
MEASURED_S: Final = 4.0  # both models together, after their warm-up


def build_tradeoff(service: Service, settings: Settings, say: Text) -> None:
    """Lay out the tab and connect it to the models.

    Args:
        service: The models.
        settings: As read at the start.
        say: The words of the page.
    """
    try:
        _show_comparison(read_comparison(settings.cards / FILE), say)
    except ConfigError as error:
        html(status("wait", _absence(settings.cards / FILE, error, say)), "tradeoff")
    html(f"<h2>{escape(say('measure_now'))}</h2>", "measure-title")
    with gr.Row():
        models = [
            model_input(
                say(label),
                service.choices,
                service.defaults[index] if index < len(service.defaults) else None,
                name=f"measured-model-{index}",
            )
            for index, label in enumerate(("first_model", "second_model"))
        ]
    button = gr.Button(say("measure"), variant="primary", elem_id="measure")
    button.click(
        _measurer(service, say),
        models,
        html(None, "measured"),
        api_visibility="private",
        concurrency_limit=1,  # times taken at once would be each other's
        concurrency_id="measure",
        show_progress="hidden",
    )


def _show_comparison(comparison: Comparison, say: Text) -> None:
    html(render_tradeoff(comparison, say), "tradeoff")
    priority = gr.Dropdown(
        [(say(name), name) for name in PRIORITIES],
        value="balanced",
        label=say("priority"),
        elem_id="priority",
    )
    choice = html(render_choice(comparison, Wish("balanced"), say), "choice")

    def choose(name: Any) -> str:
        wish = Wish(name if name in PRIORITIES else "balanced")
        return render_choice(comparison, wish, say)

    priority.change(choose, priority, choice, api_visibility="private", show_progress="hidden")
    html(render_scenarios(comparison, say), "scenarios")


def _absence(path: Path, error: ConfigError, say: Text) -> str:
    if not path.exists():
        return say("no_comparison")
    return say("bad_comparison", reason=str(error).removeprefix(f"{path}: ").rstrip("."))


def _measurer(service: Service, say: Text) -> Callable[..., Iterator[str]]:
    def measure(*chosen: Any) -> Iterator[str]:
        sources = [source for source in map(as_source, chosen) if source.strip()]
        yield status("wait", say("measuring", seconds=int(MEASURED_S)))
        outcomes = service.ask(None, *sources)
        if not outcomes or not all(isinstance(outcome, Ready) for outcome in outcomes):
            failed = [o.sentence for o in outcomes if isinstance(o, Failure)]
            sentence = say("unusable", reason=failed[0].rstrip(".")) if failed else say("no_model")
            yield status("problem" if failed else "wait", sentence)
            return
        try:
            yield _measured(service, sources, say)
        except HubModelsError as error:
            yield status("problem", say("unusable", reason=str(error).rstrip(".")))

    return measure


def _measured(service: Service, sources: list[str], say: Text) -> str:
    engines = [engine for source in sources if (engine := service.loader.find(source))]
    content = (EXAMPLES / "cat.jpg").read_bytes()
    with service.work.piece():
        calls = [
            partial(lambda engine: engine.classify(Picture(content, "cat.jpg").decode()), engine)
            for engine in engines
        ]
        latencies = time_together(calls, seconds=MEASURED_S)
    rows = []
    for source, engine, latency in zip(sources, engines, latencies, strict=True):
        runs = say("engine_threads", engine=engine.runtime, threads=engine.threads)
        times = [say("milliseconds", number=f"{t:.1f}") for t in (latency.p50, latency.p95)]
        rows.append([source, *times, str(latency.calls), runs])
    heads = [say(key) for key in ("model", "half_within", "most_within", "calls", "runs_on")]
    return table(heads, rows) + f'<p class="note">{escape(say("measured_how"))}</p>'
