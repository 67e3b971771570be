"""Where a forwarder may lead, and what is said of what is no such place."""

from __future__ import annotations

import re

import pytest

from portgen.inventory import patterns
from portgen.inventory.destinations import Destination
from portgen.inventory.values import Refused

ACCEPTED = [
    "127.0.0.1:11434",
    "10.9.8.7:80",
    "[fd00::1]:80",
    "[::1]:65535",
    "unix:/run/app.sock",
    "unix:/run/a-b_c@1+2~/app.sock",
    "unix:/" + "a" * 106,
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_a_destination_is_written_as_it_was_read(text: str) -> None:
    assert str(Destination.parse(text)) == text
    assert re.search(patterns.DESTINATION, text)


def test_an_ipv6_address_has_one_spelling() -> None:
    assert str(Destination.parse("[FD00:0::1]:80")) == "[fd00::1]:80"
    assert Destination.parse("[FD00:0::1]:80") == Destination.parse("[fd00::1]:80")


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        (11434, "write 127.0.0.1:11434 for this host"),
        ("localhost:11434", "write 127.0.0.1:11434"),
        ("http://10.9.8.7:80/", "write 10.9.8.7:80"),
        ("TCP4:10.9.8.7:80", "write 10.9.8.7:80"),
        ("10.9.8.7", "write 10.9.8.7:PORT"),
        ("fd00::1:80", "write [fd00::1]:80"),
        ("[fd00::1]", "write [fd00::1]:PORT"),
        ("[10.9.8.7]:80", "write 10.9.8.7:80"),
        ("[::ffff:10.9.8.7]:80", "write 10.9.8.7:80"),
        ("/run/app.sock", "write unix:/run/app.sock"),
        ("unix:///run/app.sock", "write unix:/run/app.sock"),
        ("UNIX-CONNECT:/run/app.sock", "write unix:/run/app.sock"),
        ("unix:run/app.sock", "write its absolute path: unix:/run/app.sock"),
        ("unix:/run/../app.sock", "write it plainly"),
        ("unix:/tmp/app.sock", "let the program make it below /run"),
        ("0.0.0.0:80", "write 127.0.0.1 for this host"),
    ],
)
def test_what_is_nearly_a_destination_has_a_hint(written: object, hint: str) -> None:
    with pytest.raises(Refused) as refused:
        Destination.parse(written)
    assert refused.value.hint == hint


@pytest.mark.parametrize(
    "text",
    [
        *("nas.local:80", "nas", "10.9.8.7:0", "10.9.8.7:080", "10.9.8.7:65536", "10.9.8:80"),
        *("010.0.0.1:80", "224.0.0.1:80", "[fe80::1]:80", "fe80::1%eth0:80", "[fd00::1]"),
        *("10.9.8.7:80,fork", "10.9.8.7:!!EXEC:id", "127.0.0.1:80 ", "127.0.0.1:80\n", ""),
        *("unix:", "unix:/run/a,b", "unix:/run/a:b", "unix:/run/!!x", "unix:/run/a b"),
        *('unix:/run/"a"', "unix:/run/'a'", "unix:/run/%n", "unix:/run/$x", "unix:/run/a/"),
        *("unix:/run/\\x", "unix:/run/a\n", "unix:/run/é", "unix:/dev/log", "unix:/" + "a" * 107),
    ],
)
def test_what_socat_would_misread_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each has a message of its own
        Destination.parse(text)


def test_its_port_is_refused_in_the_words_for_every_port() -> None:
    message = "10.9.8.7:70000: `70000` is not a port: a whole number from 1 to 65535"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Destination.parse("10.9.8.7:70000")


@pytest.mark.parametrize("raw", [None, True, 1.5, [], {}])
def test_what_is_not_text_is_refused(raw: object) -> None:
    with pytest.raises(ValueError, match="is not a destination"):
        Destination.parse(raw)
