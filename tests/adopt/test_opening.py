"""What an import opens: nothing that the sources keep closed, and where it did, the lists would say so."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from portgen import adopt
from portgen.adopt import Adopted, Sources, Text, allowing
from portgen.adopt.draft import Draft
from portgen.adopt.judging import Effect
from portgen.adopt.sighted import Said, Sighted
from portgen.plan import planner
from tests.limit import ends

ALLOW, DENY = "### tuple ### allow tcp", "### tuple ### deny tcp"
PUBLISHED = 'services:\n  git:\n    ports: ["2222:22"]\n'
PROXY4 = 'tcp LISTEN 0 128 0.0.0.0:2222 0.0.0.0:* users:(("docker-proxy",pid=7,fd=4))\n'
PROXY6 = 'tcp LISTEN 0 128 [::]:2222 [::]:* users:(("docker-proxy",pid=8,fd=4))\n'
OPEN4 = f"{ALLOW} 2222 0.0.0.0/0 any 0.0.0.0/0 in\n"
OPEN6 = f"{ALLOW} 2222 ::/0 any ::/0 in\n"


def text(kind: str, name: str, content: str) -> Text:
    return Text(kind, name, content, name.rpartition("/")[2], "stack")


def adopted(*texts: Text) -> Adopted:
    by_name = {one.name: one.text for one in texts}
    return adopt.adopt(Sources(texts, by_name.get), "box")


def sources_of(result: Adopted, port: int) -> tuple[str, ...]:
    for service in planner.make(result.source.inventory).services:
        for one in service.ports:
            if one.port == port:
                return one.sources
    return ()


COMPOSE = text("compose", "docker-compose.yml", PUBLISHED)
UFW = (text("ufw", "user.rules", OPEN4), text("ufw", "user6.rules", OPEN6))


def ps(ports: str) -> Text:
    """What `docker ps` prints of one container."""
    rows = [("CONTAINER ID", "IMAGE", "PORTS", "NAMES"), ("0c55", "git", ports, "stack-git-1")]
    wide = len(ports) + 3
    lines = [f"{one:<15}{image:<8}{at:<{wide}}{name}" for one, image, at, name in rows]
    return text("docker", "ps.txt", "\n".join(lines))


INSPECT = """[{{"Id": "1", "Name": "/stack-git-1",
"Config": {{"Labels": {{"com.docker.compose.project": "stack", "com.docker.compose.service": "git"}}}},
"HostConfig": {{"PortBindings": {{"22/tcp": [{{"HostIp": "", "HostPort": "2222"}}]}}}},
"NetworkSettings": {{"Ports": {{"22/tcp": [{given}]}}}}}}]
"""
GIVEN4 = '{"HostIp": "0.0.0.0", "HostPort": "2222"}'
GIVEN6 = '{"HostIp": "::", "HostPort": "2222"}'
LISTENING = {
    "ss: both families": (text("ss", "ss.txt", PROXY4 + PROXY6), ("any",)),
    "ss: IPv4 alone": (text("ss", "ss.txt", PROXY4), ("0.0.0.0/0",)),
    "ss: IPv6 alone": (text("ss", "ss.txt", PROXY6), ("::/0",)),
    "ss: this host alone": (
        text("ss", "ss.txt", PROXY4.replace("0.0.0.0:2222", "127.0.0.1:2222")),
        (),
    ),
    "inspect: both": (
        text("docker", "inspect.json", INSPECT.format(given=f"{GIVEN4}, {GIVEN6}")),
        ("any",),
    ),
    "inspect: IPv4": (
        text("docker", "inspect.json", INSPECT.format(given=GIVEN4)),
        ("0.0.0.0/0",),
    ),
    "inspect: it does not run": (
        text("docker", "inspect.json", INSPECT.format(given="")),
        ("any",),
    ),
    "ps: IPv4": (ps("0.0.0.0:2222->22/tcp"), ("0.0.0.0/0",)),
}


@pytest.mark.parametrize("seen", LISTENING)
def test_a_container_is_published_as_it_is_now_not_as_its_file_says(seen: str) -> None:
    """docker publishes by IPv4 alone where the host has no IPv6, or on the address in its own settings."""
    also, wanted = LISTENING[seen]
    result = adopted(COMPOSE, also, *UFW)
    assert sources_of(result, 2222) == wanted
    is_narrower = wanted != ("any",)
    different = {one.said.text for one in result.lists.different}
    assert ("2222:22" in different) == is_narrower


def test_a_range_of_a_file_is_the_single_ports_that_docker_lists() -> None:
    compose = text(
        "compose", "docker-compose.yml", PUBLISHED.replace("2222:22", "8000-8002:9000-9002")
    )
    ports = "0.0.0.0:8000-8002->9000-9002/tcp, [::]:8000-8002->9000-9002/tcp"
    result = adopted(compose, ps(ports))
    assert result.conflicts == ()
    assert [one.said.text for one in result.lists.taken] == [
        "8000-8002:9000-9002",
        *(f"stack-git-1: {one}" for one in ports.split(", ")),
    ]


PROGRAM = text("ss", "ss.txt", 'tcp LISTEN 0 128 *:8080 *:* users:(("app",pid=7,fd=3))\n')
SHUT = f"{DENY} 8080 0.0.0.0/0 any 0.0.0.0/0 in\n"
BAN = f"{DENY} any 0.0.0.0/0 any 203.0.113.7 in\n"
OPEN = f"{ALLOW} 8080 0.0.0.0/0 any 10.0.0.0/8 in\n"
ACCEPTS = text("ufw", "ufw", 'DEFAULT_INPUT_POLICY="ACCEPT"\n')
POLICIES: Mapping[str, tuple[tuple[Text, ...], tuple[str, ...]]] = {
    "everybody, but for a port": (
        (text("ufw", "user.rules", SHUT), text("ufw", "user6.rules", ""), ACCEPTS),
        ("::/0",),
    ),
    "everybody but one, whose rule stays": (
        (text("ufw", "user.rules", BAN), text("ufw", "user6.rules", ""), ACCEPTS),
        ("any",),
    ),
    "a rule before the one that shuts": (
        (text("ufw", "user.rules", OPEN + SHUT), text("ufw", "user6.rules", ""), ACCEPTS),
        ("10.0.0.0/8", "::/0"),
    ),
    "rules that nobody asks": (
        (text("ufw", "user.rules", SHUT), text("ufw", "ufw.conf", "ENABLED=no\n")),
        ("any",),
    ),
    "a script: the last one counts": (
        (text("ufw", "open.sh", "ufw default allow incoming\nufw default deny\n"),),
        (),
    ),
    "a script: forwarded packets": ((text("ufw", "open.sh", "ufw default allow routed\n"),), ()),
    "a script: everybody": ((text("ufw", "open.sh", "ufw default allow\n"),), ("any",)),
    "a script: within other commands": (
        (
            text(
                "ufw",
                "open.sh",
                "if true; then ufw deny 8080; else /sbin/ufw deny 8080; fi\nufw default allow\n",
            ),
        ),
        (),
    ),
    "a script: two on one line": (
        (text("ufw", "open.sh", "ufw allow 80/tcp && sudo ufw allow 8080/tcp >/dev/null 2>&1\n"),),
        ("any",),
    ),
    "a script: one family": (
        (text("ufw", "open.sh", "ufw allow proto tcp to 0.0.0.0/0 port 8080\n"),),
        ("0.0.0.0/0",),
    ),
    "settings beside rules of IPv4 alone": (
        (
            text("ufw", "user.rules", OPEN),
            text("ufw", "ufw", 'IPV6=yes\nDEFAULT_INPUT_POLICY="DROP"'),
        ),
        ("10.0.0.0/8",),
    ),
    "ufw's own scripts are none that call it": (
        (text("ufw", "user.rules", OPEN), text("ufw", "after.init", "ufw allow 8080\n")),
        ("10.0.0.0/8",),
    ),
}


@pytest.mark.parametrize("policy", POLICIES)
def test_the_default_policy_counts_where_no_rule_does(policy: str) -> None:
    texts, wanted = POLICIES[policy]
    assert sources_of(adopted(PROGRAM, *texts), 8080) == wanted


def test_a_unit_that_lets_in_a_network_narrows_what_the_firewall_lets_in() -> None:
    unit = text(
        "units",
        "forward.service",
        "[Service]\nExecStart=/usr/bin/socat TCP-LISTEN:8080,fork TCP:127.0.0.1:9\n"
        "IPAddressDeny=any\nIPAddressAllow=10.0.0.0/8\n",
    )
    rules = (
        text("ufw", "user.rules", f"{ALLOW} 8080 0.0.0.0/0 any 0.0.0.0/0 in\n"),
        text("ufw", "user6.rules", f"{ALLOW} 8080 ::/0 any ::/0 in\n"),
    )
    assert sources_of(adopted(unit, *rules), 8080) == ("10.0.0.0/8",)


UFW_DOCKER = """\
*filter
:DOCKER-USER - [0:0]
-A DOCKER-USER -j ufw-user-forward
-A DOCKER-USER -j RETURN -s 10.0.0.0/8
-A DOCKER-USER -j ufw-docker-logging-deny -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -d 192.168.0.0/16
-A DOCKER-USER -j RETURN
-A ufw-docker-logging-deny -j DROP
COMMIT
"""


def test_where_somebody_elses_rules_guard_docker_the_import_opens_nothing() -> None:
    """They keep docker's ports closed, and this import does not know for whom."""
    after = text("ufw", "after.rules", UFW_DOCKER)
    assert sources_of(adopted(COMPOSE, *UFW), 2222) == ("any",)
    result = adopted(COMPOSE, after, *UFW)
    assert sources_of(result, 2222) == ()
    assert "rules of DOCKER-USER decide who may come (after.rules:3)" in result.source.text
    assert reasons(result)["docker-compose.yml:3"] == "is published on 127.0.0.1"


