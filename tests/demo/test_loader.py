import math
import threading
import time

import pytest

from demo import loader
from demo.loader import ModelLoader, find_embedded
from hub_models import CheckpointError, HubModelsError
from tests.demo.conftest import save_tiny
from tests.processes import HANG_S


def wait_for(condition):
    deadline = time.monotonic() + HANG_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_embedded_models_are_the_folders_with_a_config(cards, tmp_path):
    assert list(find_embedded(cards)) == ["markup", "mobilenet-tiny", "resnet-tiny"]
    (tmp_path / "notes").mkdir()
    assert find_embedded(tmp_path) == {}
    assert find_embedded(tmp_path / "missing") == {}


def test_an_embedded_model_is_found_without_a_hub(cards, no_hub):
    models = ModelLoader(find_embedded(cards), trust_visitors=False)
    assert models.find("mobilenet-tiny").config.label_names == ("cat", "dog")


def test_a_model_is_loaded_once_for_visitors_who_ask_at_once(cards):
    models = ModelLoader(find_embedded(cards), trust_visitors=False)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(models.find("resnet-tiny"))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len({id(model) for model in found}) == 1


def test_the_least_recently_used_model_makes_room(cards, monkeypatch):
    monkeypatch.setattr(loader, "MAX_LOADED", 2)
    models = ModelLoader(find_embedded(cards), trust_visitors=False)
    first, second = models.find("mobilenet-tiny"), models.find("resnet-tiny")
    assert models.find("mobilenet-tiny") is first
    models.find("markup")
    assert models.find("mobilenet-tiny") is first
    assert models.find("resnet-tiny") is not second


def test_a_model_on_a_silent_hub_keeps_nobody_waiting(cards, silent_hub):
    models = ModelLoader(find_embedded(cards), trust_visitors=True)
    assert models.find("owner/name") is None
    assert models.find(" https://huggingface.co/owner/name") is None
    assert not models.is_settled("owner/name")
    assert models.find("mobilenet-tiny") is not None
    assert not models.is_settled("owner/name")  # the hub has still said nothing


def test_only_a_few_models_are_fetched_at_a_time(cards, silent_hub):
    models = ModelLoader(find_embedded(cards), trust_visitors=False)
    for index in range(loader.MAX_FETCHES):
        assert models.find(f"owner/model-{index}") is None
    with pytest.raises(CheckpointError, match="is fetching other models; try again in a minute"):
        models.find("owner/one-more")


def test_a_model_that_cannot_be_exported_stays_with_pytorch(cards, caplog):
    models = ModelLoader(find_embedded(cards), trust_visitors=False)
    engine = models.find("mobilenet-tiny")
    wait_for(lambda: "stays with PyTorch" in caplog.text)
    assert caplog.text.count("mobilenet-tiny: stays with PyTorch: ") == 1
    assert "HUB_MODELS_CACHE may name another folder" in caplog.text
    assert engine.runtime == "PyTorch"


def test_a_failed_fetch_is_a_sentence_and_is_not_repeated_at_once(no_hub, monkeypatch, caplog):
    def find():
        with pytest.raises(CheckpointError) as caught:
            wait_for(lambda: models.find("owner/absent"))
        return str(caught.value)

    def attempts():
        return sum(record.args[0] == "owner/absent" for record in caplog.records)

    monkeypatch.setattr(loader, "RETRY_AFTER_S", math.inf)
    models = ModelLoader({}, trust_visitors=True)
    sentence = "owner/absent: no such folder, and revision 'main' is not in the cache"
    assert find() == find() == f"{sentence} (HF_HUB_OFFLINE)"
    assert models.is_settled("owner/absent")
    assert attempts() == 1
    monkeypatch.setattr(loader, "RETRY_AFTER_S", 0.0)
    find()
    assert attempts() > 1


def test_a_failure_is_kept_until_somebody_heard_of_it(slow_hub, monkeypatch):
    monkeypatch.setattr(loader, "RETRY_AFTER_S", -1.0)
    models = ModelLoader({}, trust_visitors=True)
    assert models.find("owner/late") is None
    slow_hub.set()
    wait_for(lambda: models.is_settled("owner/late"))
    with pytest.raises(CheckpointError, match="owner/late"):
        models.find("owner/late")


def test_a_model_of_the_hub_arrives_while_the_visitor_looks_again(tiny_folder, hub_server):
    commit = hub_server.commit("owner/fetched", tiny_folder)
    models = ModelLoader({}, trust_visitors=False)
    wait_for(lambda: models.find("owner/fetched"))
    assert models.find("owner/fetched").revision == commit


def test_a_trusted_visitor_may_name_a_folder(tmp_path):
    save_tiny(tmp_path / "mine")
    models = ModelLoader({}, trust_visitors=True)
    assert models.find(str(tmp_path / "mine")) is not None


def test_a_repaired_folder_is_read_again_at_once(tmp_path):
    models = ModelLoader({}, trust_visitors=True)
    with pytest.raises(HubModelsError, match=r"no config\.json in this folder"):
        models.find(str(tmp_path))
    save_tiny(tmp_path)
    assert models.find(str(tmp_path)) is not None


@pytest.mark.parametrize("place", ["{}", "mine/model", "./mine/model", "{}/../model"])
def test_a_stranger_learns_nothing_about_folders(place, tmp_path, monkeypatch, no_hub):
    save_tiny(tmp_path / "mine" / "model")
    monkeypatch.chdir(tmp_path)
    models = ModelLoader({}, trust_visitors=False)
    there = place.format(tmp_path / "mine" / "model")
    sentences = []
    for source in (there, there.replace("model", "other")):
        with pytest.raises(HubModelsError) as caught:
            wait_for(lambda source=source: models.find(source))
        sentences.append(str(caught.value).replace("other", "model"))
    assert sentences[0] == sentences[1]
    assert str(tmp_path) not in sentences[0]


def test_a_folder_of_the_settings_is_offered_to_strangers(tmp_path):
    save_tiny(tmp_path / "mine")
    models = ModelLoader({}, [str(tmp_path / "mine")], trust_visitors=False)
    assert models.find(str(tmp_path / "mine")) is not None


def test_a_broken_folder_is_named_to_strangers_without_its_place(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text("{}")
    models = ModelLoader(find_embedded(tmp_path), trust_visitors=False)
    with pytest.raises(HubModelsError) as caught:
        models.find("mine")
    assert str(caught.value).startswith("config.json: ")


@pytest.mark.parametrize("source", ["x" * 301, "owner/na\x00me", "owner/\nname"])
def test_what_cannot_be_a_name_is_refused(source):
    with pytest.raises(CheckpointError, match="that is not the name of a model"):
        ModelLoader({}, trust_visitors=True).find(source)
