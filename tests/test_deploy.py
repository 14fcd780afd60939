"""What the files for servers say agrees with what they deploy. Neither image nor Space is built."""

import re
import tomllib
from pathlib import Path

import gradio

PROJECT = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
DOCKERFILE = Path("Dockerfile").read_text(encoding="utf-8")


def test_a_space_installs_what_the_library_and_the_demo_need() -> None:
    lines = Path("deploy/space-requirements.txt").read_text(encoding="utf-8").splitlines()
    listed = {line for line in lines if line and not line.startswith(("#", "-"))}
    needed = {*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["demo"]}
    assert listed == {line for line in needed if not line.startswith("gradio")}


def test_the_space_pins_the_gradio_that_was_tested() -> None:
    card = Path("deploy/space-README.md").read_text(encoding="utf-8")
    front = dict(re.findall(r"^(\w+): (.+)$", card.split("---")[1], re.MULTILINE))
    assert front["sdk_version"] == gradio.__version__
    assert Path(front["app_file"]).exists()
    assert len(front["short_description"]) <= 60


def test_the_image_gets_every_file_it_copies_and_runs_as_nobody_special() -> None:
    copied = re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    allowed = Path(".dockerignore").read_text(encoding="utf-8")
    for name in names:
        assert Path(name).exists()
        assert f"!{name}\n" in allowed
    assert {"app.py", "demo", "hub_models", "model_cards"} <= names
    assert re.search(r"^USER demo$", DOCKERFILE, re.MULTILINE)


def test_the_image_sets_only_settings_that_there_are() -> None:
    from demo.settings import read_settings

    given = dict(re.findall(r"(HUB_MODELS_DEMO_\w+)=(\S+)", DOCKERFILE))
    assert read_settings(given).host == "0.0.0.0"
