"""What targets read in files that people wrote: the meaning, whatever the form."""

from __future__ import annotations

import time

import pytest

from portgen import targets
from portgen.plan.facts import Container, Guard, Location, Network, Nginx, Opening, Published, Unit
from portgen.plan.ports import Endpoint


def read(name: str, **files: str) -> dict[str, object]:
    """What a target reads in files, by what the format calls it."""
    texts = {f"{name}/{path.replace('__', '.')}": text for path, text in files.items()}
    return {statement.name: statement.fact for statement in targets.every()[name].read(texts)}


# --- nginx ----------------------------------------------------------------------------------------


def location(directives: str, around: str = "") -> Location:
    text = f"server {{ {around} location /a/ {{ {directives} }} }}"
    found = read("nginx", x__conf=text)["/a/"]
    assert isinstance(found, Location)
    return found


@pytest.mark.parametrize(
    ("directives", "clients", "closed"),
    [
        ("", (), False),
        ("allow 10.0.0.0/8; allow fd00::/8; deny all;", ("10.0.0.0/8", "fd00::/8"), False),
        ("deny all;", (), True),
        ("allow all; deny 10.0.0.1;", (), False),
        ("allow 10.0.0.0/8;", (), False),
        ("deny 10.0.0.1; allow 10.0.0.0/8; deny all;", (), False),
    ],
)
def test_who_may_come_is_what_nginx_does_with_the_rules(
    directives: str, clients: tuple[str, ...], closed: bool
) -> None:
    route = location(directives).route
    assert (route.clients, route.closed) == (clients, closed)


def test_what_locations_inherit_is_looked_at_once_for_all_of_them() -> None:
    allows = "".join(f"allow 10.0.{number // 250}.{number % 250};" for number in range(5000))
    inside = "".join(f"location /{number}/ {{ return 204; }}" for number in range(3000))
    started = time.process_time()
    found = read("nginx", x__conf=f"server {{ {allows} deny all; {inside} }}")
    assert time.process_time() - started < 3
    last = found["/2999/"]
    assert isinstance(last, Location)
    assert len(last.route.clients) == 5000


def test_a_rule_without_a_source_says_nothing() -> None:
    assert location("", "allow; allow 10.0.0.0/8; deny all;").route.clients == ("10.0.0.0/8",)


def test_rules_that_are_no_list_of_clients_stay_as_they_are() -> None:
    assert location("deny 10.0.0.1;").route.directives == ("deny 10.0.0.1;",)
    assert location("allow 10.0.0.0/8;").route.directives == ("allow 10.0.0.0/8;",)


def test_a_location_has_what_the_blocks_around_it_say() -> None:
    around = "allow 10.0.0.0/8; deny all; client_max_body_size 5m; proxy_read_timeout 1h30m;"
    route = location("", around).route
    assert (route.clients, route.max_body, route.timeout) == (("10.0.0.0/8",), "5m", 5400)
    own = location("allow 10.1.0.0/16; deny all; proxy_read_timeout 2s;", around).route
    assert (own.clients, own.max_body, own.timeout) == (("10.1.0.0/16",), "5m", 2)


@pytest.mark.parametrize(
    ("directives", "backend", "strip"),
    [
        ("proxy_pass http://127.0.0.1:5000;", "127.0.0.1:5000", False),
        ("proxy_pass http://127.0.0.1:5000/;", "127.0.0.1:5000", True),
        ("proxy_pass http://127.0.0.1;", "127.0.0.1:80", False),
        ("set $up 127.0.0.1:5000; proxy_pass http://$up/;", "127.0.0.1:5000", True),
        ("proxy_pass http://$host;", None, False),
        ("proxy_pass https://example.com;", "example.com:443", False),
        ("proxy_pass https://example.com:8443/;", "example.com:8443", True),
        ("proxy_pass http://unix:/run/a.sock:/;", "unix:/run/a.sock", True),
        ("proxy_pass http://unix:/run/a.sock;", "unix:/run/a.sock", False),
        ("return 204;", None, False),
    ],
)
def test_where_a_location_leads(directives: str, backend: str | None, strip: bool) -> None:
    found = location(directives)
    assert (found.backend, found.route.strip) == (backend, strip)


@pytest.mark.parametrize(
    ("mark", "directives"),
    [
        ("/run/portgen/left/a:5000@127.0.0.1:5000", ()),
        ("/run/portgen/left/a:5000@127.0.0.1:5001", ("/run/portgen/left/a:5000@127.0.0.1:5001",)),
        ("/run/others/a@127.0.0.1:5000", ("/run/others/a@127.0.0.1:5000",)),
    ],
)
def test_the_mark_of_the_place_where_a_location_leads_says_nothing_else(
    mark: str, directives: tuple[str, ...]
) -> None:
    found = location(f"if (-f {mark}) {{ return 503; }} proxy_pass http://127.0.0.1:5000;")
    assert found.backend == "127.0.0.1:5000"
    assert found.route.directives == tuple(
        f"if (-f {other}) {{ return 503; }}" for other in directives
    )


