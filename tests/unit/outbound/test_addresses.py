"""The guard: which addresses a webhook may be sent to, class by class."""

import ipaddress
from collections.abc import Sequence

import pytest

from app.outbound.addresses import LOOPBACK, METADATA, REFUSED, AddressRefused, Guard

PUBLIC = [
    "93.184.216.34",
    "8.8.8.8",
    "172.15.255.255",
    "172.32.0.1",
    "100.63.255.255",
    "2606:4700::1111",
    "2a00:1450::1",
]

CLASSES = [
    ("0.0.0.0", "an unspecified address"),  # noqa: S104 - nothing is bound to it
    ("0.1.2.3", "an unspecified address"),
    ("::", "an unspecified address"),
    ("127.0.0.1", LOOPBACK),
    ("127.255.255.254", LOOPBACK),
    ("::1", LOOPBACK),
    ("10.0.0.1", "a private address"),
    ("10.255.255.255", "a private address"),
    ("172.16.0.1", "a private address"),
    ("172.31.255.255", "a private address"),
    ("192.168.1.1", "a private address"),
    ("fc00::1", "a private address"),
    ("fdff::1", "a private address"),
    ("fec0::1", "a private address"),
    ("169.254.1.1", "a link-local address"),
    ("fe80::1", "a link-local address"),
    ("fe80::1%1", "a link-local address"),
    ("169.254.169.254", METADATA),
    ("168.63.129.16", METADATA),
    ("100.100.100.200", METADATA),
    ("192.0.0.192", METADATA),
    ("fd00:ec2::254", METADATA),
    ("fd20:ce::254", METADATA),
    ("100.64.0.1", "a carrier's NAT address"),
    ("100.127.255.255", "a carrier's NAT address"),
    ("::ffff:8.8.8.8", "an IPv4 address in IPv6"),
    ("::ffff:127.0.0.1", "an IPv4 address in IPv6"),
    ("::ffff:169.254.169.254", "an IPv4 address in IPv6"),
    ("::8.8.8.8", "an IPv4 address in IPv6"),
    ("64:ff9b::8.8.8.8", "a NAT64 address"),
    ("64:ff9b::7f00:1", "a NAT64 address"),
    ("64:ff9b:1::1", "a NAT64 address"),
    ("2002:7f00:1::", "a 6to4 address"),
    ("2002:808:808::", "a 6to4 address"),
    ("192.88.99.1", "a 6to4 address"),
    ("2001::1", "a Teredo address"),
    ("224.0.0.1", "a multicast address"),
    ("239.255.255.250", "a multicast address"),
    ("ff02::1", "a multicast address"),
    ("ff0e::1", "a multicast address"),
    ("192.0.0.8", "a reserved address"),
    ("192.0.2.1", "a reserved address"),
    ("198.18.0.1", "a reserved address"),
    ("198.51.100.1", "a reserved address"),
    ("203.0.113.1", "a reserved address"),
    ("240.0.0.1", "a reserved address"),
    ("255.255.255.255", "a reserved address"),
    ("2001:db8::1", "a reserved address"),
    ("2001:20::1", "a reserved address"),
    ("3fff::1", "a reserved address"),
    ("5f00::1", "a reserved address"),
    ("100::1", "a reserved address"),
    ("4000::1", "a reserved address"),
    ("8000::1", "a reserved address"),
]


def guard(*found: str, allows_loopback: bool = False, private: Sequence[str] = ()) -> Guard:
    """A guard for whom every name has these addresses."""
    networks = [ipaddress.ip_network(each) for each in private]
    return Guard(allows_loopback, networks, resolve=lambda _host, _port: list(found))


def resolved(by: Guard, *, is_plain: bool = False) -> Sequence[str]:
    return by.addresses("hooks.example.org", 443, is_plain=is_plain)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_sent_to(address: str) -> None:
    assert resolved(guard(address)) == [address]


@pytest.mark.parametrize(("address", "words"), CLASSES)
def test_an_address_of_any_other_class_is_refused_by_its_name(address: str, words: str) -> None:
    with pytest.raises(AddressRefused, match=f"^the name leads to {words}$"):
        resolved(guard(address))


def test_every_class_is_tried() -> None:
    assert {words for _, words in CLASSES} == set(REFUSED)


@pytest.mark.parametrize(
    "order", [["8.8.8.8", "10.0.0.1"], ["10.0.0.1", "8.8.8.8"], ["8.8.8.8", "2606:4700::1", "::1"]]
)
def test_a_name_with_one_bad_address_is_refused_whatever_the_others_are(order: list[str]) -> None:
    with pytest.raises(AddressRefused):
        resolved(guard(*order))


def test_a_refusal_does_not_tell_which_address_it_was() -> None:
    with pytest.raises(AddressRefused) as refused:
        resolved(guard("10.1.2.3"))
    assert "10.1.2.3" not in str(refused.value)


