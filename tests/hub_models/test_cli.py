import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hub_models import ImageClassifier, __version__, hub
from hub_models.cli import main
from tests import pictures
from tests.hub_server import HubServer
from tests.processes import COMMAND, run, run_measured

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def second_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "second"
    ImageClassifier.create("mobilenetv2_025", ["day", "night"]).save_pretrained(folder)
    return folder


def test_classify_prints_one_line_with_every_class(
    photo: Path, tiny_folder: Path, capsys: Captured
) -> None:
    assert main(["classify", str(photo), "--model", str(tiny_folder)]) == 0
    out, err = capsys.readouterr()
    answer = ImageClassifier.from_pretrained(tiny_folder).classify(photo)
    ranked = "  ".join(f"{p.label} {p.probability:.1%}" for p in answer)
    assert out == f"{photo}  {tiny_folder}  {ranked}\n"
    assert err == ""


def test_top_shows_the_best_classes_only(photo: Path, tiny_folder: Path, capsys: Captured) -> None:
    assert main(["classify", str(photo), "--model", str(tiny_folder), "--top", "1"]) == 0
    assert capsys.readouterr().out.count("%") == 1


def test_json_holds_every_picture_and_every_model(
    photo: Path, tiny_folder: Path, second_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    other = tmp_path / "ünï cödé.png"
    other.write_bytes(pictures.encode(pictures.photo(40, 50), "PNG"))
    models = ["--model", str(tiny_folder), "--model", str(second_folder)]
    assert main(["classify", str(photo), str(other), *models, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["picture"] for row in rows] == [str(photo), str(other)]
    for row in rows:
        assert list(row) == ["picture", "predictions"]
        assert list(row["predictions"]) == [str(tiny_folder), str(second_folder)]
        for predictions in row["predictions"].values():
            assert sum(p["probability"] for p in predictions) == pytest.approx(1)
            assert list(predictions[0]) == ["label", "probability"]


def test_several_models_answer_side_by_side(
    photo: Path, tiny_folder: Path, second_folder: Path, capsys: Captured
) -> None:
    models = ["--model", str(tiny_folder), "--model", str(second_folder)]
    assert main(["classify", str(photo), *models]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[1] for line in lines] == [str(tiny_folder), str(second_folder)]


@pytest.fixture
def bad_picture(tmp_path: Path) -> Path:
    path = tmp_path / "bad.jpg"
    path.write_text("not a picture")
    return path


def test_a_bad_picture_among_good_ones_does_not_cost_their_answers(
    photo: Path, bad_picture: Path, tiny_folder: Path, capsys: Captured
) -> None:
    pictures_given = [str(photo), str(bad_picture), str(photo)]
    assert main(["classify", *pictures_given, "--model", str(tiny_folder)]) == 1
    out, err = capsys.readouterr()
    assert [line.split("  ")[0] for line in out.splitlines()] == [str(photo), str(photo)]
    assert err.startswith(f"hub-models: {bad_picture}: not a picture of a known kind")
    assert err.count("\n") == 1


def test_json_says_which_picture_was_bad_and_why(
    photo: Path, bad_picture: Path, tiny_folder: Path, capsys: Captured
) -> None:
    arguments = ["classify", str(bad_picture), str(photo), "--model", str(tiny_folder), "--json"]
    assert main(arguments) == 1
    bad, good = json.loads(capsys.readouterr().out)
    assert bad["picture"] == str(bad_picture)
    assert bad["error"].startswith(f"{bad_picture}: not a picture")
    assert "predictions" not in bad
    assert good["predictions"]


def test_a_bad_model_is_said_before_any_picture_is_answered(
    photo: Path, tiny_folder: Path, capsys: Captured
) -> None:
    models = ["--model", str(tiny_folder), "--model", "./gone"]
    assert main(["classify", str(photo), *models]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "hub-models: ./gone: no such folder, and not a name like owner/name either\n"


def test_info_json_has_every_fact(tiny_folder: Path, capsys: Captured) -> None:
    assert main(["info", str(tiny_folder), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    model = ImageClassifier.from_pretrained(tiny_folder)
    assert facts == {
        "source": str(tiny_folder),
        "revision": None,
        "architecture": "mobilenetv2_025",
        "stem": "imagenet",
        "channels": 3,
        "label_names": ["cat", "dog", "owl"],
        "preprocess": {
            "resize": 36,
            "crop": 32,
            "interpolation": "bilinear",
            "crop_mode": "center",
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
        },
        "parameters": sum(p.numel() for p in model.parameters()),
        "bytes": (tiny_folder / "model.safetensors").stat().st_size,
        "origin": {},
        "results": {},
    }


def test_info_in_words_has_a_line_per_fact(tiny_folder: Path, capsys: Captured) -> None:
    assert main(["info", str(tiny_folder)]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["label_names"] == "cat, dog, owl"
    assert lines["preprocess"].startswith("resize: 36; crop: 32;")
    assert "," in lines["parameters"]
    assert "results" not in lines


def test_info_in_words_leaves_tables_to_the_card(folder: Path, capsys: Captured) -> None:
    score = {"label": "cat", "precision": 0.5, "recall": 1.0, "f1": 0.6667, "support": 1}
    results = {"test": {"accuracy": 0.5, "per_class": [score], "confusion": [[1, 0], [1, 0]]}}
    hub.write_config(folder, replace(hub.read_config(folder), results=results))
    assert main(["info", str(folder)]) == 0
    line = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("results"))
    assert line.split(maxsplit=1)[1] == "test: accuracy: 0.5"
    assert main(["info", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["results"] == results


def test_info_of_a_repository_tells_its_commit(
    hub_server: HubServer, tiny_folder: Path, capsys: Captured
) -> None:
    commit = hub_server.commit("owner/info", tiny_folder, branch="v2")
    assert main(["info", "owner/info@v2", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["revision"] == commit
    assert facts["bytes"] == (tiny_folder / "model.safetensors").stat().st_size


WRONG_USAGE = {
    "no command": [],
    "unknown command": ["dance"],
    "no picture": ["classify", "--model", "x"],
    "no model": ["classify", "a.jpg"],
    "top 0": ["classify", "a.jpg", "--model", "x", "--top", "0"],
    "top in words": ["classify", "a.jpg", "--model", "x", "--top", "many"],
    "unknown option": ["info", "x", "--colour"],
    "no source": ["info"],
    "nowhere to push": ["push", "folder"],
    "nothing to pull": ["pull"],
}


@pytest.mark.parametrize("arguments", WRONG_USAGE.values(), ids=WRONG_USAGE)
def test_wrong_usage_exits_with_two_and_says_how(arguments: list[str], capsys: Captured) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: hub-models")
    assert "_at_least_one" not in err  # the name of a function tells a person nothing


@pytest.mark.parametrize("command", ["", "classify", "info", "push", "pull"])
def test_help_is_printed_and_exits_with_zero(command: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([*command.split(), "--help"])
    assert capsys.readouterr().out.startswith(f"usage: hub-models {command}".rstrip())


def test_the_version_is_printed(capsys: Captured) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"hub-models {__version__}\n"


@pytest.mark.slow
def test_the_installed_command_pulls_and_classifies_end_to_end(
    hub_server: HubServer, tiny_folder: Path, tmp_path: Path
) -> None:
    hub_server.commit("owner/tiny", tiny_folder)
    path = tmp_path / os.fsdecode(b"caf\xe9.jpg")  # a file name that is no UTF-8
    path.write_bytes(pictures.encode(pictures.photo(64, 48), "JPEG"))
    done = run("classify", path, tmp_path / "gone.jpg", "--model", "owner/tiny")
    assert done.returncode == 1
    assert done.stderr == f"hub-models: {tmp_path}/gone.jpg: no such file\n"
    assert done.stdout.startswith(f"{tmp_path}/caf\\udce9.jpg  owner/tiny  ")
    assert done.stdout.count("%") == 3


@pytest.mark.slow
def test_a_reader_that_stops_early_causes_no_traceback(tiny_folder: Path) -> None:
    command = [COMMAND, "info", str(tiny_folder)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        process.stdout.close()  # as `| head -0` does
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_help_does_not_wait_for_pytorch() -> None:
    code = (
        "import sys; from hub_models.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0


def test_pictures_that_cannot_be_read_are_answered_before_pytorch_is_loaded(
    tiny_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(pictures.png_bomb(20_000))
    done, peak_mb = run_measured([COMMAND, "classify", path, "--model", tiny_folder])
    assert (done.returncode, done.stdout) == (1, "")
    assert "bomb.png: " in done.stderr
    assert peak_mb < 150


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_shell_gets_a_script_that_completes_every_command(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--print-completion", shell])
    script = capsys.readouterr().out
    for command in ("classify", "info", "profile", "export", "push", "pull"):
        assert command in script


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_takes_the_completion_script(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--print-completion", "bash"])
    script = capsys.readouterr().out + "\ncomplete -p hub-models\n"
    said = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert "hub-models" in said.stdout


@pytest.mark.parametrize("command", ["classify", "info", "push", "pull"])
def test_every_command_has_json_and_an_example_or_a_description(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    said = capsys.readouterr().out
    assert "--json" in said
    assert len(said.splitlines()) > 8
