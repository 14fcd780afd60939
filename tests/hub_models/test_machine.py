import os
import tempfile
from pathlib import Path

import pytest

from hub_models import ConfigError, ImageClassifier
from hub_models.machine import (
    cache_folder,
    cache_folders,
    can_be_made,
    describe_machine,
    own_cache_instead,
    usable_cores,
)

CORES = usable_cores(Path(os.devnull))  # of no control group
CLOSED = f"{os.devnull}/nobody"  # a folder that nobody can make, root neither


def groups(root: Path, mine: str, **files: str) -> Path:
    """Write /proc/self/cgroup and files of control groups, "/" in their names as "__"."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(mine)
    for name, content in files.items():
        path = root / "sys/fs/cgroup" / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    return root


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("max 100000", CORES),
        ("100000 100000", 1),
        ("50000 100000", 1),  # less than one core is one
        ("1000 100000", 1),
        ("199000 100000", min(1, CORES)),  # what is left over would stop a pass half-way
        ("200000 100000", min(2, CORES)),
        ("20000 10000", min(2, CORES)),  # another period
        ("99900000 100000", CORES),  # more than there are
        ("", CORES),
        ("nonsense", CORES),
    ],
)
def test_a_quota_of_version_2_is_counted_in_whole_cores(
    quota: str, cores: int, tmp_path: Path
) -> None:
    assert usable_cores(groups(tmp_path, "0::/\n", cpu_dot_max=quota)) == cores


def test_the_least_quota_of_nested_groups_holds(tmp_path: Path) -> None:
    files = {
        "pod__cpu_dot_max": "100000 100000",
        "pod__box__cpu_dot_max": "max 100000",
        "other__cpu_dot_max": "1000 100000",
    }
    assert usable_cores(groups(tmp_path, "0::/pod/box\n", **files)) == 1
    files["pod__cpu_dot_max"] = "max 100000"
    assert usable_cores(groups(tmp_path / "wide", "0::/pod/box\n", **files)) == CORES


@pytest.mark.parametrize("name", ["cpu", "cpu,cpuacct"])
def test_a_quota_of_version_1_holds(name: str, tmp_path: Path) -> None:
    mine = f"12:pids:/docker/abc\n4:{name}:/docker/abc\n0::/system.slice\n"
    files = {
        f"{name}__docker__abc__cpu_dot_cfs_quota_us": "100000",
        f"{name}__docker__abc__cpu_dot_cfs_period_us": "100000",
        f"{name}__cpu_dot_cfs_quota_us": "-1",
        f"{name}__cpu_dot_cfs_period_us": "100000",
    }
    assert usable_cores(groups(tmp_path, mine, **files)) == 1
    files[f"{name}__docker__abc__cpu_dot_cfs_quota_us"] = "-1"
    assert usable_cores(groups(tmp_path / "none", mine, **files)) == CORES


@pytest.mark.parametrize("mine", ["4:cpu:/docker/abc\n", "0::/docker/abc\n", "0::/../..\n", ""])
def test_a_group_named_as_its_host_sees_it_is_found_at_the_mount(mine: str, tmp_path: Path) -> None:
    files = {
        "cpu__cpu_dot_cfs_quota_us": "100000",
        "cpu__cpu_dot_cfs_period_us": "100000",
        "cpu_dot_max": "100000 100000",
    }
    assert usable_cores(groups(tmp_path, mine or "0::/", **files)) == 1


def test_without_control_groups_the_cores_of_this_process_count(tmp_path: Path) -> None:
    assert usable_cores(tmp_path) == CORES


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux alone has it")
def test_the_cores_a_process_is_bound_to_count() -> None:
    bound = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(bound)})
    try:
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, bound)


def test_numbers_come_with_the_machine_and_the_versions() -> None:
    machine = describe_machine()
    assert machine["cores"] == usable_cores() >= 1
    assert machine["cpu"]
    assert {"python", "numpy", "torch"} <= set(machine["versions"])


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, where the home folder is closed and no cache is chosen."""
    monkeypatch.setenv("HOME", CLOSED)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("XDG_CACHE_HOME", "HUB_MODELS_CACHE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_the_folder_is_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("HUB_MODELS_CACHE", raising=False)
    assert cache_folder("pixels") == tmp_path / "xdg" / "hub_models" / "pixels"
    monkeypatch.setenv("HUB_MODELS_CACHE", str(tmp_path / "own"))
    assert cache_folder("pixels") == tmp_path / "own" / "pixels"
    monkeypatch.setenv("HUB_MODELS_CACHE", CLOSED)  # chosen: no other folder, but an error later
    assert list(cache_folders("pixels")) == [Path(CLOSED, "pixels")]
    assert cache_folder("pixels") == Path(CLOSED, "pixels")


def test_the_home_folder_is_asked_last(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(temporary / "home"))
    assert cache_folder("onnx") == temporary / "home/.cache/hub_models/onnx"


def test_where_the_home_is_closed_a_temporary_folder_of_one_s_own_is_taken(temporary: Path) -> None:
    folder = cache_folder("onnx")
    assert folder.parent.parent == temporary
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    assert cache_folder("onnx") == folder


@pytest.mark.parametrize("trap", ["a link", "open to all", "a file"])
def test_a_temporary_folder_that_others_could_write_is_not_taken(
    temporary: Path, trap: str
) -> None:
    folder = cache_folder("onnx").parent
    folder.rmdir()
    match trap:
        case "a link":
            (temporary / "elsewhere").mkdir()
            folder.symlink_to(temporary / "elsewhere")
        case "open to all":
            folder.mkdir()
            folder.chmod(0o777)
        case "a file":
            folder.touch()
    with pytest.raises(ConfigError, match="set HUB_MODELS_CACHE to a folder that can"):
        cache_folder("onnx")


def test_no_place_at_all_is_one_sentence(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", CLOSED)
    with pytest.raises(ConfigError, match="cached files have no place"):
        cache_folder("onnx")


def test_a_push_without_a_temporary_folder_is_one_sentence(
    model: ImageClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", CLOSED)
    with pytest.raises(ConfigError, match="set TMPDIR to one that can"):
        model.push_to_hub("owner/name")


def test_another_library_s_cache_is_replaced_only_where_nobody_could_write_it(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert own_cache_instead(str(temporary / "hub"), "hub", ("A_CACHE",)) is None
    for closed in (CLOSED, "~/.cache/hub"):
        assert own_cache_instead(closed, "hub", ("A_CACHE",)) == cache_folder("hub")
    monkeypatch.setenv("A_CACHE", CLOSED)
    assert own_cache_instead(CLOSED, "hub", ("A_CACHE",)) is None


def test_a_folder_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert can_be_made(tmp_path / "new" / "newer")
    assert not can_be_made(tmp_path / "file" / "new")
