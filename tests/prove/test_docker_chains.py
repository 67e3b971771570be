"""The chains of the copies are those that dockerd writes: what was recorded of the test host, and a dockerd
of its own in namespaces."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.estates import REPOSITORY
from tests.programs.firewall.conftest import host, namespaces  # noqa: F401 - fixtures
from tests.programs.firewall.host import Host
from tests.programs.firewall.test_published import DOCKER
from tests.prove.cases import shipped
from tests.prove.contents import contents
from tests.prove.docker_chains import Bridge, Published, alike, chains, saved

RECORDED = REPOSITORY / "tests" / "audit" / "recorded" / "es-docker" / "commands"


def docker0(text: str) -> Bridge:
    """docker's own bridge, as `iptables-save` knows it."""
    match = re.search(r"-A POSTROUTING -s (\S+) ! -o docker0 ", text)
    assert match is not None
    return Bridge("docker0", match[1])


def test_on_the_recorded_test_host() -> None:
    text = (RECORDED / "iptables-save.txt").read_text()
    made = contents(shipped()["es-es-docker"].host)
    (net,) = made.nets
    (link,) = set(re.findall(r"br-[0-9a-f]{12}", text))
    wanted = chains(4, [docker0(text), net.bridge._replace(link=link)], made.published)
    assert wanted is not None
    assert alike(saved(text)) == alike(wanted.tables)


def test_a_difference_is_seen() -> None:
    text = (RECORDED / "iptables-save.txt").read_text()
    before = alike(saved(text))
    for old, new in (("--dst-type LOCAL", "--dst-type UNICAST"), ("-o docker0 -j DROP", "-j DROP")):
        assert alike(saved(text.replace(old, new))) != before


# As in a plan: on every address of a family, on one, on loopback; tcp and udp; in a network of both families
# and in one of IPv4. By the container and its port: those are the words of `docker run`.
PLACES = {
    "one": (
        "172.30.8.17",
        ["0.0.0.0:5001:80", "127.0.0.1:5002:81", "0.0.0.0:6000-6002:7000-7002/udp"],
    ),
    "two": (
        "172.30.0.17",
        ["0.0.0.0:5003:80", "[::]:5003:80", "127.0.0.1:5004:82", "[::]:5004:82"],
    ),
    "three": ("172.30.8.18", ["192.168.1.5:5005:83", "[::]:5006:84"]),
}
NETWORK = {"one": "net4", "two": "net6", "three": "net4"}
STARTS = """
ip addr add 192.168.1.5/32 dev lo
network4() { docker network create --subnet $2 --ip-range $3 --gateway $4 $1 >/dev/null; }
network4 net4 172.30.8.0/24 172.30.8.128/25 172.30.8.1
start() { # NAME NETWORK ADDRESS MAPPING...
    name=$1 net=$2 address=$3; shift 3
    docker run --detach --init --name $name --network $net --ip $address $(printf -- '-p %s ' "$@") \
        --volume /usr:/usr:ro empty /usr/bin/sleep 1000 >/dev/null
}
"""


@pytest.mark.prove
@pytest.mark.parametrize("ip6tables", [False, True], ids=["ipv4", "with ip6tables"])
def test_of_a_real_dockerd(
    need: Callable[[str], str],
    host: Host,  # noqa: F811 - the fixture
    ip6tables: bool,
) -> None:
    """It is started beside ufw, which is enabled already."""
    need("dockerd")
    setup = DOCKER.replace("DATA", str(host.folder / "docker"))
    if not ip6tables:
        setup = setup.replace("--experimental --ip6tables ", "")
    starts = "\n".join(
        f"start {name} {NETWORK[name]} {address} {' '.join(mappings)}"
        for name, (address, mappings) in PLACES.items()
    )
    printed = host.run(f"""
        ufw --force enable >/dev/null
        {setup}
        {STARTS}
        {starts}
        for net in net4 net6; do
            id=$(docker network inspect -f '{{{{.Id}}}}' $net); echo "$net br-${{id:0:12}}"
        done
        iptables-save; echo HALF; ip6tables-save
    """)
    links = dict(re.findall(r"^(net\d) (br-\w{12})$", printed, re.MULTILINE))
    text, _, text6 = printed.partition("HALF\n")
    bridges = [
        docker0(text),
        Bridge(links["net6"], "172.30.0.0/24", "fd00:30::/64"),  # DOCKER has made it
        Bridge(links["net4"], "172.30.8.0/24"),
    ]
    published = list(_published(links))
    for family, shown in ((4, text), (6, text6)):
        wanted = chains(family, bridges, published, ip6tables=ip6tables)
        assert alike(saved(shown)) == ({} if wanted is None else alike(wanted.tables))
        # The kernel takes what is written, and has the same then.
        if wanted is not None:
            program = {4: "iptables", 6: "ip6tables"}[family]
            path = host.folder / f"chains{family}"
            path.write_text(wanted.text)
            again = host.run(f"{program}-restore --noflush {path}; {program}-save")
            assert alike(saved(again)) == alike(wanted.tables)


def _published(links: dict[str, str]) -> list[Published]:
    found = []
    for name, (address, mappings) in PLACES.items():
        link = links[NETWORK[name]]
        for mapping in mappings:
            match = re.fullmatch(r"\[?([0-9a-f.:]+?)\]?:([\d-]+):([\d-]+)(?:/(udp))?", mapping)
            assert match is not None
            first, _, last = match[2].partition("-")
            inside = int(match[3].partition("-")[0])
            to = "fd00:30::2" if ":" in match[1] and NETWORK[name] == "net6" else address
            for port in range(int(first), int(last or first) + 1):
                number = inside + port - int(first)
                found.append(Published(match[4] or "tcp", match[1], port, link, to, number))
    return found
