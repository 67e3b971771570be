"""Inventories of 20 KB that ask for as much work as they can: each a name, and a text of at most `SIZE`
bytes.

They are what a stranger could put into a pull request. Each fills its size with as many of one thing as fit,
so that whatever compares everything with everything, or walks a range port by port, shows itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import count

SIZE = 20_000

HOST = "hosts: {h: {}}\n"
NGINX = "hosts: {h: {nginx: {server_name: h.example}}}\n"

FAMILY: dict[str, Callable[[], str]] = {}


def heavy(build: Callable[[], str]) -> Callable[[], str]:
    """Adds a generator to the family, under its own name."""
    FAMILY[build.__name__] = build
    return build


def filled(head: str, parts: Iterable[str], tail: str = "") -> str:
    """As many of the `parts` as fit between head and tail."""
    text = [head]
    left = SIZE - len((head + tail).encode())
    for part in parts:
        left -= len(part.encode())
        if left < 0:
            break
        text.append(part)
    return "".join(text) + tail


def numbered(form: str, start: int = 0) -> Iterator[str]:
    """The form with 0, 1, 2, … in the place of each `@`."""
    return (form.replace("@", str(number)) for number in count(start))


def project(lines: str, name: str = "p") -> str:
    return f"version: 1\n{HOST}projects:\n  {name}:\n{lines}"


# --- ranges --------------------------------------------------------------------------------------


@heavy
def groups_of_full_ranges() -> str:
    group = "  - {name: g@, ports: [" + ",".join(["1-65535"] * 20) + "]}\n"
    return filled(
        project("    ports: 1-65535\n    groups:\n"), ("  " + part for part in numbered(group))
    )


@heavy
def many_groups() -> str:
    return filled(
        project("    ports: 1-65535\n    groups:\n"), numbered("    - {name: g@, ports: 1-65535}\n")
    )


@heavy
def many_groups_without_a_range() -> str:
    return filled(project("    groups:\n"), numbered("    - {name: g@, ports: 1-65535}\n"))


@heavy
def many_groups_in_flow_style() -> str:
    return filled(
        project("    ports: 1-65535\n    groups: ["), numbered("{name: g@,ports: 1},"), "]\n"
    )


@heavy
def groups_of_one_name() -> str:
    return filled(
        project("    ports: 1-65535\n    groups: ["), numbered("{name: g,ports: @},", 1024), "]\n"
    )


@heavy
def aliased_groups() -> str:
    """One list of groups for many projects."""
    ranges = ",".join(f"{port}" for port in range(10000, 12000, 2))
    head = project(f"    ports: &r [{ranges}]\n    groups: &g [{{name: g, ports: *r}}]\n")
    return filled(head, numbered("  p@: {ports: *r, groups: *g}\n"))


@heavy
def aliased_ranges_in_groups() -> str:
    """One list of ranges for many groups, in a project of the same ranges."""
    ranges = ",".join(f"{port}" for port in range(1024, 4000, 2))
    return filled(
        project(f"    ports: &r [{ranges}]\n    groups: ["),
        numbered("{name: g@,ports: *r},"),
        "]\n",
    )


@heavy
def doubled_aliased_ranges() -> str:
    """Few bytes, most values that aliases may add up to."""
    ranges = ",".join(["1-65535"] * 1000)
    return filled(
        project(f"    ports: &r [{ranges}]\n    groups: ["),
        numbered("{name: g@,ports: *r},"),
        "]\n",
    )


@heavy
def one_list_of_ranges() -> str:
    return filled(project("    ports: ["), numbered("@,", 1024), "65535]\n")


@heavy
def one_list_of_scattered_ports() -> str:
    return filled(
        project("    ports: ["), (f"{port}," for port in range(1024, 65534, 2)), "65535]\n"
    )


@heavy
def one_list_of_equal_ranges() -> str:
    return filled(project("    ports: ["), numbered("1-65535,"), "1]\n")


@heavy
def scattered_reserved_ports_and_services() -> str:
    ranges = ",".join(str(port) for port in range(10000, 14000, 2))
    head = (
        f"version: 1\nhosts: {{h: {{reserved: [{ranges}]}}}}\nprojects:\n  p:\n"
        "    ports: 1-65535\n    services:\n"
    )
    return filled(head, numbered("      s@: {port: 10000}\n"))


@heavy
def many_projects_with_full_ranges() -> str:
    return filled(f"version: 1\n{HOST}projects:\n", numbered("  p@: {ports: 1-65535}\n"))


@heavy
def many_projects_with_many_ranges() -> str:
    ranges = ",".join(str(port) for port in range(1024, 1224, 2))
    return filled(f"version: 1\n{HOST}projects:\n", numbered(f"  p@: {{ports: [{ranges}]}}\n"))


@heavy
def many_projects_with_aliased_ranges() -> str:
    ranges = ",".join(str(port) for port in range(1024, 4000, 2))
    return filled(
        f"version: 1\n{HOST}projects:\n  p: {{ports: &r [{ranges}]}}\n",
        numbered("  p@: {ports: *r}\n"),
    )


@heavy
def many_projects_and_strays() -> str:
    """Ports of a project without ranges inside everybody else's."""
    head = f"version: 1\n{HOST}projects:\n  p:\n    services:\n" + "".join(
        f"      s{n}: {{port: {2000 + n}}}\n" for n in range(400)
    )
    return filled(head, numbered("  p@: {ports: 1024-9999}\n"))


