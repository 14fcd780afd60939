"""The command line: `hub-models classify FOLDER --to TABLE`."""

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from hub_models.atomic import hash_file
from hub_models.bulk import Scorer, score, table_columns
from hub_models.config_json import render_config
from hub_models.errors import HubModelsError, ImageError
from hub_models.machine import usable_cores
from hub_models.parts import Parts, Summary
from hub_models.picture_walk import LeftOut, PictureWalk, plan_walk
from hub_models.runtime import load_runtime
from hub_models.share import Share, read_share
from hub_models.table import check_table


def classify_in_bulk(options: argparse.Namespace) -> int:
    """Classify folders of pictures into one table, going on where a stopped run was.

    Args:
        options: `pictures`, `model`, `to` and `json`, as typed.

    Returns:
        0, if at least one picture could be read.

    Raises:
        HubModelsError: Of a wrong argument, a model, the table, or after Ctrl-C.
    """
    target, share, walk = Path(options.to), read_share(), plan_walk(options.pictures)
    check_table(target)
    parts = Parts(target, share)
    if parts.is_joined():
        return 0
    scorers = [Scorer(source, load_runtime(source, threads=1)) for source in _once(options.model)]
    plan: dict[str, Any] = {
        "pictures": [str(Path(walk.base, root)) for root in walk.roots],
        "models": [[s.source, s.runtime.revision, _fingerprint(s)] for s in scorers],
    }
    try:
        _begin(parts, plan, walk)
        _work(parts, share, Path(walk.base), scorers)
        summary = parts.join(table_columns(scorers))
    except KeyboardInterrupt as error:
        raise HubModelsError(f"{target}: stopped; the same command goes on from here") from error
    if summary is None:
        _tell(f"process {share.rank} is done; the last of {share.world_size} writes {target}")
        return 0
    return _report(summary, options)


def _begin(parts: Parts, plan: dict[str, Any], walk: PictureWalk) -> None:
    left_out = LeftOut()
    try:
        parts.begin(plan, walk.names(left_out))
    finally:
        if left_out.counts:
            _tell(str(left_out))


def _work(parts: Parts, share: Share, base: Path, scorers: list[Scorer]) -> None:
    threads = max(1, usable_cores() // share.local_size)
    done, total = parts.count()
    # No bar where nobody looks (disable=None), and one for all processes: the first one's share.
    with tqdm(
        total=total, initial=done, unit=" images", disable=True if share.rank else None
    ) as bar:
        for number, rows in score(parts.missing(), base, scorers, threads=threads):
            parts.write(number, rows)
            bar.update(len(rows) // len(scorers))


def _report(summary: Summary, options: argparse.Namespace) -> int:
    for problem in summary.problems:
        _tell(problem)
    if summary.unreadable == summary.pictures:
        raise ImageError(
            f"{options.to}: none of {summary.pictures:,} pictures could be read; it says why"
        )
    if summary.unreadable:
        _tell(
            f"{summary.unreadable:,} of {summary.pictures:,} pictures could not be read: their "
            f"rows in {options.to} have an error"
        )
    facts: dict[str, Any] = {
        "to": options.to,
        "pictures": summary.pictures,
        "unreadable": summary.unreadable,
        "models": list(_once(options.model)),
    }
    if options.json:
        print(json.dumps(facts, indent=2))
    else:
        rows = summary.pictures * len(facts["models"])
        print(f"{options.to}: {rows:,} rows of {summary.pictures:,} pictures")
    return 0


def _fingerprint(scorer: Scorer) -> str:
    """Tell models apart by weights and config: a folder of the same name may hold others."""
    source = Path(scorer.source)
    if not source.is_file():  # an exported file needs no PyTorch, which this import brings
        from hub_models import hub

        source = hub.weights_path(hub.resolve(scorer.source, local_files_only=True).folder)
    content = hash_file(source) + render_config(scorer.runtime.config)
    return hashlib.sha256(content.encode()).hexdigest()


def _once(sources: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(sources))


def _tell(sentence: str) -> None:
    print(f"hub-models: {sentence}", file=sys.stderr, flush=True)
