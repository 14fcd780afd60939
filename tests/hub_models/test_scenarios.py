import pytest

from hub_models.errors import ConfigError
from hub_models.recommend import Wish
from hub_models.scenarios import parse_scenarios, read_scenarios


def test_every_scenario_states_its_limits_and_where_they_come_from() -> None:
    scenarios = read_scenarios()
    assert [scenario.title for scenario in scenarios] == [
        "web upload",
        "mobile app",
        "edge device",
        "video stream",
        "moderation",
    ]
    assert all(len(scenario.why) > 20 for scenario in scenarios)


def test_a_scenario_is_a_wish_with_a_title() -> None:
    text = '[[scenario]]\ntitle = "t"\nwhy = "w"\npriority = "size"\nmax_mb = 3\nthreads = 1'
    (scenario,) = parse_scenarios(text)
    assert (scenario.title, scenario.why) == ("t", "w")
    assert scenario.wish == Wish("size", max_mb=3.0, threads=1)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("max_mb = 0", r"scenario\[0\].max_mb must be from"),
        ("max_mb = '1'", r"scenario\[0\].max_mb must be a number, not '1'"),
        ("min_accuracy = 2", r"scenario\[0\].min_accuracy must be from 0 to 1, not 2"),
        ("max_gb = 1", r"unknown key 'max_gb' in scenario\[0\]"),
        ("= 1", "not valid TOML"),
    ],
)
def test_a_wrong_limit_is_named(line: str, message: str) -> None:
    good = '[[scenario]]\ntitle = "t"\nwhy = "w"\npriority = "size"\n'
    with pytest.raises(ConfigError, match=message):
        parse_scenarios(good + line)
