"""Who gets where, by single inventories whose answers are known."""

from __future__ import annotations

import pytest

from portgen.inventory.source import parse
from portgen.plan import planner, reached_words, reaching, relays, visitors
from portgen.plan.reaching import Answer
from portgen.plan.types import Plan

HOST = """\
version: 1
hosts:
  box:
    zones: {lan: [192.168.0.0/16, 'fd00:1::/48'], vpn: [{interface: wg0}, 10.8.0.0/24]}
    addresses: {inside: 192.168.1.5}
    nginx: {server_name: box.example.com, allow: [any]}
projects:
  shop:
    ports: 5000-5099
    network: {name: shop, subnet: 172.30.0.0/24}
    services:
SERVICES
  other:
    ports: 5100-5199
    network: {name: other, subnet: 172.31.0.0/24, subnet6: 'fd00:31::/64'}
    services:
      ninth: {port: 5100}
  bare:
    ports: 5200-5299
    services:
      tool: {port: 5200, via: process}
"""


def planned(services: str, host: str = HOST) -> Plan:
    lines = "".join(f"      {line}\n" for line in services.split("\n"))
    source = parse(host.replace("SERVICES\n", lines).encode(), "inventory.yaml")
    return planner.make(source.inventory)


def asked(plan: Plan, source: str, to: str, *, with_password: bool = True) -> Answer:
    target = reaching.target(plan, to)
    (service,) = target.services
    host = plan.hosts[0]
    own = relays.doors_of(plan, host).get(service.name, ())
    found = visitors.Sources(plan, host).named(source)
    return reaching.answer(found, service, own, target.endpoints, with_password=with_password)


def ways(plan: Plan, source: str, to: str) -> str:
    return reached_words.short(asked(plan, source, to))


