"""Every bad input ends in one sentence that names the file and what is wrong with it, exit code 1.

`python -m tests.test_bad_input` prints the table of inputs and sentences as markdown.
"""

import contextlib
import io
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from safetensors.torch import load_file, save_file

from hub_models import ImageClassifier, PreprocessConfig
from hub_models.cli import main
from tests import pictures

GOOD_JPEG = pictures.encode(pictures.photo(64, 48), "JPEG")


def _picture(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda root: (root / name).write_bytes(content) and None


def _config(change: Callable[[dict], object]) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        path = root / "model" / "config.json"
        config = json.loads(path.read_text())
        change(config)
        path.write_text(json.dumps(config))

    return spoil


def _weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        path = root / "model" / "model.safetensors"
        tensors = load_file(path)
        change(tensors)
        save_file(tensors, path)

    return spoil


def _cut(root: Path) -> None:
    path = root / "model" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


def _pickle(root: Path) -> None:
    path = root / "model" / "model.safetensors"
    path.rename(path.with_name("pytorch_model.bin"))


class Case(NamedTuple):
    """A way to spoil a folder holding photo.jpg and model/, and what the sentence must name."""

    spoil: Callable[[Path], object]
    named: tuple[str, ...]
    picture: str = "photo.jpg"


CASES = {
    "truncated JPEG": Case(
        _picture("photo.jpg", GOOD_JPEG[: len(GOOD_JPEG) * 3 // 4]),
        ("photo.jpg: ", "damaged or truncated"),
    ),
    "text renamed .jpg": Case(
        _picture("photo.jpg", b"dear reader"), ("photo.jpg: ", "not a picture of a known kind")
    ),
    "zero bytes": Case(_picture("photo.jpg", b""), ("photo.jpg: ", "empty (0 bytes)")),
    "PNG of 20,000 × 20,000 pixels, 820 KB": Case(
        _picture("bomb.png", pictures.png_bomb(20_000)), ("bomb.png: ", "50,000,000"), "bomb.png"
    ),
    "no such picture": Case(lambda root: None, ("gone.jpg: ", "no such file"), "gone.jpg"),
    "a folder in the picture's place": Case(lambda root: None, ("model: ", "not a file"), "model"),
    "no such model": Case(
        lambda root: (root / "model").rename(root / "other"), ("/model: ", "no such folder")
    ),
    "folder without config.json": Case(
        lambda root: (root / "model" / "config.json").unlink(), ("/model: ", "no config.json")
    ),
    "config.json that is no JSON": Case(
        lambda root: (root / "model" / "config.json").write_text("{'a': 1}"),
        ("/config.json: ", "not valid JSON"),
    ),
    "config with an unknown key": Case(
        _config(lambda c: c.update(colour="red")), ("/config.json: ", "'colour'")
    ),
    "config with a missing key": Case(
        _config(lambda c: c.pop("architecture")), ("/config.json: ", "'architecture' is missing")
    ),
    "config with a wrong type": Case(
        _config(lambda c: c.update(num_classes="three")), ("/config.json: ", "num_classes")
    ),
    "config of a newer format": Case(
        _config(lambda c: c["hub_models"].update(format_version=2)),
        ("/config.json: ", "hub_models.format_version is 2"),
    ),
    "config with a label too few": Case(
        _config(lambda c: c["label_names"].pop()), ("/config.json: ", "2 label_names")
    ),
    "a missing weight": Case(
        _weights(lambda t: t.pop("conv_stem.weight")),
        ("/model.safetensors: ", "'conv_stem.weight' is missing"),
    ),
    "an extra weight": Case(
        _weights(lambda t: t.update(extra=torch.zeros(1))),
        ("/model.safetensors: ", "'extra' is not part of the model"),
    ),
    "a weight of the wrong shape": Case(
        _weights(lambda t: t.update({"classifier.bias": torch.zeros(7)})),
        ("/model.safetensors: ", "'classifier.bias' has shape (7,), the model needs (3,)"),
    ),
    "a weight that is NaN": Case(
        _weights(lambda t: t["classifier.bias"].fill_(float("nan"))), ("/model: ", "NaN")
    ),
    "only a .bin": Case(_pickle, ("/model: ", "pytorch_model.bin", "can run any code")),
    "damaged safetensors": Case(_cut, ("/model.safetensors: ", "damaged")),
}


def _tree(root: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in root.rglob("*")}


def _prepare(case: Case, root: Path, tiny_folder: Path) -> list[str]:
    """Lay out a good picture and a good model, spoil them, and give the command to type."""
    shutil.copytree(tiny_folder, root / "model")
    (root / "photo.jpg").write_bytes(GOOD_JPEG)
    case.spoil(root)
    return ["classify", str(root / case.picture), "--model", str(root / "model")]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_bad_input_is_one_sentence_and_nothing_else(
    case: Case, tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = _prepare(case, tmp_path, tiny_folder)
    before = _tree(tmp_path)
    assert main(command) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("hub-models: ")
    assert err.count("\n") == 1
    for part in case.named:
        assert part in err
    assert _tree(tmp_path) == before


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_with_json_the_answer_is_whole_json_or_nothing(
    case: Case, tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = _prepare(case, tmp_path, tiny_folder)
    assert main([*command, "--json"]) == 1
    out, err = capsys.readouterr()
    rows = json.loads(out or "[]")
    assert all(list(row) == ["picture", "error"] for row in rows)
    assert all(f"hub-models: {row['error']}\n" == err for row in rows)


def test_the_good_input_the_table_spoils_is_answered(
    tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = Case(lambda root: None, ())
    assert main(_prepare(good, tmp_path, tiny_folder)) == 0
    assert capsys.readouterr().err == ""


def print_table() -> None:
    """Run every case and print what the command says, paths cut to the folder's name."""
    with tempfile.TemporaryDirectory() as parent:
        tiny = Path(parent, "tiny")
        preprocess = PreprocessConfig(resize=36, crop=32)
        labels = ["cat", "dog", "owl"]
        ImageClassifier.create("mobilenetv2_025", labels, preprocess=preprocess).save_pretrained(
            tiny
        )
        sys.stdout.write("| input | exit | what `hub-models classify` says |\n|---|---|---|\n")
        for number, (name, case) in enumerate(CASES.items()):
            root = Path(parent, str(number))
            root.mkdir()
            said = io.StringIO()
            with contextlib.redirect_stderr(said):
                code = main(_prepare(case, root, tiny))
            sentence = said.getvalue().strip().replace(f"{root}/", "").replace("|", "\\|")
            sys.stdout.write(f"| {name} | {code} | {sentence} |\n")


if __name__ == "__main__":
    print_table()
