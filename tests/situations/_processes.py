"""What the situations of processes are made of: a served folder, harm, children, closed homes."""

import contextlib
import copy
import functools
import os
import pickle
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import onnx
import pytest
import torch

from hub_models import HubModelsError, ImageClassifier, PreprocessConfig, Runtime, load_runtime
from hub_models.drawn import draw
from hub_models.export_cache import cached_export
from hub_models.machine import cache_folder, usable_cores
from tests.conftest import enliven
from tests.processes import HANG_S

Happens = Callable[[Path], str]
Model = ImageClassifier | Runtime
CLOSED = f"{os.devnull}/nobody"  # a folder that nobody can make, root neither
_kept = tempfile.TemporaryDirectory(prefix="hub-models-served-")


@functools.cache
def _original() -> Path:
    """A tiny model with its ONNX file, made once for all rows."""
    torch.manual_seed(0)
    sizes = PreprocessConfig(resize=36, crop=32)
    model = ImageClassifier.create("mobilenetv2_025", ("cat", "dog", "owl"), preprocess=sizes)
    torch.nn.init.normal_(model.head.weight)
    enliven(model)  # so that every picture has its own answer
    folder = Path(_kept.name, "served")
    model.save_pretrained(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUB_MODELS_CACHE", _kept.name)
        shutil.copy(cached_export(folder), folder / "model.onnx")
    return folder


def served(folder: Path) -> Path:
    """Copy the model into the row's folder."""
    return Path(shutil.copytree(_original(), folder / "served"))


def load(kind: str, folder: Path) -> Model:
    """Load what a row names: a classifier or a runtime, mapped or not."""
    name, _, mapped = kind.partition(", ")
    if name == "classifier":
        return ImageClassifier.from_pretrained(folder, mmap=bool(mapped))
    if name == "torch":
        return load_runtime(folder, engine="torch", threads=2, mmap=bool(mapped))
    return load_runtime(folder / "model.onnx", threads=2)


def ask(model: Model) -> list[tuple[str, float]]:
    """Ask for two pictures."""
    return [(p.label, round(p.probability, 4)) for row in model.classify([draw(0), draw(1)])
            for p in row]  # fmt: skip


def _say(call: Callable[[], object]) -> str:
    try:
        return str(call())
    except HubModelsError as error:
        return str(error).replace("\n", " (a second line) ")


def harm(folder: Path, how: str) -> None:
    """Do to both files of weights what people do to them."""
    for path in (folder / "model.safetensors", folder / "model.onnx"):
        content = bytearray(path.read_bytes())
        content[-len(content) // 2 :] = bytes(len(content) - len(content) // 2)
        if how == "cp":
            path.write_bytes(content)
        elif how == "truncate":
            os.truncate(path, len(content) // 3)
        elif how == "rm":
            path.unlink()
        else:
            path.with_suffix(".new").write_bytes(content)
            path.with_suffix(".new").rename(path)


def after(how: str, kind: str) -> Happens:
    """Load, harm the files, ask."""

    def happens(folder: Path) -> str:
        path = served(folder)
        model = load(kind, path)
        expected = ask(model)
        harm(path, how)
        return _say(lambda: "the same answer" if ask(model) == expected else "another answer")

    return happens


def weights_apart(folder: Path) -> str:
    """Load an ONNX file whose weights were put into another one, as converters do."""
    content = onnx.load(str(served(folder) / "model.onnx"))
    path = folder / "m.onnx"
    onnx.save(content, str(path), save_as_external_data=True, location="weights.bin")
    return _say(lambda: load_runtime(path))


def _in_child(call: Callable[[], object]) -> str:
    """Say what a child of a fork says."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # later Pythons warn of any fork beside threads
        child = os.fork()
    if not child:
        try:
            os.write(writer, _say(call).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as said:
        if not select.select([said], [], [], HANG_S)[0]:
            os.kill(child, signal.SIGKILL)
        found = said.read().decode()
    os.waitpid(child, 0)
    return found or "it hangs"


@contextlib.contextmanager
def _torch_threads() -> Iterator[None]:
    """Give PyTorch the threads that a fork loses, which other tests do without."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def forked(kind: str, *, busy: int = 0, used: bool = True) -> Happens:
    """Ask in a child, after other threads or nobody asked in the parent."""

    def happens(folder: Path) -> str:
        with _torch_threads(), ThreadPoolExecutor(max(1, busy)) as callers:
            model, is_over = load(kind, served(folder)), threading.Event()
            expected = ask(load(kind, folder / "served"))
            if used:
                ask(model)

            def keep_asking() -> None:
                while not is_over.is_set():
                    ask(model)

            askers = [callers.submit(keep_asking) for _ in range(busy)]
            try:
                said = _in_child(lambda: ask(model))
            finally:
                is_over.set()
            for asker in askers:
                asker.result()
            return "the same answer" if said == str(expected) else said

    return happens


def forked_after(how: str, kind: str) -> Happens:
    """Ask in a child, when the file is no longer what the parent loaded."""

    def happens(folder: Path) -> str:
        path = served(folder)
        model = load(kind, path)
        expected = ask(model)
        harm(path, how)
        said = _in_child(lambda: ask(model))
        return "the same answer" if said == str(expected) else said

    return happens


def in_training(folder: Path) -> str:
    """Ask a model in training by four threads."""
    model = ImageClassifier.from_pretrained(served(folder))
    expected = ask(model)
    model.train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with ThreadPoolExecutor(4) as callers:
        answers = list(callers.map(lambda _: ask(model), range(8)))
    wrong = sum(answer != expected for answer in answers)
    moved = sum(not torch.equal(t, before[n]) for n, t in model.state_dict().items())
    modes = {module.training for module in model.modules()}
    return f"{wrong} of 8 answers wrong, {moved} statistics changed, training {modes}"


def frozen_in_part(folder: Path) -> str:
    """Ask a model whose parts are in different modes, then train on."""
    model = ImageClassifier.from_pretrained(served(folder))
    expected = ask(model)
    model.freeze("head")
    model.train()
    modes = [module.training for module in model.modules()]
    same = ask(model) == expected
    kept = [module.training for module in model.modules()] == modes
    with torch.no_grad():
        model.head.weight.neg_()
    return f"the same answer {same}, modes kept {kept}, a step shows {ask(model) != expected}"


def copied(kind: str, how: str, harmed: str = "") -> Happens:
    """Hand a model over by a pickle or a copy, its files changed in between or not."""

    def happens(folder: Path) -> str:
        path = served(folder)
        model = load(kind, path)
        expected = ask(model)
        if how == "pickle":
            pickled = pickle.dumps(model)
            if harmed:
                harm(path, harmed)
            return _say(lambda: "the same answer" if ask(pickle.loads(pickled)) == expected else "")
        if harmed:
            harm(path, harmed)
        return _say(lambda: "the same answer" if ask(copy.deepcopy(model)) == expected else "")

    return happens


def cores(mine: str, **files: str) -> Happens:
    """Count the cores under control groups; "/" in a file's name is "__", "." is "_dot_"."""

    def happens(folder: Path) -> str:
        (folder / "proc/self").mkdir(parents=True)
        (folder / "proc/self/cgroup").write_text(mine)
        for name, content in files.items():
            path = folder / "sys/fs/cgroup" / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content + "\n")
        return f"{usable_cores(folder)} of {usable_cores(Path(os.devnull))}"

    return happens


def homeless(call: Callable[[], object], **environment: str | None) -> Happens:
    """Ask for a folder where the environment is as in some containers; TMP is the row's folder."""

    def happens(folder: Path) -> str:
        with pytest.MonkeyPatch.context() as patch:
            for name in ("HUB_MODELS_CACHE", "XDG_CACHE_HOME"):
                patch.delenv(name, raising=False)
            patch.setenv("HOME", CLOSED)
            patch.setattr(tempfile, "tempdir", environment.pop("TMP", None) or str(folder))
            for name, value in environment.items():
                patch.setenv(name, str(value).replace("FOLDER", str(folder)))
            return _say(call)

    return happens


def onnx_cache() -> Path:
    """Where exports are kept."""
    return cache_folder("onnx")


def load_without_cache(folder: Path) -> str:
    """Load a model where its export cannot be kept."""
    path = served(folder)
    return homeless(lambda: load_runtime(path, engine="onnx"), TMP=CLOSED)(folder)


def unknown_user(folder: Path) -> str:
    """Ask as a user whom this machine does not know, without HOME."""
    code = "from hub_models.machine import cache_folder; print(cache_folder('onnx'))"
    with tempfile.TemporaryDirectory() as parent:  # pytest's own folders are closed to others
        Path(parent).chmod(0o777)
        environment = {"PATH": os.environ["PATH"], "TMPDIR": parent}
        environment["PYTHONPATH"] = str(Path(__file__).parents[2])
        done = subprocess.run([*as_nobody(), sys.executable, "-c", code], env=environment, cwd="/",
                              capture_output=True, text=True, check=False)  # fmt: skip
    return (done.stdout.strip() or done.stderr).removeprefix(f"{parent}/")


def as_nobody() -> list[str]:
    """Begin a command that runs as a user nobody knows; it reads all that root reads.

    Nothing where that cannot be done: whoever is not root has a home that can be closed.
    """
    if os.geteuid() or not shutil.which("setpriv"):
        return ["env", f"HOME={CLOSED}"]
    rights = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
    return ["setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups", *rights]
