import pytest

from hub_models.split_names import same_name, split_of, split_word


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("Train", "train"), ("TRAINING", "train"), ("train_set", "train"), ("trainset", "train"),
        ("Training-Data", "train"), ("训练集", "train"),
        ("val", "validation"), ("Valid", "validation"), ("dev", "validation"),
        ("eval", "validation"), ("validation_set", "validation"), ("验证集", "validation"),
        ("testing", "test"), ("Test Set", "test"), ("test.images", "test"), ("测试集", "test"),
        ("bullet train", None), ("trainer", None), ("train1", None), ("tested", None), ("", None),
    ],
)  # fmt: skip
def test_a_split_is_known_by_its_whole_name_whatever_the_case(name: str, split: str | None) -> None:
    assert split_of(name) == split


def test_a_longer_name_may_hold_one() -> None:
    assert split_word("seg_train") == ("train", "seg")
    assert split_word("CatsTest") == ("test", "cats")
    assert split_word("01 val") == ("validation", "")
    assert split_word("constrained") is None


def test_case_accents_and_spaces_make_no_other_name() -> None:
    assert same_name("Café  au lait ") == same_name("CAFE\u0301 au lait")
    assert same_name("straße") == same_name("STRASSE")
    assert same_name("cat 1") != same_name("cat 2")
