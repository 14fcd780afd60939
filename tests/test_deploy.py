"""What the files for servers say agrees with what they deploy. Neither image nor Space is built."""

import json
import os
import re
import subprocess
import sys
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

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


def test_the_image_is_healthy_at_the_port_that_a_platform_sets() -> None:
    command = re.search(r"HEALTHCHECK .*?CMD \\\n\s*(\[.*?\])\n", DOCKERFILE, re.DOTALL).group(1)
    _, *arguments = json.loads(command.replace("\\\n", ""))
    asked = []

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *said: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Health) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        environment = os.environ | {"PORT": str(server.server_port)}
        subprocess.run([sys.executable, *arguments], check=True, env=environment)
        thread.join()
    assert asked == ["/healthz"]


def test_what_the_files_for_servers_set_are_settings_that_there_are() -> None:
    from demo.settings import read_settings

    for name in ("nginx.conf", "space-README.md"):
        text = Path("deploy", name).read_text(encoding="utf-8")
        given = dict(re.findall(r"(HUB_MODELS_DEMO_\w+)=(\S+)", text))
        assert read_settings(given).root_path.startswith("https://")
