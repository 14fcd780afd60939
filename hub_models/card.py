"""Config with its measured results to README.md, with the hub's metadata on top.

Every number on the card comes from the config; nothing is typed.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from hub_models.card_metadata import card_metadata
from hub_models.card_usage import render_usage
from hub_models.config import ModelConfig

RESULTS_START: Final = "<!-- hub-models writes the results between these two lines. -->"
RESULTS_END: Final = "<!-- end of the results -->"
_MARKER: Final = (
    "<!-- Rendered by hub-models from config.json ({}): edit that, or remove this line. -->"
)
_MARKED: Final = re.compile(
    _MARKER.replace(" ({})", r"(?: \((?P<front>\w+) (?P<body>\w+)\))?") + r"(?:\r?\n|\r)*"
)
# What origin may say, in the order the card says it.
_ORIGIN_ROWS: Final = {
    "start": "Started from",
    "base_license": "Licence of the start",
    "trained_part": "Trained part",
    "dataset": "Data set",
    "dataset_license": "Licence of the data set",
    "train_images": "Training photographs",
    "dropped_images": "Unreadable pictures dropped",
    "class_counts": "Photographs by class",
    "picture_sides": "Sides (px)",
    "near_duplicates": "Pairs that look the same in two splits",
    "image_size": "Image size in training (px)",
    "epochs": "Epochs",
    "best_epoch": "Best epoch, by validation accuracy",
    "minutes": "Training time (minutes)",
    "hardware": "Hardware",
    "command": "Command",
    "commit": "Commit of the training code",
}
# What results may say beside the accuracy, and of each class: titles and formats in order.
_SCORES: Final = {
    "macro_f1": ("macro F1", "{:.4f}"),
    "auc": ("AUC", "{:.4f}"),
    "ece": ("calibration error (ECE)", "{:.2%}"),
    "temperature": ("temperature, fitted on validation", "{:.2f}"),
    "ece_calibrated": ("ECE at that temperature", "{:.2%}"),
}
_CLASS_SCORES: Final = {
    "support": ("photographs", "{:,}"),
    "precision": ("precision", "{:.2%}"),
    "recall": ("recall", "{:.2%}"),
    "f1": ("F1", "{:.4f}"),
}


def render_card(config: ModelConfig, name: str) -> str:
    """Write the model card of a folder.

    Args:
        config: With `origin` and `results` filled in as far as they are known.
        name: The folder's name, or the repo_id "owner/name" it is published as.

    Returns:
        Markdown text with YAML metadata that huggingface_hub's ModelCard reads.
    """
    title = name.rpartition("/")[2]
    sections = [
        f"# {title}",
        _what_it_is(config),
        _how_made(config.origin),
        _measured(config),
        _costs(config.costs),
        _limits(config),
        render_usage(config, name),
    ]
    front = f"---\n{card_metadata(config, title).to_yaml()}\n---\n"
    body = "\n\n".join(section for section in sections if section) + "\n"
    return f"{front}{_MARKER.format(f'{_digest(front)} {_digest(body)}')}\n\n{body}"


def untouched_parts(text: str) -> tuple[bool, bool]:
    """Tell which parts of a README.md are as they were rendered; line ends do not count.

    Args:
        text: The file's content.

    Returns:
        Whether nobody has changed its metadata, and its words.
    """
    found = _MARKED.search(text)
    if found is None:
        return False, False
    parts = text[: found.start()], text[found.end() :]
    return found["front"] == _digest(parts[0]), found["body"] == _digest(parts[1])


def is_rendered(text: str) -> bool:
    """Tell whether a README.md was rendered here and not changed since: it may be rendered again.

    Args:
        text: The file's content.

    Returns:
        True if nobody's words are in it.
    """
    found = _MARKED.search(text)
    is_older = found is not None and found["body"] is None  # from before cards had digests
    return is_older or all(untouched_parts(text))


def without_marker(text: str) -> str:
    """Take out the line that says that a card was rendered.

    Args:
        text: Of a card that somebody has changed.

    Returns:
        The rest.
    """
    return _MARKED.sub("", text, count=1)


def _digest(text: str) -> str:
    lines = (line.rstrip() for line in text.removeprefix("\ufeff").splitlines())
    return hashlib.sha256("\n".join(lines).strip().encode()).hexdigest()[:12]


def _what_it_is(config: ModelConfig) -> str:
    labels = ", ".join(f"`{label}`" for label in config.label_names[:20])
    more = f" and {len(config.label_names) - 20} more" if len(config.label_names) > 20 else ""
    preprocess = config.preprocess
    cut = (
        f"both sides resized to {preprocess.crop} px"
        if preprocess.crop_mode == "squash"
        else f"shorter side resized to {preprocess.resize} px, centre {preprocess.crop} px kept"
    )
    pixels = "RGB" if preprocess.channels == 3 else "grey (one channel)"
    return (
        f"An image classifier: `{config.architecture}` with {len(config.label_names)} classes "
        f"({labels}{more}).\nInput: {pixels}, {cut} ({preprocess.interpolation})."
    )


def _how_made(origin: Mapping[str, Any]) -> str:
    rows = [
        f"| {title} | {_cell(origin[key])} |"
        for key, title in _ORIGIN_ROWS.items()
        if key in origin
    ]
    if not rows:
        return ""
    note = f"\n\n{origin['note']}" if origin.get("note") else ""
    return "\n".join(["## How it was made", "", "| | |", "|---|---|", *rows]) + note


def _measured(config: ModelConfig) -> str:
    results = config.results
    if not results:
        return ""
    tables = [_results(results), _scores(results), *_classes(config), *_robustness(results)]
    return "\n\n".join([RESULTS_START, *filter(None, tables), RESULTS_END])


def _results(results: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [
        "## Results",
        "",
        "| split | photographs | accuracy | 95 % interval |",
        "|---|---|---|---|",
    ]
    for split, numbers in results.items():
        images = f"{numbers['images']:,}" if "images" in numbers else ""
        accuracy, low, high = (
            f"{numbers[key]:.2%}" if key in numbers else ""
            for key in ("accuracy", "accuracy_low", "accuracy_high")
        )
        interval = f"{low} to {high}" if low and high else ""
        lines.append(f"| {split} | {images} | {accuracy} | {interval} |")
    command = next(iter(results.values())).get("command")
    if command:
        lines += ["", f"Measured by `{command}`."]
    return "\n".join(lines)


def _scores(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Write what was measured beside the accuracy, as far as it was."""
    rows = [
        [split, *_numbers(numbers, _SCORES)]
        for split, numbers in results.items()
        if numbers.keys() & _SCORES.keys()
    ]
    return _table(["split", *(title for title, _ in _SCORES.values())], rows) if rows else ""