@pytest.mark.parametrize(
    ("entry", "source", "way"),
    [
        ("{port: 5000}", "any", "-"),
        ("{port: 5000}", "host", "port, container"),
        ("{port: 5000}", "shop", "container"),
        ("{port: 5000}", "other", "-"),
        ("{port: 5000}", "neighbour of shop", "-"),
        ("{port: 5000, allow: [lan]}", "lan", "port"),
        ("{port: 5000, allow: [lan]}", "vpn", "-"),
        ("{port: 5000, allow: [lan]}", "192.168.7.0/24", "port"),
        ("{port: 5000, allow: [lan]}", "192.0.0.0/8", "port (in part)"),
        ("{port: 5000, allow: [192.168.0.0/16]}", "lan", "port (in part)"),
        ("{port: 5000, allow: [vpn]}", "vpn", "port"),
        ("{port: 5000, allow: [10.8.0.0/24]}", "vpn", "port (in part)"),
        ("{port: 5000, allow: [any]}", "any", "port"),
        ("{port: 5000, allow: [0.0.0.0/0]}", "any", "port (in part)"),
        ("{port: 5000, allow: [0.0.0.0/0]}", "0.0.0.0/0", "port"),
        ("{port: 5000, allow: [0.0.0.0/0]}", "::/0", "-"),
        ("{port: 5000, allow: [203.0.113.7]}", "any", "port (in part)"),
        ("{port: 5000, allow: [other]}", "other", "port"),
        ("{port: 5000, allow: [other]}", "neighbour of other", "-"),
        # published by docker: the guard closes what ufw is not asked about
        ("{port: 5000, via: docker, allow: [lan]}", "any", "-"),
        ("{port: 5000, via: docker, allow: [lan]}", "lan", "port"),
        ("{port: 5000, via: docker, allow: [lan]}", "other", "-"),
        ("{port: 5000, via: docker, allow: [other]}", "other", "port"),
        ("{port: 5000, via: docker, allow: [lan]}", "neighbour of shop", "-"),
        ("{port: 5000, via: docker}", "neighbour of shop", "-"),
        ("{port: 5000, via: docker, allow: [any]}", "neighbour of shop", "port, container"),
        ("{port: 5000, via: docker, allow: [any]}", "neighbour of other", "port"),
        # an address of the host, of a link, of a zone's interface
        ("{port: 5000, via: process, allow: []}", "192.168.1.5", "port"),
        ("{port: 5000, via: process, allow: []}", "192.168.1.6", "-"),
        ("{port: 5000, via: process, allow: ['fe80::/10']}", "any", "port (in part)"),
        (
            "{port: 5000, via: process, allow: ['169.254.0.0/16']}",
            "neighbour of shop",
            "port (in part)",
        ),
        ("{port: 5000, via: process, allow: [vpn]}", "10.8.0.7", "port"),
        # what binds its port itself
        ("{port: 5000, via: process}", "any", "-"),
        ("{port: 5000, via: process}", "bare", "port"),
        ("{port: 5000, via: process, allow: [lan], bind: inside}", "lan", "port (in part)"),
        ("{port: 5000, via: process, allow: [shop]}", "shop", "port"),
        # what ufw's own rules let in
        ("{port: 5353, via: host, protocol: udp}", "any", "perhaps port"),
        ("{port: 5353, via: host, protocol: udp}", "other", "perhaps port"),
        ("{port: 5353, via: host, protocol: udp, bind: inside}", "any", "-"),
        ("{port: 5353, via: host, protocol: tcp}", "any", "-"),
        ("{port: 5353, protocol: udp, via: docker, container_port: 53}", "any", "-"),
        ("{port: 68, via: process, protocol: udp, bind: inside}", "lan", "perhaps port (in part)"),
        ("{port: 546, via: process, protocol: udp}", "any", "perhaps port (in part)"),
        (
            "{port: 546, via: docker, protocol: udp, allow: ['fd00:1::/48']}",
            "any",
            "perhaps port (in part)",
        ),
        # routes
        ("{port: 5000, route: /web/}", "any", "route"),
        ("{port: 5000, route: {path: /web/, allow: [lan]}}", "any", "-"),
        ("{port: 5000, route: {path: /web/, allow: [lan]}}", "lan", "route"),
        ("{port: 5000, route: {path: /web/, auth_file: /etc/x}}", "any", "route with a password"),
        ("{port: 5000, route: {path: /web/, allow: [lan], extra: ['satisfy any;']}}", "any", "-"),
        (
            "{port: 5000, route: {path: /web/, auth_file: /etc/x, extra: ['satisfy any;']}}",
            "any",
            "route with a password",
        ),
        (
            "{port: 5000, route: {path: /web/, allow: [lan], auth_file: /etc/x, extra: ['satisfy any;']}}",
            "any",
            "route with a password",
        ),
        (
            "{port: 5000, route: {path: /web/, allow: [lan], auth_file: /etc/x, extra: ['satisfy any;']}}",
            "lan",
            "route, route with a password",
        ),
        (
            "{port: 5000, route: {path: /web/, allow: [lan], auth_file: /etc/x, extra: ['satisfy ANY;']}}",
            "any",
            "route with a password",
        ),
        (
            "{port: 5000, route: {path: /web/, allow: [lan], extra: ['set_real_ip_from 203.0.113.0/24;']}}",
            "any",
            "perhaps route",
        ),
        ("{port: 5000, route: {path: /web/, extra: ['auth_ldap x;']}}", "any", "perhaps route"),
        (
            "{port: 5000, route: {path: /web/, allow: [lan], extra: ['satisfy any;', 'auth_ldap x;']}}",
            "any",
            "perhaps route",
        ),
        ("{port: 5000, route: {path: /web/, extra: ['auth_request /x;']}}", "any", "perhaps route"),
        (
            "{port: 5000, route: {path: /web/, allow: [lan], extra: ['include x;']}}",
            "any",
            "perhaps route",
        ),
        ("{port: 5000, route: /web/, status: planned}", "any", "-"),
        ("{port: 5000, allow: [any], status: retired}", "any", "-"),
    ],
)
def test_one_source_and_one_service(entry: str, source: str, way: str) -> None:
    assert ways(planned(f"web: {entry}"), source, "web") == way


def test_each_family_of_anybody_has_to_get_in() -> None:
    plan = planned("web: {port: 5000, allow: ['::/0']}")
    answer = asked(plan, "any", "web")
    assert answer.reached == "some"
    assert list(reached_words.missing(answer)) == ["not IPv4"]
    assert asked(plan, "::/0", "web").reached == "yes"


