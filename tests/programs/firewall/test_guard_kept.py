"""A guard stays as long as a container needs it: the real ufw and iptables, and a stand-in for docker that
has the containers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.programs.firewall.host import IPV4_ONLY, Host, at_once
from tests.programs.firewall.script import apply

SHOP = {"shop": "{port: 5001, allow: [lan]}"}


def container(
    service: str,
    port: int | None = 5001,
    address: str = "172.30.0.17",
    *,
    project: str = "p",
    status: str = "running",
    **more: Any,
) -> dict[str, Any]:
    """What `docker inspect` prints of a container, as far as the script reads it."""
    bindings = (
        {"5000/tcp": [{"HostIp": more.get("ip", "0.0.0.0"), "HostPort": str(port)}]} if port else {}
    )
    labels = (
        {"com.docker.compose.project": project, "com.docker.compose.service": service}
        if project
        else {}
    )
    return {
        "Name": f"/{project or 'run'}_{service}_1",
        "State": {"Status": status},
        "Config": {"Labels": labels},
        "HostConfig": {
            "PortBindings": bindings,
            "RestartPolicy": {"Name": more.get("restart", "unless-stopped")},
        },
        "NetworkSettings": {
            "Networks": {"net": {"IPAddress": address, "IPAMConfig": {"IPv4Address": address}}},
            "Ports": bindings,
        },
    }


def there(*containers: dict[str, Any]) -> str:
    return f"cat >/run/containers.json <<'JSON'\n{json.dumps(containers)}\nJSON\n"


def installed(host: Host, then: dict[str, str], containers: str, more: str = "") -> str:
    """SHOP is installed; then `then`, with these containers there; the chain is printed, and what the script
    said."""
    before, after = host.render(SHOP, "before"), host.render(then, "after")
    return host.run(f"""
        {IPV4_ONLY}ufw --force enable >/dev/null; {before}/portgen-ufw.sh >/dev/null; iptables -S PORTGEN-GUARD >/run/old
        {containers}
        {after}/portgen-ufw.sh >/run/said 2>&1 || echo "code $?"; grep portgen-ufw.sh: /run/said || true
        {more.replace("AFTER", f"{after}/portgen-ufw.sh")}
    """)


CHAIN = "iptables -S PORTGEN-GUARD 2>&1 | diff /run/old - >/dev/null && echo 'as before'; iptables -S DOCKER-USER | tail -n 1"
GONE = "iptables -S PORTGEN-GUARD 2>/dev/null || echo gone; grep -c PORTGEN /etc/ufw/after.rules || true"


@at_once
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


@at_once
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


@at_once
def test_a_container_on_a_port_that_another_service_takes_over_keeps_its_visitors(
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


@at_once
def test_a_moved_service_keeps_its_old_port_guarded_while_its_container_is_still_there(
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
        "portgen-ufw.sh: 5001/tcp stays guarded as before: container p_shop_1 still holds it; run: docker stop p_shop_1 && docker rm p_shop_1",
    ]
    assert [line for line in lines if "5001" in line and "DROP" in line] != []
    assert lines[-2:] == ["gone", "0"]


@at_once
def test_a_service_that_may_be_reached_by_others_now_is_at_once(host: Host) -> None:
    """Its own container is no reason to wait."""
    printed = installed(
        host,
        {"shop": "{port: 5001, allow: [10.9.0.0/16]}"},
        there(container("shop")),
        "iptables -S PORTGEN-GUARD | grep RETURN",
    )
    assert printed.splitlines() == [
        "-A PORTGEN-GUARD -s 10.9.0.0/16 -p tcp -m conntrack --ctstate DNAT --ctorigdstport 5001 --ctdir ORIGINAL -j RETURN"
    ]


@at_once
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
    assert ports == ["5002", "5001"]


holders = [
    apply.Holder("5001/tcp", "p", "shop"),
    apply.Holder("5002/tcp", "q", "shop"),
    apply.Holder("172.30.0.17", "p", "shop"),
]


@pytest.mark.parametrize(
    ("inspected", "holds"),
    [
        (container("shop"), {"5001/tcp", "172.30.0.17"}),
        (container("shop", ip=""), {"5001/tcp", "172.30.0.17"}),
        (container("shop", ip="127.0.0.1"), {"172.30.0.17"}),  # which is closed to others by itself
        (container("shop", None), {"172.30.0.17"}),
    ],
)
def test_what_a_container_holds(inspected: dict[str, Any], holds: set[str]) -> None:
    assert apply.container_of(inspected).holds == holds


@pytest.mark.parametrize(
    ("inspected", "stranger"),
    [
        (container("gone"), True),
        (container("gone", status="paused"), True),
        (container("gone", status="restarting"), True),
        (container("gone", status="exited"), False),
        (container("gone", status="exited", restart="always"), True),  # it comes back with docker
        (
            container("shop", project="q", status="exited", restart="always"),
            False,
        ),  # it is about to be made anew
        (container("shop", project="q"), True),
        (container("shop"), False),
        (container("gone", port=5999, address="172.30.0.99"), False),
    ],
)
def test_which_container_keeps_a_guard(inspected: dict[str, Any], stranger: bool) -> None:
    assert apply.is_stranger(apply.container_of(inspected), "5001/tcp", holders) is stranger


@pytest.mark.parametrize(
    ("inspected", "may"),
    [
        (container("shop"), True),
        (
            container("shop", project="srv-p"),
            True,
        ),  # compose's project is the folder's name, or what the team calls it
        (container("shop", project="q"), False),
        (container("other"), False),
        (container("shop", project=""), False),
    ],
)
def test_who_may_hold_a_port(inspected: dict[str, Any], may: bool) -> None:
    assert apply.may_hold(apply.container_of(inspected), "5001/tcp", holders) is may
