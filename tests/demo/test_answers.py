from demo import answers
from demo.answers import Answers
from tests.demo.conftest import reading


def test_a_reading_is_remembered_for_its_picture_and_its_model():
    memory, one = Answers(), reading()
    memory.remember(("picture", "model"), one)
    assert memory.find(("picture", "model")) is one
    assert memory.find(("picture", "other")) is None
    assert memory.find(("other", "model")) is None


def test_the_least_recently_used_reading_is_forgotten(monkeypatch):
    monkeypatch.setattr(answers, "MAX_REMEMBERED", 2)
    memory = Answers()
    for name in ("a", "b"):
        memory.remember((name, "model"), reading())
    memory.find(("a", "model"))
    memory.remember(("c", "model"), reading())
    assert memory.find(("a", "model"))
    assert memory.find(("b", "model")) is None