@heavy
def many_reserved_per_project() -> str:
    return filled(
        f"version: 1\n{HOST}projects:\n",
        numbered("  p@: {ports: 1-65535,reserved: [1-65535,1-65535,1-65535]}\n"),
    )


@heavy
def ranges_of_services_that_overlap() -> str:
    head = project("    ports: 1-65535\n    services:\n")
    return filled(head, numbered("      s@: {via: process, ports: [{port: 5000-5999}]}\n"))


@heavy
def ranges_of_services_outside_the_project() -> str:
    head = project("    ports: 9\n    defaults: {via: process}\n    services:\n")
    entries = (
        f"      s{number}: {{ports: [{{port: {number}-{number + 999}}}]}}\n" for number in count(10)
    )
    return filled(head, entries)


@heavy
def ranges_of_services_side_by_side() -> str:
    head = project("    ports: [1-65535/tcp]\n    defaults: {via: process}\n    services:\n")
    entries = (
        f"      s{number}: {{ports: [{{port: {number * 90}-{number * 90 + 89}}}]}}\n"
        for number in range(1, 728)
    )
    return filled(head, entries)


@heavy
def ports_of_one_protocol() -> str:
    head = f"version: 1\n{HOST}projects:\n"
    return filled(head, numbered("  p@: {ports: [1-65535/udp, 443/tcp]}\n"))


# --- services ------------------------------------------------------------------------------------


@heavy
def services_on_one_port() -> str:
    return filled(
        project("    ports: 1024-65535\n    services:\n"), numbered("      s@: {port: 5000}\n")
    )


@heavy
def services_on_one_specific_port() -> str:
    """Bound to loopback, by forwarders."""
    lines = "    ports: 1024-65535\n    network: {name: n, subnet: 10.0.0.0/8}\n    services:\n"
    return filled(project(lines), numbered("      s@: {port: 5000}\n"))


@heavy
def services_on_scattered_ports() -> str:
    """In a subnet that has no room for them: each has a place among those that don't fit."""
    lines = "    network: {name: n, subnet: 10.0.0.0/22}\n    ports: ["
    scattered = ",".join(map(str, range(1025, 4025, 2)))
    return filled(
        project(f"{lines}{scattered}]\n    services:\n"), numbered("      s@: {port: @}\n", 1024)
    )


@heavy
def ports_of_one_service() -> str:
    return filled(
        project("    ports: 1024-65535\n    services: {s: {ports: ["),
        numbered("@,", 1024),
        "1024]}}\n",
    )


@heavy
def equal_ports_of_one_service() -> str:
    lines = "    ports: 1024-65535\n    network: {name: n, subnet: 10.0.0.0/8}\n    services: {s: {ports: ["
    return filled(project(lines), numbered("5,"), "5]}}\n")


@heavy
def udp_ports_of_one_service() -> str:
    lines = (
        "    ports: 1024-65535\n    network: {name: n, subnet: 10.0.0.0/8}\n"
        "    defaults: {protocol: udp}\n    services: {s: {ports: ["
    )
    return filled(project(lines), numbered("@,", 1024), "1024]}}\n")


@heavy
def aliased_ports_of_many_services() -> str:
    """The same 500 ports, held by everybody."""
    ports = ",".join(str(port) for port in range(5000, 5500))
    head = project(f"    ports: 1024-4999\n    services:\n      s: {{ports: &p [{ports}]}}\n")
    return filled(head, numbered("      s@: {ports: *p}\n"))


