"""Every way in which people hand a model to other processes, as they would write it.

    python -m tests.workers FOLDER onnx|torch|classifier PHOTO WAY [WAY ...]

prints for each way how many processes gave the answer that this one gives.
"""

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from hub_models import ImageClassifier, Runtime, load_runtime

Model = ImageClassifier | Runtime
PROCESSES = 2


def load(folder: str, engine: str) -> Model:
    """Load a model that has threads of its own, also on a machine of one core."""
    if engine == "classifier":
        torch.set_num_threads(2)
        return ImageClassifier.from_pretrained(folder)
    # With ONNX Runtime nothing sets PyTorch's threads: a grandchild that never uses PyTorch crashes
    # at its end, where PyTorch joins the threads of a pool that its parent had.
    return load_runtime(folder, engine=engine, threads=2)


def answer(model: Model, photo: str) -> list[tuple[str, float]]:
    """Ask for two pictures in one call, so that decoding has threads too."""
    said = model.classify([photo, photo])[1]
    return [(prediction.label, round(prediction.probability, 4)) for prediction in said]


def fork(model: Model, photo: str, *, ends: Callable[[int], Any] = sys.exit) -> bytes:
    """Ask a child of `os.fork`; it ends as a program does, not by `os._exit`."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        os.write(writer, repr(answer(model, photo)).encode())
        ends(0)
    os.close(writer)
    with open(reader, "rb") as said:
        found = said.read()
    _, status = os.waitpid(child, 0)
    return found if status == 0 else b"it ended with %d" % status


def forked(model: Model, photo: str) -> list[object]:
    """Plain forks, one after the other."""
    return [fork(model, photo) for _ in range(PROCESSES)]


def forked_by_a_thread(model: Model, photo: str) -> list[object]:
    """Forks of a thread that never asked the model itself."""
    said: list[object] = []

    def run() -> None:
        said.extend(fork(model, photo, ends=os._exit) for _ in range(PROCESSES))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return said


def forked_while_asked(model: Model, photo: str) -> list[object]:
    """Forks while other threads are inside `classify`."""
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            answer(model, photo)

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    said: list[object] = [fork(model, photo) for _ in range(5)]
    is_over.set()
    for asker in askers:
        asker.join()
    return [*said, answer(model, photo)]


def grandchildren(model: Model, photo: str) -> list[object]:
    """A child that answers and forks, as a server that reloads its workers does."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, repr(answer(model, photo)).encode() + b"\n" + fork(model, photo))
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as said:
        found = said.read().split(b"\n")
    os.waitpid(child, 0)
    return list(found)


_model: Model | None = None


def keep(model: Model) -> None:
    """Keep what a worker is given when it starts."""
    global _model
    _model = model


def ask_kept(photo: str) -> list[tuple[str, float]]:
    """Ask what `keep` kept."""
    assert _model is not None
    return answer(_model, photo)


def put_answer(model: Model, photo: str, queue: Any) -> None:
    """Answer as the target of a `multiprocessing.Process` does."""
    queue.put(answer(model, photo))


def process(method: str, model: Model, photo: str) -> list[object]:
    """Hand the model to processes as an argument."""
    context: Any = multiprocessing.get_context(method)
    queue = context.Queue()
    workers = [
        context.Process(target=put_answer, args=(model, photo, queue)) for _ in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    said: list[object] = [queue.get() for _ in workers]
    for worker in workers:
        worker.join()
    return said


def pool(method: str, model: Model, photo: str) -> list[object]:
    """Hand the model to the workers of an executor once, when they start."""
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(
        PROCESSES, mp_context=context, initializer=keep, initargs=(model,)
    ) as executor:
        return list(executor.map(ask_kept, [photo] * 4))


class Answers(Dataset[Any]):
    """Answers as the rows of a data set, made by the workers of a DataLoader."""

    def __init__(self, model: Model, photo: str) -> None:
        self.model, self.photo = model, photo

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> list[tuple[str, float]]:
        return answer(self.model, self.photo)


def loader(method: str, model: Model, photo: str) -> list[object]:
    """Answer in the workers of PyTorch's DataLoader."""
    batches: Any = DataLoader(
        Answers(model, photo),
        batch_size=None,
        num_workers=PROCESSES,
        multiprocessing_context=method,
        collate_fn=list,
    )
    return list(batches)


WAYS: dict[str, Callable[[Model, str], list[object]]] = {
    "fork": forked,
    "fork-thread": forked_by_a_thread,
    "fork-busy": forked_while_asked,
    "grandchildren": grandchildren,
}


def main(folder: str, engine: str, photo: str, *ways: str) -> None:
    """Try the ways one after the other and print what came of each."""
    model = load(folder, engine)
    expected = answer(model, photo)
    for way in ways:
        if way in WAYS:
            said = WAYS[way](model, photo)
        else:
            kind, _, method = way.partition("-")
            said = {"process": process, "pool": pool, "loader": loader}[kind](method, model, photo)
        same = [one for one in said if one in (expected, repr(expected).encode())]
        wrong = "" if same == said else said
        sys.stdout.write(f"{way} {len(same)} of {len(said)} {wrong}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
