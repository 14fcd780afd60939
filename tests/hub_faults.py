"""`python -m tests.hub_faults` prints what goes wrong with a hub and what a user then reads."""

import re
import sys
import tempfile
import warnings
from pathlib import Path

# First of ours: it sets what the client reads when it is imported.
from tests.conftest import LABELS, TINY, ImageClassifier, _hub
from tests.hub_server import HubServer
from tests.test_hub_faults import CASES, lay_out, may_mount, sentence_of


def print_table(hub: HubServer) -> None:
    """Run every case and print what the command says and how many requests it made."""
    warnings.simplefilter("ignore", DeprecationWarning)
    sys.stdout.write("| fault | what `hub-models` says | requests |\n|---|---|---|\n")
    with tempfile.TemporaryDirectory() as parent:
        tiny = Path(parent, "tiny")
        ImageClassifier.create("mobilenetv2_025", LABELS, preprocess=TINY).save_pretrained(tiny)
        for number, (name, case) in enumerate(CASES.items()):
            hub.reset()
            root = Path(parent, str(number))
            root.mkdir()
            if case.needs_mounts and not may_mount():
                sys.stdout.write(f"| {name} | skipped: only root may mount a small disk | |\n")
                continue
            world = lay_out(hub, root, tiny)
            case.prepare(world)
            code, said = case.act(world)
            sentence = sentence_of(said).removeprefix("hub-models: ") if code else "(succeeds)"
            sentence = re.sub(r"http://127\.0\.0\.1:\d+", "HUB", sentence)
            sys.stdout.write(f"| {name} | {sentence} | {len(hub.log)} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    print_table(_hub)
