"""Ports as people write them: ranges, of one protocol or of both."""

from __future__ import annotations

import re

import pytest

from portgen.inventory.ports import Ports, PortSpan
from portgen.inventory.values import Refused


@pytest.mark.parametrize(
    ("raw", "hint"),
    [
        ("443/http", "write 443/tcp: http is spoken over tcp"),
        ("53/UDP", "write 53/udp"),
        ("53:udp", "write 53/udp"),
        ("udp/53", "write 53/udp"),
        ("53/tcp+udp", "write 53: without a protocol it is of both"),
        ("8000-8099/both", "write 8000-8099: without a protocol it is of both"),
        ("443/quic", "write 443/udp"),
        ("443/sctp", "write 443/tcp or 443/udp"),
        ("80, 443/udp", "write [80, 443/udp]"),
        ("5000/5010", "write 5000-5010"),
        ("443/", None),
        (["443/udp", "443"], "leave it out of one of them"),
    ],
)
def test_another_form_of_a_protocol_gets_a_hint(raw: object, hint: str | None) -> None:
    with pytest.raises(Refused) as refused:
        Ports.parse(raw)
    assert refused.value.hint == hint


def test_ports_are_of_both_protocols_unless_they_name_one() -> None:
    ports = Ports.parse(["440-449/tcp", "443/udp", "80"])
    assert str(ports) == ports.brief == "440-449/tcp, 443/udp, 80"
    assert ports.of("tcp") == [range(80, 81), range(440, 450)]
    assert ports.of("udp") == [range(80, 81), range(443, 444)]
    assert ports.joined == ports.ranges == [range(80, 81), range(440, 450)]
    assert len(ports) == 11
    assert 441 in ports
    assert [ports.has(441, "tcp"), ports.has(441, "udp")] == [True, False]


@pytest.mark.parametrize(
    ("raw", "message", "hint"),
    [
        ("30000-31000", "30000-31000 has 1001 ports, and an entry at most 1,000", "write several"),
        ("30019-30000", "30019-30000: the range runs backwards; write 30000-30019", None),
        ("0-10", "`0` is not a port: a whole number from 1 to 65535", None),
        ("65530-65536", "`65536` is not a port: a whole number from 1 to 65535", None),
        (70000, "`70000` is not a port: a whole number from 1 to 65535", None),
        (True, "true is not a port or a range such as 30000-30019", None),
        ("8080:80", "is not a port or a range", "write `{port: 8080, container_port: 80}`"),
        ("30000..30019", "is not a port or a range", "write 30000-30019"),
        ("30000-30019/udp", "is not a port or a range", "protocol: udp}"),
    ],
)
def test_what_is_not_a_range_of_a_service(raw: object, message: str, hint: str | None) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as refused:
        PortSpan.parse(raw)
    assert (hint or "") in (getattr(refused.value, "hint", None) or "")


def test_a_range_of_one_port_is_that_port() -> None:
    assert PortSpan.parse("5000-5000") == PortSpan.parse(5000) == PortSpan(5000)
    assert PortSpan.parse("5000-5000").written == 5000
    assert PortSpan.parse("5000-5009").at(6000).written == "6000-6009"
    assert PortSpan.parse("64536-65535").last == 65535
