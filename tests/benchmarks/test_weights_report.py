import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.weights_report import COMPARISON, ROOT, main, with_speeds, write_pictures
from benchmarks.weights_tables import card_rows, fill, tables
from hub_models import load_image
from hub_models.comparison import read_comparison
from tests.training.conftest import draw

CARDS = ROOT / "model_cards"


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_readmes_say_what_the_folders_say(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert card_rows(text, CARDS) == text
    for results in CARDS.glob("*/results.json"):
        accuracy = json.loads(results.read_text(encoding="utf-8"))["test"]["accuracy"]
        assert f"{accuracy:.2%}" in text


def test_the_claims_say_what_was_kept() -> None:
    text, blocks = (CARDS / "CLAIMS.md").read_text(encoding="utf-8"), tables(CARDS)
    assert fill(text, blocks) == text
    for name, block in blocks.items():
        assert f"<!-- report: {name} -->\n{block}<!-- end of report -->" in text, name


def test_only_the_block_of_that_name_is_filled() -> None:
    text = "a\n<!-- report: one -->\nold\n<!-- end of report -->\n<!-- report: two -->\nkept\n"
    text += "<!-- end of report -->\nb\n"
    filled = fill(text, {"one": "new\n"})
    assert filled == text.replace("old", "new")


def test_speeds_are_kept_of_models_that_compute_the_same() -> None:
    before = read_comparison(COMPARISON)
    bare = replace(before, models=tuple(replace(m, measurements=()) for m in before.models))
    assert with_speeds(bare, before) == before
    first, second = bare.models
    other_side = replace(bare, models=(first, replace(second, side_px=second.side_px + 16)))
    kept = with_speeds(other_side, before).models
    assert kept[0].measurements == before.models[0].measurements
    assert kept[1].measurements == ()


def test_the_pictures_that_calibrate_are_those_of_validation(tmp_path: Path) -> None:
    for split, seed in (("train", 0), ("validation", 1)):
        for label in ("blue", "red"):
            folder = tmp_path / "data" / split / label
            folder.mkdir(parents=True)
            draw(label, seed).save(folder / "one.png")
    write_pictures(str(tmp_path / "data"), tmp_path / "out")
    found = sorted((tmp_path / "out").rglob("*.png"))
    assert [path.parent.name for path in found] == ["blue", "red"]
    for path in found:
        theirs = tmp_path / "data" / "validation" / path.parent.name / "one.png"
        assert load_image(path).tobytes() == load_image(theirs).tobytes()


def test_a_step_that_fails_ends_the_report(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", "no-such-folder", "--only", "accuracy"]) == 1
    assert "no-such-folder" in capfd.readouterr().err