def test_a_host_without_ipv6_is_asked_by_ipv4_alone() -> None:
    host = HOST.replace("    zones:", "    ipv6: false\n    zones:")
    plan = planned("web: {port: 5000, allow: [any]}", host)
    answer = asked(plan, "any", "web")
    assert answer.reached == "yes"
    assert {part.visitor.family for part in answer.parts} == {4}
    assert asked(plan, "lan", "web").reached == "yes"


def test_a_port_by_its_number_and_its_protocol() -> None:
    plan = planned(
        "dns: {via: process, ports: [{port: 5053, protocol: udp, allow: [any]}, "
        "{port: 5053, protocol: tcp, allow: [lan]}]}"
    )
    assert asked(plan, "any", "dns").reached == "yes"
    assert asked(plan, "any", "dns:5053").reached == "yes"
    assert asked(plan, "any", "dns:5053/tcp").reached == "no"
    assert asked(plan, "any", "box/dns:5053/udp").reached == "yes"


def test_a_cell_says_which_ports_where_those_are_not_all() -> None:
    plan = planned(
        "web: {via: process, ports: [{port: 5000, allow: [lan]}, {port: 5001, allow: [any]}]}"
    )
    assert ways(plan, "lan", "web") == "port"
    assert ways(plan, "any", "web") == "port 5001"


def test_parts_of_one_network_are_one_part() -> None:
    host = HOST.replace("'fd00:1::/48'", "192.168.0.0/24, 10.9.0.0/16")
    plan = planned("web: {port: 5000, allow: [192.168.0.0/16]}", host)
    (part,) = asked(plan, "lan", "web").parts
    assert (part.reached, len(part.visitor.addresses)) == ("some", 2)
    assert list(reached_words.missing(asked(plan, "lan", "web"))) == ["not 10.9.0.0/16"]


def test_each_container_of_a_source_has_to_get_in() -> None:
    host = HOST.replace("'fd00:1::/48'", "172.31.0.0/25, 172.31.0.128/25")
    plan = planned("web: {port: 5000, allow: [172.31.0.0/25]}", host)
    assert asked(plan, "lan", "web").reached == "some"
    (part, _) = asked(plan, "lan", "web").parts[::-1]
    assert part.reached == "some"


def test_services_that_let_the_same_in_have_doors_of_their_own() -> None:
    plan = planned("web: {port: 5000, allow: [lan]}\napi: {port: 5001, allow: [lan]}")
    host = plan.hosts[0]
    known = reaching.Answers(relays.doors_of(plan, host))
    lan = visitors.Sources(plan, host).named("lan")
    for name, port in (("web", 5000), ("api", 5001)):
        (service,) = reaching.target(plan, name).services
        answer = known.of(lan, service)
        assert {door.endpoint.port for door in answer.doors} == {port}
        assert answer == asked(plan, "lan", name)


def test_a_route_behind_a_password_counts_unless_it_is_not_to() -> None:
    plan = planned("web: {port: 5000, route: {path: /web/, auth_file: /etc/nginx/users}}")
    assert asked(plan, "any", "web").reached == "yes"
    assert asked(plan, "any", "web", with_password=False).reached == "no"


def test_whoever_comes_through_a_proxy_is_a_visitor() -> None:
    host = HOST.replace(
        "allow: [any]", "allow: [203.0.113.0/24], client_ip: {from: [203.0.113.0/24]}"
    )
    plan = planned(
        "web: {port: 5000, route: {path: /web/, allow: [lan]}}\nall: {port: 5001, route: /all/}",
        host,
    )
    assert ways(plan, "lan", "web") == "route"
    assert ways(plan, "any", "all") == "route"
    assert ways(plan, "203.0.113.9", "web") == "route"  # may name anybody
    # Of all strangers only the proxies do.
    assert asked(plan, "any", "web").reached == "some"


def test_nobody_is_refused_by_a_proxy_that_nginx_keeps_out() -> None:
    host = HOST.replace("allow: [any]", "allow: [lan], client_ip: {from: [203.0.113.0/24]}")
    plan = planned("all: {port: 5001, route: /all/}", host)
    assert ways(plan, "any", "all") == "-"
    assert ways(plan, "lan", "all") == "route"


