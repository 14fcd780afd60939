"""A picture and two sources to what each model says, and how long it took to say it."""

import logging
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import Image

from demo.loader import ModelLoader, find_embedded
from demo.outcome import (
    Answer,
    Comparison,
    Facts,
    Failure,
    Fetching,
    NotChosen,
    Outcome,
    Ready,
)
from demo.settings import Settings
from hub_models import HubModelsError, ImageError, load_image
from hub_models.image import ImageLimits
from hub_models.prediction import rank

if TYPE_CHECKING:  # PyTorch comes with the first model
    from torch import Tensor

    from hub_models import ImageClassifier

# Stricter than the library: visitors send these. One picture is decoded at a time.
LIMITS: Final = ImageLimits(max_bytes=16 * 2**20, max_pixels=25_000_000)
MAX_SIDE_PX: Final = 1024  # of a model's input: a forward pass at 4,096 px would take minutes
TIMED_PASSES: Final = 5
TIMED_S: Final = 1.0  # fewer passes where they would take longer
_log = logging.getLogger(__name__)


class Service:
    """The models behind the page; every method may be called from several threads.

    Attributes:
        choices: Names of the models on offer: the embedded ones, then those of the settings.
        defaults: At most two of them, which the page shows first; embedded ones if there are any.
    """

    def __init__(self, settings: Settings) -> None:
        embedded = find_embedded(settings.cards)
        self.choices = tuple(dict.fromkeys([*embedded, *settings.models]))
        # The first and the last by name: a MobileNet beside a ResNet.
        names = [*embedded] or [*settings.models]
        self.defaults = tuple(dict.fromkeys(names[:1] + names[-1:]))
        self._loader = ModelLoader(
            embedded, settings.models, trust_visitors=settings.trust_visitors
        )
        self._decoding = threading.Lock()
        # One thread for all passes: they do not disturb each other's time, and PyTorch keeps a
        # single set of workers instead of one per thread of the web server.
        self._forward = ThreadPoolExecutor(max_workers=1, thread_name_prefix="forward")

    def compare(self, picture: Path | None, left: str, right: str) -> Comparison:
        """Ask two models about one picture. Never waits for the hub.

        Args:
            picture: An uploaded file, not yet looked at; None if there is none.
            left: Source of the first model; "" for none.
            right: Source of the second.

        Returns:
            What each says; a model that fails leaves the other's answer alone.
        """
        image, problem = None, ""
        if picture is not None:
            try:
                with self._decoding:
                    image = load_image(picture, limits=LIMITS)
            except ImageError as error:
                problem = str(error)
        return Comparison(self._outcome(image, left), self._outcome(image, right), problem)

    def is_fetching(self, left: str, right: str) -> bool:
        """Tell whether one of two models is on its way from the hub.

        Args:
            left: Source of the first model.
            right: Source of the second.

        Returns:
            True until `compare` has something new to say.
        """
        return any(self._loader.is_fetching(source) for source in (left, right))

    def preload(self) -> None:
        """Load the models that the page shows first, in the background."""
        for source in self.defaults:
            threading.Thread(target=self._outcome, args=(None, source), daemon=True).start()

    def _outcome(self, image: Image.Image | None, source: str) -> Outcome:
        if not source.strip():
            return NotChosen()
        try:
            model = self._loader.find(source)
            if model is None:
                return Fetching(source)
            facts = _facts(source, model)
            return Ready(facts) if image is None else self._answer(image, model, facts)
        except HubModelsError as error:
            return Failure(source, str(error))
        except Exception:  # whatever a stranger's model does, the other side still answers
            _log.exception("%s: failed", source)
            return Failure(source, "this model cannot be used; the log of the demo says why")

    def _answer(self, image: Image.Image, model: "ImageClassifier", facts: Facts) -> Answer:
        if facts.side_px > MAX_SIDE_PX:
            raise HubModelsError(
                f"it sees {facts.side_px:,} px; the demo takes models up to {MAX_SIDE_PX:,} px"
            )
        batch = model.pixels(image).unsqueeze(0)  # (1, 3, S, S)
        return self._forward.submit(_run, model, batch, facts).result()


def _facts(source: str, model: "ImageClassifier") -> Facts:
    config = model.config
    return Facts(
        source=source.strip(),
        architecture=config.architecture,
        side_px=config.preprocess.crop,
        labels=config.label_names,
        origin=config.origin,
        results=config.results,
        revision=model.revision,
    )


def _run(model: "ImageClassifier", batch: "Tensor", facts: Facts) -> Answer:
    import torch

    times_s: list[float] = []
    with torch.inference_mode():
        logits = model(batch)  # (1, C); also the warm-up
        while len(times_s) < TIMED_PASSES and sum(times_s) < TIMED_S:
            started = time.perf_counter()
            model(batch)
            times_s.append(time.perf_counter() - started)
    return Answer(
        facts,
        tuple(rank(logits[0].numpy(), facts.labels)),
        forward_ms=statistics.median(times_s) * 1000,
        passes=len(times_s),
        threads=torch.get_num_threads(),
    )