@heavy
def aliased_services_of_many_projects() -> str:
    services = ",".join(f"s{n}: {{port: {5000 + n}}}" for n in range(300))
    head = project(f"    ports: 5000-5999\n    services: &s {{{services}}}\n")
    return filled(head, numbered("  p@: {services: *s}\n"))


@heavy
def services_outside_the_project() -> str:
    return filled(
        project("    ports: 1-65000\n    services: {"), numbered("s@: {port: 65500},"), "}\n"
    )


@heavy
def services_outside_many_ranges() -> str:
    ranges = ",".join(str(port) for port in range(10000, 13000, 2))
    return filled(
        project(f"    ports: [{ranges}]\n    services: {{"), numbered("s@: {port: 65500},"), "}\n"
    )


@heavy
def services_of_many_projects() -> str:
    return filled(
        f"version: 1\n{HOST}projects:\n",
        numbered("  p@: {ports: 1-65535, services: {a@: {port: 1}}}\n"),
    )


@heavy
def nested_routes() -> str:
    lines = "    services:\n"
    head = f"version: 1\n{NGINX}projects:\n  p:\n{lines}"
    parts = (f"      s{n}: {{port: {1024 + n}, route: {'/a' * n}/}}\n" for n in count(1))
    return filled(head, parts)


@heavy
def routes_of_one_path() -> str:
    head = f"version: 1\n{NGINX}projects:\n  p:\n    defaults: {{route: {'/a' * 500}/}}\n    services:\n"
    return filled(head, numbered("      s@: {port: 1@}\n"))


@heavy
def aliased_directives() -> str:
    head = (
        f"version: 1\n{NGINX}projects:\n  p:\n"
        f"    defaults: {{route: {{path: '/{{name}}/', extra: "
        f"[{','.join(['a b;'] * 500)}]}}}}\n    services:\n"
    )
    return filled(head, numbered("      s@: {port: 1@}\n"))


@heavy
def a_long_directive() -> str:
    head = (
        f"version: 1\n{NGINX}projects:\n  p:\n"
        f"    defaults: {{route: {{path: '/{{name}}/', extra: ['{'a ' * 2000};']}}}}\n"
        "    services:\n"
    )
    return filled(head, numbered("      s@: {port: 1@}\n"))


@heavy
def notes_of_many_lines() -> str:
    return project(
        "    services: {s: {port: 5000, notes: |\n" + " " * 8 + "x\n        " * 1800 + "\n}}\n"
    )


# --- names and words -----------------------------------------------------------------------------


@heavy
def unknown_words_in_allow() -> str:
    return filled(
        f"version: 1\nhosts: {{h: {{zones: "
        f"{{{','.join(f'z{n}: []' for n in range(200))}}}}}}}\n"
        f"projects: {{p: {{services: {{s: {{port: 5000, allow: [",
        numbered("y@,"),
        "y]}}}}\n",
    )


@heavy
def long_unknown_words_in_allow() -> str:
    zones = ",".join(f"{'z' * 45}{n}: []" for n in range(195))
    return filled(
        f"version: 1\nhosts: {{h: {{zones: {{{zones}}}}}}}\nprojects: {{p: {{defaults: {{allow: [",
        numbered("z" * 40 + "@,"),
        "y]}}}\n",
    )


@heavy
def unknown_words_for_every_service() -> str:
    head = (
        f"version: 1\nhosts: {{h: {{zones: "
        f"{{{','.join(f'zone-{n}: []' for n in range(199))}}}}}}}\n"
        f"projects: {{p: {{services: {{"
    )
    return filled(head, numbered("s@: {allow: [zome-@]},"), "}}}\n")


@heavy
def unknown_ignores() -> str:
    return filled(project("    services: {s: {ignore: {"), numbered("p-taken@: r,"), "a: r}}}\n")


@heavy
def long_unknown_ignores() -> str:
    return filled(
        project("    services: {s: {ignore: {"),
        numbered("port-outside-project-" + "x" * 200 + "@: r,"),
        "a: r}}}\n",
    )


@heavy
def unknown_shared_by() -> str:
    return filled(
        project("    shared_by: ["),
        numbered("dashboar@,"),
        "x]\n" + "".join(f"  dashboard{n}: {{}}\n" for n in range(199)),
    )


@heavy
def unknown_hosts() -> str:
    head = (
        "version: 1\nhosts: {" + ",".join(f"host-{n}: {{}}" for n in range(199)) + "}\nprojects:\n"
    )
    return filled(head, numbered("  p@: {host: hosd-@}\n"))


