"""Whatever goes wrong between us and a hub ends well after the client's retry, or in one sentence.

`python -m tests.hub_faults` prints the table of faults, sentences and requests as markdown.
"""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.hub_repository import READER, STRANGER
from tests.hub_server import HubServer
from tests.hub_world import REPO, World

WEIGHTS = "/large/"  # where the hub's answer for model.safetensors points
HEAD_OF_WEIGHTS = r"HEAD /owner/tiny/resolve/.*/model\.safetensors"


class Case(NamedTuple):
    """What goes wrong, what is done then, and what the sentence must hold; empty: it ends well."""

    prepare: Callable[[World], object]
    said: tuple[str, ...] = ()
    act: Callable[[World], tuple[int, str]] = World.pull
    needs_mounts: bool = False
    is_slow: bool = False


def _fault(pattern: str, kind: str, **how: object) -> Callable[[World], None]:
    return lambda world: world.hub.fault(pattern, kind, **how)


def _with(**changes: object) -> Callable[[World], None]:
    return lambda world: [setattr(world, name, value) for name, value in changes.items()] and None


def _asking(source: str) -> Callable[[World], tuple[int, str]]:
    return lambda world: world.command("pull", source)


def _private(world: World) -> None:
    world.hub.repositories[REPO].private = True


def _gated(world: World) -> None:
    world.hub.gated.add(REPO)
    world.token = STRANGER


def _without_weights(world: World) -> None:
    world.hub.commit(REPO, {"config.json": b"{}", "pytorch_model.bin": b"\x80"})


def _cached(world: World) -> None:
    assert world.pull() == (0, "")
    world.hub.log.clear()


def _cached_offline(world: World) -> None:
    _cached(world)
    world.offline = True


def _cached_without_weights(world: World) -> None:
    _cached_offline(world)
    for path in world.cache.glob("models--*/snapshots/*/model.safetensors"):
        path.resolve().unlink()
        path.unlink()


def _flipped(world: World) -> None:
    _cached(world)
    path = world.blob("model.safetensors")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _flipped_offline(world: World) -> None:
    _flipped(world)
    world.offline = True


def _raced(world: World) -> None:
    """Somebody pushes other weights and labels after the pull has got its config."""
    files = dict(world.hub.repositories[REPO].commits[world.commits[0]])
    files["config.json"] = files["config.json"].replace(b"cat", b"lynx")
    files["model.safetensors"] = b"other weights"
    push = lambda: world.commits.append(world.hub.commit(REPO, files))  # noqa: E731
    world.hub.fault(HEAD_OF_WEIGHTS, "callback", callback=push)


def _pull_what_was_raced(world: World) -> tuple[int, str]:
    code, said = world.pull()
    names = {path.parent.name for path in world.cache.glob("models--*/snapshots/*/*")}
    assert names == {world.commits[0]}  # the commit it began with, and nothing of the other
    return code, said


def _push_raced(world: World) -> None:
    world.hub.commit(REPO, {"notes.txt": b"theirs"})
    push = lambda: world.hub.commit(REPO, {"notes.txt": b"theirs again"})  # noqa: E731
    world.hub.fault("POST .*/preupload/", "callback", callback=push)


def _two_at_once(world: World) -> tuple[int, str]:
    ends = [world.ended(process) for process in [world.process(), world.process()]]
    return max(code for code, _ in ends), "".join(said for _, said in ends)


def _full_disk(world: World) -> tuple[int, str]:
    return world.ended(world.process('mount -t tmpfs -o size=600k tmpfs "$CACHE"'))


def _read_only(world: World) -> tuple[int, str]:
    mount = 'mount --bind "$CACHE" "$CACHE" && mount -o remount,bind,ro "$CACHE"'
    return world.ended(world.process(mount))


def _new_repository(world: World) -> None:
    world.hub.repositories.clear()


def _nothing(world: World) -> None:
    pass


def _and(*steps: Callable[[World], object]) -> Callable[[World], None]:
    return lambda world: [step(world) for step in steps] and None


