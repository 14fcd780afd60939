"""Data sets of the hub, from the server of the tests."""

from pathlib import Path

import pytest

from hub_models.errors import ConfigError
from tests.hub_server import HubServer
from tests.situations import _table_makers as makers
from training.config import Recipe
from training.data import load_data
from training.stream import stream_data


def publish(hub: HubServer, folder: Path, *fills: makers.Fill) -> str:
    makers.both(*fills)(folder)
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    return hub.commit(f"owner/{folder.name}", files)


def test_the_files_of_the_configuration_are_fetched_and_no_others(
    hub_server: HubServer, tmp_path: Path
) -> None:
    card = makers.card(f"{makers.TWO_FILES}  - split: val\n    path: b.parquet")
    fills = (makers.split(name, ["cat", "dog"] * 2) for name in "abc")
    commit = publish(hub_server, tmp_path, *fills, card)
    repo_id = f"owner/{tmp_path.name}"
    data = load_data(f"{repo_id}@{commit}")
    assert [len(split) for split in data.splits.values()] == [4, 4]
    fetched = {path.rpartition("/")[2] for _, path in hub_server.log if "/resolve/" in path}
    assert fetched == {"README.md", "a.parquet", "b.parquet"}


def test_a_list_of_pictures_is_fetched_with_them_and_kept_for_later(
    hub_server: HubServer, tmp_path: Path
) -> None:
    publish(hub_server, tmp_path, makers.metadata(makers.CATS_DOGS))
    repo_id = f"owner/{tmp_path.name}"
    first = load_data(repo_id, validation_fraction=0.25)
    hub_server.fault("/", "hang up", times=1000)
    again = load_data(repo_id, validation_fraction=0.25)
    assert again.splits["train"].to_dict() == first.splits["train"].to_dict()


@pytest.mark.parametrize("path", ["../../../x.png", "/etc/x.png"])
def test_a_table_of_the_hub_names_no_file_outside(
    path: str, hub_server: HubServer, tmp_path: Path
) -> None:
    table = f"path,label\n{path},a\n{path},b\n"
    publish(hub_server, tmp_path, makers.listed("train.csv", table, []))
    with pytest.raises(ConfigError, match="would lie outside of the data set"):
        load_data(f"owner/{tmp_path.name}")


def test_a_stream_of_the_hub_copies_the_split_called_dev(
    hub_server: HubServer, tmp_path: Path
) -> None:
    names = ["cat", "dog"]
    train, dev = (makers.named_split(split, names, [0, 1, 1]) for split in ("train", "dev"))
    publish(hub_server, tmp_path, train, dev)
    recipe = Recipe(data=f"owner/{tmp_path.name}", streaming=True, steps_per_epoch=1, batch_size=4)
    data = stream_data(recipe)
    assert data.splits["validation"]["target"][:] == [0, 1, 1]
    assert data.stream is not None
    assert [row["target"] for row in data.stream] == [0, 1, 1]


def test_a_split_that_was_left_out_is_not_there_and_why(tmp_path: Path) -> None:
    names = ["cat", "dog"]
    train, test = (makers.named_split(s, names, [0, 1] * 4) for s in ("train", "validation"))
    makers.both(train, test, makers.named_split("test", names, [-1]))(tmp_path)
    data = load_data(str(tmp_path))
    with pytest.raises(ConfigError, match="no split 'test'; there are train, validation; left out"):
        data.only(["test"])


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("owner/none", "no such folder, and no such repository on the hub"),
        ("./none", "no such folder"),
        ("a/b/c", "no such folder"),
        ("", "data: no name"),
    ],
)
def test_a_source_that_is_nowhere_is_one_sentence(
    source: str, why: str, hub_server: HubServer
) -> None:
    with pytest.raises(ConfigError, match=why):
        load_data(source)
