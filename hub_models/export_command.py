"""The command line: `hub-models export`."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from hub_models.class_folders import LabelledPicture, check_outside, read_class_folders, thin
from hub_models.errors import CheckpointError
from hub_models.picture_walk import LeftOut

_MAX_PARITY_PICTURES = 64


def add_export(commands: Any) -> None:
    """Add the command to a parser.

    Args:
        commands: What `add_subparsers` gave.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        "export",
        help="write an ONNX file, checked against PyTorch",
        description="Write FOLDER/model.onnx, checked against PyTorch; with --int8 also "
        "FOLDER/model_int8.onnx, if that is as accurate and faster.",
        epilog="example: hub-models export owner/name --to exported --int8 --calibrate pictures",
    )
    parser.add_argument(
        "source", metavar="SOURCE", help="a folder, owner/name, owner/name@revision"
    )
    parser.add_argument("--to", required=True, type=Path, metavar="FOLDER", help="made if missing")
    parser.add_argument("--int8", action="store_true", help="quantise too; needs --calibrate")
    parser.add_argument(
        "--calibrate",
        type=Path,
        metavar="DATA",
        help="pictures in one sub-folder per class: compared on, calibrated with and measured",
    )
    parser.add_argument("--force", action="store_true", help="write INT8 even if a gate fails")
    parser.add_argument("--json", action="store_true", help="print what was measured as JSON")
    parser.set_defaults(run=_export, parser=parser)


def _export(options: argparse.Namespace) -> int:
    if options.int8 and options.calibrate is None:
        options.parser.error("--int8 needs --calibrate DATA")
    if options.force and not options.int8:
        options.parser.error("--force is of --int8")
    from hub_models import hub
    from hub_models.export import OPSET, export_onnx

    folder = hub.resolve(options.source).folder
    pictures = []
    if options.calibrate is not None:
        labels = hub.read_config(folder).label_names
        check_outside(options.to, options.calibrate, "--to")
        left_out = LeftOut()
        pictures = read_class_folders(options.calibrate, labels, left_out)
        if left_out.counts:
            print(f"hub-models: {left_out}", file=sys.stderr)
    path = options.to / "model.onnx"
    parity = export_onnx(folder, path, pixels=_pixels(folder, pictures))
    facts: dict[str, Any] = {
        "file": str(path),
        "opset": OPSET,
        "bytes": path.stat().st_size,
        "parity": asdict(parity) | {"drawn": not pictures},
    }
    if not options.json:
        _print_parity(facts)
    failures = _export_int8(options, path, pictures, facts) if options.int8 else None
    if options.json:
        print(json.dumps(facts, indent=2))
    if failures:
        raise CheckpointError(failures)
    return 0


def _pixels(folder: Path, pictures: list[LabelledPicture]) -> Any:
    if not pictures:
        return None
    from hub_models import hub
    from hub_models.image import load_image
    from hub_models.preprocess import preprocess

    config = hub.read_config(folder).preprocess
    chosen = thin(pictures, _MAX_PARITY_PICTURES)
    return np.stack([preprocess(load_image(p.path, name=str(p.path)), config) for p in chosen])


def _export_int8(
    options: argparse.Namespace,
    path: Path,
    pictures: list[LabelledPicture],
    facts: dict[str, Any],
) -> str | None:
    """Add what was measured to the facts; return the sentence of a gate that failed."""
    from hub_models.int8 import export_int8

    target = options.to / "model_int8.onnx"
    trial = export_int8(path, target, pictures, force=options.force, progress=_tell)
    is_written = options.force or not trial.failures
    facts["int8"] = asdict(trial) | {"file": str(target) if is_written else None}
    if not options.json:
        _print_table(trial)
        if is_written:
            print(f"{target}: {trial.best.name}, {trial.best.bytes:,} bytes")
    if not trial.failures:
        return None
    outcome = "written all the same" if options.force else "not written"
    return f"{target}: {outcome}: {'; '.join(trial.failures)}"


def _print_parity(facts: dict[str, Any]) -> None:
    parity = facts["parity"]
    kind = "drawn " if parity["drawn"] else ""
    print(
        f"{facts['file']}: opset {facts['opset']}, {facts['bytes']:,} bytes, by the "
        f"{parity['exporter']} exporter; against PyTorch on {parity['pictures']} {kind}pictures, "
        f"at batch sizes 1, 3 and 8: logits within {parity['logits_difference']:.1e} of the "
        f"largest, same first class on {parity['top1_agreement']:.1%}"
    )


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print_table(trial: Any) -> None:
    print(
        f"INT8: calibrated on {trial.calibration_pictures} pictures, "
        f"measured on {trial.measured_pictures} others"
    )
    print(f"  {'':36} accuracy  agrees  convolutions  bytes       p50 ms")
    rows = [trial.fp32, *(row for row in trial.tried if row.name != trial.best.name), trial.best]
    for row in rows:
        p50 = f"{row.latency.p50:.2f}" if row.latency else ""
        print(
            f"  {row.name:36} {row.accuracy:8.2%}  {row.agreement:6.1%}  "
            f"{f'{row.quantised_convs} of {row.convs}':12}  {row.bytes:<10,}  {p50}"
        )
