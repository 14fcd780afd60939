import json
from pathlib import Path

import pytest

from hub_models.cli import main
from hub_models.comparison import Comparison, render_comparison
from tests.comparisons import compared, measurement, model
from tests.processes import run_python

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def comparison() -> Comparison:
    return compared(
        model("resnet", 990, measurement(30), measurement(60, threads=1), bytes=45_000_000),
        model("mobilenet", 950, measurement(10), measurement(16, threads=1)),
    )


@pytest.fixture
def file(comparison: Comparison, tmp_path: Path) -> Path:
    path = tmp_path / "comparison.json"
    path.write_text(render_comparison(comparison))
    return path


def test_the_choice_is_printed_with_its_reason_and_the_runner_up(
    file: Path, capsys: Captured
) -> None:
    assert main(["recommend", str(file), "--priority", "accuracy"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "resnet, before mobilenet: more accurate, 99.00% against 95.00% (p = 0.001)",
        "  choice     resnet: 99.00% right, 9.0 MB, 30.0 ms a picture (95 % within 37.5 ms), "
        "100 MB of memory (onnx, 2 threads)",
        "  runner-up  mobilenet: 95.00% right, 9.0 MB, 10.0 ms a picture (95 % within 12.5 ms), "
        "100 MB of memory (onnx, 2 threads)",
        "  measured   1,000 images of pictures, test; a processor, 2 cores",
    ]


def test_what_a_limit_rules_out_is_printed(file: Path, capsys: Captured) -> None:
    arguments = ["recommend", str(file), "--priority", "accuracy", "--max-latency-ms", "20"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert out.startswith("mobilenet is the only one within the limits: 95.00% right")
    assert "ruled out  resnet takes 37.5 ms for 95 % of pictures, the limit is 20 ms" in out
    assert main([*arguments, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["choice"]["name"] == "mobilenet"
    assert content["choice"]["measurement"]["p50_ms"] == 10
    assert content["runner_up"] is None
    assert content["ruled_out"] == [
        {"name": "resnet", "limit": "max_latency_ms", "value": 37.5, "allowed": 20.0}
    ]


def test_when_nothing_fits_it_is_one_sentence_and_exit_1(file: Path, capsys: Captured) -> None:
    assert main(["recommend", str(file), "--priority", "size", "--max-mb", "1"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("hub-models: no model keeps the limits: resnet has 9.0 MB, the limit is")
    assert err.count("\n") == 1


def test_the_scenarios_are_a_table_derived_from_the_file(file: Path, capsys: Captured) -> None:
    assert main(["recommend", str(file), "--scenarios"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "web upload    resnet"
    assert lines[1].startswith("              asked: priority accuracy, max_latency_ms 100. A pers")
    assert lines[2].startswith("              resnet, before mobilenet: more accurate, 99.00%")
    assert main(["recommend", str(file), "--scenarios", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["scenario"]: row["choice"]["name"] for row in rows} == {
        "web upload": "resnet",
        "mobile app": "resnet",  # 1.5 each: the more accurate of equals
        "edge device": "resnet",  # they need the same memory
        "video stream": "resnet",
        "moderation": "resnet",
    }


def test_a_scenario_that_no_model_fits_is_a_row_too(tmp_path: Path, capsys: Captured) -> None:
    slow = model("slow", 990, measurement(90), measurement(95, threads=1))
    (tmp_path / "c.json").write_text(render_comparison(compared(slow)))
    assert main(["recommend", str(tmp_path / "c.json"), "--scenarios"]) == 0
    out = capsys.readouterr().out
    assert "video stream  none" in out
    assert "no model keeps the limits: slow takes 112.5 ms for 95 % of pictures" in out
    assert "edge device   slow" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "one of the arguments --priority --scenarios is required"),
        (["--priority", "beauty"], "invalid choice: 'beauty'"),
        (["--priority", "size", "--max-mb", "0"], "a number above 0 is needed, not '0'"),
        (["--priority", "size", "--max-mb", "nan"], "a number above 0 is needed, not 'nan'"),
        (["--priority", "size", "--threads", "0"], "a whole number of at least 1 is needed"),
    ],
)
def test_wrong_usage_exits_with_2(
    words: list[str], message: str, file: Path, capsys: Captured
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["recommend", str(file), *words])
    assert message in capsys.readouterr().err


def test_limits_cannot_go_with_scenarios(file: Path, capsys: Captured) -> None:
    assert main(["recommend", str(file), "--scenarios", "--max-mb", "3"]) == 1
    assert "--max-mb cannot go with --scenarios" in capsys.readouterr().err


def test_a_broken_file_is_one_sentence(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "c.json").write_text('{"format_version": 1}')
    assert main(["recommend", str(tmp_path / "c.json"), "--priority", "size"]) == 1
    assert capsys.readouterr().err.endswith("c.json: the key 'command' is missing\n")


def test_recommending_does_not_wait_for_pytorch(file: Path) -> None:
    done = run_python(
        "import sys\n"
        "from hub_models.cli import main\n"
        "main(['recommend', sys.argv[1], '--scenarios'])\n"
        "sys.exit('torch' in sys.modules)",
        file,
    )
    assert done.returncode == 0, done.stderr
