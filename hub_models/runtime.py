"""load_runtime: a source to the fast path, ONNX Runtime or PyTorch behind one call.

Pictures are decoded in a few threads, passed on in batches, and answered by one worker.
"""

import importlib.util
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np
from numpy.typing import NDArray

from hub_models.batcher import MAX_BATCH, Batcher, Network
from hub_models.config import ModelConfig
from hub_models.errors import ConfigError, ImageError
from hub_models.forking import forward_pass, renew_in_children
from hub_models.image import ImageSource, is_single, load_image, name_of
from hub_models.machine import usable_cores
from hub_models.prediction import Prediction, check_top, rank
from hub_models.preprocess import Pixels, preprocess
from hub_models.session import Arrays, Session
from hub_models.unchanged import Origin, check_digests, take_stamp

if TYPE_CHECKING:  # an exported file needs no PyTorch
    from hub_models.model import ImageClassifier

ENGINES: Final = ("auto", "onnx", "torch")
_MAX_THREADS: Final = 1024


class Runtime:
    """A loaded classifier for servers and bulk work; made by `load_runtime`.

    Any number of threads may call it. What queues up shares a pass, so a logit may differ in its
    last bits with what else was asked at the same time.

    Children of a fork may use it too: threads are made again there, and the PyTorch engine uses one
    core. A pickle or a copy holds the source, not the weights, and loads it again; so hand a
    runtime to a worker process once, when it starts.

    Attributes:
        config: Architecture, label names, preprocessing, origin and results.
        engine: "onnx" or "torch".
        revision: The hub commit it came from; None otherwise.
    """

    def __init__(
        self, network: Network, config: ModelConfig, engine: str, origin: Origin | None = None
    ) -> None:
        self.config = config
        self.engine = engine
        self.revision: str | None = origin.options["revision"] if origin else None
        self._origin = origin
        self._network = network
        self._batcher = Batcher(network)
        self.renew()
        renew_in_children(self)

    def renew(self) -> None:
        """Start new threads for decoding, in a forked child; the batcher does so by itself."""
        # Decoding more pictures at once than there are cores only takes memory.
        self._decoders = ThreadPoolExecutor(usable_cores(), "hub-models-decode")

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy by the source, if it is still what was loaded."""
        if self._origin is None:
            raise ConfigError("only a runtime that load_runtime gave can be pickled or copied")
        return _load_again, (self._origin.source, self._origin.options, self._origin.digests())

    @overload
    def classify(  # type: ignore[overload-overlap]  # a str is a Sequence[str] too: first one wins
        self, images: ImageSource, *, top: int | None = ...
    ) -> list[Prediction]: ...

    @overload
    def classify(  # type: ignore[overload-overlap]  # an iterator is an iterable too
        self, images: Iterator[ImageSource], *, top: int | None = ...
    ) -> Iterator[list[Prediction]]: ...

    @overload
    def classify(
        self, images: Iterable[ImageSource], *, top: int | None = ...
    ) -> list[list[Prediction]]: ...

    def classify(
        self, images: ImageSource | Iterable[ImageSource], *, top: int | None = None
    ) -> list[Prediction] | list[list[Prediction]] | Iterator[list[Prediction]]:
        """Say what is in one picture, or in each of several, as `ImageClassifier.classify` does.

        Args:
            images: One picture, as `load_image` takes it (path, bytes, file object, PIL image,
                uint8 array or tensor); or any iterable of them, such as an array (N, H, W, 3).
            top: How many predictions per picture, at least 1; all classes if None.

        Returns:
            Predictions, the most probable first. For an iterable, a list with one such list per
            picture; for an iterator (a generator, `map`), an iterator of them, which answers 32
            pictures at a time and decodes the next 32 meanwhile.

        Raises:
            ImageError: If a picture cannot be read; the message names it.
            CheckpointError: If a logit is NaN or infinite, as damaged weights give.
            ConfigError: If `top` is no whole number of at least 1.
        """
        check_top(top)
        if is_single(images):
            return next(self._answers([images], top))
        answers = self._answers(images, top)  # type: ignore[arg-type]  # an iterable by now
        return answers if isinstance(images, Iterator) else list(answers)

    def pixels(self, image: ImageSource, *, name: str | None = None) -> Pixels:
        """Decode and preprocess one picture, in the calling thread.

        Args:
            image: One picture, as `load_image` takes it.
            name: What error messages call it; its file's name if None.

        Returns:
            float32 (3, S, S); (1, S, S) for a grey model.

        Raises:
            ImageError: If the picture cannot be read.
        """
        return preprocess(load_image(image, name=name), self.config.preprocess)

    def outputs(self, batch: NDArray[np.float32]) -> Arrays:
        """Compute logits and the feature map that class activation maps are made of.

        Args:
            batch: float32 (N, 3, S, S), or (N, 1, S, S) for a grey model; preprocessed, N at
                least 1.

        Returns:
            float32 (N, C), in the order of `config.label_names`, and (N, K, h, w).

        Raises:
            ImageError: If the batch has another shape or type.
        """
        channels, side = self.config.preprocess.channels, self.config.preprocess.crop
        if batch.ndim != 4 or batch.shape[1:] != (channels, side, side) or not len(batch):
            raise ImageError(
                f"a batch of shape (N, {channels}, {side}, {side}) is needed, not {batch.shape}"
            )
        if batch.dtype != np.float32:
            raise ImageError(f"a batch of float32 is needed, not of {batch.dtype}")
        parts = [
            self._batcher.submit(np.ascontiguousarray(batch[start : start + MAX_BATCH])).result()
            for start in range(0, len(batch), MAX_BATCH)
        ]
        if len(parts) == 1:
            return parts[0]
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    def forward(self, batch: NDArray[np.float32]) -> Arrays:
        """Compute what `outputs` does alone, in the calling thread: for a thread per core.

        Args:
            batch: float32 (N, 3, S, S), stacked from `pixels`.

        Returns:
            float32 (N, C) and (N, K, h, w).
        """
        with forward_pass():
            return self._network(batch)

    def _answers(
        self, images: Iterable[ImageSource], top: int | None
    ) -> Iterator[list[Prediction]]:
        config = self.config
        for batch in self._batches(images):
            for logits in self.outputs(batch)[0]:  # (C,)
                yield rank(logits, config.label_names, top=top, temperature=config.temperature)

    def _batches(self, images: Iterable[ImageSource]) -> Iterator[NDArray[np.float32]]:
        """Give preprocessed batches, the next one being decoded while one is in use."""
        left, is_iterator = enumerate(images), isinstance(images, Iterator)
        current: list[Future[Pixels]] = []
        following: list[Future[Pixels]] = []
        try:
            while True:
                current, following = following, []
                for number, image in islice(left, MAX_BATCH):
                    name = name_of(image, f"image {number}" if number or is_iterator else "image")
                    following.append(self._decoders.submit(self.pixels, image, name=name))
                    if is_iterator and not isinstance(image, str | bytes | os.PathLike):
                        wait(following[-1:])  # it may be the same object, changed, the next time
                if current:
                    yield np.stack([pixels.result() for pixels in current])  # (N, 3 or 1, S, S)
                if not following:
                    return
        finally:
            for pixels in (*current, *following):  # after an unreadable picture none is needed
                pixels.cancel()


def load_runtime(
    source: str | Path,
    *,
    engine: str = "auto",
    revision: str | None = None,
    threads: int | None = None,
    local_files_only: bool = False,
    mmap: bool = False,
) -> Runtime:
    """Load a published classifier for speed.

    With ONNX Runtime the model is exported on first use, compared with PyTorch, and kept in
    HUB_MODELS_CACHE (or the user's cache folder).

    Args:
        source: A folder, a repo_id "owner/name", "owner/name@revision", or an .onnx file that
            `hub-models export` wrote, which needs no PyTorch.
        engine: "onnx", "torch", or "auto": ONNX Runtime where it is installed.
        revision: Branch, tag or commit on the hub; the default branch if None.
        threads: Cores one pass uses, 1 to 1,024; all that this process may use if None. With
            PyTorch this holds for the whole process.
        local_files_only: Use the hub's cache alone.
        mmap: Map the weights' file while PyTorch's faster copy is made of it. Danger: if the file
            is shortened in these moments, the process is killed. ONNX Runtime never maps it.

    Returns:
        The runtime, ready for any number of threads.

    Raises:
        ConfigError: If the engine is not known or not installed, `threads` is no such number, or
            the source's config is wrong.
        CheckpointError: If the source cannot be found, read or exported.
    """
    if engine not in ENGINES:
        raise ConfigError(f"engine must be one of {', '.join(ENGINES)}, not {engine!r}")
    is_whole = isinstance(threads, int | np.integer) and not isinstance(threads, bool)
    if threads is not None and not (is_whole and 1 <= threads <= _MAX_THREADS):
        raise ConfigError(f"threads must be 1 to {_MAX_THREADS:,} or None, not {threads!r:.60}")
    path = Path(source)
    options: dict[str, Any] = {"engine": engine, "threads": threads}
    options |= {"revision": None, "local_files_only": local_files_only, "mmap": mmap}
    if path.suffix == ".onnx" and path.is_file():
        if engine == "torch" or revision is not None:
            raise ConfigError(f"{source}: an exported file has no other engine and no revision")
        session = Session(path, threads=threads)
        origin = Origin(str(session.stamp.path), options, (session.stamp,))
        return Runtime(session.run, session.config, "onnx", origin)
    from hub_models import hub

    found = hub.resolve(source, revision=revision, local_files_only=local_files_only)
    if found.revision:  # a commit, whose files nobody changes
        repo_id = str(source).partition("@")[0]
        origin = Origin(repo_id, options | {"revision": found.revision})
    else:
        files = (found.folder / name for name in (hub.CONFIG_FILE, hub.WEIGHTS_FILE))
        stamps = tuple(take_stamp(file) for file in files if file.is_file())
        origin = Origin(os.path.abspath(found.folder), options, stamps)
    if engine == "auto":
        engine = "onnx" if is_onnx_installed() else "torch"
    return (_load_onnx if engine == "onnx" else _load_torch)(found.folder, origin)


def _load_again(source: str, options: dict[str, Any], digests: dict[str, str]) -> Runtime:
    check_digests(digests)
    return load_runtime(source, **options)


def is_onnx_installed() -> bool:
    """Tell whether the `export` extra is installed.

    Returns:
        True if models can be exported and run by ONNX Runtime.
    """
    return all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime"))


def _load_onnx(folder: Path, origin: Origin) -> Runtime:
    from hub_models.export_cache import cached_export

    session = Session(cached_export(folder), threads=origin.options["threads"])
    return Runtime(session.run, session.config, "onnx", origin)


def torch_network(model: "ImageClassifier") -> Network:
    """Make of a classifier what a `Batcher` runs.

    Args:
        model: On the CPU, in evaluation mode.

    Returns:
        Batch (N, 3, S, S) to logits (N, C) and feature map (N, K, h, w).
    """
    import torch

    from hub_models.fold import folded

    fast = folded(model)

    @torch.inference_mode()
    def network(batch: NDArray[np.float32]) -> Arrays:
        feature_map = fast.feature_map(torch.from_numpy(batch))
        logits = fast.head(feature_map.mean(dim=(2, 3)))
        return logits.numpy(), feature_map.numpy()

    return network


def _load_torch(folder: Path, origin: Origin) -> Runtime:
    import torch

    from hub_models.model import ImageClassifier

    model = ImageClassifier.from_pretrained(folder, mmap=origin.options["mmap"])
    # PyTorch counts cores by itself, but knows no quota of a container.
    torch.set_num_threads(origin.options["threads"] or min(torch.get_num_threads(), usable_cores()))
    network = torch_network(model)
    for stamp in origin.stamps:
        stamp.check()
    return Runtime(network, model.config, "torch", origin)
