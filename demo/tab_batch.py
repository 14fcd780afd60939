"""The tab that asks two models about many pictures, or a ZIP of them."""

import base64
import time
from collections.abc import Callable, Iterator
from html import escape
from typing import Any, Final

import gradio as gr

from demo.archive import MAX_PICTURES, count_items, open_items
from demo.batch import Row, read_rows, render_rows, write_csv
from demo.outcome import Fetching
from demo.page_parts import as_source, html, model_input
from demo.safe_image import SafeFiles
from demo.service import Service
from demo.text import Text
from demo.verdict import status
from hub_models.image_kinds import SUFFIXES

_SHOW_EVERY_S: Final = 0.5
_KINDS: Final = [*sorted(SUFFIXES), ".zip"]


def build_batch(service: Service, say: Text) -> None:
    """Lay out the tab and connect it to the models.

    Args:
        service: The models.
        say: The words of the page.
    """
    html(f"<p>{escape(say('batch_hint', count=MAX_PICTURES))}</p>", "batch-hint")
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            files = SafeFiles(
                label=say("pictures"),
                file_count="multiple",
                file_types=_KINDS,
                height=200,
                elem_id="files",
            )
            files.refusal = say("not_an_upload")
        with gr.Column(scale=3, min_width=300):
            models = [
                model_input(
                    say(label),
                    service.choices,
                    service.defaults[index] if index < len(service.defaults) else None,
                    name=f"batch-model-{index}",
                )
                for index, label in enumerate(("first_model", "second_model"))
            ]
            with gr.Row():
                start = gr.Button(say("start"), variant="primary", elem_id="batch-start")
                stop = gr.Button(say("stop"), elem_id="batch-stop")
    summary = html(None, "batch-summary")
    gr.Checkbox(label=say("only_odd"), elem_id="only-odd", container=False)
    table = html(None, "batch-table")
    run = start.click(
        _runner(service, say),
        [files, *models],
        [summary, table],
        api_visibility="private",
        concurrency_limit=2,
        concurrency_id="batch",
        show_progress="hidden",
    )
    stop.click(None, cancels=[run], api_visibility="private")


def _runner(service: Service, say: Text) -> Callable[..., Iterator[tuple[str, str]]]:
    def run(files: list[Any], *models: Any) -> Iterator[tuple[str, str]]:
        sources = [source for source in map(as_source, models) if source.strip()]
        if not files or not sources:
            yield status("wait", say("batch_needs")), ""
            return
        if any(isinstance(outcome, Fetching) for outcome in service.ask(None, *sources)):
            yield status("wait", say("batch_waits")), ""
            return
        total, rows, shown_at = count_items(files), [], 0.0
        for row in read_rows(open_items(files), service, sources, say):
            rows.append(row)
            if time.monotonic() - shown_at > _SHOW_EVERY_S:
                shown_at = time.monotonic()
                yield _summary(rows, total, say), render_rows(rows, say)
        yield _summary(rows, len(rows), say), render_rows(rows, say)

    return run


def _summary(rows: list[Row], total: int, say: Text) -> str:
    """Say how far it is, with the rows so far as a link: nothing is written to disk."""
    counts = {
        "done": len(rows),
        "total": total,
        "odd": sum(row.is_odd for row in rows),
        "bad": sum(bool(row.problem) for row in rows),
    }
    csv = base64.b64encode(write_csv(rows).encode()).decode()
    return (
        status("agree" if len(rows) == total else "wait", say("batch_done", **counts))
        + f'<progress value="{len(rows)}" max="{total}" aria-hidden="true"></progress>'
        f'<p><a id="csv" download="hub-models.csv" href="data:text/csv;charset=utf-8;base64,{csv}">'
        f"{escape(say('csv'))}</a></p>"
    )
