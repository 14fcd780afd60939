"""An ONNX file to a session of ONNX Runtime, with the options that `benchmarks/runtime.py` chose.

Knows no PyTorch: a server that only runs an exported file need not load it.
"""

import ctypes
import importlib
import importlib.metadata
import importlib.util
import os
import threading
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hub_models.config import ModelConfig
from hub_models.config_json import parse_config
from hub_models.errors import CheckpointError, ConfigError, named
from hub_models.forking import forward_pass, renew_in_children
from hub_models.machine import usable_cores
from hub_models.unchanged import Stamp, take_stamp

INPUT: Final = "batch"
OUTPUTS: Final = ("logits", "feature_map")
CONFIG_KEY: Final = "config.json"  # of the file's metadata: the checkpoint folder's whole config
_PROVIDERS: Final = ["CPUExecutionProvider"]

Arrays = tuple[NDArray[np.float32], NDArray[np.float32]]


def installed_version(name: str) -> str:
    """Find a package's version without importing it, which takes seconds for some.

    Args:
        name: Of the package and its module, such as "onnxruntime".

    Returns:
        Such as "1.31.1".

    Raises:
        ConfigError: If it is not installed.
    """
    if importlib.util.find_spec(name) is None:
        raise ConfigError(f"{name} is not installed: pip install 'hub-models[export]'")
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:  # another build, such as onnxruntime-gpu
        return str(load_optional(name).__version__)


def load_optional(name: str) -> Any:
    """Import a module of the `export` extra.

    ONNX Runtime's own telemetry is off unless ORT_DISABLE_TELEMETRY is set to something else: it
    would name this machine by a lasting id and send what is run here.

    Args:
        name: Such as "onnxruntime".

    Returns:
        The module.

    Raises:
        ConfigError: If its package is not installed.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when onnxruntime is imported
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{error.name} is not installed: pip install 'hub-models[export]'"
        ) from error


class Session:
    """A loaded ONNX file; any number of threads may call `run`, and children of a fork.

    In a child the file is read again at the first call, because ONNX Runtime's threads are gone.

    Args:
        path: An ONNX file that `hub_models.export` wrote.
        threads: Cores one pass uses; all that this process may use if None.

    Raises:
        CheckpointError: If the file is damaged, or its weights lie in another file.
        ConfigError: If ONNX Runtime is not installed, or the file is not one of ours.
    """

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        self._threads = threads or usable_cores()
        self._opening = threading.Lock()
        try:
            self.stamp: Stamp = take_stamp(path)
            if _keeps_weights_apart(path):
                # They would be mapped, and answers change with that file.
                raise CheckpointError(
                    f"{path}: its weights lie in another file beside it; `hub-models export` "
                    "writes one file"
                )
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error
        with forward_pass():
            self._session: Any = self._open()
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        if CONFIG_KEY not in self.metadata:
            raise ConfigError(f"{path}: not written by `hub-models export`: its metadata is empty")
        with named(path):
            self.config: ModelConfig = parse_config(self.metadata[CONFIG_KEY])
        renew_in_children(self)

    def renew(self) -> None:
        """Forget, in a forked child, a session whose threads are the parent's."""
        self._opening = threading.Lock()
        if self._threads > 1 and self._session is not None:
            # Freed it would wait for its threads, at the end of the process at the latest.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._session))
            self._session = None

    def run(self, batch: NDArray[np.float32]) -> Arrays:
        """Compute logits and feature map.

        Args:
            batch: float32 (N, 3, S, S), preprocessed.

        Returns:
            float32 (N, C) and (N, K, h, w).

        Raises:
            CheckpointError: In a forked child, if the file has changed meanwhile.
        """
        logits, feature_map = (self._session or self._reopen()).run(OUTPUTS, {INPUT: batch})
        return logits, feature_map

    def _reopen(self) -> Any:
        with self._opening:
            if self._session is None:
                self.stamp.check()
                self._session = self._open()
            return self._session

    def _open(self) -> Any:
        path = self.stamp.path
        runtime = load_optional("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1  # these networks are one chain
        options.log_severity_level = 3  # errors: warnings are about other people's graphs
        # Threads that spin while they wait are a little faster alone, and take the cores from
        # everything else in the process: `python benchmarks/runtime.py` prints both.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            return runtime.InferenceSession(str(path), options, providers=_PROVIDERS)
        except Exception as error:  # ONNX Runtime's own errors share no base but this one
            reason = str(error).split("\n", 1)[0]
            raise CheckpointError(f"{path}: damaged or no ONNX file ({reason})") from error


def _keeps_weights_apart(path: Path) -> bool:
    """Look for ONNX's "location" of external data, as protobuf writes its key."""
    mark, end = b"\x0a\x08location\x12", b""
    with open(path, "rb") as file:
        while chunk := file.read(2**20):
            if mark in end + chunk:
                return True
            end = chunk[-len(mark) :]
    return False
