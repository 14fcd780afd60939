"""What a machine lends this process: cores, a folder for cached files, and how to describe it."""

import importlib.metadata
import os
import platform
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from hub_models.errors import ConfigError

_VERSIONED: Final = ("numpy", "pillow", "torch", "onnxruntime")


def usable_cores(root: Path = Path("/")) -> int:
    """Count the cores this process may use; a container or `taskset` may allow fewer than all.

    A container's quota (cgroup v1 or v2, of any group around this process) is rounded down: a
    thread that the quota cannot feed stops a whole pass until the next period.

    Args:
        root: Folder under which proc and sys/fs/cgroup are read.

    Returns:
        At least 1.
    """
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # Linux only
        cores = len(os.sched_getaffinity(0))
    return max(1, int(min([cores, *_quotas(root)])))


def _quotas(root: Path) -> Iterator[float]:
    """Give the quota of this process's control groups and of those around them, in cores."""
    try:
        lines = (root / "proc/self/cgroup").read_text(errors="replace").splitlines()
    except OSError:
        lines = ["0::/", "1:cpu:/"]
    mounts = root / "sys/fs/cgroup"
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        # Version 2 has no controllers here. In a container the group may be named as its host
        # sees it, and be mounted as the root.
        names = {controllers, "cpu", "cpu,cpuacct"} if controllers else {"", "unified"}
        parts = [part for part in group.split("/") if part not in ("", "..")]
        for name in names:
            for depth in range(len(parts) + 1):
                yield from _quota(mounts / name / Path(*parts[:depth]))


def _quota(group: Path) -> Iterator[float]:
    with suppress(OSError, ValueError):  # no such file, or "max"
        quota, period = (group / "cpu.max").read_text().split()
        yield int(quota) / max(1, int(period))
    with suppress(OSError, ValueError):
        quota_us = int((group / "cpu.cfs_quota_us").read_text())
        period_us = int((group / "cpu.cfs_period_us").read_text())
        if quota_us > 0:  # -1: none
            yield quota_us / max(1, period_us)


def describe_machine() -> dict[str, Any]:
    """Say what numbers were measured on.

    Returns:
        CPU model, usable cores, system, and the versions of Python and the libraries in use.
    """
    versions = {"python": platform.python_version()}
    for name in _VERSIONED:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return {
        "cpu": _cpu_model(),
        "cores": usable_cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions,
    }


def _cpu_model() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def cache_folders(kind: str) -> Iterator[Path]:
    """Give the folders in which cached files of a kind may be found, the wanted one first.

    Args:
        kind: What is in them, such as "onnx".

    Yields:
        The one in HUB_MODELS_CACHE alone, if that is set; else that in the user's cache folder, if
        the home folder is known, then this user's own one in the folder for temporary files.
    """
    if named := os.environ.get("HUB_MODELS_CACHE"):
        yield Path(named) / kind
        return
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if os.path.isabs(base):  # else nobody knows the home folder, and "~" is left as it is
        yield Path(base) / "hub_models" / kind
    with suppress(OSError):
        yield _own_temporary_folder() / kind


def cache_folder(kind: str) -> Path:
    """Choose the folder in which cached files of a kind are written.

    Args:
        kind: What is in them, such as "onnx".

    Returns:
        The first of `cache_folders` that can be written; it need not exist.

    Raises:
        ConfigError: If there is none.
    """
    for folder in cache_folders(kind):
        if os.environ.get("HUB_MODELS_CACHE") or can_be_made(folder):
            return folder
    raise ConfigError(
        "cached files have no place: neither the home folder nor one for temporary files can be "
        "written; set HUB_MODELS_CACHE to a folder that can"
    )


def own_cache_instead(of: str, kind: str, variables: Sequence[str]) -> Path | None:
    """Give a folder in place of another library's cache in a home that is not known or closed.

    Args:
        of: Folder that the library would use.
        kind: What it holds.
        variables: Names of the environment variables by which a user chooses that folder.

    Returns:
        One of `cache_folder`; None where the library's own is chosen, there, or can be made.

    Raises:
        ConfigError: As of `cache_folder`.
    """
    is_chosen = any(os.environ.get(name) for name in variables)
    if is_chosen or (os.path.isabs(of) and (os.path.isdir(of) or can_be_made(Path(of)))):
        return None
    return cache_folder(kind)


def can_be_made(folder: Path) -> bool:
    """Tell whether a folder can be written, and made if it is not there.

    Args:
        folder: Any.

    Returns:
        False for one that is on a read-only disk, another user's, or below a file.
    """
    there = next(path for path in (folder, *folder.parents) if os.path.exists(path))
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def temporary_folder() -> Path:
    """Find the folder for temporary files.

    Returns:
        The folder, which can be written.

    Raises:
        ConfigError: If there is none.
    """
    with suppress(OSError):
        if can_be_made(folder := Path(tempfile.gettempdir())):
            return folder
    raise ConfigError("no folder for temporary files can be written; set TMPDIR to one that can")


def _own_temporary_folder() -> Path:
    """Make this user's folder among the temporary ones, where others could prepare a trap."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir(), f"hub_models-{user}")
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != user or status.st_mode & 0o022:
        raise PermissionError(f"{folder}: not this user's alone")
    return folder