def test_two_services_in_one_container_share_what_closes_it() -> None:
    plan = planned(
        "web: {port: 5000, via: docker, compose_service: both, allow: [any], container_port: 80}\n"
        "api: {port: 5001, via: docker, compose_service: both, allow: [lan], container_port: 81}"
    )
    assert ways(plan, "neighbour of shop", "web") == "port"
    assert ways(plan, "neighbour of shop", "api") == "-"


def test_an_external_network_of_unknown_addresses() -> None:
    host = HOST.replace("{name: shop, subnet: 172.30.0.0/24}", "{name: shop, external: true}")
    plan = planned(
        "web: {port: 5000, via: docker, allow: [any]}\nold: {port: 5001, via: docker, status: retired}",
        host,
    )
    answer = asked(plan, "shop", "web")
    assert answer.reached == "unknown"
    assert answer.source.unknown == "the subnet of the network shop is not known"
    assert asked(plan, "shop", "old").reached == "no"
    assert ways(plan, "neighbour of shop", "web") == "port, container"


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("wbe", "there is no such service"),
        ("web:5001", "web has no such port"),
        ("box2/web", "there is no such service"),
        ("shop/web:5000", "shop is a project, not a host"),
        ("shop/wbe", "there is no such service"),
        ("project shops", "there is no such project"),
        ("a b", "write SERVICE, SERVICE:PORT, HOST/SERVICE or `project NAME`"),
    ],
)
def test_a_word_that_stands_for_no_service(word: str, why: str) -> None:
    with pytest.raises(reaching.UnknownTargetError) as raised:
        reaching.target(planned("web: {port: 5000}"), word)
    assert str(raised.value) == why


@pytest.mark.parametrize(
    "word", ["wan", "neighbour of nobody", "neighbour", "300.1.1.1", "192.168.0.0/33"]
)
def test_a_word_that_stands_for_nobody(word: str) -> None:
    plan = planned("web: {port: 5000}")
    with pytest.raises(visitors.UnknownSourceError) as raised:
        visitors.Sources(plan, plan.hosts[0]).named(word)
    assert "neighbour of shop" in raised.value.known


def test_all_that_a_host_is_asked_about_by_itself() -> None:
    plan = planned("web: {port: 5000}")
    names = [source.name for source in visitors.Sources(plan, plan.hosts[0]).every]
    assert names == [
        "lan",
        "vpn",
        "any",
        "shop",
        "other",
        "neighbour of shop",
        "neighbour of other",
        "host",
    ]


def test_nobody_is_left_where_a_zone_is_everybody() -> None:
    host = HOST.replace("lan: [192.168.0.0/16, 'fd00:1::/48']", "lan: [0.0.0.0/0, '::/0']")
    plan = planned("web: {port: 5000, allow: [lan]}", host)
    assert ways(plan, "lan", "web") == "port, container"
    assert ways(plan, "any", "web") == "-"
    assert ways(plan, "vpn", "web") == "port"


def test_a_proxy_of_one_family_may_name_a_visitor_of_the_other() -> None:
    host = HOST.replace(
        "allow: [any]", "allow: [203.0.113.0/24], client_ip: {from: [203.0.113.0/24]}"
    )
    plan = planned("web: {port: 5000, route: {path: /web/, allow: ['fd00::/8']}}", host)
    assert ways(plan, "203.0.113.9", "web") == "route"
    assert ways(plan, "198.51.100.9", "web") == "-"


def test_a_part_that_is_several_networks_is_named_by_them() -> None:
    plan = planned("web: {port: 5000, via: process, allow: [172.16.0.0/13]}")
    answer = asked(plan, "172.16.0.0/12", "web")
    (said, *_) = [text for text in reached_words.missing(answer) if "of 172.16.0.0/13" in text]
    assert said.endswith("only 172.16.0.0/13")


def test_a_container_on_the_hosts_network_is_the_host() -> None:
    plan = planned("dns: {port: 5053, via: host}\nweb: {port: 5000, via: process, allow: []}")
    assert asked(plan, "shop", "web").reached == "some"
    assert asked(plan, "other", "web").reached == "no"


