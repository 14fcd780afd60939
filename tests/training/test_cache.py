import os
from pathlib import Path

import datasets
import pytest
from huggingface_hub import constants

from training.cache import cache_name, settle_caches


def table(*cells: dict[str, object]) -> datasets.Dataset:
    return datasets.Dataset.from_dict({"image": list(cells)})


def test_a_name_follows_what_is_in_the_pictures_their_order_and_what_is_made() -> None:
    red, green = {"bytes": b"red", "path": "0.jpg"}, {"bytes": b"green", "path": "1.jpg"}
    name = cache_name(table(red, green), b"made")
    assert name == cache_name(table(red, {**green, "path": "elsewhere.jpg"}), b"made")
    assert name != cache_name(table(green, red), b"made")
    assert name != cache_name(table(red, {**green, "bytes": b"blue"}), b"made")
    assert name != cache_name(table(red, green), b"made otherwise")


def test_a_file_s_name_follows_its_content_though_it_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "0.jpg"
    path.write_bytes(b"red")
    cell = {"bytes": None, "path": str(path)}
    before = cache_name(table(cell), b"")
    assert before == cache_name(table(cell), b"")
    path.write_bytes(b"green")
    assert cache_name(table(cell), b"") != before


def test_a_home_that_cannot_be_written_is_no_place_for_data_sets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_HOME")
    monkeypatch.setenv("HUB_MODELS_CACHE", str(tmp_path))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "theirs")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", "~/hub")  # as where no home is known
    settle_caches()
    assert tmp_path / "theirs" == datasets.config.HF_DATASETS_CACHE
    assert str(tmp_path / "hub") == constants.HF_HUB_CACHE
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", Path(os.devnull, "theirs"))
    settle_caches()
    assert tmp_path / "datasets" == datasets.config.HF_DATASETS_CACHE
