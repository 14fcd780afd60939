"""Source to loaded model: each loaded once, a bounded number kept, none waits for the hub.

PyTorch is imported by the first load, in a thread, so that the page is up seconds before.
"""

import logging
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from demo.arrival import count_arrived
from demo.engine import IMAGENET, Engine, open_engine
from hub_models import CheckpointError, HubModelsError

MAX_LOADED: Final = 6  # the largest known architecture, resnet152, takes 240 MB
MAX_FETCHES: Final = 3  # at a time
RETRY_AFTER_S: Final = 30.0  # the hub's client tries for 20 s on a dead network: not every time
MAX_SOURCE_LENGTH: Final = 300
MAX_DETAIL_LENGTH: Final = 80
_HUB_PAGE: Final = "https://huggingface.co/"
_REPO_ID: Final = re.compile(r"[\w.-]+/[\w.-]+(@\S+)?", re.ASCII)
_ABSOLUTE_FOLDER: Final = re.compile(r"(?<![\w.:/])/(?:[^/\s:]+/)+")
_log = logging.getLogger(__name__)


@dataclass
class _Entry:
    is_local: bool
    future: Future[Engine] = field(default_factory=Future)
    asked_at: float = field(default_factory=time.monotonic)
    told_at: float | None = None  # when a visitor first heard that it failed

    def has_expired(self) -> bool:
        """Tell whether it failed, somebody heard so, and a new attempt may be made."""
        if self.told_at is None:
            return False
        return self.is_local or time.monotonic() - self.told_at > RETRY_AFTER_S


class ModelLoader:
    """Models by source, shared by all visitors.

    Args:
        embedded: Name -> folder of the models that need no network.
        offered: Sources that the person who started the demo chose.
        trust_visitors: As in Settings; without it, a source that is neither embedded nor
            offered is always looked up on the hub, and without this machine's token.
    """

    def __init__(
        self, embedded: Mapping[str, Path], offered: Iterable[str] = (), *, trust_visitors: bool
    ) -> None:
        self._embedded = dict(embedded)
        self._offered = frozenset(offered)
        self._trust_visitors = trust_visitors
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, source: str) -> Engine | None:
        """Find a model, loading it if need be.

        Args:
            source: Name of an embedded model, a repo_id, or a folder.

        Returns:
            The model; None while it is being fetched from the hub, which goes on by itself.

        Raises:
            HubModelsError: If it cannot be loaded; a failed fetch is remembered for a while.
        """
        source = _tidy(source)
        if len(source) > MAX_SOURCE_LENGTH or not source.isprintable():
            raise CheckpointError("that is not the name of a model")
        if not self._is_plausible(source):
            known = ", ".join([*self._embedded, *sorted(self._offered)])
            shown = source if self._trust_visitors else _ABSOLUTE_FOLDER.sub("", source)
            raise CheckpointError(
                f"{shown}: not known here, and no owner/name of the hub; there are {known}"
            )
        entry = self._entry(source)
        if not entry.is_local and not entry.future.done():
            return None
        try:
            return entry.future.result()
        except BaseException as error:
            entry.told_at = entry.told_at or time.monotonic()
            if not isinstance(error, HubModelsError):
                raise
            raise type(error)(self._tell(error, entry)) from error

    def is_settled(self, source: str) -> bool:
        """Tell whether a model that was asked for is there or has failed.

        Args:
            source: As for `find`.

        Returns:
            False while it is being loaded, and before anybody asked for it.
        """
        with self._lock:
            entry = self._entries.get(_tidy(source))
        return entry is not None and entry.future.done()

    def progress(self, source: str) -> tuple[float, int]:
        """Say how far a model on its way from the hub has come.

        Args:
            source: As for `find`.

        Returns:
            Seconds since it was asked for, and bytes that have arrived of the file being fetched.
        """
        with self._lock:
            entry = self._entries.get(_tidy(source))
        if entry is None:
            return 0.0, 0
        return time.monotonic() - entry.asked_at, count_arrived(_tidy(source))

    def count(self) -> int:
        """Count the models in memory or on their way."""
        return len(self._entries)

    def has(self, source: str) -> bool:
        """Tell whether somebody asked for a model and it has not left since.

        Args:
            source: As for `find`.

        Returns:
            True for a model that is there, on its way or failed.
        """
        return _tidy(source) in self._entries

    def _entry(self, source: str) -> _Entry:
        with self._lock:
            entry = self._entries.get(source)
            if entry is None or entry.has_expired():
                entry = _Entry(self._is_local(source))
                self._make_room(entry)
                self._entries[source] = entry
                # A daemon: stopping the demo does not wait for the hub.
                threading.Thread(target=self._load, args=(source, entry), daemon=True).start()
            self._entries.move_to_end(source)
            return entry

    def _make_room(self, entry: _Entry) -> None:
        running = [e for e in self._entries.values() if not e.is_local and not e.future.done()]
        if not entry.is_local and len(running) >= MAX_FETCHES:
            raise CheckpointError("the demo is fetching other models; try again in a minute")
        idle = [name for name, e in self._entries.items() if e.future.done()]
        for name in idle[: max(0, len(self._entries) + 1 - MAX_LOADED)]:
            del self._entries[name]

    def _load(self, source: str, entry: _Entry) -> None:
        started = time.monotonic()
        try:
            engine = self._open(source)
        except BaseException as error:  # handed to whoever asks for the model
            _log.warning("%s: not loaded: %s", source, error)
            entry.future.set_exception(error)
        else:
            _log.info("%s: loaded in %.1f s", source, time.monotonic() - started)
            entry.future.set_result(engine)
            _speed_up(engine, source)

    def _open(self, source: str) -> Engine:
        if source in self._embedded:
            return open_engine(str(self._embedded[source]))
        if self._is_trusted(source) or source.startswith(IMAGENET):
            return open_engine(source)
        # With a revision it cannot be read as a folder beside the demo.
        return open_engine(source if "@" in source else f"{source}@main", token=False)

    def _is_plausible(self, source: str) -> bool:
        is_named = source in self._offered or source.startswith(IMAGENET)
        return is_named or self._is_local(source) or bool(_REPO_ID.fullmatch(source))

    def _is_local(self, source: str) -> bool:
        return source in self._embedded or (self._is_trusted(source) and Path(source).is_dir())

    def _is_trusted(self, source: str) -> bool:
        return self._trust_visitors or source in self._offered

    def _tell(self, error: HubModelsError, entry: _Entry) -> str:
        sentence = str(error)
        if not entry.is_local:  # the client's own words fill a screen; the log has them
            reason, _, detail = sentence.partition(" (")
            sentence = reason if len(detail) > MAX_DETAIL_LENGTH else sentence
        return sentence if self._trust_visitors else _ABSOLUTE_FOLDER.sub("", sentence)


def _speed_up(engine: Engine, source: str) -> None:
    started = time.monotonic()
    try:
        engine.use_onnx()
    except Exception as error:  # whatever an exporter does, PyTorch goes on answering
        _log.warning("%s: stays with PyTorch: %s", source, error)
    else:
        _log.info("%s: runs on %s after %.1f s", source, engine.runtime, time.monotonic() - started)


def find_embedded(cards: Path) -> dict[str, Path]:
    """List the models that come with the demo.

    Args:
        cards: Its sub-folders with a config.json are models; it may be missing.

    Returns:
        Name of the sub-folder -> the sub-folder, by name.
    """
    return {path.parent.name: path.parent for path in sorted(cards.glob("*/config.json"))}


def _tidy(source: str) -> str:
    return source.strip().removeprefix(_HUB_PAGE)  # people paste a page's address
