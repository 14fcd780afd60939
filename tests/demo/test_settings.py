import dataclasses
from pathlib import Path

import pytest

from demo.settings import DEFAULT_CARDS, Settings, is_loopback, read_settings
from hub_models import ConfigError


def test_without_variables_the_page_is_for_this_machine_alone():
    settings = read_settings({"PATH": "/bin", "HUB_MODELS_DEMO_PORT": ""})
    assert settings == Settings("127.0.0.1", 7860, DEFAULT_CARDS, (), 0.7, True)
    assert settings.host_names == ("localhost", "127.0.0.1", "[::1]")
    assert DEFAULT_CARDS.name == "model_cards"


def test_every_variable_is_read(tmp_path):
    settings = read_settings(
        {
            "HUB_MODELS_DEMO_HOST": "0.0.0.0",
            "HUB_MODELS_DEMO_PORT": "8000",
            "HUB_MODELS_DEMO_CARDS": str(tmp_path),
            "HUB_MODELS_DEMO_MODELS": "owner/one, owner/two@v1,,",
            "HUB_MODELS_DEMO_UNSURE_BELOW": "0.9",
            "HUB_MODELS_DEMO_TRUST_VISITORS": "Yes",
            "HUB_MODELS_DEMO_HOST_NAMES": "Demo.example",
            "HUB_MODELS_DEMO_PROXIES": "10.0.0.1, ::1",
            "HUB_MODELS_DEMO_RATE": "0",
        }
    )
    models = ("owner/one", "owner/two@v1")
    names, proxies = ("demo.example",), ("10.0.0.1", "::1")
    path = Path(tmp_path)
    assert settings == Settings("0.0.0.0", 8000, path, models, 0.9, True, names, proxies, 0)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "demo.example"])
def test_visitors_of_a_public_address_are_not_trusted(host):
    settings = read_settings({"HUB_MODELS_DEMO_HOST": host})
    assert settings.trust_visitors is False
    assert settings.host_names == ()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_a_loopback_address_is_known(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PORT", "http", "a whole number from 1 to 65535, not 'http'"),
        ("PORT", "0", "a whole number from 1 to 65535, not '0'"),
        ("PORT", "65536", "a whole number from 1 to 65535, not '65536'"),
        ("CARDS", "no/such/folder", "a folder, 'no/such/folder' is none"),
        ("UNSURE_BELOW", "70%", "a number from 0 to 1, not '70%'"),
        ("UNSURE_BELOW", "nan", "a number from 0 to 1, not 'nan'"),
        ("UNSURE_BELOW", "1.1", "a number from 0 to 1, not '1.1'"),
        ("TRUST_VISITORS", "maybe", "yes or no, not 'maybe'"),
        ("MCP", "2", "yes or no, not '2'"),
        ("HOST_NAMES", "https://a.example", "host names without a port, not 'https://a.example'"),
        ("PROXIES", "10.0.0.1,proxy", "IP addresses, not 'proxy'"),
        ("RATE", "-1", "a whole number from 0 to 100,000, not '-1'"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_the_variable(name, value, expected):
    with pytest.raises(ConfigError) as caught:
        read_settings({f"HUB_MODELS_DEMO_{name}": value})
    assert str(caught.value) == f"HUB_MODELS_DEMO_{name} must be {expected}"


def test_a_misspelt_variable_is_an_error():
    with pytest.raises(ConfigError, match="HUB_MODELS_DEMO_PROT is not a setting; there are HUB_"):
        read_settings({"HUB_MODELS_DEMO_PROT": "7860"})


def test_settings_cannot_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        read_settings({}).port = 1  # type: ignore[misc]
