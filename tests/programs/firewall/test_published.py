"""What docker publishes on both families, with the real dockerd, ufw and iptables: nobody comes whom `allow`
does not name, before, while and after a service moves; those whom it names do.

dockerd runs with ip6tables, as docker 27 and later do by themselves: in a network with IPv6 it then forwards
IPv6 past ufw, by the host's port and straight to the container.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.programs.firewall.host import Host
from tests.programs.firewall.test_guard_kept import there
from tests.targets.ufw.inspected import container

HERE = Path(__file__).resolve().parent

PROJECT = """\
version: 1
hosts: {h: {zones: {lan: [192.168.7.0/24, 'fd00:77::/64']}}}
projects:
  p:
    ports: [5000-5099, 30000-30009/udp]
    network: {name: net6, subnet: 172.30.0.0/24, subnet6: 'fd00:30::/64'}
    defaults: {via: docker, allow: [lan]}
    services:
"""
SERVICES = {
    "shop": "{port: 5001, container_port: 5000, address: 172.30.0.17}",
    "open": "{port: 5003, container_port: 5000, address: 172.30.0.18, allow: [any]}",
    "relay": "{ports: [{port: 30000-30009, protocol: udp}], address: 172.30.0.19}",
}
MOVED = {**SERVICES, "shop": "{port: 5002, container_port: 5000, address: 172.30.0.17}"}

SIX = {"shop": SERVICES["shop"]}

# Two neighbours, each on a link of its own, that route to docker's networks by this host.
HOST = {"lan": ("192.168.7.1", "fd00:77::1"), "outside": ("203.0.113.1", "2001:db8::1")}
RANGE = [f"{port}/udp" for port in (30000, 30005, 30009)]

NEIGHBOURS = "".join(
    f"""
    ip netns add {name}; ip link add to-{name} type veth peer name eth0 netns {name}
    ip addr add {ipv4}/24 dev to-{name}; ip addr add {ipv6}/64 dev to-{name} nodad; ip link set to-{name} up
    ip -n {name} addr add {ipv4[:-1]}2/24 dev eth0; ip -n {name} addr add {ipv6[:-1]}2/64 dev eth0 nodad
    ip -n {name} link set eth0 up; ip -n {name} route add default via {ipv4}
    ip -n {name} -6 route add default via {ipv6}
    """
    for name, (ipv4, ipv6) in HOST.items()
)
# An image without files: the container sees this machine's /usr.
DOCKER = """
    rm /run/bin/docker
    sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    dockerd --experimental --ip6tables --storage-driver vfs --data-root DATA --exec-root /run/docker-exec \
        --pidfile /run/docker.pid >DATA.log 2>&1 &
    daemon=$!
    gone() {
        docker ps --quiet | xargs -r docker kill >/dev/null; kill $daemon; wait $daemon || true
        umount -R DATA 2>/dev/null || true
    }
    trap gone EXIT
    for _ in $(seq 150); do docker info >/dev/null 2>&1 && break; sleep 0.2; done
    mkdir DATA.root && ln -s usr/lib usr/lib64 usr/bin DATA.root/
    tar -C DATA.root -c . | docker import - empty >/dev/null
    network() { # NAME SUBNET SUBNET6
        docker network create --ipv6 --subnet $2 --ip-range $4 --subnet $3 --gateway $5 $1 >/dev/null
    }
    network net6 172.30.0.0/24 fd00:30::/64 172.30.0.128/25 fd00:30::1
    service() { # NAME ADDRESS MAPPINGS PORT...
        name=$1 address=$2 mappings=$3; shift 3
        docker run --detach --init --name $name --network net6 --ip $address $mappings --volume /usr:/usr:ro \
            --volume HERE/answering.py:/answering.py:ro --label com.docker.compose.project=p \
            --label com.docker.compose.service=$name empty \
            /usr/bin/python3 /answering.py $name "$@" >/dev/null
    }
    visit() { ip netns exec "$1" python3 HERE/visiting.py "${@:2}" 2>/dev/null; }