PULLS = {
    "nothing": Case(_nothing),
    "weights: 503 once when asked about": Case(_fault(HEAD_OF_WEIGHTS, "status")),
    "weights: 503 when fetched": Case(
        _fault(WEIGHTS, "status", times=-1), (f"{REPO}@", "the hub has failed at model.safetensors")
    ),
    "weights: 429, Retry-After 1 s": Case(
        _fault(WEIGHTS, "status", status=429, headers={"Retry-After": "1"})
    ),
    "revision: 429": Case(
        _fault("GET /api/models", "status", status=429), (f"{REPO}: ", "the hub asks to wait")
    ),
    "revision: 503": Case(
        _fault("GET /api/models", "status", times=-1),
        (f"{REPO}: ", "the hub has failed at revision 'main'"),
    ),
    "revision: 503, but it was pulled before": Case(
        _and(_cached, _fault("GET /api/models", "status", times=-1))
    ),
    "weights: connection dropped in the middle, once": Case(_fault(WEIGHTS, "drop")),
    "weights: connection dropped in the middle, always": Case(
        _fault(WEIGHTS, "drop", times=-1),
        (f"{REPO}@", "the hub did not deliver model.safetensors"),
        is_slow=True,
    ),
    "weights: half the file as if it were whole": Case(
        _fault(WEIGHTS, "truncate", times=-1),
        (f"{REPO}@", "model.safetensors"),
    ),
    "weights: a byte flipped on the way, once": Case(_fault(WEIGHTS, "corrupt")),
    "weights: a byte flipped on the way, always": Case(
        _fault(WEIGHTS, "corrupt", times=-1),
        (f"{REPO}@", "model.safetensors was fetched twice and is not what the hub says"),
    ),
    "config: a byte flipped on the way, once": Case(_fault(r"GET .*/config\.json", "corrupt")),
    "cache: a byte flipped since": Case(_flipped),
    "cache: a byte flipped since, offline": Case(
        _flipped_offline, (f"{REPO}@", "model.safetensors in the cache is damaged")
    ),
    "private repository, no token": Case(_private, (f"{REPO}: ", "no such repository on the hub")),
    "private repository, token of a reader": Case(_and(_private, _with(token=READER))),
    "gated repository": Case(_gated, (f"{REPO}: ", "access must be asked for on the hub first")),
    "token the hub does not know": Case(
        _with(token="hf_noSuchToken"), (f"{REPO}: ", "the hub does not accept the token")
    ),
    "no such repository": Case(
        _nothing, ("owner/gone: ", "no such repository on the hub"), _asking("owner/gone")
    ),
    "no such revision": Case(
        _nothing, (f"{REPO}@gone: ", "no such revision"), _asking(f"{REPO}@gone")
    ),
    "no such file": Case(
        _without_weights, (f"{REPO}@", "model.safetensors is missing there; only safetensors")
    ),
    "somebody pushes meanwhile": Case(_raced, (), _pull_what_was_raced),
    "two processes pull at once": Case(_nothing, (), _two_at_once, is_slow=True),
    "full disk": Case(
        _nothing,
        (f"{REPO}@", "model.safetensors cannot be written or read here (No space left on device)"),
        _full_disk,
        needs_mounts=True,
    ),
    "read-only cache": Case(
        _nothing,
        (f"{REPO}@", "config.json cannot be written or read here (Read-only file system)"),
        _read_only,
        needs_mounts=True,
    ),
    "read-only cache that holds everything": Case(_cached, (), _read_only, needs_mounts=True),
    "offline, pulled before": Case(_cached_offline),
    "offline, never pulled": Case(
        _with(offline=True), (f"{REPO}: ", "revision 'main' is not in the cache")
    ),
    "offline, weights gone from the cache": Case(
        _cached_without_weights, (f"{REPO}@", "model.safetensors is not in the cache")
    ),
}
PUSHES = {
    "nothing": Case(_new_repository, (), World.push),
    "upload: 503 once": Case(_and(_new_repository, _fault("PUT ", "status")), (), World.push),
    "upload: connection dropped once": Case(
        _and(_new_repository, _fault("PUT ", "hang up")), (), World.push
    ),
    "preupload: 429, Retry-After 1 s": Case(
        _and(
            _new_repository,
            _fault("/preupload/", "status", status=429, headers={"Retry-After": "1"}),
        ),
        (),
        World.push,
    ),
    "commit: 503": Case(
        _and(_new_repository, _fault("/commit/", "status")),
        (f"{REPO}: ", "the hub has failed (HTTP 503"),
        World.push,
    ),
    "somebody pushes meanwhile": Case(
        _push_raced, (f"{REPO}: ", "somebody else pushed meanwhile"), World.push
    ),
    "token that may only read": Case(
        _with(token=READER), (f"{REPO}: ", "the token may not do this"), World.push
    ),
    "token the hub does not know": Case(
        _with(token="hf_noSuchToken"),
        (f"{REPO}: ", "the hub does not accept the token"),
        World.push,
    ),
}
CASES = {f"pull, {name}": case for name, case in PULLS.items()} | {
    f"push, {name}": case for name, case in PUSHES.items()
}


def may_mount() -> bool:
    unshare = shutil.which("unshare")
    command = [unshare or "", "--mount", "true"]
    return (
        bool(unshare) and subprocess.run(command, capture_output=True, check=False).returncode == 0
    )


def lay_out(hub: HubServer, root: Path, tiny_folder: Path) -> World:
    cache = root / "cache"
    cache.mkdir()
    world = World(hub, cache, Path(shutil.copytree(tiny_folder, root / "folder")))
    # Other results than the folder's: a push then has something to do.
    files = {path.name: path.read_bytes() for path in tiny_folder.iterdir()}
    world.commits.append(hub.commit(REPO, files | {"results.json": b"{}"}))
    return world


def _params() -> list:
    marks = {name: [pytest.mark.slow] if case.is_slow else [] for name, case in CASES.items()}
    return [pytest.param(case, id=name, marks=marks[name]) for name, case in CASES.items()]


@pytest.mark.parametrize("case", _params())
def test_a_fault_ends_well_or_in_onesentence_of(
    case: Case, hub_server: HubServer, tiny_folder: Path, tmp_path: Path
) -> None:
    if case.needs_mounts and not may_mount():
        pytest.skip("only root may mount a small disk")
    world = lay_out(hub_server, tmp_path, tiny_folder)
    case.prepare(world)
    code, said = case.act(world)
    if not case.said:
        assert code == 0, said
        return
    assert code == 1
    assert "Traceback" not in said
    sentence = sentence_of(said)
    for part in case.said:
        assert part in sentence
    for secret in ("hf_", "signature"):
        assert secret not in said


def sentence_of(said: str) -> str:
    """Find what we say among notes of the client's, such as "Retrying in 1s"."""
    ours = [line for line in said.splitlines() if line.startswith("hub-models: ")]
    assert len(ours) == 1
    assert said.rstrip().endswith(ours[0])
    return ours[0]
