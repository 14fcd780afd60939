"""The command line: `hub-models classify`, `info`, `push` and `pull`."""

import argparse
import contextlib
import io
import json
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_models import __version__
from hub_models.errors import CheckpointError, HubModelsError, ImageError
from hub_models.image import load_image

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
        prog="hub-models", description="Classify pictures with models from folders or a model hub."
    )
    parser.add_argument("--version", action="version", version=f"hub-models {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    classify = commands.add_parser(
        "classify",
        help="say what is in pictures",
        description="Say what is in pictures, with one model or several side by side.",
        epilog="example: hub-models classify cat.jpg --model owner/resnet18-cats-vs-dogs",
    )
    classify.add_argument(
        "pictures", nargs="+", metavar="PICTURE", help="JPEG, PNG, WebP, GIF, BMP"
    )
    classify.add_argument(
        "--model",
        action="append",
        required=True,
        metavar="SOURCE",
        help="a folder, owner/name or owner/name@revision; may be repeated",
    )
    classify.add_argument("--top", type=_at_least_one, metavar="N", help="classes to show (all)")
    classify.add_argument("--json", action="store_true", help="print JSON")
    classify.set_defaults(run=_classify)

    info = commands.add_parser(
        "info",
        help="show what a model is",
        description="Show a model's labels, preprocessing, size, revision and measured results.",
    )
    info.add_argument("source", metavar="SOURCE", help="a folder, owner/name, owner/name@revision")
    info.add_argument("--json", action="store_true", help="print JSON")
    info.set_defaults(run=_info)
    _add_push(commands)
    _add_pull(commands)
    return parser


def _add_push(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    push = commands.add_parser(
        "push",
        help="publish a checkpoint folder",
        description="Publish a checkpoint folder in one commit. The repository and the branch are "
        "made if missing; a README.md that somebody wrote on the hub is kept, measured results "
        "merged in.",
        epilog="example: hub-models push runs/mine/checkpoint owner/cats-vs-dogs --dry-run",
    )
    push.add_argument("folder", type=Path, metavar="FOLDER", help="a checkpoint folder")
    push.add_argument("repo_id", metavar="REPO_ID", help="owner/name")
    push.add_argument("--private", action="store_true", help="make a new repository private")
    push.add_argument("--revision", metavar="BRANCH", help="branch (the default one)")
    push.add_argument("--create-pr", action="store_true", help="open a pull request instead")
    push.add_argument("--message", metavar="TEXT", help="first line of the commit")
    push.add_argument("--dry-run", action="store_true", help="say what would happen; send nothing")
    push.add_argument("--json", action="store_true", help="print JSON")
    push.set_defaults(run=_push)


def _add_pull(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    pull = commands.add_parser(
        "pull",
        help="fetch a model and say where it is",
        description="Fetch a model into the cache, or into a folder of your own; print where it "
        "is. It then loads without network.",
        epilog="example: hub-models pull owner/resnet18-cats-vs-dogs@v1 --to models/cats",
    )
    pull.add_argument("source", metavar="SOURCE", help="owner/name, owner/name@revision, a folder")
    pull.add_argument("--to", type=Path, metavar="FOLDER", help="copy it there: new or empty")
    pull.add_argument("--json", action="store_true", help="print JSON")
    pull.set_defaults(run=_pull)


def _classify(options: argparse.Namespace) -> int:
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
    image = load_image(picture)
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
        print(f"{Path(row['picture']).name}  {Path(source).name}  {ranked}")


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


def _push(options: argparse.Namespace) -> int:
    from hub_models.destination import Destination
    from hub_models.model import ImageClassifier
    from hub_models.publish import push

    destination = Destination(options.repo_id, options.private, options.revision, options.create_pr)
    if not options.folder.is_dir():
        raise CheckpointError(f"{options.folder}: no such folder")
    ImageClassifier.from_pretrained(options.folder)  # a broken folder is never pushed
    pushed = push(options.folder, destination, message=options.message, dry_run=options.dry_run)
    if options.json:
        print(json.dumps(asdict(pushed), indent=2))
        return 0
    would = "would be " if options.dry_run else ""
    if pushed.creates_repository:
        print(f"{pushed.repo_id}: {would}made, {'private' if options.private else 'public'}")
    elif pushed.creates_branch:
        print(f"{pushed.repo_id}: branch {pushed.revision} {would}made")
    if pushed.keeps_readme:
        print(f"README.md there is somebody's own words: {would}kept, results merged in")
    for file in pushed.files:
        print(f"{file.change:9}  {file.size_bytes:>13,} bytes  {file.name}")
    if url := pushed.pull_request_url or pushed.commit_url:
        print(url)
    return 0


def _pull(options: argparse.Namespace) -> int:
    from hub_models import hub
    from hub_models.model import ImageClassifier

    pulled = hub.pull(options.source, options.to)
    ImageClassifier.from_pretrained(pulled.folder)  # say now, not offline, that it cannot be used
    if options.json:
        facts = {"source": options.source, "folder": str(pulled.folder)}
        print(json.dumps(facts | {"revision": pulled.revision}, indent=2))
    else:
        print(pulled.folder)
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