def test_what_docker_publishes_where_no_rule_lets_anybody_in_is_reported() -> None:
    closed = (text("ufw", "user.rules", ""), text("ufw", "user6.rules", ""))
    kinds = [(one.kind, one.at[0].place) for one in adopted(COMPOSE, *closed).conflicts]
    assert kinds == [("published-past-ufw", "docker-compose.yml:3")]
    off = text("ufw", "ufw.conf", "ENABLED=no\n")
    assert adopted(COMPOSE, off, *closed).conflicts == ()
    assert adopted(COMPOSE).conflicts == ()


# --- the proof itself -------------------------------------------------------------------------------


@pytest.fixture
def open_handed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever decides who may come opens everything."""
    honest = allowing.decide

    def decide(found: Sighted, draft: Draft) -> dict[Said, Effect]:
        effects = honest(found, draft)
        for _, port in draft.ports():
            port.allow = ["any"]
        if draft.nginx is not None:
            draft.nginx.allow = ["any"]
        return effects

    monkeypatch.setattr(allowing, "decide", decide)


def reasons(result: Adopted) -> dict[str, str]:
    return {one.said.place: one.why for one in result.lists.different}


@pytest.mark.usefixtures("open_handed")
def test_the_proof_does_not_believe_who_decides() -> None:
    rules = (text("ufw", "user.rules", OPEN), text("ufw", "user6.rules", ""))
    by_program = reasons(adopted(PROGRAM, *rules))
    assert by_program["ss.txt:1"] == "opened to anyone by IPv4, too; opened to anyone by IPv6, too"
    by_docker = reasons(adopted(COMPOSE, text("ss", "ss.txt", PROXY4), *UFW))
    assert "opened by IPv6, too, where nobody listens now" in by_docker["docker-compose.yml:3"]
    site = "server { listen 80; server_name a.example.com; location /a/ { proxy_pass http://[::1]:8080; } }"
    of_nginx = reasons(adopted(PROGRAM, text("nginx", "site.conf", site), *rules))
    assert "nginx at 80/tcp is opened to anyone by IPv4, too" in of_nginx["site.conf:1"]


NETWORK = """\
services:
  git:
    ports: ["2222:22"]
    networks: {{{key}: {{ipv4_address: 172.25.0.20}}}}
