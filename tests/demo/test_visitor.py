from types import SimpleNamespace

import pytest

from demo import visitor
from demo.visitor import RateLimit, name_client


def test_a_client_may_do_half_a_minutes_worth_at_once_and_then_waits(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(visitor, "time", SimpleNamespace(monotonic=lambda: now[0]))
    rate = RateLimit(6)
    assert [rate.wait_s("a") for _ in range(3)] == [0, 0, 0]
    assert rate.wait_s("a") == pytest.approx(10)
    assert rate.wait_s("b") == 0
    now[0] += 10
    assert rate.wait_s("a") == 0
    assert rate.wait_s("a") > 0


def test_no_limit_is_no_limit():
    rate = RateLimit(0)
    assert not any(rate.wait_s("a") for _ in range(1000))


def test_only_so_many_clients_are_remembered(monkeypatch):
    monkeypatch.setattr(visitor, "time", SimpleNamespace(monotonic=lambda: 100.0))
    monkeypatch.setattr(visitor, "MAX_CLIENTS", 2)
    rate = RateLimit(2)
    rate.wait_s("a")
    assert rate.wait_s("a") > 0
    rate.wait_s("b")
    rate.wait_s("c")
    assert rate.wait_s("a") == 0


@pytest.mark.parametrize(
    ("address", "forwarded_for", "proxies", "client"),
    [
        ("1.2.3.4", "", (), "1.2.3.4"),
        ("1.2.3.4", "9.9.9.9", (), "1.2.3.4"),  # anybody can write that header
        ("10.0.0.1", "6.6.6.6, 9.9.9.9", ("10.0.0.1",), "9.9.9.9"),
        ("10.0.0.1", "9.9.9.9, 10.0.0.2", ("10.0.0.1", "10.0.0.2"), "9.9.9.9"),
        ("10.0.0.1", "nonsense", ("10.0.0.1",), "unknown"),
        ("2001:db8:1:2:3:4:5:6", "", (), "2001:db8:1:2::/64"),
        ("", "", (), "unknown"),
    ],
)
def test_a_client_is_the_last_address_that_is_no_proxy(address, forwarded_for, proxies, client):
    assert name_client(address, forwarded_for, proxies) == client
