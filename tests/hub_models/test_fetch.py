import hashlib
import re
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants

import hub_models
from hub_models import CheckpointError
from hub_models.client import told
from hub_models.fetch import Access, fetch_files, git_blob, is_intact
from hub_models.hub import resolve
from tests.hub_repository import READER
from tests.hub_server import HubServer

REPO = "owner/tiny"
TORCH = re.escape(torch.__version__.partition("+")[0])
CONTENT = b"some content"
DIGESTS = {
    "sha256": hashlib.sha256(CONTENT).hexdigest(),
    "git's sha1": git_blob(CONTENT),
    "plain sha1": hashlib.sha1(CONTENT).hexdigest(),
    "no digest": "an-etag-of-a-mirror",
}


def test_the_hub_is_told_who_asks_and_counts_the_download(
    hub_server: HubServer, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", False)  # else without PyTorch's
    hub_server.commit(REPO, tiny_folder)
    resolve(REPO, cache_dir=tmp_path)
    ours = [r for r in hub_server.requests if REPO in r.path or r.is_cdn]
    who = rf"hub_models/{hub_models.__version__}; hf_hub/[\d.]+; python/3[\d.]+; torch/{TORCH}"
    assert all(re.match(who, r.headers["user-agent"]) for r in ours)
    counted = [r.path for r in ours if "x-hf-download-counter" in r.headers]
    assert any(path.endswith("/config.json") for path in counted)


def test_a_token_goes_to_the_hub_and_never_to_the_host_of_large_files(
    hub_server: HubServer, tiny_folder: Path, tmp_path: Path
) -> None:
    hub_server.commit(REPO, tiny_folder)
    hub_server.repositories[REPO].private = True
    resolve(REPO, token=READER, cache_dir=tmp_path)
    large = [r for r in hub_server.requests if r.is_cdn]
    assert [r.method for r in large] == ["GET"]
    assert all("authorization" not in r.headers for r in large)
    others = [r for r in hub_server.requests if not r.is_cdn]
    assert {r.headers["authorization"] for r in others} == {f"Bearer {READER}"}


def test_a_forced_download_fetches_what_the_cache_holds(
    hub_server: HubServer, tiny_folder: Path, tmp_path: Path
) -> None:
    commit = hub_server.commit(REPO, tiny_folder)
    resolve(REPO, cache_dir=tmp_path)
    hub_server.log.clear()
    resolve(f"{REPO}@{commit}", cache_dir=tmp_path, force_download=True)
    assert [method for method, _ in hub_server.log] == ["HEAD", "GET", "HEAD", "GET"]


def test_a_forced_download_that_fails_names_the_file_and_keeps_the_cached_one(
    hub_server: HubServer, tiny_folder: Path, tmp_path: Path
) -> None:
    commit = hub_server.commit(REPO, tiny_folder)
    cached = resolve(REPO, cache_dir=tmp_path)
    hub_server.fault("HEAD .*/config", "status", status=500, times=-1)
    with pytest.raises(CheckpointError, match=f"^{REPO}@{commit[:12]}: the hub has failed at conf"):
        resolve(f"{REPO}@{commit}", cache_dir=tmp_path, force_download=True)
    hub_server.faults.clear()
    assert resolve(f"{REPO}@{commit}", cache_dir=tmp_path) == cached


def test_a_byte_flipped_in_the_cache_is_fetched_again_and_the_file_is_whole(
    hub_server: HubServer, tiny_folder: Path, tmp_path: Path
) -> None:
    commit = hub_server.commit(REPO, tiny_folder)
    for name in ("config.json", "model.safetensors"):
        path = resolve(REPO, cache_dir=tmp_path).folder / name
        content = bytearray(path.read_bytes())
        content[100] ^= 1
        path.resolve().write_bytes(content)
        hub_server.log.clear()
        assert resolve(f"{REPO}@{commit}", cache_dir=tmp_path).folder / name == path
        assert path.read_bytes() == (tiny_folder / name).read_bytes()
        assert [method for method, _ in hub_server.log] == ["HEAD", "GET"]


@pytest.mark.parametrize("digest", DIGESTS.values(), ids=DIGESTS)
def test_content_is_compared_with_the_name_of_its_blob(digest: str, tmp_path: Path) -> None:
    blob = tmp_path / digest
    blob.write_bytes(CONTENT)
    (tmp_path / "config.json").symlink_to(blob)
    assert is_intact(tmp_path / "config.json")
    blob.write_bytes(CONTENT[:-1] + b"!")
    assert is_intact(tmp_path / "config.json") == (digest == DIGESTS["no digest"])


def test_a_file_that_is_no_link_cannot_be_compared(tmp_path: Path) -> None:
    (tmp_path / ("0" * 64)).write_bytes(CONTENT)
    assert is_intact(tmp_path / ("0" * 64))


def test_names_from_the_hub_never_leave_the_folder(
    hub_server: HubServer, tiny_folder: Path, tmp_path: Path
) -> None:
    commit = hub_server.commit(REPO, tiny_folder)
    with pytest.raises(CheckpointError):
        fetch_files(REPO, commit, ["../../outside"], Access(cache_dir=tmp_path / "cache"))
    assert not (tmp_path / "outside").exists()


def test_no_secret_of_the_clients_sentence_is_passed_on() -> None:
    def fail() -> None:
        raise OSError("GET https://cdn/x?X-Signature=abc, Bearer hf_abcDEF")

    with pytest.raises(CheckpointError) as raised:
        told(fail, REPO, "config.json")
    said = str(raised.value).partition("config.json ")[2]
    assert said == "(GET https://cdn/x?... Bearer ...)"