@heavy
def many_hosts_and_projects_on_none() -> str:
    head = "version: 1\nhosts: {" + ",".join(f"h{n}: {{}}" for n in range(900)) + "}\nprojects: {"
    return filled(head, numbered("p@: {},"), "}\n")


@heavy
def many_hosts_with_nginx() -> str:
    return filled(
        "version: 1\nhosts:\n",
        numbered("  h@: {nginx: {allow: [any]}}\n"),
        "projects: {p: {ports: 1-65535}}\n",
    )


@heavy
def unknown_fields() -> str:
    return filled("version: 1\nprojects: {p: {", numbered("titel@: 1,"), "x: 1}}\n")


@heavy
def unknown_fields_of_services() -> str:
    return filled(project("    services: {"), numbered("s@: {prot: 1},"), "}\n")


@heavy
def long_unknown_fields() -> str:
    return filled("version: 1\nprojects: {p: {", numbered("purpose" * 30 + "@: 1,"), "x: 1}}\n")


@heavy
def unknown_values() -> str:
    return filled(
        project("    services: {"),
        numbered("s@: {via: sokat, status: aktive, protocol: htp},"),
        "}\n",
    )


@heavy
def aliased_faults() -> str:
    """One faulty list, aliased as often as fits."""
    head = project(f"    defaults: {{allow: &a [{','.join(['5'] * 1000)}]}}\n    services:\n")
    return filled(head, numbered("      s@: {allow: *a}\n"))


@heavy
def aliased_faulty_ranges() -> str:
    head = project(f"    ports: &a [{','.join(['1-65535'] * 900)},0]\n    groups: [")
    return filled(head, numbered("{name: g,ports: *a},"), "]\n")


@heavy
def faulty_texts() -> str:
    return filled(
        project("    services: {"),
        (f's{n}: {{title: "{" a" * 100}\\\\"}},' for n in count()),
        "}\n",
    )


@heavy
def texts_of_blanks() -> str:
    """What a pattern that looks ahead reads again and again."""
    return filled(
        project("    services: {"),
        (f's{n}: {{title: "x{" " * 390}\\x07"}},' for n in count()),
        "}\n",
    )


# --- addresses -----------------------------------------------------------------------------------


@heavy
def many_zones_and_subnets() -> str:
    zones = ",".join(f"z{n}: ['10.{n}.0.0/16']" for n in range(250))
    head = f"version: 1\nhosts: {{h: {{zones: {{{zones}}}}}}}\nprojects:\n"
    return filled(head, numbered("  p@: {network: {name: n@, subnet: 192.168.0.0/24}}\n"))


@heavy
def many_cidrs_and_subnets() -> str:
    cidrs = (
        ",".join(f"10.{n}.0.0/16" for n in range(256))
        + ","
        + ",".join(f"11.{n}.0.0/16" for n in range(256))
    )
    head = f"version: 1\nhosts: {{h: {{zones: {{z: [{cidrs}]}}}}}}\nprojects:\n"
    return filled(head, numbered("  p@: {network: {name: n, subnet: 192.168.0.0/24}}\n"))


@heavy
def aliased_cidrs_in_many_zones() -> str:
    cidrs = (
        ",".join(f"10.{n}.0.0/16" for n in range(256))
        + ","
        + ",".join(f"11.{n}.0.0/16" for n in range(256))
    )
    head = f"version: 1\nhosts:\n  h:\n    zones:\n      z: &z [{cidrs}]\n"
    return filled(
        head,
        numbered("      z@: *z\n"),
        "projects: {p: {network: {name: n, subnet: 192.168.0.0/24}}}\n",
    )


@heavy
def aliased_cidrs_in_every_allow() -> str:
    """Each service opens its port to each of 300 networks."""
    cidrs = ",".join(f"10.{n % 256}.{n // 256}.0/24" for n in range(300))
    head = project(f"    defaults: {{allow: [{cidrs}]}}\n    services:\n")
    return filled(head, numbered("      s@: {port: 1@}\n"))


@heavy
def zones_in_every_allow() -> str:
    """A zone of 500 networks, a service of 500 ports: a quarter of a million openings."""
    cidrs = ",".join(f"10.{n % 256}.{n // 256}.0/24" for n in range(600))
    head = (
        f"version: 1\nhosts: {{h: {{zones: {{z: [{cidrs}]}}}}}}\n"
        f"projects: {{p: {{services: {{s: {{allow: [z], ports: ["
    )
    return filled(head, numbered("@,", 1024), "1024]}}}}\n")


