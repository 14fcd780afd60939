from pathlib import Path

import datasets
import pytest
import torch
from PIL import Image

from hub_models.config import PreprocessConfig
from hub_models.errors import ConfigError
from tests import pictures
from tests.training.conftest import CHANNELS, draw
from tests.training.test_finetune import assert_bit_equal, final_state, rows, typed
from training.augment import RandomView
from training.config import Recipe
from training.finetune import main as finetune
from training.stream import StreamedSteps, stream_data

FEATURES = datasets.Features(
    {"image": datasets.Image(), "label": datasets.ClassLabel(names=list(CHANNELS))}
)


def write_split(folder: Path, name: str, count: int, features: datasets.Features) -> None:
    labels = list(CHANNELS)
    cells = [
        {"bytes": pictures.encode(draw(labels[i % 3], i), "PNG"), "path": f"{name}-{i}.png"}
        for i in range(count)
    ]
    table = datasets.Dataset.from_dict(
        {"image": cells, "label": [i % 3 for i in range(count)]}, features=features
    )
    table.to_parquet(folder / f"{name}-00000-of-00001.parquet")


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """`datasets` waits ten seconds at the end of every pass for Arrow's threads (arrow#45214)."""
    monkeypatch.setattr(datasets.config, "SLEEP_TIME_ON_THREADS_SHUTDOWN", 0, raising=False)


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    """A data set folder with 48 training and 12 validation pictures."""
    folder = tmp_path / "parquet"
    folder.mkdir()
    for name, count in (("train", 48), ("validation", 12)):
        write_split(folder, name, count, FEATURES)
    return folder


def recipe_of(folder: Path, **changes: object) -> Recipe:
    keys: dict[str, object] = {"streaming": True, "steps_per_epoch": 4, "batch_size": 16}
    return Recipe(**{"data": str(folder), "image_size": 32, **keys, **changes})  # type: ignore[arg-type]


def streamed(recipe: Recipe, process: int = 0, processes: int = 1) -> StreamedSteps:
    data = stream_data(recipe)
    assert data.stream is not None
    view = RandomView(recipe, PreprocessConfig())
    return StreamedSteps(data.stream, view, recipe, process=process, processes=processes)


def test_validation_is_copied_and_train_is_not(parquet: Path) -> None:
    data = stream_data(recipe_of(parquet))
    assert list(data.splits) == ["validation"]
    assert len(data.splits["validation"]) == 12
    assert isinstance(data.stream, datasets.IterableDataset)
    assert data.label_names == ("red", "green", "blue")


def test_an_epoch_has_its_steps_even_where_the_data_is_shorter(parquet: Path) -> None:
    batches = list(streamed(recipe_of(parquet)))  # 4 steps of 16, from 48 pictures
    assert [tuple(batch.shape) for batch, _ in batches] == [(16, 3, 32, 32)] * 4
    counts = torch.bincount(torch.cat([targets for _, targets in batches[:3]]))
    assert counts.tolist() == [16, 16, 16]  # one pass over all


def test_every_epoch_has_its_own_order(parquet: Path) -> None:
    steps = streamed(recipe_of(parquet))
    first = torch.cat([targets for _, targets in steps])
    again = torch.cat([targets for _, targets in steps])
    steps.sampler.epoch = 1
    second = torch.cat([targets for _, targets in steps])
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


def test_a_step_has_the_same_images_at_any_number_of_processes(parquet: Path) -> None:
    whole = list(streamed(recipe_of(parquet)))
    recipe = recipe_of(parquet, micro_batches=2)
    shares = [list(streamed(recipe, process, 2)) for process in (0, 1)]
    for step, (batch, _) in enumerate(whole):
        parts = [share[2 * step + part][0] for share in shares for part in (0, 1)]
        sums = sorted(pixels.sum().item() for part in parts for pixels in part)
        assert sums == sorted(pixels.sum().item() for pixels in batch)


def test_a_stream_goes_on_at_any_step(parquet: Path) -> None:
    steps = streamed(recipe_of(parquet))
    whole = list(steps)
    steps.sampler.first_step = 3
    (rest,) = steps
    assert torch.equal(rest[0], whole[3][0])


def test_a_picture_that_cannot_be_read_is_named_and_left_out(
    parquet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = datasets.Dataset.from_parquet(str(parquet / "train-00000-of-00001.parquet"))
    cells = table.cast_column("image", datasets.Image(decode=False)).to_list()
    cells[5]["image"] = {"bytes": b"not a picture", "path": "broken.png"}
    datasets.Dataset.from_list(cells, features=FEATURES).to_parquet(
        parquet / "train-00000-of-00001.parquet"
    )
    batches = list(streamed(recipe_of(parquet, steps_per_epoch=3)))
    assert sum(len(targets) for _, targets in batches) == 48
    assert "left out broken.png" in capsys.readouterr().err


def test_a_streamed_run_resumes_to_the_bits_of_an_uninterrupted_one(
    parquet: Path, tiny_recipe: dict[str, object], tmp_path: Path
) -> None:
    keys = {"data": parquet, "streaming": "true", "steps_per_epoch": 3, "save_every": 1}
    for name in ("whole", "cut"):
        assert finetune(typed(tiny_recipe, **keys, out=tmp_path / name)) == 0
    for state in sorted((tmp_path / "cut/state").iterdir())[1:]:
        state.unlink()  # as if killed one step before the end
    assert len(list((tmp_path / "cut/state").iterdir())) == 1
    assert finetune(["--out", str(tmp_path / "cut"), "--resume"]) == 0
    assert_bit_equal(final_state(tmp_path / "cut"), final_state(tmp_path / "whole"))
    assert len(rows(tmp_path / "whole")) == 2


def test_streaming_needs_a_validation_split(parquet: Path) -> None:
    (parquet / "validation-00000-of-00001.parquet").unlink()
    with pytest.raises(ConfigError, match="has no split 'validation', which streaming needs"):
        stream_data(recipe_of(parquet))


def test_streaming_needs_class_names_beforehand(tmp_path: Path) -> None:
    for name in ("train", "validation"):
        table = datasets.Dataset.from_dict(
            {"image": [Image.new("RGB", (9, 9))], "label": ["red"]},
            features=datasets.Features(
                {"image": datasets.Image(), "label": datasets.Value("string")}
            ),
        )
        table.to_parquet(tmp_path / f"{name}-00000-of-00001.parquet")
    with pytest.raises(ConfigError, match="'label' is no ClassLabel column"):
        stream_data(recipe_of(tmp_path))


def test_a_larger_buffer_is_another_order(parquet: Path) -> None:
    small = torch.cat([targets for _, targets in streamed(recipe_of(parquet, shuffle_buffer=2))])
    large = torch.cat([targets for _, targets in streamed(recipe_of(parquet, shuffle_buffer=48))])
    assert not torch.equal(small, large)
