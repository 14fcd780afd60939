import pytest

from demo.host import is_proxy, parse_host, parse_origin


@pytest.mark.parametrize(
    ("text", "one_form"),
    [
        ("Example.COM.", "example.com"),
        ("example.com:443", "example.com"),
        ("example.com:80", "example.com"),
        ("example.com:", "example.com"),
        ("example.com:08080", "example.com:8080"),
        ("my_app:7860", "my_app:7860"),
        ("[::0001]:7860", "[::1]:7860"),
        ("[::ffff:1.2.3.4]", "[::ffff:102:304]"),
        ("", ""),
    ],
)
def test_equal_hosts_have_one_form(text, one_form):
    assert str(parse_host(text)) == one_form


@pytest.mark.parametrize(
    "text",
    ["a b", "a/b", "me@a", "a..b", ".a", "[::1", "[a.b]", "a:b", "a:0", "a:65536", "a:٣", "é"],
)
def test_what_is_no_host_is_none(text):
    assert parse_host(text) is None


@pytest.mark.parametrize("text", ["null", "", "a.example", "ftp://a", "https://", "https://a/b"])
def test_what_is_no_origin_is_none(text):
    assert parse_origin(text) is None


@pytest.mark.parametrize(
    ("address", "proxies", "answer"),
    [
        ("10.1.2.3", ("10.0.0.0/8",), True),
        ("::ffff:10.1.2.3", ("10.1.2.3",), True),  # of IPv4, through a socket of IPv6
        ("11.1.2.3", ("10.0.0.0/8", "::1"), False),
        ("::1", ("10.0.0.0/8", "::1"), True),
        ("", ("0.0.0.0/0",), False),
    ],
)
def test_a_proxy_is_named_by_its_address_or_its_network(address, proxies, answer):
    assert is_proxy(address, proxies) is answer