networks:
  {key}: {{ipam: {{config: [{{subnet: 172.25.0.0/24}}]}}{more}}}
"""


def test_a_network_that_docker_calls_otherwise_is_listed() -> None:
    """compose makes the new network before it removes the old one: both have the same subnet."""
    compose = text("compose", "docker-compose.yml", NETWORK.format(key="mon", more=""))
    assert reasons(adopted(compose)) == {
        "docker-compose.yml:6": "docker's name for it becomes mon: it is stack_mon now"
    }
    named = text("compose", "docker-compose.yml", NETWORK.format(key="mon", more=", name: mon"))
    assert reasons(adopted(named)) == {}


def test_two_networks_of_one_key_keep_two_names() -> None:
    one = text("compose", "docker-compose.yml", NETWORK.format(key="mon", more=""))
    other = Text(
        "compose",
        "shop.yml",
        NETWORK.format(key="mon", more="").replace("2222", "2223").replace("172.25", "172.26"),
        "docker-compose.yml",
        "shop",
    )
    result = adopted(one, other)
    networks = [project.network for project in result.source.inventory.projects.values()]
    assert [network.name for network in networks if network] == ["mon", "shop_mon"]
    assert reasons(result)["shop.yml:6"] == "compose's key for it has to be shop_mon"


def test_what_ufw_asks_before_all_others_is_named_and_not_read() -> None:
    before = text("ufw", "before.rules", "*filter\n-A ufw-before-input -i lo -j ACCEPT\nCOMMIT\n")
    result = adopted(PROGRAM, before, text("ufw", "user.rules", OPEN))
    assert list(result.lists.unread) == ["before.rules"]
    assert sources_of(result, 8080) == ("10.0.0.0/8",)


def test_the_port_that_sends_visitors_to_https_is_listed_where_the_firewall_kept_it_closed() -> (
    None
):
    site = """\