"""
SHOP = "service shop 172.30.0.17 '-p 0.0.0.0:{0}:5000 -p [::]:{0}:5000' 5000\n"
OPEN = "service open 172.30.0.18 '-p 0.0.0.0:5003:5000 -p [::]:5003:5000' 5000\n"
RELAY = (
    "service relay 172.30.0.19 '-p 0.0.0.0:30000-30009:30000-30009/udp "
    "-p [::]:30000-30009:30000-30009/udp' "
    + " ".join(f"{port}/udp" for port in range(30000, 30010))
)


def places(name: str, *ports: str) -> list[str]:
    """The host's ports, at both its addresses on a neighbour's link."""
    ipv4, ipv6 = HOST[name]
    return [f"{address}:{port}" for port in ports for address in (ipv4, f"[{ipv6}]")]


# Straight to the containers: docker gives IPv6 addresses from the second one on.
STRAIGHT = [
    *("172.30.0.17:5000", "172.30.0.19:30000/udp"),
    *(f"[fd00:30::{last}]:{port}" for last in (2, 3, 4, 5) for port in ("5000", "30000/udp")),
]


def visit(name: str, seconds: int, wanted: list[str]) -> str:
    return f"visit {name} {seconds} {shlex.join(wanted)}"


def answers(printed: str, after: str) -> list[str]:
    """What was printed under a heading."""
    return printed.split(f"{after}\n")[1].partition("END\n")[0].splitlines()


@pytest.fixture
def docker(need: Callable[[str], str], host: Host) -> Host:
    """A host with a dockerd of its own."""
    need("dockerd")
    need("ip6tables")
    if not os.path.exists("/usr/bin/python3"):
        missing("the containers need /usr/bin/python3")
    return host


def lives(host: Host, script: str) -> str:
    setup = DOCKER.replace("DATA", str(host.folder / "docker")).replace("HERE", str(HERE))
    return host.run(f"{NEIGHBOURS}\nufw --force enable >/dev/null\n{setup}\n{script}")


def test_nobody_comes_by_either_family_while_a_published_service_moves(docker: Host) -> None:
    before, after = (
        docker.render(services, name, PROJECT)
        for services, name in ((SERVICES, "before"), (MOVED, "after"))
    )
    for_lan = places("lan", "5001", "5002", "5003", *RANGE)
    for_all = places("outside", "5001", "5002", "5003", *RANGE) + STRAIGHT
    printed = lives(
        docker,
        f"""
        {visit("outside", 300, for_all)} >/run/outside & watcher=$!
        {before}/portgen-ufw.sh >/dev/null
        {SHOP.format(5001)}{OPEN}{RELAY}
        sleep 1; echo BEFORE; {visit("lan", 0, for_lan)}; echo END
        docker rm --force shop >/dev/null
        {after}/portgen-ufw.sh >/dev/null
        {SHOP.format(5002)}
        sleep 1; echo AFTER; {visit("lan", 0, for_lan)}; echo END
        for n in 1 2 3; do
            docker network create --ipv6 --subnet fd00:31::/64 other >/dev/null
            docker network rm other >/dev/null
        done
        ufw reload >/dev/null; {after}/portgen-ufw.sh
        sleep 1; echo RELOADED; {visit("lan", 0, for_lan)}; echo END
        : >/run/enough; wait $watcher; echo OUTSIDE; cat /run/outside; echo END
        rm /run/enough
        # Were it not for the guard, they would come in by IPv6 as well.
        for table in filter mangle; do ip6tables -t $table -F PORTGEN-GUARD; done
        echo UNGUARDED; {visit("outside", 0, for_all)}; echo END
        """,
    )
    by_range = [f"{place} relay" for place in places("lan", *RANGE)]
    opened = [f"{place} open" for place in places("lan", "5003")]
    moved = [f"{place} shop" for place in places("lan", "5002")]
    assert answers(printed, "BEFORE") == [
        *[f"{place} shop" for place in places("lan", "5001")],
        *opened,
        *by_range,
    ]
    assert answers(printed, "AFTER") == [*moved, *opened, *by_range]
    assert answers(printed, "RELOADED") == [*moved, *opened, *by_range]
    assert sorted(answers(printed, "OUTSIDE")) == sorted(
        f"{place} open" for place in places("outside", "5003")
    )
    ipv6 = [line for line in answers(printed, "UNGUARDED") if line.startswith("[")]
    host = f"[{HOST['outside'][1]}]"
    assert {f"{host}:5002 shop", *(f"{host}:{port} relay" for port in RANGE)} <= {*ipv6}
    assert any(line.startswith("[fd00:30::") and line.endswith(" shop") for line in ipv6)


KERNEL6 = (
    "ip6tables -t mangle -S PORTGEN-GUARD | diff <(ip6tables -S PORTGEN-GUARD) - && "
    "ip6tables -t mangle -S FORWARD | grep PORTGEN && ip6tables -S DOCKER-USER | grep PORTGEN; "
    "ip6tables -S PORTGEN-GUARD | grep -c -e ^-A"
)
IN_FORCE6 = ["-A FORWARD -j PORTGEN-GUARD", "-A DOCKER-USER -j PORTGEN-GUARD", "3"]


def test_the_guard_by_ipv6_comes_goes_and_is_found_in_the_kernel(host: Host) -> None:
    guarded, none = host.render(SIX, "guarded", PROJECT), host.render({}, "none", PROJECT)
    printed = host.run(f"""
        cp -a /etc/ufw /run/first; ufw --force enable >/dev/null
        {guarded}/portgen-ufw.sh >/dev/null; {KERNEL6}; {guarded}/portgen-ufw.sh --dry-run
        for fault in '-F PORTGEN-GUARD' '-t mangle -D FORWARD -j PORTGEN-GUARD' '-F DOCKER-USER'; do
            ip6tables $fault; {guarded}/portgen-ufw.sh --dry-run; {guarded}/portgen-ufw.sh; {KERNEL6}
        done
        for n in 1 2; do ufw reload >/dev/null; done; {KERNEL6}
        {none}/portgen-ufw.sh >/dev/null; ip6tables-save | grep -c PORTGEN || true
        grep -l PORTGEN /etc/ufw/*.rules /etc/ufw/*.init || echo none
        diff /run/first/after6.rules /etc/ufw/after6.rules && echo as before
    """)
    healed = ["# would load the chain PORTGEN-GUARD of IPv6 into the kernel: 3 rules", *IN_FORCE6]
    assert printed.splitlines() == [
        *IN_FORCE6,
        *healed * 3,
        *IN_FORCE6,
        *("0", "none", "as before"),
    ]


def test_where_ufw_leaves_ipv6_alone_the_guard_is_there_all_the_same(host: Host) -> None:
    """Docker forwards IPv6 whatever ufw does. ufw then does not load after6.rules, and empties the table
    filter of IPv6 at each start."""
    guarded = host.render(SIX, "guarded", PROJECT)
    printed = host.run(f"""
        sed -i 's/^IPV6=.*/IPV6=no/' /etc/default/ufw; ufw --force enable >/dev/null
        kept {guarded}/portgen-ufw.sh >/dev/null; {KERNEL6}; ufw reload >/dev/null; {KERNEL6}
        ip6tables -t mangle -F; ip6tables -t mangle -X; ufw disable >/dev/null
        ufw --force enable >/dev/null; {KERNEL6}
    """)
    assert [line for line in printed.splitlines() if "is skipped" not in line] == IN_FORCE6 * 3


def test_a_guard_by_ipv6_stays_while_a_container_needs_it(host: Host) -> None:
    guarded, none = host.render(SIX, "guarded", PROJECT), host.render({}, "none", PROJECT)
    there6 = there(container("shop", ip="::", address6="fd00:30::2"))
    printed = host.run(f"""
        ufw --force enable >/dev/null; {guarded}/portgen-ufw.sh >/dev/null
        {there6}
        {none}/portgen-ufw.sh 2>&1 | grep portgen-ufw.sh: || true; {KERNEL6}
        rm /run/containers.json; {none}/portgen-ufw.sh; ip6tables-save | grep -c PORTGEN || true
    """)
    remedy = "container p_shop_1 still holds it; run: docker stop p_shop_1 && docker rm p_shop_1"
    assert [line for line in printed.splitlines() if "IPv6" in line] == [
        f"portgen-ufw.sh: 5001/tcp stays guarded by IPv6 as before: {remedy}",
        f"portgen-ufw.sh: fd00:30::/64 stays guarded by IPv6 as before: {remedy}",
    ]
    assert printed.splitlines()[-4:] == [*IN_FORCE6, "0"]