@heavy
def a_zone_for_many_projects() -> str:
    cidrs = ",".join(f"10.{n % 256}.{n // 256}.0/24" for n in range(600))
    head = f"version: 1\nhosts: {{h: {{zones: {{z: [{cidrs}]}}}}}}\nprojects:\n"
    return filled(head, numbered("  p@: {services: {s@: {port: 1@, allow: [z]}}}\n"))


@heavy
def as_many_hosts_as_projects() -> str:
    head = "version: 1\nhosts: {" + ",".join(f"h{n}: {{}}" for n in range(550)) + "}\nprojects: {"
    return filled(head, numbered("p@: {host: h@},"), "}\n")


@heavy
def groups_of_a_list_in_one_range() -> str:
    """One list of 1,500 ports, and groups that all hold the whole range."""
    ranges = ",".join(str(port) for port in range(10000, 12000, 2))
    groups = project(f"    ports: [{ranges}]\n    groups: [{{name: g, ports: [{ranges}]}},")
    return filled(groups, numbered("{name: g@,ports: 1-65535},"), "]\n")


@heavy
def a_list_of_ports_in_many_full_ranges() -> str:
    ranges = ",".join(str(port) for port in range(10000, 14000, 2))
    return filled(
        f"version: 1\n{HOST}projects:\n  p: {{ports: [{ranges}]}}\n",
        numbered("  p@: {ports: 1-65535,services: {s@: {port: 10000}}}\n"),
    )


@heavy
def one_allow_of_many_words() -> str:
    return filled(
        project("    defaults: {allow: ["),
        numbered("10.0.0.@,"),
        "any]}\n    services: {s: {port: 5000}}\n",
    )


@heavy
def allows_of_many_words() -> str:
    words = ",".join(["*z"] * 2000)
    return (
        f"version: 1\nhosts: {{h: {{zones: {{z: [10.0.0.0/8]}}}}}}\n"
        f"projects: {{p: {{services: {{s: {{port: 5000, allow: [&z z,{words}]}}}}}}}}\n"
    )


@heavy
def many_overlapping_subnets() -> str:
    return filled(
        f"version: 1\n{HOST}projects:\n",
        numbered("  p@: {network: {name: n, subnet: 10.0.0.0/8}}\n"),
    )


@heavy
def networks_of_one_name() -> str:
    parts = (
        f"  p{n}: {{network: {{name: n, subnet: 10.{n // 256}.{n % 256}.0/24}}}}\n"
        for n in range(1000)
    )
    return filled(f"version: 1\n{HOST}projects:\n", parts)


@heavy
def services_of_one_address() -> str:
    lines = "    ports: 1024-65535\n    network: {name: n, subnet: 10.0.0.0/8}\n    services:\n"
    return filled(project(lines), numbered("      s@: {port: 1@, address: 10.0.0.99}\n"))


# --- YAML ----------------------------------------------------------------------------------------


@heavy
def deep_lists() -> str:
    return "version: 1\nhosts: " + "[" * (SIZE - 50)


@heavy
def deep_mappings() -> str:
    return "version: 1\nhosts: " + "{a: " * 4900


@heavy
def deep_enough_again_and_again() -> str:
    return filled("version: 1\nhosts: [", numbered("[" * 60 + "]" * 60 + ","), "]\n")


@heavy
def an_alias_bomb() -> str:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)]
    return "".join(lines)


@heavy
def just_below_the_bomb() -> str:
    """999,000 values, all of them faults."""
    lines = [
        "version: 1\n",
        "a: &a [" + ",".join(["x"] * 999) + "]\n",
        "b: [" + ",".join(["*a"] * 990) + "]\n",
    ]
    return "".join(lines)


@heavy
def aliases_in_ranges_to_the_limit() -> str:
    """Nearly a million ports in one list of lists: each a range."""
    ranges = ",".join(["1-65535"] * 900)
    return filled(
        f"version: 1\n{HOST}projects:\n  p: {{ports: &a [{ranges}]}}\n",
        numbered("  p@: {ports: *a}\n"),
    )


@heavy
def merges_to_the_limit() -> str:
    keys = ",".join(f"s{n}: {{port: {1024 + n}}}" for n in range(400))
    head = project(f"    services: &s {{{keys}}}\n")
    return filled(head, numbered("  p@: {services: {<<: *s}}\n"))


@heavy
def chained_merges() -> str:
    head = project("    services:\n      s0: &a0 {port: 5000}\n")
    return filled(head, (f"      s{n}: &a{n} {{<<: *a{n - 1}}}\n" for n in count(1)))


