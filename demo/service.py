"""A picture and some sources to what each model says, and how long it took to say it."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from demo.answers import Answers
from demo.engine import Engine
from demo.loader import ModelLoader, find_embedded
from demo.metrics import Metrics
from demo.outcome import (
    Answer,
    Comparison,
    Failure,
    Fetching,
    NotChosen,
    Outcome,
    Reading,
    Ready,
)
from demo.picture import Picture
from demo.settings import Settings
from demo.work import Work
from hub_models import HubModelsError, ImageError

_log = logging.getLogger(__name__)


class Service:
    """The models behind the page; every method may be called from several threads.

    Attributes:
        choices: Names of the models on offer: the embedded ones, then those of the settings.
        defaults: At most two of them, which the page shows first; embedded ones if there are any.
        loader: Where the models are kept.
        work: What is being done right now.
        metrics: What has been done.
    """

    def __init__(self, settings: Settings) -> None:
        embedded = find_embedded(settings.cards)
        self.choices = tuple(dict.fromkeys([*embedded, *settings.models]))
        # The first and the last by name: a MobileNet beside a ResNet.
        names = [*embedded] or [*settings.models]
        self.defaults = tuple(dict.fromkeys(names[:1] + names[-1:]))
        self.loader = ModelLoader(embedded, settings.models, trust_visitors=settings.trust_visitors)
        self.work, self.metrics = Work(), Metrics()
        self.metrics.watch("running", "Pieces of work under way", lambda: self.work.running)
        self.metrics.watch("models", "Models in memory or on their way", self.loader.count)
        self._answers, self._was_ready = Answers(), False

    def compare(self, path: Path | None, *sources: str) -> Comparison:
        """Ask models about one uploaded picture. Never waits for the hub.

        Args:
            path: An uploaded file, not yet looked at; None if there is none.
            sources: Of the models; "" for none.

        Returns:
            What each says; a model that fails leaves the others' answers alone.
        """
        if path is None:
            return Comparison(self.ask(None, *sources))
        try:
            picture = Picture.open(path)
            outcomes = self.ask(picture, *sources)
            if not any(isinstance(outcome, Answer) for outcome in outcomes):
                picture.decode()  # so that a bad picture is named even while models are on the way
            return Comparison(outcomes, path)
        except ImageError as error:
            return Comparison(self.ask(None, *sources), path, str(error))

    def ask(self, picture: Picture | None, *sources: str) -> tuple[Outcome, ...]:
        """Ask models about a picture. Never waits for the hub.

        Args:
            picture: Decoded only if a model has not read the same bytes before.
            sources: Of the models; "" for none.

        Returns:
            An outcome for each.

        Raises:
            ImageError: If the picture cannot be read.
        """
        # A thread for each model: all of them at once, as far as there are cores.
        with self.work.piece(), ThreadPoolExecutor(max(1, len(sources))) as threads:
            outcomes = tuple(threads.map(partial(self._outcome, picture), sources))
        for outcome in outcomes:
            self.metrics.outcomes.labels(kind=type(outcome).__name__.lower()).inc()
        return outcomes

    def preload(self) -> None:
        """Load the models that the page shows first, in the background."""
        for source in self.defaults:
            threading.Thread(target=self._outcome, args=(None, source), daemon=True).start()

    def is_ready(self) -> bool:
        """Tell whether the models that the page shows first are there, or will never be."""
        # Once is enough: a model that left the memory since comes back when it is asked for.
        self._was_ready = self._was_ready or all(map(self.loader.is_settled, self.defaults))
        return self._was_ready

    def _outcome(self, picture: Picture | None, source: str) -> Outcome:
        if not source.strip():
            return NotChosen()
        try:
            engine = self.loader.find(source)
            if engine is None:
                return Fetching(source, *self.loader.progress(source))
            facts = engine.facts(source)
            return Answer(facts, self._read(picture, engine)) if picture else Ready(facts)
        except ImageError:
            raise
        except HubModelsError as error:
            return Failure(source, str(error))
        except Exception:  # whatever a stranger's model does, the other side still answers
            _log.exception("%s: failed", source)
            return Failure(source, "this model cannot be used; the log of the demo says why")

    def _read(self, picture: Picture, engine: Engine) -> Reading:
        key = (picture.sha256, engine.identity)
        remembered = self._answers.find(key)
        if remembered is not None:
            self.metrics.remembered.inc()
            return remembered
        image = picture.decode()
        reading = engine.read(image, decode_ms=picture.decode_ms)
        self._answers.remember(key, reading)
        self.metrics.forward.observe(reading.forward_ms / 1000)
        return reading
