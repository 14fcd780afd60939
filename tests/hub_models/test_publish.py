import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from huggingface_hub import HfApi, ModelCard, constants

from hub_models import CheckpointError, ConfigError, ImageClassifier
from hub_models.cli import main
from hub_models.destination import Destination
from hub_models.hub import pull, read_config, write_config
from hub_models.publish import push
from hub_models.readme import RESULTS_START
from tests.hub_repository import READER, STRANGER, WRITER
from tests.hub_server import HubServer

REPO = "owner/tiny"
WRITES = {"POST", "PUT", "DELETE"}
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def hub(hub_server: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> HubServer:
    """A hub, a token that may write, and an empty cache."""
    monkeypatch.setenv("HF_TOKEN", WRITER)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return hub_server


def there(hub: HubServer, revision: str = "main") -> dict[str, bytes]:
    found = hub.repositories[REPO].tree(revision)
    assert found is not None
    return found[1]


def writes(hub: HubServer) -> list[str]:
    """What may have changed something; paths-info is a POST that only asks."""
    return [path for method, path in hub.log if method in WRITES and "paths-info" not in path]


# --- what arrives


def test_a_first_push_makes_the_repository_and_one_commit(hub: HubServer, folder: Path) -> None:
    pushed = push(folder, Destination(REPO), message="First")
    repository = hub.repositories[REPO]
    assert repository.messages == ["initial commit", "First"]
    assert pushed.commit_url == f"{hub.endpoint}/{REPO}/commit/{repository.refs['main']}"
    assert pushed.creates_repository
    assert {file.name: file.change for file in pushed.files} == {
        "README.md": "new",
        "config.json": "new",
        "model.safetensors": "new",
        "results.json": "new",
    }
    for name in ("config.json", "model.safetensors", "results.json"):
        assert there(hub)[name] == (folder / name).read_bytes()


def test_the_card_bears_the_repositorys_name_not_the_folders(hub: HubServer, folder: Path) -> None:
    checkpoint = folder.rename(folder.with_name("checkpoint"))
    push(checkpoint, Destination("owner/cats-vs-dogs"))
    readme = hub.repositories["owner/cats-vs-dogs"].tree("main")[1]["README.md"].decode()
    assert "# cats-vs-dogs" in readme
    assert 'ImageClassifier.from_pretrained("owner/cats-vs-dogs")' in readme
    assert "checkpoint" not in readme


def test_what_was_pushed_loads_by_branch_tag_and_commit(
    hub: HubServer, model: ImageClassifier, photo: Path
) -> None:
    url = model.push_to_hub(REPO).commit_url
    HfApi(token=WRITER).create_tag(REPO, tag="v1")
    commit = url.rpartition("/")[2]
    expected = model.classify(photo)
    for revision in ("main", "v1", commit):
        pulled = ImageClassifier.from_pretrained(REPO, revision=revision)
        assert pulled.revision == commit
        assert pulled.classify(photo) == expected


def test_other_files_of_the_folder_go_too_and_hidden_ones_stay(
    hub: HubServer, folder: Path
) -> None:
    (folder / "pictures").mkdir()
    (folder / "pictures" / "cat.jpg").write_bytes(b"a cat")
    (folder / ".env").write_text("HF_TOKEN=secret")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "x").write_text("x")
    push(folder, Destination(REPO))
    assert there(hub)["pictures/cat.jpg"] == b"a cat"
    assert not {".env", ".cache/x"} & there(hub).keys()


def test_pushing_the_same_again_makes_no_commit(hub: HubServer, folder: Path) -> None:
    first = push(folder, Destination(REPO))
    again = push(folder, Destination(REPO))
    assert again.commit_url == first.commit_url
    assert {file.change for file in again.files} == {"unchanged"}
    assert len(hub.repositories[REPO].commits) == 2


def test_only_what_changed_is_sent(hub: HubServer, folder: Path) -> None:
    push(folder, Destination(REPO))
    hub.log.clear()
    results = {"test": {"accuracy": 0.75, "images": 8}}
    write_config(folder, replace(read_config(folder), results=results))
    pushed = push(folder, Destination(REPO))
    unchanged = [file.name for file in pushed.files if file.change == "unchanged"]
    assert unchanged == ["model.safetensors"]
    assert not any(path.endswith("/batch") for _, path in hub.log)
    assert b'"accuracy": 0.75' in there(hub)["results.json"]


def test_a_file_that_is_only_on_the_hub_stays(hub: HubServer, folder: Path) -> None:
    hub.commit(REPO, {"notes.txt": b"theirs"})
    push(folder, Destination(REPO))
    assert there(hub)["notes.txt"] == b"theirs"


