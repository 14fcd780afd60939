import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hub_models import CheckpointError, ImageClassifier, load_runtime
from hub_models.bulk import PASS, Chunk, Scorer, score, table_columns
from hub_models.drawn import draw
from hub_models.runtime import Runtime
from hub_models.session import Arrays


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("score")
    for number in range(2 * PASS + 3):
        draw(number).resize((50, 40)).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture
def names(base: Path) -> list[str]:
    return sorted(path.name for path in base.iterdir())


def test_pytorch_gives_the_same_rows_from_several_threads(
    base: Path, names: list[str], lively_folder: Path
) -> None:
    scorer = Scorer("m", load_runtime(lively_folder, engine="torch", threads=1))
    chunks = [(4, names[:2]), (7, names[2:])]
    scored = list(score(chunks, base, [scorer], threads=3))
    assert [(number, len(rows)) for number, rows in scored] == [(4, 2), (7, len(names) - 2)]
    columns = list(table_columns([scorer]))
    rows = [dict(zip(columns, row, strict=True)) for _, chunk in scored for row in chunk]
    assert [row["picture"] for row in rows] == names
    classifier = ImageClassifier.from_pretrained(lively_folder)
    for row in rows:
        for prediction in classifier.classify(base / str(row["picture"])):
            assert row[f"p_{prediction.label}"] == pytest.approx(prediction.probability, abs=1e-4)


def test_no_more_is_read_than_is_soon_needed(
    base: Path, names: list[str], lively_folder: Path
) -> None:
    taken = 0

    def chunks() -> Iterator[Chunk]:
        nonlocal taken
        for taken in range(1000):
            yield taken, names[:1]

    scorer = Scorer("m", load_runtime(lively_folder, engine="torch", threads=1))
    rows = score(chunks(), base, [scorer], threads=2)
    assert next(rows)[0] == 0
    assert taken < 8
    rows.close()
    assert not any("hub-models-score" in thread.name for thread in threading.enumerate())


def test_logits_that_are_no_numbers_name_the_model(
    base: Path, names: list[str], lively_folder: Path
) -> None:
    def network(batch: np.ndarray) -> Arrays:
        return np.full((len(batch), 3), np.nan, np.float32), np.zeros((1, 1, 1, 1), np.float32)

    config = ImageClassifier.from_pretrained(lively_folder).config
    scorer = Scorer("someone/broken", Runtime(network, config, "torch"))
    with pytest.raises(CheckpointError, match="someone/broken: the model's logits hold NaN"):
        list(score([(0, names)], base, [scorer], threads=1))
