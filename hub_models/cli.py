"""The command line: `hub-models classify | info | profile | export | recommend | push | pull`."""

import argparse
import contextlib
import io
import json
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import shtab

from hub_models import __version__
from hub_models.errors import CheckpointError, ConfigError, HubModelsError, ImageError, shortened
from hub_models.export_command import add_export
from hub_models.hub_command import add_pull, add_push
from hub_models.image import load_image
from hub_models.picture_walk import printable
from hub_models.profile_command import add_profile
from hub_models.recommend_command import add_recommend

if TYPE_CHECKING:  # PyTorch takes seconds to import: not for --help, nor for a wrong option
    from hub_models.model import ImageClassifier


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: What was typed after `hub-models`; the process's own if None.

    Returns:
        0 done, 1 an error said in one sentence on stderr; wrong usage exits with 2.
    """
    options = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):  # for names the terminal's encoding lacks
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with warnings.catch_warnings():
            # Of broken EXIF and of sizes: a picture is read, or the error below says why not.
            warnings.filterwarnings("ignore", module="PIL")
            warnings.filterwarnings("ignore", "Not enough free disk")  # the error will say so
            code = int(options.run(options))
        sys.stdout.flush()
        return code
    except HubModelsError as error:
        print(f"hub-models: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # as `| head` does: nobody reads on, so the exit may not write either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hub-models",
        description="Classify pictures with models from folders or a model hub. A SOURCE is a "
        "folder, owner/name on the hub, or owner/name@revision. Every command takes --help, and "
        "--json for programs.",
        epilog="""examples:
  hub-models classify cat.jpg --model owner/resnet18-cats-vs-dogs
  hub-models info owner/resnet18-cats-vs-dogs
  hub-models --print-completion bash >> ~/.bash_completion""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"hub-models {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    classify = commands.add_parser(
        "classify",
        help="say what is in pictures",
        description="Say what is in pictures, with one model or several side by side; or in all "
        "pictures of folders, into a table.",
        epilog="""examples:
  hub-models classify cat.jpg --model owner/resnet18-cats-vs-dogs
  hub-models classify photos --model owner/resnet18-cats-vs-dogs --to results.parquet""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    pictures = classify.add_argument(
        "pictures",
        nargs="+",
        metavar="PICTURE",
        help="JPEG, PNG, WebP, GIF, BMP; with --to folders of them too",
    )
    pictures.complete = shtab.FILE  # type: ignore[attr-defined]
    classify.add_argument(
        "--model",
        action="append",
        required=True,
        metavar="SOURCE",
        help="a folder, owner/name or owner/name@revision; may be repeated",
    )
    classify.add_argument("--top", type=_at_least_one, metavar="N", help="classes to show (all)")
    classify.add_argument("--json", action="store_true", help="print JSON")
    classify.add_argument(
        "--to",
        metavar="TABLE",
        help="write a .parquet, .csv or .jsonl file, a row per picture and model; the same command "
        "goes on where a stopped one was, and shares the work under `accelerate launch`",
    )
    classify.set_defaults(run=_classify)

    info = commands.add_parser(
        "info",
        help="show what a model is",
        description="Show a model's labels, preprocessing, size, revision and measured results.",
    )
    info.add_argument("source", metavar="SOURCE", help="a folder, owner/name, owner/name@revision")
    info.add_argument("--json", action="store_true", help="print JSON")
    info.set_defaults(run=_info)
    add_profile(commands, _at_least_one)
    add_export(commands)
    add_recommend(commands, _at_least_one)
    add_push(commands)
    add_pull(commands)
    shtab.add_argument_to(parser, "--print-completion", help="print a shell's completion script")
    return parser


def _classify(options: argparse.Namespace) -> int:
    if options.to:
        from hub_models.bulk_command import classify_in_bulk

        if options.top:
            raise ConfigError("--top does not go with --to: a table has every class")
        return classify_in_bulk(options)
    models = _load(options.model) if _any_readable(options.pictures) else {}
    rows: list[dict[str, Any]] = []
    failed = False
    for picture in options.pictures:
        try:
            row = _classify_one(picture, models, options.top)
        except ImageError as error:  # the other pictures still get their answer
            failed = True
            row = {"picture": picture, "error": str(error)}
            print(f"hub-models: {error}", file=sys.stderr)
        rows.append(row)
        if not options.json and "error" not in row:
            _print_row(row)
    if options.json:
        print(json.dumps(rows, indent=2))
    return 1 if failed else 0


def _any_readable(pictures: Sequence[str]) -> bool:
    """Tell whether PyTorch, by far the most memory here, needs to be loaded at all."""
    for picture in pictures:
        with contextlib.suppress(ImageError):
            load_image(picture)
            return True
    return False


def _load(sources: Sequence[str]) -> "dict[str, ImageClassifier]":
    from hub_models.model import ImageClassifier

    return {source: ImageClassifier.from_pretrained(source) for source in sources}


def _classify_one(
    picture: str, models: "dict[str, ImageClassifier]", top: int | None
) -> dict[str, Any]:
    image = load_image(picture, name=shortened(picture))
    predictions = {}
    for source, model in models.items():
        try:
            predictions[source] = [asdict(p) for p in model.classify(image, top=top)]
        except CheckpointError as error:  # damaged weights: which of the models?
            raise CheckpointError(f"{source}: {error}") from error
    return {"picture": picture, "predictions": predictions}


def _print_row(row: dict[str, Any]) -> None:
    for source, predictions in row["predictions"].items():
        ranked = "  ".join(f"{p['label']} {p['probability']:.1%}" for p in predictions)
        print(f"{printable(row['picture'])}  {printable(source)}  {ranked}")


def _info(options: argparse.Namespace) -> int:
    from hub_models import hub
    from hub_models.model import ImageClassifier

    model = ImageClassifier.from_pretrained(options.source)
    folder = hub.resolve(options.source, local_files_only=True).folder
    config = model.config
    facts = {
        "source": options.source,
        "revision": model.revision,
        "architecture": config.architecture,
        "stem": config.stem,
        "channels": config.preprocess.channels,
        "label_names": list(config.label_names),
        "preprocess": asdict(config.preprocess),
        "parameters": sum(p.numel() for p in model.parameters()),
        "bytes": hub.weights_path(folder).stat().st_size,
        "origin": dict(config.origin),
        "results": {split: dict(numbers) for split, numbers in config.results.items()},
    }
    if options.json:
        print(json.dumps(facts, indent=2))
        return 0
    for key, value in facts.items():
        if value:
            print(f"{key:13} {_plain(value)}")
    return 0


def _plain(value: object) -> str:
    match value:
        case dict():
            return "; ".join(
                f"{key}: {_plain(inner)}" for key, inner in value.items() if not _is_table(inner)
            )
        case list() | tuple():
            return ", ".join(str(item) for item in value)
        case int():
            return f"{value:,}"
        case _:
            return str(value)


def _is_table(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(row, dict | list) for row in value)


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number of at least 1 is needed, not {text!r}")
    return int(text)


if __name__ == "__main__":  # `accelerate launch -m hub_models.cli classify …`
    sys.exit(main())
