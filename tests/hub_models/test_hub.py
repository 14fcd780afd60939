import contextlib
import resource
import socket
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants

from hub_models import CheckpointError, ConfigError, ImageClassifier
from hub_models.hub import (
    MAX_CONFIG_BYTES,
    read_config,
    resolve,
    weights_path,
    write_config,
    write_folder,
)
from tests.hub_server import HubServer

FILES = ["README.md", "config.json", "model.safetensors", "results.json"]
REPO = "owner/tiny"


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


# --- writing


def test_a_saved_folder_holds_exactly_four_files(tiny_folder: Path) -> None:
    assert sorted(path.name for path in tiny_folder.iterdir()) == FILES


def test_saving_what_was_loaded_gives_the_same_bytes(tiny_folder: Path, tmp_path: Path) -> None:
    ImageClassifier.from_pretrained(tiny_folder).save_pretrained(tmp_path / "tiny")
    assert _contents(tmp_path / "tiny") == _contents(tiny_folder)


def test_saving_over_the_folder_it_was_loaded_from_is_safe(folder: Path, tiny_folder: Path) -> None:
    ImageClassifier.from_pretrained(folder).save_pretrained(folder)
    assert _contents(folder) == _contents(tiny_folder)


def test_other_files_in_the_folder_are_left_alone(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    ImageClassifier.from_pretrained(folder).save_pretrained(folder)
    assert (folder / "notes.txt").read_text() == "mine"
    assert len(list(folder.iterdir())) == len(FILES) + 1


def test_a_hand_written_readme_is_kept(folder: Path) -> None:
    (folder / "README.md").write_text("# My own words")
    ImageClassifier.from_pretrained(folder).save_pretrained(folder)
    assert (folder / "README.md").read_text() == "# My own words"


def test_a_rendered_readme_is_rendered_again_with_new_results(folder: Path) -> None:
    weights = (folder / "model.safetensors").read_bytes()
    results = {"test": {"accuracy": 0.75, "images": 8}}
    write_config(folder, replace(read_config(folder), results=results))
    assert "75.00%" in (folder / "README.md").read_text()
    assert '"accuracy": 0.75' in (folder / "results.json").read_text()
    assert read_config(folder).results == results
    assert (folder / "model.safetensors").read_bytes() == weights


def test_words_in_a_rendered_readme_stay_and_its_results_follow(folder: Path) -> None:
    for accuracy in (0.5, 0.75):
        results = {"test": {"accuracy": accuracy, "images": 8}}
        write_config(folder, replace(read_config(folder), results=results))
        path = folder / "README.md"
        path.write_text(path.read_text().replace("## Limits\n", "## Limits\n\nNot at night.\n"))
    text = path.read_text()
    assert "Not at night." in text
    assert "75.00%" in text
    assert "50.00%" not in text


def test_the_folder_and_its_parents_are_made(tiny_folder: Path, tmp_path: Path) -> None:
    ImageClassifier.from_pretrained(tiny_folder).save_pretrained(tmp_path / "a" / "b" / "tiny")
    assert sorted(_contents(tmp_path / "a" / "b" / "tiny")) == FILES


@pytest.mark.parametrize("name", FILES)
def test_a_folder_in_a_files_place_fails_before_any_file_is_replaced(
    name: str, folder: Path
) -> None:
    model = ImageClassifier.create("mobilenetv2_025", ["one", "two"])
    (folder / name).unlink()
    (folder / name).mkdir()
    before = _contents(folder)
    with pytest.raises(CheckpointError, match="cannot be written") as raised:
        model.save_pretrained(folder)
    assert name in str(raised.value)
    assert _contents(folder) == before
    assert len(list(folder.iterdir())) == len(FILES)


def test_a_file_in_the_folders_place_is_an_error(tmp_path: Path, tiny_folder: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(CheckpointError, match="taken: cannot be written"):
        ImageClassifier.from_pretrained(tiny_folder).save_pretrained(tmp_path / "taken")
    assert (tmp_path / "taken").read_text() == "a file"


@contextlib.contextmanager
def _full_disk() -> Iterator[None]:
    """No file may grow past 64 KB: as a full disk, the failure comes in the middle of a write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_fills_up_leaves_the_old_files_and_no_scraps(
    folder: Path, tiny_folder: Path
) -> None:
    model = ImageClassifier.create("mobilenetv2_025", ["one", "two"])
    message = r"tiny: cannot be written \(.*too large"
    with _full_disk(), pytest.raises(CheckpointError, match=message):
        model.save_pretrained(folder)
    assert _contents(folder) == _contents(tiny_folder)
    assert len(list(folder.iterdir())) == len(FILES)


def test_tensors_of_any_memory_layout_are_written(folder: Path) -> None:
    square = torch.arange(6.0).reshape(2, 3).T
    write_folder(folder, read_config(folder), {"w": square})
    from safetensors.torch import load_file

    assert torch.equal(load_file(folder / "model.safetensors")["w"], square)


# --- reading


def test_a_folder_without_config_is_an_error(folder: Path) -> None:
    (folder / "config.json").unlink()
    with pytest.raises(ConfigError, match=rf"^{folder}: no config\.json in this folder$"):
        read_config(folder)


def test_an_error_in_the_config_names_the_file(folder: Path) -> None:
    (folder / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match=rf"^{folder / 'config.json'}: .*is missing"):
        read_config(folder)


def test_a_config_of_gigabytes_is_refused_unread(folder: Path) -> None:
    with (folder / "config.json").open("wb") as file:
        file.truncate(MAX_CONFIG_BYTES + 1)  # sparse
    with pytest.raises(ConfigError, match=r"config\.json: 16,777,217 bytes, the limit is"):
        read_config(folder)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pth", "weights.pt"])
def test_a_folder_with_only_a_pickle_is_refused_with_the_reason(name: str, folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / name)
    with pytest.raises(CheckpointError, match=f"only {name}; .*a pickle can run any code"):
        weights_path(folder)


def test_a_folder_without_weights_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"no model\.safetensors in this folder$"):
        weights_path(folder)


def test_a_local_folder_is_taken_as_it_is(folder: Path) -> None:
    assert resolve(folder).folder == folder
    assert resolve(str(folder)).revision is None
    with pytest.raises(ConfigError, match="a local folder has no revision 'main'"):
        resolve(folder, revision="main")


@pytest.mark.parametrize(
    "source",
    ["./gone", "/gone/away", "a/b/c", "-x/y", "owner/na me", "owner/", "nul\0byte", "x" * 5000],
    ids=lambda source: repr(source[:12]),
)
def test_what_is_neither_a_folder_nor_a_repo_id_is_refused_without_a_request(
    source: str, hub_server: HubServer
) -> None:
    with pytest.raises(CheckpointError, match=r"no such folder, and not a name"):
        resolve(source)
    assert hub_server.log == []


@pytest.mark.parametrize("source", ["owner/a--b", "owner/.name", "owner/name.git"])
def test_a_name_the_client_rejects_is_one_sentence(source: str, hub_server: HubServer) -> None:
    with pytest.raises(CheckpointError, match=f"^{source}: no such folder") as raised:
        resolve(source)
    assert "\n" not in str(raised.value)


# --- pulling


def test_a_revision_is_resolved_once_and_both_files_come_from_that_commit(
    hub_server: HubServer, tiny_folder: Path, tmp_path: Path
) -> None:
    commit = hub_server.commit(REPO, tiny_folder)
    weights = (tiny_folder / "model.safetensors").read_bytes()
    found = resolve(REPO, cache_dir=tmp_path)
    assert found.revision == commit
    assert hub_server.log == [
        ("GET", f"/api/models/{REPO}"),
        ("HEAD", f"/{REPO}/resolve/{commit}/config.json"),
        ("GET", f"/{REPO}/resolve/{commit}/config.json"),
        ("HEAD", f"/{REPO}/resolve/{commit}/model.safetensors"),
        ("GET", f"/large/{sha256(weights).hexdigest()}"),  # where the hub's answer points
    ]
    for name in ("config.json", "model.safetensors"):
        assert (found.folder / name).read_bytes() == (tiny_folder / name).read_bytes()


def test_a_push_after_resolving_cannot_mix_two_versions(
    hub_server: HubServer, tiny_folder: Path, tmp_path: Path
) -> None:
    first = hub_server.commit(REPO, tiny_folder)
    resolve(REPO, cache_dir=tmp_path)
    files = _contents(tiny_folder) | {"config.json": b"{}"}
    second = hub_server.commit(REPO, files)
    assert resolve(REPO, cache_dir=tmp_path).revision == second
    pinned = resolve(f"{REPO}@{first}", cache_dir=tmp_path)
    assert read_config(pinned.folder).label_names == ("cat", "dog", "owl")


def test_a_cached_commit_makes_no_request(
    hub_server: HubServer, tiny_folder: Path, tmp_path: Path
) -> None:
    commit = hub_server.commit(REPO, tiny_folder)
    first = resolve(REPO, cache_dir=tmp_path)
    hub_server.log.clear()
    assert resolve(f"{REPO}@{commit}", cache_dir=tmp_path) == first
    assert hub_server.log == []


def test_a_cached_branch_makes_one_request(
    hub_server: HubServer, tiny_folder: Path, tmp_path: Path
) -> None:
    hub_server.commit(REPO, tiny_folder)
    resolve(REPO, cache_dir=tmp_path)
    hub_server.log.clear()
    resolve(REPO, cache_dir=tmp_path)
    assert hub_server.log == [("GET", f"/api/models/{REPO}")]


def test_what_was_pulled_once_is_there_offline(
    hub_server: HubServer, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_server.commit(REPO, tiny_folder)
    first = resolve(REPO, cache_dir=tmp_path)
    hub_server.log.clear()
    assert resolve(REPO, cache_dir=tmp_path, local_files_only=True) == first
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert resolve(REPO, cache_dir=tmp_path) == first
    assert hub_server.log == []


def test_what_was_never_pulled_is_one_sentence_offline(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=f"^{REPO}: .* revision 'main' is not in"):
        resolve(REPO, cache_dir=tmp_path, local_files_only=True)


@pytest.mark.parametrize("by_argument", [True, False], ids=["argument", "owner/name@revision"])
@pytest.mark.parametrize("revision", ["v2", "refs/pr/1"])
def test_another_branch_or_a_pull_request_is_found(
    revision: str, by_argument: bool, hub_server: HubServer, tiny_folder: Path, tmp_path: Path
) -> None:
    hub_server.commit(REPO, {"config.json": b"{}"})
    commit = hub_server.commit(REPO, tiny_folder, branch=revision)
    if by_argument:
        found = resolve(REPO, revision=revision, cache_dir=tmp_path)
    else:
        found = resolve(f"{REPO}@{revision}", cache_dir=tmp_path)
    assert found.revision == commit


def test_two_revisions_at_once_are_refused() -> None:
    with pytest.raises(ConfigError, match="a second revision, 'v1', was given beside it"):
        resolve(f"{REPO}@v2", revision="v1")


def test_what_the_hub_lacks_is_one_sentence_each(
    hub_server: HubServer, tiny_folder: Path, tmp_path: Path
) -> None:
    files = _contents(tiny_folder)
    hub_server.commit(REPO, files)
    hub_server.commit("owner/pickle", {"config.json": b"{}", "pytorch_model.bin": b"\x80"})
    hub_server.commit("owner/gated", files)
    hub_server.gated.add("owner/gated")
    sentences = {
        "owner/gone": "no such repository on the hub (or it is private)",
        f"{REPO}@gone": "the repository has no such revision",
        f"{REPO}@{'0' * 40}": "the repository has no such revision",
        "owner/pickle": "model.safetensors is missing there; only safetensors are read",
        "owner/gated": "access must be asked for on the hub first",
    }
    for source, sentence in sentences.items():
        with pytest.raises(CheckpointError) as raised:
            resolve(source, cache_dir=tmp_path)
        message = str(raised.value)
        assert message.startswith(source.partition("@")[0])
        assert sentence in message
        assert "\n" not in message
        assert raised.value.__cause__ is not None


def test_a_hub_that_cannot_be_reached_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # taken, but nobody listens
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(CheckpointError, match="the hub cannot be reached") as raised:
            resolve(REPO, cache_dir=tmp_path)
    assert "\n" not in str(raised.value)


def test_a_pulled_classifier_answers_as_the_folder_does_and_knows_its_commit(
    hub_server: HubServer, tiny_folder: Path, tmp_path: Path, photo: Path
) -> None:
    commit = hub_server.commit(REPO, tiny_folder)
    pulled = ImageClassifier.from_pretrained(REPO, cache_dir=tmp_path)
    assert pulled.revision == commit
    local = ImageClassifier.from_pretrained(tiny_folder)
    assert pulled.classify(photo) == local.classify(photo)


def test_a_file_the_hub_truncates_is_an_error_that_names_it(
    hub_server: HubServer, tiny_folder: Path, tmp_path: Path
) -> None:
    files = _contents(tiny_folder)
    files["model.safetensors"] = files["model.safetensors"][:-10]
    hub_server.commit(REPO, files)
    with pytest.raises(CheckpointError, match=r"model\.safetensors: damaged"):
        ImageClassifier.from_pretrained(REPO, cache_dir=tmp_path)