@heavy
def merge_lists() -> str:
    head = project("    services:\n      s0: &a {port: 5000}\n      s1: {<<: [")
    return filled(head, numbered("*a,"), "*a]}\n")


@heavy
def equal_keys() -> str:
    return filled("version: 1\nprojects: {", numbered("p: {},"), "}\n")


@heavy
def many_tags() -> str:
    return filled("version: 1\nprojects: [", numbered("!a x,"), "]\n")


@heavy
def many_unprintable_characters() -> str:
    return filled("version: 1\n# ", numbered("\x07"))


@heavy
def many_short_lines() -> str:
    return filled("version: 1\n", numbered("#\n"))


@heavy
def one_long_scalar() -> str:
    return f"version: 1\nprojects: {{p: {{title: '{'a' * (SIZE - 60)}'}}}}\n"


@heavy
def long_numbers() -> str:
    return filled(
        "version: 1\nprojects: {p: {services: {",
        (f"s{n}: {{port: {'9' * 400}}}," for n in count()),
        "}}}\n",
    )


@heavy
def long_names() -> str:
    return filled(
        project("    services:\n"), (f"      {'a-' * 120}b{n}: {{port: 5000}}\n" for n in count())
    )


@heavy
def names_with_many_hyphens() -> str:
    return filled(
        project("    services:\n"), (f"      {'a-' * 120}-{n}: {{port: 5000}}\n" for n in count())
    )


# --- who calls whom ------------------------------------------------------------------------------


@heavy
def all_use_the_same() -> str:
    """By a default, so that it costs no room: each service uses 64 that it can't reach."""
    used = "".join(f"      a{number}: {{port: {number + 1}}}\n" for number in range(64))
    names = ",".join(f"a{number}" for number in range(64))
    data = f"version: 1\n{HOST}projects:\n  d:\n    services:\n{used}"
    network = "    network: {name: p, subnet: 10.0.0.0/8}\n    services:\n"
    head = f"{data}  p:\n    defaults: {{env: true, uses: [{names}]}}\n{network}"
    return filled(head, numbered("      s@: {port: 7@}\n"))


@heavy
def names_that_nobody_has() -> str:
    service = "      s@: {uses: [" + ",".join(f"n{number}" for number in range(64)) + "]}\n"
    return filled(project("    services:\n"), numbered(service))


# --- who gets where -------------------------------------------------------------------------------


def scattered(count: int) -> str:
    """Networks that lie far from each other."""
    return ",".join(
        f"{11 + n % 89}.{n * 37 % 251}.{n * 91 % 253}.{n % 64 * 4}/31" for n in range(count)
    )


@heavy
def sentences_of_one_project() -> str:
    """By an alias: each is about a network of hundreds of parts, and a project of hundreds of services."""
    services = ",".join(f"s{number}: {{port: {5000 + number}}}" for number in range(250))
    zone = f"hosts: {{h: {{zones: {{z: [{scattered(250)}]}}}}}}\n"
    allow = "    defaults: {allow: [11.0.0.0/8,12.0.0.0/8]}\n"
    network = "    network: {name: p, subnet: 172.30.0.0/22}\n"
    head = f"version: 1\n{zone}projects:\n  p:\n{network}{allow}    services: {{{services}}}\nexpect:\n"
    first = "- &s {from: z, to: project p, reach: true}\n"
    return filled(head + first, numbered("- *s\n"))


@heavy
def sources_of_one_project() -> str:
    services = ",".join(f"s{number}: {{port: {5000 + number}}}" for number in range(350))
    network = "    network: {name: p, subnet: 172.30.0.0/22}\n"
    head = f"version: 1\n{HOST}projects:\n  p:\n{network}    services: {{{services}}}\nexpect:\n"
    return filled(head, numbered("- {from: 9.1.1.@, to: project p, reach: true}\n"))


@heavy
def interfaces_beside_scattered_networks() -> str:
    """Whoever comes by an interface has each address that is in no zone: hundreds of parts."""
    services = ",".join(f"s{number}: {{port: {5000 + number}}}" for number in range(250))
    zones = "".join(f"z{number}: [{{interface: w{number}}}]," for number in range(150))
    network = "    network: {name: p, subnet: 172.30.0.0/22}\n"
    return (
        f"version: 1\nhosts: {{h: {{zones: {{l: [{scattered(250)}],{zones}}}}}}}\nprojects:\n  p:\n"
        f"{network}    defaults: {{allow: [any]}}\n    services: {{{services}}}\n"
    )
