"""The command line: `hub-models profile`."""

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hub_models.errors import ConfigError
from hub_models.machine import usable_cores


def add_profile(commands: Any, count: Callable[[str], int]) -> None:
    """Add the command to a parser.

    Args:
        commands: What `add_subparsers` gave.
        count: Parses a whole number of at least 1.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        "profile",
        help="measure parameters, MACs, bytes, memory and time",
        description="Measure models on this machine: parameters, MACs, bytes, memory and time.",
        epilog="example: hub-models profile owner/resnet18 owner/mobilenetv2 --batch 1 --batch 8",
    )
    parser.add_argument(
        "sources", nargs="+", metavar="SOURCE", help="a folder, owner/name, owner/name@revision"
    )
    parser.add_argument(
        "--batch", type=count, action="append", metavar="N", help="pictures per pass (1 and 8)"
    )
    parser.add_argument(
        "--threads", type=count, action="append", metavar="N", help="cores per pass (1 and all)"
    )
    parser.add_argument(
        "--engine", choices=("torch", "onnx"), action="append", help="(those installed)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--save", action="store_true", help="write the numbers into the folders and their cards"
    )
    parser.set_defaults(run=_profile)


def _profile(options: argparse.Namespace) -> int:
    from hub_models.profile import Settings, profile, save_costs
    from hub_models.runtime import is_onnx_installed

    installed = ["torch", "onnx"] if is_onnx_installed() else ["torch"]
    settings = Settings(
        engines=_each_once(options.engine or installed),
        batches=_each_once(options.batch or [1, 8]),
        threads=_each_once(options.threads or [1, usable_cores()]),
    )
    if options.save and not all(map(os.path.isdir, options.sources)):
        raise ConfigError("--save needs local folders: a repository on the hub is not changed")
    profiles = []
    for source in options.sources:
        profiles.append(profile(source, settings, progress=_tell))
        if not options.json:
            _print_profile(profiles[-1])
        if options.save:
            save_costs(Path(source), profiles[-1])
    if options.json:
        print(json.dumps(profiles, indent=2))
    return 0


def _each_once(values: list[Any]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(values))


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print_profile(facts: dict[str, Any]) -> None:
    parameters, machine = facts["parameters"], facts["machine"]
    trainable = ", ".join(f"{mode} {n:,}" for mode, n in parameters["trainable"].items())
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    sizes = ", ".join(f"{name} {size:,}" for name, size in facts["bytes"].items())
    rows = facts["measurements"]
    print(f"{facts['source']}: {facts['architecture']} at {facts['side_px']} px")
    print(f"  parameters  {parameters['total']:,}; trainable by freezing mode: {trainable}")
    print(f"  one pass    {facts['macs']:,} MACs = {facts['flops']:,} FLOPs")
    print(f"  bytes       {sizes}")
    print(f"  machine     {machine['cpu']}, {machine['cores']} cores, {machine['system']}")
    print(f"  versions    {versions}")
    print(f"  picture     {rows[0]['picture']}")
    print("  ms: p50/p95/p99; decode and preprocess of one picture, forward and classify of all")
    print(
        f"  {'engine':6} {'threads':>7} {'batch':>5} {'decode':>15} {'preprocess':>15} "
        f"{'forward':>20} {'classify':>20} {'images/s':>8} {'peak MB':>7} {'(imports)':>9}"
    )
    for row in rows:
        stages = [row[f"{name}_ms"] for name in ("decode", "preprocess", "forward", "classify")]
        cells = [f"{s['p50']:.1f}/{s['p95']:.1f}/{s['p99']:.1f}" for s in stages]
        print(
            f"  {row['engine']:6} {row['threads']:7} {row['batch']:5} {cells[0]:>15} "
            f"{cells[1]:>15} {cells[2]:>20} {cells[3]:>20} {row['images_per_second']:8.1f} "
            f"{row['peak_bytes'] / 1e6:7.0f} {row['peak_bytes_after_import'] / 1e6:9.0f}"
        )
