"""What programs may ask: named endpoints beside the page, with the same limits and answers."""

from pathlib import Path
from typing import Any

import gradio as gr

from demo.outcome import Answer, Failure, Fetching
from demo.page_parts import as_source
from demo.safe_image import SafeImage
from demo.service import Service

_CLASSIFY = (
    "Classify one uploaded picture with one model. POST the file to /gradio_api/upload first."
)
_MODELS = "List the models on offer. Any owner/name on the hub can be asked for as well."


def build_endpoints(service: Service) -> None:
    """Add the endpoints to the page that is being laid out; they show nothing on it.

    Args:
        service: The models.
    """
    picture = SafeImage(label="picture", type="filepath", visible=False)
    model = gr.Textbox(label="model", visible=False)
    answer = gr.JSON(label="answer", visible=False)

    def classify(path: Path | None, source: Any) -> dict[str, Any]:
        return answer_program(service, path, as_source(source))

    gr.Button(visible=False).click(
        classify,
        [picture, model],
        answer,
        api_name="classify",
        api_description=_CLASSIFY,
        concurrency_limit=2,
        concurrency_id="compare",
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
    comparison = service.compare(path, source)
    if comparison.problem:
        raise gr.Error(comparison.problem, print_exception=False)
    match comparison.outcomes[0]:
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
                "threads": reading.threads,
            }
        case Failure(_, sentence):
            raise gr.Error(sentence, print_exception=False)
        case Fetching(name):
            raise gr.Error(f"{name} is being fetched; ask again", print_exception=False)
    raise gr.Error("a picture and the name of a model are needed", print_exception=False)
