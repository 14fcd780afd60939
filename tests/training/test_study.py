import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hub_models import ARCHITECTURES
from training.config import read_recipe
from training.study import main, read_study

Captured = pytest.CaptureFixture[str]
STUDY = """
recipe = "tiny.toml"
seeds = [0, 1]

[variants.narrow]
architecture = "mobilenetv2_025"
"""


@pytest.fixture
def study(tiny_recipe: dict[str, object], tmp_path: Path) -> Path:
    """One variant, two seeds, one epoch of 32 px."""
    keys = {k: v for k, v in tiny_recipe.items() if k not in ("out", "data")} | {"epochs": 1}
    (tmp_path / "tiny.toml").write_text(
        "".join(f"{k} = {json.dumps(v)}\n" for k, v in keys.items())
    )
    (tmp_path / "study.toml").write_text(STUDY)
    return tmp_path / "study.toml"


def typed(study: Path, data: Path, *more: str) -> list[str]:
    out = str(study.parent / "out")
    words = ["--study", str(study), "--data", str(data), "--out", out, "--split", "validation"]
    return [*words, *more]


def test_every_variant_is_trained_with_every_seed_measured_and_never_twice(
    study: Path, class_folders: Path, capsys: Captured
) -> None:
    assert main(typed(study, class_folders)) == 0
    printed = capsys.readouterr().out
    out = study.parent / "out"
    runs = [out / "narrow" / f"seed-{seed}" for seed in (0, 1)]
    accuracies = [json.loads((run / "measured.json").read_text())["accuracy"] for run in runs]
    for run, accuracy in zip(runs, accuracies, strict=True):
        config = json.loads((run / "checkpoint" / "config.json").read_text())
        assert config["hub_models"]["results"]["validation"]["accuracy"] == accuracy
        assert tomllib.loads((run / "config.toml").read_text())["seed"] == int(run.name[-1])
    (row,) = json.loads((out / "study.json").read_text())
    assert row["accuracies"] == accuracies
    assert row["mean"] == pytest.approx(np.mean(accuracies))
    assert row["deviation"] == pytest.approx(np.std(accuracies, ddof=1))
    # Student's t for two runs, 12.706, times their deviation by the root of two
    assert row["interval"] == pytest.approx(12.7062 * row["deviation"] / 2**0.5, rel=1e-4)
    table = (out / "study.md").read_text()
    assert f"| narrow | 2 | {row['mean']:.2%} | {100 * row['deviation']:.2f} points" in table
    assert printed.endswith(table)
    with Image.open(out / "curves.png") as picture:
        assert picture.format == "PNG"

    weights = [(run / "checkpoint" / "model.safetensors").stat().st_mtime_ns for run in runs]
    (runs[1] / "measured.json").unlink()  # as if it was stopped before it was measured
    assert main(typed(study, class_folders)) == 0
    again = capsys.readouterr().out
    assert "narrow, seed 0" not in again
    assert "narrow, seed 1" in again
    assert again.endswith(table)
    assert weights[0] == (runs[0] / "checkpoint" / "model.safetensors").stat().st_mtime_ns

    assert main(typed(study, class_folders, "--learning_rate", "0.1")) == 1
    assert "a resumed run keeps its recipe" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seeds = [0", "not a readable study"),
        ("seeds = [0]", "the key 'recipe' is missing"),
        (STUDY.replace("seeds", "seed"), "unknown key 'seed'"),
        (STUDY.replace("[0, 1]", "[]"), r"seeds must be different numbers, not \(\)"),
        (STUDY.replace("[0, 1]", "[1, 1]"), r"seeds must be different numbers, not \(1, 1\)"),
        (STUDY.replace("[0, 1]", "[0.5]"), r"seeds\[0\] must be a whole number, not 0\.5"),
        (STUDY.replace('"tiny.toml"', "3"), "recipe must be a string, not 3"),
        ('recipe = "tiny.toml"\nseeds = [0]', "variants must be tables, such as"),
        (STUDY.replace("variants.narrow", 'variants."a/b"'), "'a/b' must be a folder's name"),
        (STUDY + "seed = 3", "'narrow' must be a folder's name, of a table without seed"),
        (STUDY.replace("narrow]", "narrow.deep]"), "unknown key 'deep'"),
        (STUDY.replace("architecture", "architectur"), "did you mean 'architecture'"),
    ],
)
def test_a_broken_study_is_one_sentence_that_names_it(
    text: str, message: str, study: Path, class_folders: Path, capsys: Captured
) -> None:
    study.write_text(text)
    assert main(typed(study, class_folders)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("study: ")
    assert re.search(message, line)


def test_a_split_there_is_not_is_said_before_training(
    study: Path, class_folders: Path, capsys: Captured
) -> None:
    assert main([*typed(study, class_folders), "--split", "test"]) == 1
    assert "no split 'test'" in capsys.readouterr().err
    assert not (study.parent / "out").exists()


def test_a_study_needs_a_folder_and_no_seed(study: Path, capsys: Captured) -> None:
    for words in ([], ["--out", "x", "--seed", "3"]):
        assert main(["--study", str(study), *words]) == 1
        assert "--out STUDY is needed; seeds stand in" in capsys.readouterr().err


@pytest.mark.parametrize("path", sorted(Path("training/studies").glob("*.toml")), ids=str)
def test_the_studies_that_ship_name_recipes_and_architectures_there_are(path: Path) -> None:
    study = read_study(path)
    for keys in study.variants.values():
        recipe = read_recipe(study.recipe, {**keys, "data": "DATA", "out": "OUT"})
        assert recipe.architecture in ARCHITECTURES
