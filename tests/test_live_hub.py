"""The public hub, asked only by `HF_TOKEN=... pytest -m live tests/test_live_hub.py`.

Everything else is tested against `tests/hub_server.py`; this says whether that one is right.
"""

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from hub_models import ImageClassifier
from tests.conftest import LIVE_TOKEN

_ROUND_TRIP = """
import sys
from huggingface_hub import HfApi
from hub_models import ImageClassifier
api = HfApi()
repo_id = f"{api.whoami()['name']}/{sys.argv[2]}"
try:
    pushed = ImageClassifier.from_pretrained(sys.argv[1]).push_to_hub(repo_id, private=True)
    print(pushed.commit_url)
    pulled = ImageClassifier.from_pretrained(repo_id)
    assert pulled.revision == pushed.commit_url.rpartition("/")[2]
finally:
    api.delete_repo(repo_id, missing_ok=True)
"""


@pytest.mark.live
@pytest.mark.skipif(not LIVE_TOKEN, reason="needs HF_TOKEN")
def test_the_public_hub_takes_a_model_and_gives_it_back(tiny_folder: Path) -> None:
    ImageClassifier.from_pretrained(tiny_folder)
    name = f"hub-models-test-{uuid.uuid4().hex[:8]}"
    kept = {k: v for k, v in os.environ.items() if k not in ("HF_ENDPOINT", "HF_HUB_DISABLE_XET")}
    done = subprocess.run(
        [sys.executable, "-c", _ROUND_TRIP, str(tiny_folder), name],
        env=kept | {"HF_TOKEN": LIVE_TOKEN},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
