"""The commands that talk to a hub: `hub-models push` and `pull`."""

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path

from hub_models.destination import READMES, Destination
from hub_models.errors import CheckpointError, shortened


def add_push(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `hub-models push`.

    Args:
        commands: Of the parser.
    """
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
    push.add_argument(
        "--readme",
        choices=READMES,
        help="whose README.md counts where people wrote one here and one there (refused)",
    )
    push.add_argument("--message", metavar="TEXT", help="first line of the commit")
    push.add_argument("--dry-run", action="store_true", help="say what would happen; send nothing")
    push.add_argument("--json", action="store_true", help="print JSON")
    push.set_defaults(run=_push)


def add_pull(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `hub-models pull`.

    Args:
        commands: Of the parser.
    """
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


def _push(options: argparse.Namespace) -> int:
    from hub_models.model import ImageClassifier
    from hub_models.publish import push

    destination = Destination(
        options.repo_id,
        options.private,
        options.revision,
        options.create_pr,
        readme=options.readme,
    )
    if not os.path.isdir(options.folder):  # unlike Path.is_dir, False for too long a name
        raise CheckpointError(f"{shortened(options.folder)}: no such folder")
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
