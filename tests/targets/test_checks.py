"""What the programs say, as recorded, and what is read from it. Needs none of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from portgen import targets as every_target
from portgen.files import render
from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.targets import Check, Machine, Rejection, Unchecked, compose
from portgen.targets.nginx import checking as nginx
from portgen.targets.systemd import writing as systemd
from portgen.targets.ufw import writing as ufw
from tests.estates import EVERYTHING, REPOSITORY, planned

ROOT = Machine(True, "/srv/inventory", {}.get, lambda path: False)
USER = ROOT._replace(root=False)


def recorded(name: str) -> str:
    return (Path(__file__).parent / "recorded" / f"{name}.txt").read_text()


def files_of(plan: Plan, target: str) -> Mapping[str, str]:
    files = render.files(plan, {target: every_target.every()[target]}, [REPOSITORY / "templates"])
    return {file.path.partition("/")[2]: file.text for file in files}


def checks(target: str, machine: Machine = ROOT) -> list[Check]:
    plan = planned(EVERYTHING)
    found = every_target.every()[target].checks(plan.hosts[0], files_of(plan, target), machine)  # type: ignore[attr-defined]
    return [check for check in found if isinstance(check, Check)]


def read(check: Check, code: int, said: str, out: str = "") -> list[Rejection | Unchecked]:
    found: Iterable[Rejection | Unchecked] = check.read(code, out, said)
    return list(found)


# --- nginx ---------------------------------------------------------------------------------------


def test_nginx_errors_have_their_file_and_line():
    (check,) = checks("nginx")
    (found,) = read(check, 1, recorded("nginx-unknown-directive"))
    assert isinstance(found, Rejection)
    assert found[:3] == ('unknown directive "bogus"', "nginx/snippets/portgen-locations.conf", 40)


def test_nginx_errors_before_its_log_is_open_are_read_too():
    (check,) = checks("nginx")
    said = (
        'nginx: [emerg] unexpected "}" in ./conf.d/portgen.conf:3\n'
        "nginx: configuration file ./nginx.conf test failed\n"
    )
    assert [finding[:3] for finding in read(check, 1, said)] == [
        ('unexpected "}"', "nginx/conf.d/portgen.conf", 3)
    ]


NEW = """\
version: 1
hosts:
  box:
    nginx:
      version: '{version}'
      server_name: box.example.com
      tls: {{certificate: /c, key: /k}}
      http2: true