def test_a_name_without_an_address_is_no_way_out() -> None:
    with pytest.raises(OSError, match="no address"):
        resolved(guard())


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("10.1.2.3", "10.1.0.0/16"),
        ("fd12::1", "fd12::/16"),
        ("100.64.0.1", "100.64.0.0/10"),
        ("127.0.0.1", "127.0.0.1/32"),
    ],
)
def test_a_private_network_that_is_allowed_may_be_sent_to(address: str, private: str) -> None:
    assert resolved(guard(address, private=[private])) == [address]


@pytest.mark.parametrize(("address", "private"), [("10.2.0.1", "10.1.0.0/16"), ("::ffff:10.1.0.1", "10.1.0.0/16")])
def test_its_neighbours_may_not(address: str, private: str) -> None:
    with pytest.raises(AddressRefused):
        resolved(guard(address, private=[private]))


@pytest.mark.parametrize("address", ["169.254.169.254", "100.100.100.200", "fd00:ec2::254"])
def test_no_setting_opens_the_way_to_a_metadata_service(address: str) -> None:
    with pytest.raises(AddressRefused, match=METADATA):
        resolved(guard(address, private=["0.0.0.0/0", "::/0"], allows_loopback=True))


def test_loopback_is_for_development_alone() -> None:
    assert resolved(guard("127.0.0.1", "::1", allows_loopback=True)) == ["127.0.0.1", "::1"]


@pytest.mark.parametrize("found", [["8.8.8.8"], ["127.0.0.1", "8.8.8.8"]])
def test_plain_http_goes_to_loopback_alone(found: list[str]) -> None:
    assert resolved(guard("127.0.0.1", allows_loopback=True), is_plain=True) == ["127.0.0.1"]
    with pytest.raises(AddressRefused, match="over http"):
        resolved(guard(*found, allows_loopback=True), is_plain=True)


# --- the URL itself ---


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.org/in?key=1",
        "https://hooks.example.org:8443/",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
        "http://127.0.0.1:8000/hook",
        "http://localhost:8000/hook",
        "https://localhost/hook",
        "http://[::1]:8000/",
    ],
)
def test_a_url_that_will_do_in_development(url: str) -> None:
    assert guard(allows_loopback=True).refusal_of(url) is None


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://hooks.example.org/", "It must be https."),
        ("http://127.0.0.1/", "It must be https."),
        ("ftp://hooks.example.org/", "It must be https."),
        ("hooks.example.org", "It must name a host, and neither a user nor a fragment."),
        ("https://hooks.example.org*/", "It must name a host, and neither a user nor a fragment."),
        ("https://hooks.example.org\\.evil.example/", "It must name a host, and neither a user nor a fragment."),
        ("https:///path", "It must name a host, and neither a user nor a fragment."),
        ("https://me:secret@hooks.example.org/", "It must name a host, and neither a user nor a fragment."),
        ("https://hooks.example.org/#there", "It must name a host, and neither a user nor a fragment."),
        ("https://hooks.example.org:0/", "It must name a host, and neither a user nor a fragment."),
        ("https://hooks.example.org:99999/", "It is not a URL."),
        ("https://[::1/", "It is not a URL."),
        ("https://hooks.example.org/\r\nHost: x", "A URL has at most 2000 printable ASCII characters."),
        ("https://höoks.example.org/", "A URL has at most 2000 printable ASCII characters."),
        ("https://hooks.example.org/a b", "A URL has at most 2000 printable ASCII characters."),
        ("https://hooks.example.org/" + "x" * 2000, "A URL has at most 2000 printable ASCII characters."),
        ("https://127.0.0.1/", "It leads to a loopback address."),
        ("https://10.0.0.1/", "It leads to a private address."),
        ("https://[::ffff:8.8.8.8]/", "It leads to an IPv4 address in IPv6."),
        ("https://169.254.169.254/latest/meta-data", f"It leads to {METADATA}."),
    ],
)
def test_a_url_that_will_not_do_in_production(url: str, words: str) -> None:
    assert guard().refusal_of(url) == words


@pytest.mark.parametrize("url", ["http://hooks.example.org/", "http://10.0.0.1/", "http://localhost.example.org/"])
def test_plain_http_is_for_loopback_in_development_too(url: str) -> None:
    assert (
        guard(allows_loopback=True, private=["10.0.0.0/8"]).refusal_of(url) == "It must be https, or http to loopback."
    )


def test_the_names_of_this_machine_are_resolved_and_refused() -> None:
    with pytest.raises(AddressRefused, match=LOOPBACK):
        Guard().addresses("localhost", 443, is_plain=False)


@pytest.mark.parametrize("spelt", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1"])
def test_an_odd_spelling_of_an_address_is_seen_through(spelt: str) -> None:
    with pytest.raises(AddressRefused, match=LOOPBACK):
        Guard().addresses(spelt, 443, is_plain=False)
