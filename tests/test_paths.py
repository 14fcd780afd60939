"""No name in a config, an index, a repository or a link leads out of the folder that is read."""

import json
import os
import re
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants

from hub_models import CheckpointError, HubModelsError, ImageClassifier
from hub_models.hub import read_config, resolve
from tests.hub_server import HubServer


@pytest.fixture
def outside(tmp_path: Path, tiny_folder: Path) -> Path:
    """A folder whose weights are not those of `folder`, for names to point at."""
    model = ImageClassifier.from_pretrained(tiny_folder)
    torch.nn.init.ones_(model.head.weight)
    model.save_pretrained(tmp_path / "outside")
    return tmp_path / "outside"


def test_no_name_in_the_config_leads_to_another_file_or_host(
    folder: Path, outside: Path, hub_server: HubServer
) -> None:
    hub_server.commit("owner/other", outside)
    content = json.loads((folder / "config.json").read_text())
    content["pretrained_cfg"] |= {
        "file": str(outside / "model.safetensors"),
        "state_dict": str(outside / "model.safetensors"),
        "url": f"{hub_server.endpoint}/owner/other/resolve/main/model.safetensors",
        "hf_hub_id": "owner/other",
        "hf_hub_filename": "../outside/model.safetensors",
        "source": "hf-hub",
        "custom_load": True,
    }
    (folder / "config.json").write_text(json.dumps(content))
    model = ImageClassifier.from_pretrained(folder)
    assert not bool((model.head.weight == 1).all())
    assert hub_server.log == []


@pytest.mark.parametrize("name", ["../outside/model.safetensors", "/etc/passwd", "a/../../b"])
def test_an_index_of_shards_is_not_followed(name: str, folder: Path, outside: Path) -> None:
    index = {"metadata": {}, "weight_map": {"classifier.weight": name}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert not bool((ImageClassifier.from_pretrained(folder).head.weight == 1).all())
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"no model\.safetensors in this folder"):
        ImageClassifier.from_pretrained(folder)


def test_a_repository_with_names_that_climb_out_writes_only_its_two_files(
    hub_server: HubServer, tiny_folder: Path, tmp_path: Path
) -> None:
    files = {path.name: path.read_bytes() for path in tiny_folder.iterdir()}
    climbing = {name: b"evil" for name in ("../evil", "a/../../evil", "/tmp/evil", "..\\evil")}
    hub_server.commit("owner/climbing", files | climbing)
    cache = tmp_path / "deep" / "cache"
    found = resolve("owner/climbing", cache_dir=cache)
    assert sorted(os.listdir(found.folder)) == ["config.json", "model.safetensors"]
    assert not [path for path in tmp_path.rglob("*") if "evil" in path.name]
    assert [path for path in tmp_path.iterdir()] == [tmp_path / "deep"]
    assert not Path(constants.HF_HUB_CACHE, "models--owner--climbing").exists()


@pytest.mark.parametrize("repo_id", ["../evil", "owner/../evil", "owner/..", "a/b/c", "o/n@../x"])
def test_a_repo_id_or_revision_that_climbs_out_is_refused(
    repo_id: str, hub_server: HubServer, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=r"not a name|no such"):
        resolve(repo_id, cache_dir=tmp_path / "cache")
    assert not (tmp_path / "evil").exists()
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("target", ["/dev/zero", "/dev/stdin", "loop", "pipe"])
def test_a_link_or_pipe_that_never_ends_is_refused_at_once(
    name: str, target: str, folder: Path
) -> None:
    path = folder / name
    path.unlink()
    if target == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(path if target == "loop" else target)
    with pytest.raises(HubModelsError, match=f"no {re.escape(name)} in this folder"):
        ImageClassifier.from_pretrained(folder)


def test_saving_over_a_link_replaces_the_link_and_not_its_target(
    folder: Path, outside: Path, model: ImageClassifier
) -> None:
    before = {path.name: path.read_bytes() for path in outside.iterdir()}
    for name in before:
        (folder / name).unlink()
        (folder / name).symlink_to(outside / name)
    model.save_pretrained(folder)
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == before
    assert not any(path.is_symlink() for path in folder.iterdir())
    assert read_config(folder) == model.config