def test_all_servers_of_an_upstream_count() -> None:
    upstream = (
        "upstream up { server 127.0.0.1:5000; server unix:/a.sock backup; server a.example; }"
    )
    text = f"{upstream} server {{ location /a/ {{ proxy_pass http://up; }} }}"
    found = read("nginx", x__conf=text)["/a/"]
    assert isinstance(found, Location)
    assert found.backend == "127.0.0.1:5000, unix:/a.sock backup, a.example:80"


def test_a_password_is_asked_for_only_with_a_prompt_and_a_file() -> None:
    assert location("auth_basic a; auth_basic_user_file /f;").route.auth_file == "/f"
    assert (
        location("auth_basic off;", "auth_basic a; auth_basic_user_file /f;").route.auth_file
        is None
    )
    assert location("auth_basic_user_file /f;").route.auth_file is None


@pytest.mark.parametrize(
    ("listen", "endpoint"),
    [
        ("80", Endpoint(80, "tcp")),
        ("[::]:8080 ipv6only=on", Endpoint(8080, "tcp", address="::")),
        ("[::]:8080 ipv6only=off", Endpoint(8080, "tcp")),
        ("[::1]", Endpoint(80, "tcp")),
        ("10.0.0.1:443 ssl", Endpoint(443, "tcp")),
        ("443 quic reuseport", Endpoint(443, "udp")),
        ("10.0.0.1", Endpoint(80, "tcp")),
    ],
)
def test_where_a_server_listens(listen: str, endpoint: Endpoint) -> None:
    found = read("nginx", x__conf=f"http {{ server {{ listen {listen}; }} }}")
    assert found["listen"] == Nginx(listen=(endpoint,))


# --- systemd --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "unit"),
    [
        (
            "socat TCP-LISTEN:80,fork TCP:10.0.0.1:8080",
            Unit(Endpoint(80, "tcp"), "0.0.0.0", "10.0.0.1:8080", 0, ("any",)),
        ),
        (
            "-/usr/bin/socat -d -t5 tcp6-l:80,reuseaddr tcp4-connect:10.0.0.1:80",
            Unit(Endpoint(80, "tcp"), "::", "10.0.0.1:80", 5, ("any",)),
        ),
        (
            "socat -6 TCP-LISTEN:80 TCP:10.0.0.1:80",
            Unit(Endpoint(80, "tcp"), "::", "10.0.0.1:80", 0, ("any",)),
        ),
        (
            "socat -lf /var/log/socat.log -lp name -lfx TCP-LISTEN:80 TCP:10.0.0.1:80",
            Unit(Endpoint(80, "tcp"), "0.0.0.0", "10.0.0.1:80", 0, ("any",)),
        ),
        (
            "/usr/bin/socat -T 60 'UDP4-RECVFROM:53,bind=10.0.0.9,fork' UDP:10.0.0.1:53",
            Unit(Endpoint(53, "udp", address="10.0.0.9"), "10.0.0.9", "10.0.0.1:53", 60, ("any",)),
        ),
    ],
)
def test_a_forwarder_is_read_whoever_wrote_it(command: str, unit: Unit) -> None:
    found = read("systemd", a__service=f"[Service]\nExecStart={command}\n")["a.service"]
    assert isinstance(found, Unit)
    assert [getattr(found, name) for name in ("listen", "bind", "to", "timeout", "clients")] == [
        getattr(unit, name) for name in ("listen", "bind", "to", "timeout", "clients")
    ]


def test_whom_systemd_lets_in() -> None:
    text = (
        "[Service]\nExecStart=socat TCP-LISTEN:80 TCP:10.0.0.1:80\nIPAddressDeny=any\n"
        "IPAddressAllow=192.0.2.0/24\nIPAddressAllow=\nIPAddressAllow=localhost 10.0.0.1\n"
        "IPAddressAllow=10.2.0.0/16\n"
    )
    found = read("systemd", a__service=text)["a.service"]
    assert isinstance(found, Unit)
    assert found.clients == ("10.2.0.0/16",)


SOCAT = "[Service]\nExecStart=socat TCP-LISTEN:80 TCP:10.0.0.1:80\n"


