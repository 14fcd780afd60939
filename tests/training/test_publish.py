import tomllib
from pathlib import Path

import pytest
from huggingface_hub import constants

from hub_models import ImageClassifier
from tests.hub_repository import READER, WRITER
from tests.hub_server import HubServer
from tests.training.test_finetune import typed
from training.finetune import main as finetune
from training.publish import main as publish

REPO = "owner/colours"
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_TOKEN", WRITER)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))


@pytest.mark.slow
def test_a_run_is_pushed_when_it_is_done(
    hub_server: HubServer, tiny_recipe: dict[str, object], tmp_path: Path, capsys: Captured
) -> None:
    assert finetune([*typed(tiny_recipe), "--push-to", REPO]) == 0
    commit = hub_server.repositories[REPO].refs["main"]
    assert capsys.readouterr().out.endswith(f"{hub_server.endpoint}/{REPO}/commit/{commit}\n")
    pushed = ImageClassifier.from_pretrained(REPO)
    local = ImageClassifier.from_pretrained(tmp_path / "run" / "checkpoint")
    assert pushed.config == local.config
    recipe = tomllib.loads((tmp_path / "run" / "config.toml").read_text())
    assert recipe["push_to"] == REPO


@pytest.mark.slow
def test_a_push_that_fails_leaves_the_run_whole_and_says_how_to_push_later(
    hub_server: HubServer,
    tiny_recipe: dict[str, object],
    tmp_path: Path,
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_TOKEN", READER)
    assert finetune([*typed(tiny_recipe), "--push_to", REPO]) == 1
    checkpoint = tmp_path / "run" / "checkpoint"
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"finetune: {REPO}: ")
    assert said.endswith(f"the run is whole: python -m training.publish {checkpoint} {REPO}")
    monkeypatch.setenv("HF_TOKEN", WRITER)
    assert publish([str(checkpoint), REPO]) == 0
    assert "model.safetensors" in hub_server.repositories[REPO].tree("main")[1]


def test_a_repo_id_no_hub_takes_is_said_before_the_run(
    tiny_recipe: dict[str, object], tmp_path: Path, capsys: Captured
) -> None:
    assert finetune(typed(tiny_recipe, push_to="colours")) == 1
    assert "must be like owner/name, not 'colours'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_publish_is_hub_models_push(
    hub_server: HubServer, tiny_folder: Path, capsys: Captured
) -> None:
    assert publish([str(tiny_folder), REPO, "--dry-run"]) == 0
    assert f"{REPO}: would be made, public" in capsys.readouterr().out
    assert hub_server.repositories == {}