# --- branches, pull requests, privacy


def test_a_branch_is_made_and_main_stays(hub: HubServer, folder: Path) -> None:
    start = hub.commit(REPO, {"notes.txt": b"theirs"})
    pushed = push(folder, Destination(REPO, revision="v2"))
    assert pushed.creates_branch
    assert "model.safetensors" in there(hub, "v2")
    assert hub.repositories[REPO].refs["main"] == start
    assert not push(folder, Destination(REPO, revision="v2")).creates_branch


def test_a_branch_of_a_repository_that_is_not_there_yet(hub: HubServer, folder: Path) -> None:
    push(folder, Destination(REPO, revision="v2"))
    assert "model.safetensors" in there(hub, "v2")
    assert "model.safetensors" not in there(hub)


def test_a_pull_request_leaves_main_and_can_be_loaded(
    hub: HubServer, model: ImageClassifier, photo: Path
) -> None:
    start = hub.commit(REPO, {"notes.txt": b"theirs"})
    pushed = model.push_to_hub(REPO, create_pr=True)
    assert pushed.pull_request_url == f"{hub.endpoint}/{REPO}/discussions/1"
    assert hub.repositories[REPO].refs["main"] == start
    proposed = ImageClassifier.from_pretrained(REPO, revision="refs/pr/1")
    assert proposed.classify(photo) == model.classify(photo)


def test_whoever_may_only_read_may_open_a_pull_request(
    hub: HubServer, model: ImageClassifier
) -> None:
    hub.commit(REPO, {"notes.txt": b"theirs"})
    assert model.push_to_hub(REPO, create_pr=True, token=STRANGER).pull_request_url


def test_a_private_repository_is_hidden_from_others(hub: HubServer, model: ImageClassifier) -> None:
    model.push_to_hub(REPO, private=True)
    ImageClassifier.from_pretrained(REPO)
    for token in (STRANGER, False):
        with pytest.raises(CheckpointError, match="no such repository on the hub"):
            ImageClassifier.from_pretrained(REPO, token=token)


def test_private_work_is_not_pushed_where_everybody_sees_it(
    hub: HubServer, model: ImageClassifier
) -> None:
    hub.commit(REPO, {"notes.txt": b"theirs"})
    with pytest.raises(CheckpointError, match=f"^{REPO}: the repository is public"):
        model.push_to_hub(REPO, private=True)
    assert writes(hub) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"repo_id": "tiny"}, "repo_id must be like owner/name, not 'tiny'"),
        ({"repo_id": "a/b/c"}, "repo_id must be like owner/name"),
        ({"repo_id": REPO, "create_pr": True, "revision": "v2"}, "'v2' cannot go with it"),
        ({"repo_id": REPO, "revision": "0" * 40}, "is a commit, and fixed"),
    ],
)
def test_what_no_hub_could_do_is_said_before_any_request(
    arguments: dict, message: str, hub: HubServer
) -> None:
    with pytest.raises(ConfigError, match=message):
        Destination(**arguments)
    assert hub.log == []


# --- README.md


HAND_WRITTEN = b"---\nlicense: mit\n---\n# Mine\n\nMy words.\n"


def test_a_hand_written_readme_on_the_hub_is_kept_and_gets_the_results(
    hub: HubServer, folder: Path
) -> None:
    hub.commit(REPO, {"README.md": HAND_WRITTEN})
    results = {"test": {"accuracy": 0.75, "images": 8}}
    write_config(folder, replace(read_config(folder), results=results))
    assert push(folder, Destination(REPO)).keeps_readme
    card = ModelCard(there(hub)["README.md"].decode())
    assert "My words." in card.text
    assert RESULTS_START in card.text
    assert "75.00%" in card.text
    assert card.data.license == "mit"
    assert card.data.eval_results[0].metric_value == 0.75


def test_a_rendered_readme_on_the_hub_is_rendered_again(hub: HubServer, folder: Path) -> None:
    push(folder, Destination(REPO))
    results = {"test": {"accuracy": 0.75, "images": 8}}
    write_config(folder, replace(read_config(folder), results=results))
    assert not push(folder, Destination(REPO)).keeps_readme
    assert there(hub)["README.md"].count(b"75.00%") == 1


def test_a_hand_written_readme_in_the_folder_is_pushed_as_it_is(
    hub: HubServer, folder: Path
) -> None:
    (folder / "README.md").write_text("# From the folder")
    push(folder, Destination(REPO))
    push(folder, Destination(REPO))
    assert there(hub)["README.md"] == b"# From the folder"


