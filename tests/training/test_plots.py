import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hub_models.errors import ConfigError
from training.plots import Run, distinct_names, draw_curves, main, read_rows


def write_run(folder: Path, epochs: int, **keys: float) -> Path:
    folder.mkdir(parents=True)
    rows = [{"epoch": epoch, **keys} for epoch in range(1, epochs + 1)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def run(name: str, **columns: list[float]) -> Run:
    epochs = len(next(iter(columns.values())))
    return Run(
        name, [{"epoch": i + 1, **{k: v[i] for k, v in columns.items()}} for i in range(epochs)]
    )


def drawn(figure: Any, panel: int) -> list[tuple[list[float], list[float]]]:
    return [(list(line.get_xdata()), list(line.get_ydata())) for line in figure.axes[panel].lines]


def test_runs_are_written_into_one_png(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [
        str(write_run(tmp_path / name, 3, train_loss=0.5, validation_accuracy=0.9))
        for name in ("one", "two")
    ]
    out = tmp_path / "pictures" / "curves.png"
    assert main([*runs, "--out", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    with Image.open(out) as picture:
        assert picture.format == "PNG"
        assert picture.width > 1000


def test_every_panel_shows_each_run_s_own_numbers() -> None:
    first = run(
        "a", validation_loss=[0.9, 0.4], train_loss=[1.0, 0.5], head_learning_rate=[0.1, 0.0]
    )
    second = run("b", validation_loss=[0.8, 0.7])
    figure = draw_curves([first, second])
    assert [axes.get_title() for axes in figure.axes] == ["loss", "learning rate"]
    assert drawn(figure, 0) == [
        ([1, 2], [0.9, 0.4]),
        ([1, 2], [1.0, 0.5]),
        ([1, 2], [0.8, 0.7]),
        ([], []),
    ]
    assert drawn(figure, 1) == [([1, 2], [0.1, 0.0]), ([], [])]
    solid, dashed, other, _ = figure.axes[0].lines
    assert solid.get_color() == dashed.get_color() != other.get_color()
    assert solid.get_linestyle() == other.get_linestyle() != dashed.get_linestyle()


def test_the_legend_names_every_run_and_its_best_accuracy_as_it_is_written() -> None:
    runs = [run("_x$_{", validation_accuracy=[0.5, 0.9123, 0.7]), run("b", validation_accuracy=[1])]
    texts = draw_curves(runs).legends[0].get_texts()
    assert [text.get_text() for text in texts] == ["_x$_{ (best 91.23%)", "b (best 100.00%)"]
    assert not any(text.get_parse_math() for text in texts)


def test_a_line_that_is_still_being_written_is_left_out(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", 2, train_loss=0.5)
    with open(folder / "metrics.jsonl", "a") as file:
        file.write('{"epoch": 3, "tra')
    assert [row["epoch"] for row in read_rows(folder)] == [1, 2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no metrics.jsonl in this folder"),
        ("", "no epoch is finished yet"),
        ('{"epoch": 1}\n{"epoch"\n', "line 2: not JSON"),
        ("[1]\n", "line 1: an object is expected"),
        ('{"train_loss": 1}\n', "line 1: epoch, train_loss must be numbers"),
        ('{"epoch": 1, "train_loss": "x"}\n', "line 1: epoch, train_loss must be numbers"),
        ('{"epoch": 1, "seconds": 5}\n', "nothing to draw"),
    ],
)
def test_a_run_that_cannot_be_drawn_is_one_sentence(
    content: str | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / "metrics.jsonl").write_text(content)
    assert main([str(tmp_path), "--out", str(tmp_path / "x.png")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("plots: ")
    assert error.count("\n") == 1
    assert message in error
    assert not (tmp_path / "x.png").exists()


def test_only_png_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_run(tmp_path / "run", 1, train_loss=0.5)
    assert main([str(folder), "--out", "curves.bmp"]) == 1
    assert "--out must end in .png" in capsys.readouterr().err
    assert main([str(folder), "--out", str(folder / "metrics.jsonl" / "x.png")]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(ConfigError, match="nothing to draw: a has no loss"):
        draw_curves([run("a", seconds=[1.0])])


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        (["runs/a"], ["a"]),
        (["runs/a", "runs/b"], ["a", "b"]),
        (["runs/a/checkpoint", "runs/b/checkpoint"], ["a/checkpoint", "b/checkpoint"]),
        (["owner/cats@main", "other/cats@main"], ["owner/cats@main", "other/cats@main"]),
        (["x/a", "x/a"], ["a (1)", "a (2)"]),
        (["a", "b/a"], ["a", "b/a"]),
    ],
)
def test_names_are_as_short_as_tells_them_apart(sources: list[str], names: list[str]) -> None:
    assert distinct_names(sources) == names


def test_this_folder_has_a_name_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "mine")
    assert distinct_names(["."]) == ["mine"]