@pytest.mark.parametrize(
    ("settings", "clients"),
    [
        ("IPAddressDeny=0.0.0.0/0 ::/0\n", ()),
        (
            "IPAddressDeny=::/0\nIPAddressDeny=0.0.0.0/0\nIPAddressAllow=10.0.0.0/8\n",
            ("10.0.0.0/8",),
        ),
        ("IPAddressDeny=::/0\n", ("any",)),
        ("IPAddressDeny=any\nIPAddressDeny=\n", ("any",)),
        ("[Unit]\nIPAddressDeny=any\n", ("any",)),
    ],
)
def test_whole_families_are_everybody(settings: str, clients: tuple[str, ...]) -> None:
    found = read("systemd", a__service=SOCAT + settings)["a.service"]
    assert isinstance(found, Unit)
    assert found.clients == clients


def test_what_is_denied_to_a_few_is_a_setting() -> None:
    found = read("systemd", a__service=f"{SOCAT}IPAddressDeny=10.0.0.0/8\n")["a.service"]
    assert isinstance(found, Unit)
    assert (found.clients, found.settings) == (("any",), "\nIPAddressDeny=10.0.0.0/8")


def test_a_command_that_is_taken_back_does_not_count() -> None:
    more = "ExecStart=\nExecStart=socat TCP-LISTEN:81 TCP:10.0.0.1:80\n[Unit]\nExecStart=x\n"
    found = read("systemd", a__service=SOCAT + more)["a.service"]
    assert isinstance(found, Unit)
    assert (found.listen, found.settings) == (Endpoint(81, "tcp"), "[Unit]\nExecStart=x")


def test_another_program_is_a_unit_too() -> None:
    found = read("systemd", a__service="[Service]\nExecStart=/usr/bin/python3 app.py\n")[
        "a.service"
    ]
    assert found == Unit(None, "", "", 0, (), "[Service]\nExecStart=/usr/bin/python3 app.py")


# --- compose --------------------------------------------------------------------------------------

COMPOSE = """\
services:
  web:
    networks: {front: {ipv4_address: 172.30.0.5}}
    ports:
      - "127.0.0.1:5000:80"
      - {target: 53, published: 5001, host_ip: 10.0.0.1, protocol: UDP}
      - 5002:${PORT:-8080}
  host: {network_mode: host, image: a}

networks:
  front:
    ipam: {config: [{subnet: 172.30.0.0/24}]}
  none: {}
"""


def test_a_compose_file_is_read_in_either_form() -> None:
    found = read("compose", a__yml=COMPOSE)
    ports = ("127.0.0.1:5000:80", "10.0.0.1:5001:53/udp", "5002:8080")
    assert found == {
        "web": Container("a.yml", "web", False, "front", "172.30.0.5", ports),
        "host": Container("a.yml", "host", True, None, None, (), '{"image": "a"}'),
        "front": Network("a.yml", "172.30.0.0/24"),
        **{port: Published(port) for port in ports},
    }


@pytest.mark.parametrize(
    ("entry", "settings"),
    [
        ("{network_mode: none}", '{"network_mode": "none"}'),
        ("{network_mode: 'service:x'}", '{"network_mode": "service:x"}'),
        ("{networks: {front: {aliases: [a]}}}", '{"networks": {"front": {"aliases": ["a"]}}}'),
        (
            "{networks: {front: {ipv4_address: 10.0.0.1, ipv6_address: 'fd00::1'}}}",
            '{"networks": {"front": {"ipv6_address": "fd00::1"}}}',
        ),
        ("{environment: &a {a: *a}}", '{"environment": {"a": "an alias that stands for nothing"}}'),
        ("{environment: {A: null}}", '{"environment": {"A": null}}'),
        ("{environment: [A]}", '{"environment": ["A"]}'),
        ("{ports: [{target: 53, protocol: TCP}, 5000]}", ""),
    ],
)
def test_what_a_container_has_besides_is_a_setting(entry: str, settings: str) -> None:
    found = read("compose", a__yml=f"services: {{web: {entry}}}")["web"]
    assert isinstance(found, Container)
    assert found.settings == settings


@pytest.mark.parametrize(
    "written",
    ["{PORT: 5000, URL: 'http://a$$b'}", "[PORT=5000, 'URL=http://a$$b']"],
)
def test_variables_are_read_in_either_form(written: str) -> None:
    found = read("compose", a__yml=f"services: {{web: {{environment: {written}}}}}")["web"]
    assert isinstance(found, Container)
    assert (found.environment, found.settings) == ({"PORT": "5000", "URL": "http://a$b"}, "")


def test_what_an_edit_broke_hides_nothing_else() -> None:
    broken = "services:\n  a:\n    ports: ['5000:80']\n\n  b:\n    ports: [\n\n  c:\n    ports: ['5002:80']\n"
    found = read("compose", a__yml=broken)
    assert {"a", "c", "5000:80", "5002:80"} == set(found)