def test_a_refused_readme_leaves_no_branch_behind(hub: HubServer, folder: Path) -> None:
    hub.commit(REPO, {"README.md": HAND_WRITTEN})
    (folder / "README.md").write_text("# From the folder")
    with pytest.raises(CheckpointError, match=r"--readme hub keeps .* --readme folder replaces"):
        push(folder, Destination(REPO, revision="v2"))
    assert writes(hub) == []


def test_only_two_sides_can_be_named_for_the_readme() -> None:
    with pytest.raises(ConfigError, match="readme must be one of hub, folder, not 'mine'"):
        Destination(REPO, readme="mine")


def test_a_readme_on_the_hub_that_cannot_be_read_stops_the_push(
    hub: HubServer, folder: Path
) -> None:
    hub.commit(REPO, {"README.md": b"---\ntags: [unclosed\n---\n# Mine\n"})
    with pytest.raises(CheckpointError, match=rf"^{REPO}: README\.md has metadata"):
        push(folder, Destination(REPO))
    assert len(hub.repositories[REPO].commits) == 1


def test_metadata_the_hub_refuses_is_one_sentence(hub: HubServer, folder: Path) -> None:
    (folder / "README.md").write_text("---\nlicense: 7\n---\n# Mine\n")
    with pytest.raises(CheckpointError, match='"license" must be a string') as raised:
        push(folder, Destination(REPO))
    assert "\n" not in str(raised.value)


# --- nothing broken, nothing lost


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_weight_that_is_no_number_is_never_pushed(
    value: float, hub: HubServer, model: ImageClassifier
) -> None:
    with torch.no_grad():
        model.head.bias[0] = value
    with pytest.raises(CheckpointError, match=r"'classifier\.bias' holds NaN or infinity"):
        model.push_to_hub(REPO)
    assert hub.log == []


def test_a_push_of_somebody_else_in_between_is_not_overwritten(
    hub: HubServer, folder: Path
) -> None:
    hub.commit(REPO, {"notes.txt": b"theirs"})
    hub.fault(
        f"POST /api/models/{REPO}/preupload",
        "callback",
        callback=lambda: hub.commit(REPO, {"config.json": b"theirs"}),
    )
    with pytest.raises(CheckpointError, match=f"^{REPO}: somebody else pushed meanwhile"):
        push(folder, Destination(REPO))
    assert there(hub) == {"config.json": b"theirs"}


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("hf_noSuchToken", "the hub does not accept the token"),
        (READER, "the token may not do this"),
        (STRANGER, "the token may not do this"),
    ],
)
def test_a_token_that_may_not_write_is_one_sentence_without_the_token(
    token: str, message: str, hub: HubServer, model: ImageClassifier
) -> None:
    hub.commit(REPO, {"notes.txt": b"theirs"})
    with pytest.raises(CheckpointError, match=f"^{REPO}: {message}") as raised:
        model.push_to_hub(REPO, token=token)
    assert token not in str(raised.value)
    assert "\n" not in str(raised.value)
    assert len(hub.repositories[REPO].commits) == 1


def test_without_a_token_the_sentence_says_how_to_get_one(
    hub: HubServer, model: ImageClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "")
    with pytest.raises(CheckpointError, match=f"^{REPO}: a push needs a token.*hf auth login"):
        model.push_to_hub(REPO)
    assert hub.log == []


# --- dry run


@pytest.mark.parametrize("revision", [None, "v2"])
def test_a_dry_run_writes_nothing_and_says_what_would_happen(
    revision: str | None, hub: HubServer, folder: Path
) -> None:
    planned = push(folder, Destination(REPO, revision=revision), dry_run=True)
    assert hub.repositories == {}
    assert writes(hub) == []
    done = push(folder, Destination(REPO, revision=revision))
    assert replace(done, commit_url=None) == planned


def test_a_dry_run_compares_with_what_is_there(hub: HubServer, folder: Path) -> None:
    push(folder, Destination(REPO))  # so that the card is the published one
    hub.commit(REPO, there(hub) | {"config.json": b"{}"})
    before = len(writes(hub))
    planned = push(folder, Destination(REPO), dry_run=True)
    changes = {file.name: file.change for file in planned.files}
    assert changes == {
        "README.md": "unchanged",
        "config.json": "changed",
        "model.safetensors": "unchanged",
        "results.json": "unchanged",
    }
    assert len(writes(hub)) == before


# --- the commands


