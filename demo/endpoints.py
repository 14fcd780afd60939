"""What programs may ask: named endpoints beside the page, with the same limits and answers."""

from pathlib import Path
from typing import Any

import gradio as gr

from demo.outcome import Answer, Comparison, Failure, Fetching, Outcome
from demo.page_parts import COMPARED_AT_ONCE, as_source
from demo.safe_image import SafeImage
from demo.service import Service
from demo.settings import Settings
from demo.text import Text
from demo.verdict import judge

_CLASSIFY = (
    "Classify one uploaded picture with one model. POST the file to /gradio_api/upload first."
)
_COMPARE = (
    "Ask two models about one uploaded picture, and whether they agree. POST the file to "
    "/gradio_api/upload first."
)
_MODELS = "List the models on offer. Any owner/name on the hub can be asked for as well."


def build_endpoints(service: Service, settings: Settings, say: Text) -> None:
    """Add the endpoints to the page that is being laid out; they show nothing on it.

    Args:
        service: The models.
        settings: As read at the start.
        say: The words of verdicts.
    """
    picture = SafeImage(label="picture", type="filepath", visible=False)
    model = gr.Textbox(label="model", visible=False)
    first, second = (gr.Textbox(label=f"{n}_model", visible=False) for n in ("first", "second"))
    answer = gr.JSON(label="answer", visible=False)
    crowd: dict[str, Any] = {"concurrency_limit": COMPARED_AT_ONCE, "concurrency_id": "compare"}

    def classify(path: Path | None, source: Any) -> dict[str, Any]:
        return answer_program(service, path, as_source(source))

    def compare(path: Path | None, one: Any, other: Any) -> dict[str, Any]:
        comparison = _ask(service, path, as_source(one), as_source(other))
        return render_comparison(comparison, settings.unsure_below, say)

    gr.Button(visible=False).click(
        classify,
        [picture, model],
        answer,
        api_name="classify",
        api_description=_CLASSIFY,
        **crowd,
    )
    gr.Button(visible=False).click(
        compare,
        [picture, first, second],
        answer,
        api_name="compare",
        api_description=_COMPARE,
        **crowd,
    )
    gr.Button(visible=False).click(
        lambda: list(service.choices), None, answer, api_name="models", api_description=_MODELS
    )


def answer_program(service: Service, path: Path | None, source: str) -> dict[str, Any]:
    """Say what a model makes of a picture, as JSON.

    Args:
        service: The models.
        path: An uploaded file.
        source: Of the model.

    Returns:
        The most probable classes, times in milliseconds, and what is known of the model.

    Raises:
        gr.Error: If there is no picture or it cannot be read, or the model is not there (yet).
    """
    said = _as_json(_ask(service, path, source).outcomes[0])
    if "problem" in said:
        raise gr.Error(said["problem"], print_exception=False)
    return said


def render_comparison(comparison: Comparison, unsure_below: float, say: Text) -> dict[str, Any]:
    """Write a comparison as JSON.

    Args:
        comparison: What became of the models.
        unsure_below: A top probability under this is named, 0 to 1.
        say: The words of the verdict.

    Returns:
        The verdict in words and as one word, and each model's answer or problem.
    """
    kind, sentence = judge(comparison, unsure_below, say)
    answers = [_as_json(outcome) for outcome in comparison.outcomes]
    return {"verdict": sentence, "kind": kind, "answers": answers}


def _ask(service: Service, path: Path | None, *sources: str) -> Comparison:
    comparison = service.compare(path, *sources)
    if comparison.problem:
        raise gr.Error(comparison.problem, print_exception=False)
    return comparison


def _as_json(outcome: Outcome) -> dict[str, Any]:
    match outcome:
        case Answer(facts, reading):
            return {
                "model": facts.source,
                "revision": facts.revision,
                "predictions": [vars(prediction) for prediction in reading.predictions],
                "unlike_its_classes": reading.is_unlike,
                "milliseconds": {
                    "decode": round(reading.decode_ms, 2),
                    "preprocess": round(reading.preprocess_ms, 2),
                    "forward": round(reading.forward_ms, 2),
                },
                "runtime": reading.runtime,
                "threads": reading.threads,
            }
        case Failure(name, sentence):
            return {"model": name, "problem": sentence}
        case Fetching(name):
            return {"model": name, "problem": f"{name} is being fetched; ask again"}
    return {"model": "", "problem": "a picture and the name of a model are needed"}
