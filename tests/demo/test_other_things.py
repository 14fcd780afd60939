import json

from demo.engine import digest_weights, open_engine
from demo.other_things import THRESHOLDS, find_threshold
from hub_models import ImageClassifier, load_image
from tests.demo.conftest import save_tiny


def test_a_model_that_was_never_measured_has_no_threshold(tmp_path):
    measured = tmp_path / "measured.json"
    measured.write_text('{"abc": {"model": "a", "temperature": 1.5, "below": 0.8}}')
    assert find_threshold("abc", 1.5, measured) == 0.8
    assert find_threshold("def", 1.5, measured) is None
    assert find_threshold("abc", 1.0, measured) is None  # other probabilities


def test_the_committed_thresholds_are_probabilities():
    measured = json.loads(THRESHOLDS.read_text(encoding="utf-8"))
    for sha256, entry in measured.items():
        assert len(sha256) == 64
        assert 0 < entry["below"] < 1


def test_a_top_probability_under_the_threshold_is_unlike(tmp_path, cat, monkeypatch):
    save_tiny(tmp_path / "model", bias=(2.0, 0.0))  # 88.1 %
    weights = digest_weights(ImageClassifier.from_pretrained(tmp_path / "model"))
    said = []
    for below in (0.85, 0.9):
        (tmp_path / "measured.json").write_text(json.dumps({weights: {"below": below}}))
        monkeypatch.setattr(
            "demo.engine.find_threshold",
            lambda *key: find_threshold(*key, tmp_path / "measured.json"),
        )
        said.append(open_engine(str(tmp_path / "model")).read(load_image(cat), decode_ms=0.0))
    assert [reading.is_unlike for reading in said] == [False, True]
