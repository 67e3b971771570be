"""A guard stays as long as a container needs it: the real ufw and iptables, and a stand-in for docker that
has the containers."""

from __future__ import annotations

import json
from typing import Any

from tests.programs.firewall.host import IPV4_ONLY, Host
from tests.targets.ufw.inspected import container

SHOP = {"shop": "{port: 5001, allow: [lan]}"}


def there(*containers: dict[str, Any]) -> str:
    return f"cat >/run/containers.json <<'JSON'\n{json.dumps(containers)}\nJSON\n"


def installed(host: Host, then: dict[str, str], containers: str, more: str = "") -> str:
    """SHOP is installed; then `then`, with these containers there; the chain is printed, and what the script
    said."""
    before, after = host.render(SHOP, "before"), host.render(then, "after")
    return host.run(f"""
        {IPV4_ONLY}ufw --force enable >/dev/null
        {before}/portgen-ufw.sh >/dev/null
        iptables -S PORTGEN-GUARD >/run/old
        {containers}
        {after}/portgen-ufw.sh >/run/said 2>&1 || echo "code $?"; grep portgen-ufw.sh: /run/said || true
        {more.replace("AFTER", f"{after}/portgen-ufw.sh")}
    """)


CHAIN = (
    "iptables -S PORTGEN-GUARD 2>&1 | diff /run/old - >/dev/null && echo 'as before'; "
    "iptables -S DOCKER-USER | tail -n 1"
)
GONE = "iptables -S PORTGEN-GUARD 2>/dev/null || echo gone; grep -c PORTGEN /etc/ufw/after.rules || true"


def test_the_last_service_leaves_and_its_container_still_runs(host: Host) -> None:
    printed = installed(
        host,
        {},
        there(container("shop")),
        f"{CHAIN}; kept AFTER 2>/dev/null; {CHAIN}; rm /run/containers.json; AFTER; {GONE}",
    )
    remedy = "container p_shop_1 still holds it; run: docker stop p_shop_1 && docker rm p_shop_1"
    assert printed.splitlines() == [
        "code 3",
        f"portgen-ufw.sh: 5001/tcp stays guarded as before: {remedy}",
        f"portgen-ufw.sh: 172.30.0.17 stays guarded as before: {remedy}",
        *["as before", "-A DOCKER-USER -j PORTGEN-GUARD"] * 2,
        "gone",
        "0",
    ]


def test_docker_does_not_answer_so_everything_may_still_be_published(host: Host) -> None:
    printed = installed(
        host, {}, ": >/run/docker-is-down", f"{CHAIN}; rm /run/docker-is-down; AFTER; {GONE}"
    )
    said = "docker does not answer, so what may still be published stays guarded: 5001/tcp, 172.30.0.17"
    assert printed.splitlines() == [
        "code 3",
        f"portgen-ufw.sh: {said}",
        "as before",
        "-A DOCKER-USER -j PORTGEN-GUARD",
        "gone",
        "0",
    ]


def test_a_container_whose_port_is_taken_over_keeps_its_visitors(
    host: Host,
) -> None:
    """To everybody, even: the rules of the new holder open the port once the old one has let go, and not
    before."""
    taken = {"other": "{port: 5001, allow: [any], address: 172.30.0.20}"}
    printed = installed(
        host,
        taken,
        there(container("shop")),
        f"{CHAIN}\n{there(container('other', address='172.30.0.20'))}\nAFTER; {GONE}",
    )
    assert printed.splitlines()[0] == "code 3"
    assert printed.splitlines()[3:] == ["as before", "-A DOCKER-USER -j PORTGEN-GUARD", "gone", "0"]


def test_a_moved_service_keeps_its_guard_while_its_container_is_there(
    host: Host,
) -> None:
    moved = {"shop": "{port: 5009, allow: [any], address: 172.30.0.17}"}
    printed = installed(
        host,
        moved,
        there(container("shop")),
        f"iptables -S PORTGEN-GUARD; {there(container('shop', 5009))}\nAFTER; {GONE}",
    )
    lines = printed.splitlines()
    assert lines[:2] == [
        "code 3",
        (
            "portgen-ufw.sh: 5001/tcp stays guarded as before: container p_shop_1 still holds "
            "it; run: docker stop p_shop_1 && docker rm p_shop_1"
        ),
    ]
    assert [line for line in lines if "5001" in line and "DROP" in line] != []
    assert lines[-2:] == ["gone", "0"]


def test_a_service_that_may_be_reached_by_others_now_is_at_once(host: Host) -> None:
    """Its own container is no reason to wait."""
    printed = installed(
        host,
        {"shop": "{port: 5001, allow: [10.9.0.0/16]}"},
        there(container("shop")),
        "iptables -S PORTGEN-GUARD | grep RETURN",
    )
    assert printed.splitlines() == [
        (
            "-A PORTGEN-GUARD -s 10.9.0.0/16 -p tcp -m conntrack --ctstate DNAT --ctorigdstport "
            "5001 --ctdir ORIGINAL -j RETURN"
        )
    ]


def test_another_guard_is_put_in_force_beside_one_that_is_kept(host: Host) -> None:
    printed = installed(
        host,
        {"new": "{port: 5002, allow: [lan]}"},
        there(container("shop")),
        "iptables -S PORTGEN-GUARD; iptables-restore --test",
    )
    ports = [
        line.split("--ctorigdstport ")[1].split()[0]
        for line in printed.splitlines()
        if "DROP" in line and "--ctorigdstport" in line
    ]
    assert ports == ["5001", "5002"]  # the kept one decides first
