from pathlib import Path

import datasets

from training.cache import cache_name


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