# --- ufw ------------------------------------------------------------------------------------------


def test_ufw_s_own_files_say_who_may_come() -> None:
    text = (
        "### tuple ### allow tcp 5001 0.0.0.0/0 any 192.168.0.0/16 in comment=706f\n"
        "### tuple ### allow any 53 0.0.0.0/0 any 0.0.0.0/0 in\n"
        "### tuple ### deny tcp 22 0.0.0.0/0 any 0.0.0.0/0 in\n"
        "### tuple ### allow tcp 23 0.0.0.0/0 any 0.0.0.0/0 in_eth0\n"
        "### tuple ### allow tcp 24 0.0.0.0/0 any 10.0.0.0/8 in_eth0\n"  # two conditions at once
    )
    assert read("ufw", user__rules=text) == {
        "5001/tcp": Opening(Endpoint(5001, "tcp"), "192.168.0.0/16"),
        "53/tcp": Opening(Endpoint(53, "tcp"), "0.0.0.0/0"),
        "53/udp": Opening(Endpoint(53, "udp"), "0.0.0.0/0"),
        "23/tcp": Opening(Endpoint(23, "tcp"), "%eth0"),
    }


def test_a_guard_asks_by_which_interface_somebody_comes() -> None:
    match = "-p tcp -m conntrack --ctstate DNAT --ctorigdstport {} --ctdir ORIGINAL"
    several = f"-A DOCKER-USER -i wg+ {match.format(5002)} -j RETURN"
    both = f"-A DOCKER-USER -s 10.0.0.0/8 -i wg0 {match.format(5003)} -j RETURN"
    text = "\n".join(
        [
            "*filter",
            f"-A DOCKER-USER -i wg0 {match.format(5001)} -j RETURN",
            f"-A DOCKER-USER -s 10.0.0.0/8 {match.format(5001)} -j RETURN",
            f"-A DOCKER-USER {match.format(5001)} -j DROP",
            several,
            both,
        ]
    )
    found = list(targets.every()["ufw"].read({"ufw/after.rules": text}))
    assert [statement.fact for statement in found] == [
        Guard({Endpoint(5001, "tcp"): ("%wg0", "10.0.0.0/8")}),
        Guard(other=(several,)),
        Guard(other=(both,)),
    ]


def test_a_script_s_rules_let_in_wherever_and_however_they_stand() -> None:
    text = "ufw allow 5001/tcp # why\n  ufw insert 1 limit 5002/udp\nufw prepend deny 5003/tcp\n"
    assert read("ufw", a__sh=text) == {
        "5001/tcp": Opening(Endpoint(5001, "tcp"), "any"),
        "5002/udp": Opening(Endpoint(5002, "udp"), "any"),
    }


def test_a_rule_for_one_address_of_the_host_is_about_that_one() -> None:
    text = (
        "ufw allow proto udp from any to 192.0.2.53 port 53\n"
        "ufw allow proto udp from any to 2001:db8::53/128 port 53\n"
        "ufw allow proto udp from any to 192.0.2.0/24 port 54\n"  # of a network: not known whose
    )
    assert read("ufw", a__sh=text) == {
        "192.0.2.53:53/udp": Opening(Endpoint(53, "udp", address="192.0.2.53"), "any"),
        "[2001:db8::53]:53/udp": Opening(Endpoint(53, "udp", address="2001:db8::53"), "any"),
    }


def test_a_guard_is_what_its_chain_does() -> None:
    match = "-p tcp -m conntrack --ctstate DNAT --ctorigdstport {} --ctdir ORIGINAL"
    everybody = f"-A DOCKER-USER {match.format(5003)} -j RETURN"
    text = "\n".join([
        "*filter",
        f"-A DOCKER-USER -s 10.0.0.0/8 {match.format(5001)} -j RETURN",
        f"-A DOCKER-USER {match.format(5001)} -j DROP",
        f"-A DOCKER-USER {match.format(5002)} -j DROP",
        everybody,
        f"-A DOCKER-USER {match.format(5003)} -j DROP",
        (
            "-A DOCKER-USER ! -s 172.30.0.0/24 -d 172.30.0.5/32 "
            "-m conntrack ! --ctstate DNAT --ctdir ORIGINAL -j DROP"
        ),
    ])  # fmt: skip
    assert read("ufw", after__rules=text) == {
        "5001/tcp": Guard({Endpoint(5001, "tcp"): ("10.0.0.0/8",)}),
        "5002/tcp": Guard({Endpoint(5002, "tcp"): ()}),
        "DOCKER-USER": Guard(other=(f"-A DOCKER-USER {match.format(5003)} -j DROP",)),
        "172.30.0.5": Guard(address="172.30.0.5", subnet="172.30.0.0/24"),
    }