def _classes(config: ModelConfig) -> list[str]:
    """Write a table of classes and one of confusions for each split that has them."""
    labels = [_cell(label) for label in config.label_names]
    sections = []
    for split, numbers in config.results.items():
        scores = [
            [_cell(row["label"]), *_numbers(row, _CLASS_SCORES)]
            for row in numbers.get("per_class", [])
        ]
        if scores:
            titles = ["class", *(title for title, _ in _CLASS_SCORES.values())]
            sections.append(f"### By class, {split}\n\n{_table(titles, scores)}")
        counts = numbers.get("confusion", [])
        if counts and len(counts) == len(labels):
            rows = [
                [label, *(f"{count:,}" for count in row)]
                for label, row in zip(labels, counts, strict=True)
            ]
            titles = ["was", *(f"said {label}" for label in labels)]
            sections.append(f"### Confusion, {split}\n\n{_table(titles, rows)}")
    return sections


def _robustness(results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Write a table of accuracies on changed pictures for each split that has them."""
    return [
        f"### On worse pictures, {split}\n\n"
        + _table(
            ["change", "accuracy"],
            [[_cell(row["change"]), f"{row['accuracy']:.2%}"] for row in numbers["robustness"]],
        )
        + "\n\nMeasured by `python -m training.robustness --model FOLDER --data DATA`."
        for split, numbers in results.items()
        if numbers.get("robustness")
    ]


def _costs(costs: Mapping[str, Any]) -> str:
    """Write what the model weighs and how long it takes, where it was measured."""
    if not costs:
        return ""
    rows = [
        [
            str(row.get("engine", "")),
            f"{row['threads']}",
            f"{row['batch']}",
            f"{row['forward_p50_ms']:.1f}",
            f"{row['p50_ms']:.1f}",
            f"{row['p95_ms']:.1f}",
            f"{row['peak_bytes'] / 1e6:,.0f}",
        ]
        for row in costs["measurements"]
    ]
    titles = ["engine", "threads", "batch", "forward p50 (ms)", "all p50 (ms)", "all p95 (ms)"]
    machine = costs.get("machine", {})
    versions = ", ".join(f"{k} {v}" for k, v in machine.get("versions", {}).items())
    return "\n".join([
        "## Costs",
        "",
        f"{costs['parameters']:,} parameters, {costs['macs']:,} MACs a picture "
        f"({2 * costs['macs']:,} FLOPs), {costs['bytes']:,} bytes of weights.",
        "",
        _table([*titles, "peak memory (MB)"], rows),
        "",
        f"“All” is from a JPEG's bytes to probabilities ({costs.get('picture', '')}). Measured by "
        f"`{costs.get('command', '')}` on {machine.get('cpu', '')}, {machine.get('cores', '')} "
        f"cores; {versions}.",
    ])  # fmt: skip


def _numbers(numbers: Mapping[str, Any], columns: Mapping[str, tuple[str, str]]) -> list[str]:
    return [form.format(numbers[k]) if k in numbers else "" for k, (_, form) in columns.items()]


def _table(titles: list[str], rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in (titles, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(titles), *lines[1:]])


def _limits(config: ModelConfig) -> str:
    lines = [
        f"- It knows these {len(config.label_names)} classes and no others: whatever a picture "
        "shows, one of them is the answer.",
        "- The accuracies hold for pictures like those of the data set; nothing was measured on "
        "others."
        if config.results
        else "- Nothing was measured.",
    ]
    key = "ece" if config.temperature == 1 else "ece_calibrated"  # what `classify` answers with
    eces = {name: n[key] for name, n in config.results.items() if key in n}
    if eces:
        measured = ", ".join(f"{ece:.2%} on {name}" for name, ece in eces.items())
        lines.append(f"- Its probabilities are off by {measured} on average (ECE).")
    return "\n".join(["## Limits", "", *lines])


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
