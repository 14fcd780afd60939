"""The command line: `hub-models recommend`."""

import argparse
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from hub_models.comparison import Comparison, read_comparison
from hub_models.errors import ConfigError, HubModelsError
from hub_models.recommend import PRIORITIES, Candidate, Recommendation, Wish, recommend
from hub_models.recommendation_words import as_sentence, facts, miss_words
from hub_models.scenarios import read_scenarios

_LIMITS: Final = {
    "max_latency_ms": ("MS", "95 %% of pictures, one at a time, answered within it"),
    "max_mb": ("MB", "most of the file to ship, in 10^6 bytes"),
    "max_memory_mb": ("MB", "most of the process that classifies one picture at a time"),
    "min_accuracy": ("SHARE", "least share of right answers, 0 to 1"),
}


def add_recommend(commands: Any, count: Any) -> None:
    """Add the command to a parser.

    Args:
        commands: What `add_subparsers` gave.
        count: Parses a whole number of at least 1.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        "recommend",
        help="choose a model from measured numbers",
        description="Choose a model from a comparison.json that training.compare wrote, and say "
        "why. Differences that cannot be told from noise decide nothing.",
        epilog="example: hub-models recommend comparison.json --priority accuracy "
        "--max-latency-ms 40",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="a comparison.json")
    wish = parser.add_mutually_exclusive_group(required=True)
    wish.add_argument("--priority", choices=PRIORITIES, help="what decides, within the limits")
    wish.add_argument(
        "--scenarios", action="store_true", help="a choice for each of several typical uses"
    )
    for name, (unit, words) in _LIMITS.items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=_amount, metavar=unit, help=words)
    parser.add_argument(
        "--threads", type=count, metavar="N", help="measured with N cores (the fastest)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_recommend)


def _amount(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"a number above 0 is needed, not {text!r}")
    return number


def _recommend(options: argparse.Namespace) -> int:
    comparison = read_comparison(options.file)
    limits = {name: getattr(options, name) for name in (*_LIMITS, "threads")}
    if not options.scenarios:
        return _print_choice(comparison, options.priority, limits, as_json=options.json)
    given = [name for name, value in limits.items() if value is not None]
    if given:
        option = f"--{given[0].replace('_', '-')}"
        raise ConfigError(f"{option} cannot go with --scenarios: each has its own limits")
    _print_scenarios(comparison, as_json=options.json)
    return 0


def _print_choice(
    comparison: Comparison, priority: str, limits: dict[str, Any], *, as_json: bool
) -> int:
    recommendation = recommend(comparison, Wish(priority, **limits))
    sentence = as_sentence(comparison, recommendation)
    if recommendation.choice is None:
        raise HubModelsError(sentence)
    if as_json:
        print(json.dumps(_as_json(recommendation, sentence), indent=2))
        return 0
    print(sentence)
    for title, candidate in (
        ("choice", recommendation.choice),
        ("runner-up", recommendation.runner_up),
    ):
        if candidate:
            print(f"  {title:10} {candidate.name}: {facts(candidate)}")
    for miss in recommendation.misses:
        print(f"  {'ruled out':10} {miss_words(miss)}")
    print(f"  {'measured':10} {_measured(comparison)}")
    return 0


def _print_scenarios(comparison: Comparison, *, as_json: bool) -> None:
    rows = []
    for scenario in read_scenarios():
        recommendation = recommend(comparison, scenario.wish)
        rows.append((scenario, recommendation, as_sentence(comparison, recommendation)))
    if as_json:
        contents = [
            {"scenario": scenario.title, "why": scenario.why, **_as_json(recommendation, sentence)}
            for scenario, recommendation, sentence in rows
        ]
        print(json.dumps(contents, indent=2))
        return
    for scenario, recommendation, sentence in rows:
        choice = recommendation.choice
        print(f"{scenario.title:13} {choice.name if choice else 'none'}")
        print(f"{'':13} asked: {_asked(asdict(scenario.wish))}. {scenario.why}")
        print(f"{'':13} {sentence}")
    print(f"measured on   {_measured(comparison)}")


def _asked(wish: dict[str, Any]) -> str:
    words = [f"priority {wish.pop('priority')}"]
    return ", ".join(words + [f"{name} {value:g}" for name, value in wish.items() if value])


def _as_json(recommendation: Recommendation, sentence: str) -> dict[str, Any]:
    return {
        "choice": _candidate(recommendation.choice),
        "runner_up": _candidate(recommendation.runner_up),
        "reason": sentence,
        "ruled_out": [asdict(miss) for miss in recommendation.misses],
        "scores": recommendation.scores,
        "wish": asdict(recommendation.wish),
    }


def _candidate(candidate: Candidate | None) -> dict[str, Any] | None:
    if candidate is None:
        return None
    model = asdict(candidate.model)
    model["measurement"] = asdict(candidate.measurement) if candidate.measurement else None
    del model["measurements"]
    return model


def _measured(comparison: Comparison) -> str:
    machine = comparison.machine
    return (
        f"{comparison.images:,} images of {comparison.data}, {comparison.split}; "
        f"{machine.cpu}, {machine.cores} cores"
    )
