"""A checkpoint folder to its exported file, made once per machine and kept beside other caches."""

import hashlib
import logging
from contextlib import suppress
from pathlib import Path
from typing import Final

from filelock import FileLock

from hub_models import hub
from hub_models.atomic import hash_file, staged
from hub_models.config_json import render_config
from hub_models.errors import CheckpointError
from hub_models.machine import cache_folder, cache_folders
from hub_models.session import installed_version

_FORMAT: Final = "1"  # part of every file's name: changes when what `export_onnx` writes does
_log = logging.getLogger(__name__)


def cached_export(folder: Path) -> Path:
    """Give the ONNX file of a checkpoint folder, exporting it if it is not there or damaged.

    Of several processes that ask at once one exports and the others wait for it.

    Args:
        folder: A checkpoint folder.

    Returns:
        The file, named by the weights' sha256, the config and the versions that wrote it.

    Raises:
        ConfigError: If the folder's config is wrong, the `export` extra is not installed, or
            nothing can be cached on this machine.
        CheckpointError: If the export fails, or the cache cannot be written.
    """
    name = f"{_fingerprint(folder)}.onnx"
    for there in cache_folders("onnx"):
        if _is_whole(there / name):
            return there / name
    path = cache_folder("onnx") / name
    from hub_models.export import export_onnx  # imports PyTorch, which a file once made needs not

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if not _is_whole(path):  # another process may have made it while this one waited
                if path.exists():
                    _log.warning("%s: damaged, made anew", path)
                export_onnx(folder, path)
                with staged(_digest_path(path)) as staging:
                    staging.write_text(hash_file(path))
    except OSError as error:
        raise CheckpointError(
            f"{path.parent}: cannot be written ({error}); HUB_MODELS_CACHE may name another folder"
        ) from error
    return path


def _fingerprint(folder: Path) -> str:
    parts = [
        _FORMAT,
        hash_file(hub.weights_path(folder)),
        render_config(hub.read_config(folder)),
        *(installed_version(name) for name in ("torch", "onnx", "onnxruntime")),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _is_whole(path: Path) -> bool:
    """Tell whether the file is there as it was written: ONNX Runtime would run flipped bits."""
    with suppress(OSError):  # not there, or not ours to read
        return _digest_path(path).read_text() == hash_file(path)
    return False


def _digest_path(path: Path) -> Path:
    return path.with_suffix(".sha256")