def test_the_command_pushes_and_prints_the_commit(
    hub: HubServer, folder: Path, capsys: Captured
) -> None:
    assert main(["push", str(folder), REPO, "--private", "--message", "Ours"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{REPO}: made, private"
    assert lines[-1] == f"{hub.endpoint}/{REPO}/commit/{hub.repositories[REPO].refs['main']}"
    assert hub.repositories[REPO].messages[-1] == "Ours"


def test_the_command_as_json_has_every_fact(hub: HubServer, folder: Path, capsys: Captured) -> None:
    assert main(["push", str(folder), REPO, "--dry-run", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["commit_url"] is None
    assert facts["creates_repository"] is True
    weights = next(file for file in facts["files"] if file["name"] == "model.safetensors")
    assert weights["size_bytes"] == (folder / "model.safetensors").stat().st_size
    assert hub.repositories == {}


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_the_command_never_pushes_a_broken_folder(
    missing: str, hub: HubServer, folder: Path, capsys: Captured
) -> None:
    (folder / missing).unlink()
    assert main(["push", str(folder), REPO]) == 1
    assert missing in capsys.readouterr().err
    assert hub.log == []


def test_the_command_never_pushes_weights_that_do_not_fit(
    hub: HubServer, folder: Path, capsys: Captured
) -> None:
    other = ImageClassifier.create("mobilenetv2_035", ["cat", "dog", "owl"])
    other.save_pretrained(folder.with_name("other"))
    shutil.copy(folder.with_name("other") / "model.safetensors", folder)
    assert main(["push", str(folder), REPO]) == 1
    assert "model.safetensors: weight" in capsys.readouterr().err
    assert hub.log == []


def test_a_repo_id_is_not_a_folder_to_push(hub: HubServer, capsys: Captured) -> None:
    assert main(["push", "owner/other", REPO]) == 1
    assert capsys.readouterr().err == "hub-models: owner/other: no such folder\n"


def test_what_is_pulled_into_a_folder_is_complete_and_loads_without_network(
    hub: HubServer, folder: Path, tmp_path: Path, photo: Path, capsys: Captured
) -> None:
    push(folder, Destination(REPO))
    assert main(["pull", REPO, "--to", str(tmp_path / "mine")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'mine'}\n"
    names = sorted(path.name for path in (tmp_path / "mine").iterdir())
    assert names == ["README.md", "config.json", "model.safetensors", "results.json"]
    hub.log.clear()
    answer = ImageClassifier.from_pretrained(tmp_path / "mine").classify(photo)
    assert answer == ImageClassifier.from_pretrained(folder).classify(photo)
    assert hub.log == []


def test_pulling_into_the_cache_prints_the_folder_and_commit(
    hub: HubServer, folder: Path, capsys: Captured
) -> None:
    commit = push(folder, Destination(REPO)).commit_url.rpartition("/")[2]
    assert main(["pull", f"{REPO}@main", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["revision"] == commit
    assert (Path(facts["folder"]) / "README.md").is_file()


def test_a_repository_without_card_and_results_is_pulled_too(
    hub: HubServer, folder: Path, tmp_path: Path
) -> None:
    files = {name: (folder / name).read_bytes() for name in ("config.json", "model.safetensors")}
    hub.commit(REPO, files)
    pulled = pull(REPO, tmp_path / "mine")
    assert sorted(path.name for path in pulled.folder.iterdir()) == sorted(files)


def test_pulling_over_a_folder_that_holds_something_is_refused(
    hub: HubServer, folder: Path, tmp_path: Path
) -> None:
    hub.commit(REPO, folder)
    (tmp_path / "mine").mkdir()
    pull(REPO, tmp_path / "mine")
    with pytest.raises(CheckpointError, match="mine: not an empty folder"):
        pull(REPO, tmp_path / "mine")


# --- Xet, the hub's newer store for large files, through the client's own local one


@pytest.fixture
def xet(hub: HubServer, tmp_path: Path) -> dict[str, str]:
    pytest.importorskip("hf_xet")
    hub.xet_store = tmp_path / "xet"
    hub.xet_store.mkdir()
    return os.environ | {"HF_HUB_DISABLE_XET": "", "HF_XET_CACHE": str(tmp_path / "xet-cache")}


@pytest.mark.slow
def test_through_xet_a_push_is_one_commit_and_a_pull_gets_the_same_bytes(
    hub: HubServer, xet: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    for words in (["push", str(folder), REPO], ["pull", REPO, "--to", str(copy)]):
        code = f"import sys; from hub_models.cli import main; sys.exit(main({words!r}))"
        done = subprocess.run(
            [sys.executable, "-c", code], env=xet, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
    assert len(hub.repositories[REPO].commits) == 2
    assert any("xet-write-token" in path for _, path in hub.log)
    assert not any("/large/" in path or "/upload/" in path for _, path in hub.log)
    weights = (folder / "model.safetensors").read_bytes()
    assert (copy / "model.safetensors").read_bytes() == weights
