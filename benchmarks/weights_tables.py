"""What was measured of the embedded models to the tables of README.md and CLAIMS.md.

Between `<!-- report: NAME -->` and `<!-- end of report -->` stands what `tables` gives under NAME;
in both READMEs the rows that link to a model's card are made anew.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from demo.loader import find_embedded
from hub_models.comparison import Comparison, Model, Pair, read_comparison
from training.run_folder import write_text

ENGINE, THREADS = "onnx", 2  # of the latency in the tables
_BLOCK: Final = re.compile(r"(<!-- report: ([a-z ]+) -->\n).*?(<!-- end of report -->)", re.DOTALL)


def tables(cards: Path) -> dict[str, str]:
    """Render every table.

    Args:
        cards: Folder with the embedded models, comparison.json and what the report keeps.

    Returns:
        Name of the block -> Markdown, ending in a line break. Blocks of which nothing is kept
        are absent.
    """
    results = {
        name: json.loads((folder / "results.json").read_text(encoding="utf-8"))
        for name, folder in find_embedded(cards).items()
    }
    found = {
        "accuracy": _accuracy(results),
        "calibration": _calibration(results),
        "robustness": _robustness(results),
        "comparison": _comparison(read_comparison(cards / "comparison.json")),
    }
    kept = cards / "report"
    trials = {p.stem.removeprefix("int8-"): p for p in sorted(kept.glob("int8-*.json"))}
    if trials:
        found["quantised"] = _quantised({n: json.loads(p.read_text()) for n, p in trials.items()})
    for name in ("other things", "sides"):
        path = kept / f"{name.replace(' ', '_')}.txt"
        if path.exists():
            found[name] = path.read_text(encoding="utf-8")
    return found


def fill(text: str, blocks: Mapping[str, str]) -> str:
    """Put tables where a text wants them.

    Args:
        text: Markdown with markers.
        blocks: From `tables`.

    Returns:
        The text; blocks whose name is not there stay as they are.
    """

    def replaced(match: re.Match[str]) -> str:
        content = blocks.get(match[2])
        return match[0] if content is None else f"{match[1]}{content}{match[3]}"

    return _BLOCK.sub(replaced, text)


def card_rows(text: str, cards: Path) -> str:
    """Make the rows of a README's table of models anew.

    Args:
        text: README in any language.
        cards: Folder with the embedded models.

    Returns:
        The text with the same rows in other numbers.
    """
    for name, folder in find_embedded(cards).items():
        results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        side = json.loads((folder / "config.json").read_text(encoding="utf-8"))["hub_models"][
            "crop"
        ]
        size = (folder / "model.safetensors").stat().st_size / 1e6
        link = f"| [{name}](model_cards/{name}/README.md) |"
        shares = " | ".join(f"{results[split]['accuracy']:.2%}" for split in ("validation", "test"))
        row = f"{link} {shares} | {size:.1f} MB | {side} px |"
        text = re.sub(re.escape(link) + r".*", row, text)
    return text


def write_tables(root: Path) -> None:
    """Bring every text of the repository up to date.

    Args:
        root: The repository's folder.
    """
    cards = root / "model_cards"
    for readme in (root / "README.md", root / "README.zh-CN.md"):
        write_text(readme, card_rows(readme.read_text(encoding="utf-8"), cards))
    claims = cards / "CLAIMS.md"
    write_text(claims, fill(claims.read_text(encoding="utf-8"), tables(cards)))


def _table(head: list[str], rows: list[list[str]]) -> str:
    first, *others = (f"| {' | '.join(line)} |\n" for line in [head, *rows])
    return first + "|---" * len(head) + "|\n" + "".join(others)


def _accuracy(results: Mapping[str, Any]) -> str:
    rows = [
        [name, split, f"{n['images']:,}", _share(n)]
        for name, splits in results.items()
        for split, n in splits.items()
    ]
    return _table(["model", "split", "photographs", "accuracy (95 % interval)"], rows)


def _share(numbers: Mapping[str, Any]) -> str:
    low, high = 100 * numbers["accuracy_low"], 100 * numbers["accuracy_high"]
    return f"{_percent(numbers['accuracy'])} ({low:.2f} to {high:.2f})"


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _calibration(results: Mapping[str, Any]) -> str:
    rows = [
        [
            name,
            split,
            _percent(n["ece"]),
            f"{n['temperature']:.2f}",
            _percent(n["ece_calibrated"]),
        ]
        for name, splits in results.items()
        for split, n in splits.items()
    ]
    return _table(["model", "split", "ECE before", "temperature", "ECE after"], rows)


def _robustness(results: Mapping[str, Any]) -> str:
    measured = {name: splits["test"]["robustness"] for name, splits in results.items()}
    changes = [row["change"] for row in next(iter(measured.values()))]
    rows = [
        [change, *(_percent(rows[number]["accuracy"]) for rows in measured.values())]
        for number, change in enumerate(changes)
    ]
    return _table(["change", *measured], rows)


def _comparison(comparison: Comparison) -> str:
    rows = [_costs(model) for model in comparison.models]
    head = ["model", "accuracy (95 % interval)", "ms, p50", "peak memory", "file"]
    sentences = "".join(f"\n{_difference(pair)}\n" for pair in comparison.pairs)
    return _table(head, rows) + sentences


def _costs(model: Model) -> list[str]:
    low, high = 100 * model.accuracy_low, 100 * model.accuracy_high
    accuracy = f"{_percent(model.accuracy)} ({low:.2f} to {high:.2f})"
    cells = ["not measured"] * 3
    for each in model.measurements:
        if (each.engine, each.threads) == (ENGINE, THREADS):
            file = f"{each.file_bytes / 1e6:.1f} MB"
            cells = [f"{each.p50_ms:.1f}", f"{each.peak_bytes / 1e6:.0f} MB", file]
    return [f"{model.name}, {model.side_px} px", accuracy, *cells]


def _difference(pair: Pair) -> str:
    p_value = "p < 0.001" if pair.p_value < 0.001 else f"p = {pair.p_value:.3f}"
    low, high = 100 * pair.difference_low, 100 * pair.difference_high
    return (
        f"{pair.first} less {pair.second}: {100 * pair.difference:+.2f} points "
        f"({low:.2f} to {high:.2f}; McNemar {p_value})."
    )


def _quantised(trials: Mapping[str, Any]) -> str:
    rows = []
    for name, trial in trials.items():
        fp32, best = trial["fp32"], trial["best"]
        cells = [
            f"{fp32['bytes'] / 1e6:.1f} to {best['bytes'] / 1e6:.1f} MB",
            f"{fp32['latency']['p50']:.2f} to {best['latency']['p50']:.2f} ms",
            f"{100 * fp32['accuracy']:.2f} to {100 * best['accuracy']:.2f} %",
            f"{trial['measured_pictures']}",
            "; ".join(trial["failures"]) or "none",
        ]
        rows.append([name, *cells])
    return _table(["model", "file", "one picture", "accuracy", "pictures", "gates it fails"], rows)