"""
UNKNOWN = """\
nginx version: nginx/{real}
2026/11/26 14:00:00 [emerg] 7#7: unknown directive "http2" in ./conf.d/portgen.conf:41
nginx: configuration file ./nginx.conf test failed
"""
DEPRECATED = """\
nginx version: nginx/{real} (Ubuntu)
2026/11/26 14:00:00 [warn] 7#7: the "listen ... http2" directive is deprecated, use the "http2" directive \
instead in ./conf.d/portgen.conf:41
"""


@pytest.mark.parametrize(
    ("said", "real", "version", "hint"),
    [
        (UNKNOWN, "1.22.1", "1.26", True),
        (DEPRECATED, "1.26.3", "1.22", True),
        (UNKNOWN, "1.22.1", "1.22", False),
        (DEPRECATED, "1.26.3", "1.25.1", False),
        (UNKNOWN.replace("http2", "bogus"), "1.22.1", "1.26", False),
    ],
)
def test_another_nginx_than_the_inventory_s_is_named(
    said: str, real: str, version: str, *, hint: bool
) -> None:
    plan = planned(NEW.format(version=version))
    target = every_target.every()["nginx"]
    (check,) = target.checks(plan.hosts[0], files_of(plan, "nginx"), ROOT)  # type: ignore[attr-defined]
    (found,) = read(check, int("emerg" in said), said.format(real=real))
    assert bool(found.hint) is hint
    if hint:
        assert f"nginx is {real}" in found.hint
        assert f"`version` is {version}, which" in found.hint


def test_an_address_is_called_by_its_own_name_again():
    (check,) = checks("nginx")
    said = (
        '2026/11/24 11:00:00 [warn] 7#7: conflicting server name "a.example" on '
        "unix:listen-8080, ignored\n"
    )
    assert [(finding[0], finding[5]) for finding in read(check, 0, said)] == [
        ('conflicting server name "a.example" on 8080, ignored', Severity.WARNING)
    ]


def test_what_nginx_may_not_read_without_root_is_no_fault():
    said = (
        '2026/11/24 11:00:00 [emerg] 7#7: open() "/etc/nginx/secret.conf" failed (13: '
        "Permission denied) in ./nginx.conf:3\n"
    )
    (as_user,) = read(checks("nginx", USER)[0], 1, said)
    (as_root,) = read(checks("nginx")[0], 1, said)
    assert isinstance(as_user, Unchecked)
    assert as_user.reason.startswith(
        'nginx needs root here: open() "/etc/nginx/secret.conf" failed'
    )
    assert isinstance(as_root, Rejection)


def test_a_refusal_that_can_not_be_read_is_still_one():
    assert [finding[0] for finding in read(checks("nginx")[0], 1, "Segmentation fault\n")] == [
        "nginx refuses the configuration: Segmentation fault",
    ]
    assert [finding[0] for finding in read(checks("nginx")[0], -11, "")] == [
        "nginx refuses the configuration: exit code -11"
    ]
    assert (
        read(checks("nginx")[0], 0, "nginx: the configuration file ./nginx.conf syntax is ok\n")
        == []
    )


def directives(text: str, machine: Machine = ROOT) -> str:
    return nginx.staged_copy({"conf.d/x.conf": text}, machine)[0]["conf.d/x.conf"]


@pytest.mark.parametrize(
    ("written", "staged"),
    [
        ("listen 80;", "listen unix:listen-80;"),
        ("listen *:80 default_server;", "listen unix:listen-80 default_server;"),
        ("listen 0.0.0.0:80;", "listen unix:listen-80;"),
        (
            "listen [::]:443 ssl http2 ipv6only=on reuseport backlog=5;",
            "listen unix:listen-[::]:443 ssl http2;",
        ),
        ("listen unix:/run/x.sock;", "listen unix:listen-_run_x.sock;"),
        (
            "server{listen 80;listen\t81 ssl;}",
            "server{listen unix:listen-80;listen unix:listen-81 ssl;}",
        ),
        ("listen\n  80\n  ssl;\nroot x;", "listen unix:listen-80 ssl;\n\n\nroot x;"),
        ("# listen 80;\n", "# listen 80;\n"),
        ("add_header X 'a; listen 80;';", "add_header X 'a; listen 80;';"),
        ("pid /run/nginx.pid;", "pid nginx.pid;"),
        ("error_log /var/log/e.log warn;", "error_log stderr warn;"),
        ("error_log syslog:server=10.0.0.1 warn;", "error_log stderr warn;"),
        (
            'access_log "/var/log/a.log" combined buffer=32k;',
            "access_log access.log combined buffer=32k;",
        ),
        ("access_log off;", "access_log off;"),
        (
            "proxy_cache_path /var/cache/x levels=1:2 keys_zone=a:1m;",
            "proxy_cache_path var-cache-x levels=1:2 keys_zone=a:1m;",
        ),
        ("client_body_temp_path /tmp/x 1 2;", "client_body_temp_path client_body_temp_path 1 2;"),
        ("include /etc/nginx/mime.types;", "include mime.types;"),
        ("include /etc/letsencrypt/x.conf;", "include /etc/letsencrypt/x.conf;"),
        ("load_module modules/ngx_x.so;", "load_module /usr/lib/nginx/modules/ngx_x.so;"),
        ("ssl_dhparam dh.pem;", "ssl_dhparam /etc/nginx/dh.pem;"),
        (
            "ssl_certificate /a.crt; ssl_certificate_key /a.key;",
            "ssl_certificate $ssl_server_name; ssl_certificate_key $ssl_server_name;",
        ),
        ("ssl_certificate $host.crt;", "ssl_certificate $host.crt;"),
        ('return 301 "https://${host}/;";', 'return 301 "https://${host}/;";'),
    ],
)
def test_what_lies_outside_of_the_stage_is_moved_into_it(written: str, staged: str):
    assert directives(written) == staged


def test_the_user_of_nginx_is_left_out_without_root():
    assert directives("user www-data;\npid x;", ROOT) == "user www-data;\npid nginx.pid;"
    assert directives("user www-data;\npid x;", USER) == "\npid nginx.pid;"


def test_certificates_that_can_be_read_stay():
    readable = ROOT._replace(readable=lambda path: path in ("/a.crt", "/etc/nginx/a.key"))
    assert directives("ssl_certificate /a.crt; ssl_certificate_key a.key;", readable) == (
        "ssl_certificate /a.crt; ssl_certificate_key /etc/nginx/a.key;"
    )
    assert (
        nginx.staged_copy({"x": "ssl_certificate /a.crt; ssl_certificate_key /b.key;"}, readable)[1]
        == "without certificates: can't read /b.key"
    )


# --- compose -------------------------------------------------------------------------------------


def compose_check() -> Check:
    text = (
        EVERYTHING.replace("lan: {port: 5001", "a: {port: 5001")
        .replace("lan6: {port", "b: {port")
        .replace("open: {port", "c: {port")
    )
    plan = planned(text.replace("      closed:", "      d:"))
    found = [
        item
        for item in compose.checks(plan.hosts[0], files_of(plan, "compose"), ROOT)
        if isinstance(item, Check)
    ]
    return next(check for check in found if check.subject == "box shop")


@pytest.mark.parametrize(
    ("name", "message", "service"),
    [
        (
            "compose-1.29-lacking",
            "Service c has neither an image nor a build context specified. At least one must be provided.",
            "c",
        ),
        (
            "compose-2-lacking",
            'service "c" has neither an image nor a build context specified: invalid compose project',
            "c",
        ),
        (
            "compose-1.29-unknown-option",
            "Unsupported config option for services.a: 'nonsense'",
            "a",
        ),
        ("compose-1.29-network-mode", "'network_mode' and 'networks' cannot be combined", None),
    ],
)
def test_compose_names_the_service(name: str, message: str, service: str | None):
    (found,) = read(compose_check(), 1, recorded(name))
    assert isinstance(found, Rejection)
    place = ("projects", "shop", "services", service) if service else ("projects", "shop")
    assert (found.message, found.key_path) == (message, place)


@pytest.mark.parametrize("name", ["compose-1.29-variables", "compose-1.29-env-file"])
def test_what_compose_misses_on_this_machine_is_no_fault(name: str):
    (found,) = read(compose_check(), 1, recorded(name))
    assert isinstance(found, Unchecked)


def test_warnings_of_compose_are_no_fault():
    assert read(compose_check(), 0, recorded("compose-1.29-variables")) == []


# --- systemd -------------------------------------------------------------------------------------


def test_systemd_errors_have_their_unit_and_line():
    (check,) = checks("systemd")
    assert [finding[:3] for finding in read(check, 1, recorded("systemd-faults"))] == [
        ("Missing '=', ignoring line.", "systemd/portgen-new-tickets-by-tech.service", 45),
        (
            "Failed to parse service restart specifier, ignoring: sometimes",
            "systemd/portgen-smartnumbers.service",
            11,
        ),
        (
            "Unknown key 'Fooo' in section [Unit], ignoring.",
            "systemd/portgen-veeam-usage.service",
            7,
        ),
        (
            "Command /usr/bin/socats is not executable: No such file or directory",
            "systemd/portgen-re-opened-tickets.service",
            None,
        ),
    ]


def test_anything_that_systemd_says_is_a_fault_even_with_exit_code_0():
    (check,) = checks("systemd")
    assert [finding[0] for finding in read(check, 0, "something new\n")] == ["something new"]
    assert read(check, 0, "") == []
    assert [finding[0] for finding in read(check, 1, "")] == [
        "systemd-analyze verify ends with exit code 1 and says nothing"
    ]


def test_a_missing_socat_is_reported_once_and_is_no_fault_of_the_units():
    said = "".join(
        f"portgen-{name}.service: Command /usr/bin/socat is not executable: No such file or directory\n"
        for name in ("a", "b")
    )
    (check,) = checks("systemd")
    assert read(check, 1, said) == [
        Unchecked(
            "/usr/bin/socat is not on this machine (apt-get install socat); everything else in "
            "the units was checked"
        )
    ]
    (there,) = checks("systemd", ROOT._replace(readable=lambda path: path == systemd.SOCAT))
    assert [type(finding) for finding in read(there, 1, said)] == [Rejection, Rejection]


# --- ufw -----------------------------------------------------------------------------------------


def ufw_checks(program: str) -> list[Check]:
    return [check for check in checks("ufw") if check.program.commands == ((program,),)]


def test_every_rule_of_the_script_is_asked_about():
    plan = planned(EVERYTHING)
    assert [check.arguments for check in ufw_checks("ufw")] == [
        ("--dry-run", *_words(opening)) for opening in plan.hosts[0].openings
    ]
    assert all(check.needs_root for check in ufw_checks("ufw"))


def _words(opening: object) -> list[str]:
    import shlex

    return shlex.split(ufw.rule(opening))  # type: ignore[arg-type]


def test_ufw_errors_have_the_line_of_their_rule():
    check = ufw_checks("ufw")[0]
    line = (
        files_of(planned(EVERYTHING), "ufw")["ufw/portgen-ufw.sh"]
        .split("\n")
        .index("ufw " + ufw.rule(planned(EVERYTHING).hosts[0].openings[0]))
        + 1
    )
    assert read(check, 1, recorded("ufw-bad-port")) == [
        Rejection("Bad port '99999'", "ufw/portgen-ufw.sh", line)
    ]
    assert read(check, 0, "WARN: uid is 0 but '/' is owned by 1000\n") == []


def test_a_ufw_that_leaves_ipv6_alone_is_no_fault_of_the_rule():
    (found,) = read(ufw_checks("ufw")[0], 1, recorded("ufw-ipv6-off"))
    assert isinstance(found, Unchecked)


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_shell_errors_have_their_line(shell: str):
    (check,) = ufw_checks("sh")
    found = read(check, 2, recorded(f"{shell}-syntax-error"))
    assert {finding[1:3] for finding in found} == {("ufw/portgen-ufw.sh", 4)}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("iptables-bad-mask", "invalid mask `99' specified"),
        ("iptables-legacy-bad-mask", "invalid mask `99' specified"),
        ("iptables-unknown-option", 'unknown option "--ctbogus"'),
    ],
)
def test_iptables_errors_have_their_line(name: str, message: str):
    (check,) = ufw_checks("iptables-restore")
    assert read(check, 2, recorded(name)) == [Rejection(message, "ufw/portgen-after.rules", 3)]


@pytest.mark.parametrize("name", ["iptables-not-root", "iptables-legacy-not-root"])
def test_an_iptables_that_can_not_be_used_here_is_no_fault(name: str):
    (check,) = ufw_checks("iptables-restore")
    (found,) = read(check, 4, recorded(name))
    assert isinstance(found, Unchecked)


def test_a_backend_s_ca_that_is_missing_is_left_out_and_named() -> None:
    path = "snippets/portgen-locations.conf"
    text = 'proxy_ssl_trusted_certificate "/ca.crt";\nproxy_ssl_verify on;\nproxy_ssl_name web;'
    staged, remark = nginx.staged_copy({path: text}, ROOT)
    assert staged[path].split() == ["proxy_ssl_name", "web;"]
    assert remark == "without certificates: can't read /ca.crt"