def test_a_project_of_another_host_comes_by_that_hosts_addresses() -> None:
    host = HOST.replace("  shop:\n", "  shop:\n    host: box\n").replace(
        "projects:\n", "  far: {ADDRESSES}\nprojects:\n"
    )
    for name in ("other", "bare"):
        host = host.replace(f"  {name}:\n", f"  {name}:\n    host: far\n")
    web = "web: {port: 5000, via: process, allow: [192.168.7.9]}"
    known = planned(
        web, host.replace("{ADDRESSES}", "{addresses: {lan: 192.168.7.9}, ipv6: false}")
    )
    assert asked(known, "other", "web").reached == "yes"
    assert asked(known, "bare", "web").reached == "yes"
    by_its_network = planned(
        web.replace("192.168.7.9", "172.31.0.0/24"),
        host.replace("{ADDRESSES}", "{addresses: {lan: 192.168.7.9}, ipv6: false}"),
    )
    assert asked(by_its_network, "other", "web").reached == "no"
    unknown = asked(planned(web, host.replace("{ADDRESSES}", "{}")), "other", "web")
    assert unknown.reached == "unknown"
    assert "no address of the host far is known" in unknown.source.unknown


def test_containers_of_a_project_without_a_network_have_addresses_that_nobody_knows() -> None:
    host = HOST.replace(
        "tool: {port: 5200, via: process}", "tool: {port: 5200, via: docker, allow: [any]}"
    )
    plan = planned("web: {port: 5000, via: process, allow: []}", host)
    assert asked(plan, "bare", "web").reached == "unknown"
    assert ways(plan, "neighbour of bare", "tool") == "port, container"
    assert ways(plan, "neighbour of shop", "tool") == "port"
    assert "neighbour of bare" in [one.name for one in visitors.Sources(plan, plan.hosts[0]).every]


def test_the_teams_own_server_may_be_at_a_port_that_a_program_has() -> None:
    host = HOST.replace(
        "nginx: {server_name: box.example.com, allow: [any]}", "nginx: {allow: [lan]}"
    )
    web = "web: {port: 5000, route: {path: /web/, allow: [any]}}"
    assert ways(planned(web, host), "any", "web") == "-"
    nginx = f"{web}\nnginx-itself: {{port: 5001, via: process, allow: [any]}}"
    assert ways(planned(nginx, host), "any", "web") == "perhaps route"
    assert ways(planned(nginx), "203.0.113.9", "web") == "route"


def test_a_zones_interface_brings_its_networks_too() -> None:
    plan = planned("web: {port: 5000, via: process, allow: [10.8.0.0/24]}")
    by_wg0 = [part for part in asked(plan, "vpn", "web").parts if part.visitor.interface]
    assert [part.reached for part in by_wg0] == ["some", "no"]


@pytest.mark.parametrize(
    ("extra", "way"),
    [
        ("add_before_body /web/;", "perhaps route"),
        ("mirror /web/x;", "perhaps route"),
        ("auth_request /web/;", "perhaps route"),
        ("ssi on;", "perhaps route"),
        ("add_before_body /elsewhere/;", "-"),
        ("error_page 404 /web/;", "-"),
    ],
)
def test_what_nginx_itself_asks_for_passes_by_a_routes_allow(extra: str, way: str) -> None:
    plan = planned(
        "web: {port: 5000, route: {path: /web/, allow: [lan]}}\n"
        f"other: {{port: 5001, route: {{path: /other/, extra: ['{extra}']}}}}".replace(
            "other:", "beside:"
        )
    )
    assert ways(plan, "any", "web") == way


def test_a_process_of_a_project_with_a_network_is_the_host() -> None:
    plan = planned(
        "agent: {port: 5001, via: process, allow: []}\nweb: {port: 5000, via: process, allow: []}"
    )
    assert asked(plan, "shop", "web").reached == "some"


def test_an_address_that_nginx_answers_to_is_the_hosts() -> None:
    host = HOST.replace(
        "server_name: box.example.com", "server_name: [box.example.com, 192.168.7.7]"
    )
    plan = planned("web: {port: 5000, via: process, allow: []}", host)
    assert asked(plan, "192.168.7.7", "web").reached == "yes"
