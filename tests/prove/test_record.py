"""What an audit sees of a copy: nothing but what is declared, and what is changed there."""

from __future__ import annotations

import pytest

from tests.audit import hosts
from tests.prove import cases, record
from tests.prove.host import Copy

pytestmark = [pytest.mark.prove, pytest.mark.usefixtures("copies")]


@pytest.mark.parametrize("name", cases.shipped())
def test_an_audit_of_a_copy_finds_nothing(name: str) -> None:
    """Neither what its own programs say, nor docker's and systemd's answers beside them, is out of place."""
    case = cases.shipped()[name]
    with Copy(case.host, case.files) as copy:
        seen = record.seen_of(copy)
    found = hosts.found(case.host, seen, case.files)
    assert [str(one) for one in found] == []


def test_what_is_changed_in_a_copy_is_seen() -> None:
    case = cases.shipped()["es-es-docker"]
    with Copy(case.host, case.files) as copy:
        copy.shell("ufw allow 5007/tcp; iptables -P INPUT ACCEPT")
        copy.write(
            "/etc/nginx/conf.d/portgen.conf", copy.files["nginx/conf.d/portgen.conf"] + "#\n"
        )
        copy.shell("kill -9 $(ss -Htlnp 'sport = :5008' | grep -o 'pid=[0-9]*' | cut -d= -f2)")
        seen = record.seen_of(copy)
    rules = {one.rule for one in hosts.found(case.host, seen, case.files)}
    assert rules == {"rule-wider", "firewall-off", "port-silent", "nginx-differs"}
