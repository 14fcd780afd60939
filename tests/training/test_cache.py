from pathlib import Path

import datasets
import pytest

from training.cache import cache_folder, cache_name


def table(*cells: dict[str, object]) -> datasets.Dataset:
    return datasets.Dataset.from_dict({"image": list(cells)})


def test_the_folder_is_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("HUB_MODELS_CACHE", raising=False)
    assert cache_folder("pixels") == tmp_path / "xdg" / "hub_models" / "pixels"
    monkeypatch.setenv("HUB_MODELS_CACHE", str(tmp_path / "own"))
    assert cache_folder("pixels") == tmp_path / "own" / "pixels"


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