server {
    listen 443 ssl;
    listen [::]:443 ssl;
    server_name a.example.com;
    ssl_certificate /etc/a.crt;
    ssl_certificate_key /etc/a.key;
    location /a/ { proxy_pass http://127.0.0.1:8080/; }
}
"""
    rules = (
        text("ufw", "user.rules", f"{ALLOW} 443 0.0.0.0/0 any 0.0.0.0/0 in\n"),
        text("ufw", "user6.rules", f"{ALLOW} 443 ::/0 any ::/0 in\n"),
    )
    different = reasons(adopted(PROGRAM, text("nginx", "site.conf", site), *rules))
    assert "nginx at 80/tcp is opened to anyone by IPv4, too" in different["site.conf:2"]
    assert "nginx at 80/tcp is opened to anyone by IPv6, too" in different["site.conf:3"]


GENERAL = {
    "by an interface": f"{ALLOW} any 0.0.0.0/0 any 0.0.0.0/0 in_wg0".replace("tcp", "any"),
    "from a network": f"{ALLOW} any 0.0.0.0/0 any 192.168.1.0/24 in".replace("tcp", "any"),
}


@pytest.mark.parametrize("rule", GENERAL)
def test_a_rule_for_every_port_is_not_one_for_what_docker_publishes(rule: str) -> None:
    rules = (text("ufw", "user.rules", GENERAL[rule]), text("ufw", "user6.rules", ""))
    result = adopted(COMPOSE, *rules)
    assert [one.kind for one in result.conflicts] == ["published-past-ufw"]


def test_a_port_that_some_may_reach_by_ipv6_needs_no_guard_that_it_had_not() -> None:
    """An error of lint would keep the new inventory from being written."""
    rules = (
        text("ufw", "user.rules", GENERAL["by an interface"]),
        text("ufw", "user6.rules", GENERAL["by an interface"].replace("0.0.0.0/0", "::/0")),
    )
    result = adopted(COMPOSE, *rules)
    assert sources_of(result, 2222) == ("0.0.0.0/0", "%wg0")
    assert "container-unguarded" in result.source.text


MACVLAN = """\
services:
  plex:
    ports: ["32400:32400"]
    networks: {lan: {ipv4_address: 192.168.1.50}}
networks:
  lan: {driver: macvlan, ipam: {config: [{subnet: 192.168.1.0/24}]}}
"""


def test_a_macvlan_is_not_the_bridge_of_a_project() -> None:
    result = adopted(text("compose", "docker-compose.yml", MACVLAN))
    assert [one.network for one in result.source.inventory.projects.values()] == [None]
    assert [one.said.line for one in result.lists.left] == [4, 6]


LOOP = "ufw default allow\nfor port in 3306 8080; do ufw deny $port; done\nxargs ufw deny <ports\n"


def test_a_call_of_ufws_that_can_not_be_read_is_listed() -> None:
    result = adopted(PROGRAM, text("ufw", "open.sh", LOOP))
    assert [(one.said.line, one.said.file) for one in result.lists.left] == [
        (2, "open.sh"),
        (3, "open.sh"),
    ]


def test_nginx_is_opened_to_those_who_may_come_to_each_port_by_the_same_family() -> None:
    """By IPv4 everybody may come to 443, and by an interface somebody to 80: by IPv4 alone."""
    site = """\
server {
    listen 80; listen [::]:80; listen 443 ssl; listen [::]:443 ssl;
    server_name a.example.com;
    ssl_certificate /etc/a.crt; ssl_certificate_key /etc/a.key;
    location /a/ { proxy_pass http://127.0.0.1:8080/; }
}
"""
    four = f"{ALLOW} 443 0.0.0.0/0 any 0.0.0.0/0 in\n{ALLOW} 80 0.0.0.0/0 any 0.0.0.0/0 in_wg0\n"
    six = f"{ALLOW} 80 ::/0 any ::/0 in_wg0\n"
    rules = (text("ufw", "user.rules", four), text("ufw", "user6.rules", six))
    result = adopted(PROGRAM, text("nginx", "site.conf", site), *rules)
    nginx = result.source.inventory.hosts["box"].nginx
    assert nginx is not None
    assert nginx.allow == []
    assert not any("is opened to" in why for why in reasons(result).values())


BY_WG0 = "ufw default deny\nufw allow in on wg0 proto tcp from {} to any port 8080\n"
FAMILIES = {
    "any": ("%wg0",),
    "0.0.0.0/0": (),
    "::/0": (),
}


@pytest.mark.parametrize("source", FAMILIES)
def test_an_interface_of_one_family_opens_nothing_for_the_other(source: str) -> None:
    result = adopted(PROGRAM, text("ufw", "open.sh", BY_WG0.format(source)))
    assert sources_of(result, 8080) == FAMILIES[source]
    taken = {one.said.file for one in result.lists.taken}
    assert ("open.sh" in taken) == (source == "any")


def test_both_families_of_an_interface_open_both() -> None:
    rules = BY_WG0.format("0.0.0.0/0") + BY_WG0.format("::/0").partition("\n")[2]
    result = adopted(PROGRAM, text("ufw", "open.sh", rules))
    assert sources_of(result, 8080) == ("%wg0",)


@pytest.mark.parametrize("address", ["[::]", "0.0.0.0"])
def test_by_an_interface_portgen_publishes_no_second_family(address: str) -> None:
    published = text(
        "compose", "docker-compose.yml", PUBLISHED.replace("2222:22", f"{address}:2222:22")
    )
    rules = text("ufw", "open.sh", "ufw default deny\nufw allow in on eth0 to any port 2222\n")
    result = adopted(published, rules)
    assert sources_of(result, 2222) == (() if address == "[::]" else ("0.0.0.0/0",))
    assert [one.said.file for one in result.lists.taken if one.said.file == "open.sh"] == []


def test_a_forwarder_of_ipv4_is_none_of_ipv6_by_an_interface() -> None:
    unit = text(
        "units",
        "a.service",
        "[Service]\nExecStart=/usr/bin/socat TCP-LISTEN:8080,fork TCP:127.0.0.1:9\n",
    )
    rules = text("ufw", "open.sh", "ufw default deny\nufw allow in on eth0 to any port 8080\n")
    result = adopted(unit, rules)
    assert list(planner.make(result.source.inventory).services) == []
    (why,) = [one.why for one in result.lists.left if one.said.file == "a.service"]
    assert why.startswith("an inventory can't say whom this rule lets in, and portgen would refuse")
    assert result.steps == ()


STAYING = {
    "ufw allow from 10.8.0.0/24 to 10.8.0.1 port 8080 proto tcp": False,
    "ufw allow in on tailscale0 from 100.64.0.0/10 to any port 8080 proto tcp": False,
    "ufw allow from 192.168.1.5 to 10.8.0.1 port 8080 proto tcp": True,
    "ufw deny from 10.8.0.0/24 to 10.8.0.1 port 8080 proto tcp": True,
    "ufw allow from 10.8.0.0/24 to 10.8.0.1 port 8081 proto tcp": True,
}


@pytest.mark.parametrize("rule", STAYING)
def test_a_forwarder_stays_where_a_rule_that_stays_lets_in_others(rule: str) -> None:
    command = "ExecStart=/usr/bin/socat TCP-LISTEN:8080,fork,reuseaddr TCP:10.0.0.5:80"
    unit = text("units", "a.service", f"[Service]\n{command}\n")
    lan = "ufw allow from 192.168.1.0/24 to any port 8080 proto tcp\n"
    result = adopted(unit, text("ufw", "u.sh", f"ufw default deny\n{lan}{rule}\n"))
    is_taken = "to: 10.0.0.5:80" in result.source.text.replace('"', "")
    assert is_taken == STAYING[rule]
    narrow = text(
        "units",
        "a.service",
        f"[Service]\n{command}\nIPAddressDeny=any\nIPAddressAllow=localhost 192.168.1.0/25\n",
    )
    result = adopted(narrow, text("ufw", "u.sh", f"ufw default deny\n{lan}{rule}\n"))
    assert "to: 10.0.0.5:80" in result.source.text.replace('"', "")


@pytest.mark.parametrize("denied", ["192.168.1.0/24", "0.0.0.0/0"])
def test_a_forwarder_that_keeps_some_out_stays(denied: str) -> None:
    unit = text(
        "units",
        "a.service",
        "[Service]\nExecStart=/usr/bin/socat TCP6-LISTEN:8080,fork TCP4:10.0.0.5:80\n"
        f"IPAddressDeny={denied}\nIPAddressAllow=192.168.1.0/24\n",
    )
    result = adopted(unit, text("ufw", "u.sh", "ufw allow 8080/tcp\n"))
    assert list(planner.make(result.source.inventory).services) == []
    assert [one.said.line for one in result.lists.left if one.said.file == "a.service"] == [2, 3, 4]


def socket(address: str, program: str, more: str = "") -> str:
    return f'tcp LISTEN 0 128 {address} *:* users:(("{program}",pid=7,fd=3)){more}\n'


def test_a_forwarder_where_nobody_listens_is_not_installed() -> None:
    old = "[Service]\nExecStart=/usr/bin/socat TCP-LISTEN:{},fork TCP:10.0.0.5:22\nIPAddressDeny=any\n"
    units = [text("units", f"a{port}.service", old.format(port)) for port in (8050, 8051, 8052)]
    sockets = socket("*:8051", "socat") + "tcp LISTEN 0 128 [::]:8052 *:* of whom?\n"
    rules = text("ufw", "u.txt", "Status: active\n\n8000:8099/tcp ALLOW Anywhere\n")
    result = adopted(*units, text("ss", "ss.txt", sockets), rules)
    services = planner.make(result.source.inventory).services
    assert [port.port for one in services for port in one.ports] == [8051, 8052]
    left = [one for one in result.lists.left if one.said.file == "a8050.service"]
    assert [one.said.line for one in left] == [2, 3]
    assert left[0].why == "no program listens there, as `ss` shows"


def test_a_program_at_an_address_and_by_the_other_family_is_of_both() -> None:
    lines = [socket("192.168.1.1:8080", "app"), socket("[::]:8080", "app")]
    rules = OPEN4.replace("2222", "8080"), OPEN6.replace("2222", "8080")
    ufw = [text("ufw", "user.rules", rules[0]), text("ufw", "user6.rules", rules[1])]
    for order in (lines, lines[::-1]):
        result = adopted(text("ss", "ss.txt", "".join(order)), *ufw)
        assert sources_of(result, 8080) == ("any",)
    local = socket("127.0.0.1:8080", "app") + lines[1]
    assert sources_of(adopted(text("ss", "ss.txt", local), *ufw), 8080) == ("::/0",)


MORE = {
    socket("[::ffff:192.168.1.1]:8080", "java"): "192.168.1.1",
    socket("[::ffff:127.0.0.1]:8080", "java"): "127.0.0.1",
    socket("*:8080", "java", " uid:33 ino:5 sk:1 cgroup:/system.slice/x v6only:0 <->"): "",
    socket("*:8080", "ino:5 <->", " skmem:(r0,rb1) timer:(keepalive,1min,0)"): "",
    "tcp LISTEN 0 128 *:8080 *:* ino:5 sk:1 <->\n": "",
}


@pytest.mark.parametrize("line", MORE)
def test_what_else_ss_prints_hides_no_program(line: str) -> None:
    found = adopt.sight(Sources([text("ss", "ss.txt", line)], {}.get))
    assert found.left == []
    assert [(one.bind, one.endpoint.port) for one in found.listeners] == [(MORE[line], 8080)]


@pytest.mark.parametrize(
    "line", ["tcp LISTEN 0 1 [::]:8080 *:* x\n", socket("[fe80::1]:8080", "a")]
)
def test_a_line_that_can_not_be_read_names_a_holder_all_the_same(line: str) -> None:
    rules = text("ufw", "u.txt", "Status: active\n\n8080/tcp ALLOW Anywhere\n")
    result = adopted(text("ss", "ss.txt", line), rules)
    assert result.conflicts == ()
    assert [one.said.file for one in result.lists.left] == ["ss.txt", "u.txt"]


SOCKETS = {"app": "app", "rpcbind": "", "ssh": ""}


@pytest.mark.parametrize("name", SOCKETS)
def test_a_port_that_systemd_holds_is_its_services(name: str) -> None:
    unit = text("units", f"{name}.socket", "[Socket]\nListenStream=8080\n")
    rules = text("ufw", "u.txt", "Status: active\n\n8080:8083/tcp ALLOW Anywhere\n")
    result = adopted(unit, text("ss", "ss.txt", socket("*:8080", "systemd")), rules)
    services = [*planner.make(result.source.inventory).services]
    assert [one.name for one in services] == list(filter(None, [SOCKETS[name]]))
    left = {one.said.file: one.why for one in result.lists.left}
    assert left.get(f"{name}.socket", "systemd").startswith("systemd")
    held = "1 are held" if SOCKETS[name] else "0 are held, 1 are reserved"
    assert result.conflicts[0].message.endswith(f"opens 4 ports: {held}, 3 are empty")


STOPPED = {
    "docker ps: another": "Up 3 days",
    "docker ps: stopped": "Exited (0) 3 days ago",
    "docker inspect": "",
}


@pytest.mark.parametrize("case", STOPPED)
def test_a_container_that_does_not_run_is_listed_with_that(case: str) -> None:
    also = text(
        "docker",
        "i.json",
        INSPECT.format(given="").replace('"Id"', '"State": {"Running": false}, "Id"'),
    )
    if STOPPED[case]:
        name = "other-x-1" if "another" in case else "stack-git-1"
        head = f"{'CONTAINER ID':<15}{'STATUS':<28}{'PORTS':<8}NAMES"
        also = text("docker", "ps.txt", f"{head}\n{'0c55':<15}{STOPPED[case]:<28}{'':<8}{name}\n")
    result = adopted(COMPOSE, also, *UFW)
    whys = [one.why for one in result.lists.different if one.said.file == "docker-compose.yml"]
    assert whys == ["docker runs no such container now"]


SECTION = "*filter\n:ufw{0}-user-input - [0:0]\n### RULES ###\n{1}### END RULES ###\nCOMMIT\n"
WRITTEN = (
    f"{ALLOW} 8080 any any any in\n"  # as nobody's ufw does, but a family follows from the file
)
TOGETHER = {
    "both files in one": (SECTION.format("", OPEN4) + SECTION.format("6", OPEN6), ("any",)),
    "the other way round": (SECTION.format("6", OPEN6) + SECTION.format("", OPEN4), ("any",)),
    "tuples alone": (OPEN4 + OPEN6, ("any",)),
    "one of IPv4": (SECTION.format("", OPEN4) + SECTION.format("6", ""), ("0.0.0.0/0",)),
    "one of IPv6": (SECTION.format("", "") + SECTION.format("6", OPEN6), ("::/0",)),
    "by its section": (SECTION.format("", "") + SECTION.format("6", WRITTEN), ("::/0",)),
}


@pytest.mark.parametrize("case", TOGETHER)
def test_each_rule_of_ufws_two_files_in_one_is_of_its_family(case: str) -> None:
    rules, wanted = TOGETHER[case]
    result = adopted(PROGRAM, text("ufw", "all.txt", rules.replace("2222", "8080")))
    assert sources_of(result, 8080) == wanted
    assert result.lists.left == ()


@pytest.mark.parametrize(
    ("ports", "opens"),
    [
        ("2222,80:90,85:95", "17 ports: 1 are held, 16 are empty"),
        ("2000:3000,2222,1:10", "1011 ports: 1 are held, 1010 are empty"),
    ],
)
def test_a_rule_opens_each_of_its_ports_once(ports: str, opens: str) -> None:
    rules = f"{ALLOW} {ports} 0.0.0.0/0 any 0.0.0.0/0 in\n"
    program = 'tcp LISTEN 0 128 0.0.0.0:2222 0.0.0.0:* users:(("app",pid=7,fd=4))\n'
    result = adopted(text("ufw", "user.rules", rules), text("ss", "ss.txt", program))
    assert [one.message for one in result.conflicts] == [
        f"rule for {ports}/tcp from anywhere opens {opens}"
    ]


def test_many_wide_rules_take_no_time() -> None:
    ports = [",".join(f"{number + more}:65535" for more in range(7)) for number in range(1, 400)]
    rules = "".join(f"{ALLOW} {one} 0.0.0.0/0 any 0.0.0.0/0 in\n" for one in ports)
    with ends():
        adopted(text("ufw", "user.rules", rules))
