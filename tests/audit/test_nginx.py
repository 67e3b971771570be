"""nginx's files beside the rendered ones, and what of them it has loaded: each fault alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec import structs

from portgen.audit import Audited, Found, Places
from portgen.formats import ss
from portgen.plan.live import Gap, InstalledFile
from portgen.targets import Files, Said
from tests.audit import answers_sockets, hosts, numbers
from tests.estates import wall

SITE, SNIPPET = "/etc/nginx/conf.d/portgen.conf", "/etc/nginx/snippets/portgen-locations.conf"
MAIN = "/etc/nginx/nginx.conf"
DEFAULT = "/etc/nginx/sites-enabled/default"
CERTIFICATE, KEY = "/etc/nginx/tls/box.crt", "/etc/nginx/tls/box.key"
PASSWORDS = "/etc/nginx/wiki.htpasswd"
INSTALL = "install --yes"
RELOAD = "nginx -t && systemctl reload-or-restart nginx"
SERVICES = """\
      wiki: {port: 5000, route: {path: /wiki/, auth_file: /etc/nginx/wiki.htpasswd}}
      files: {port: 5001, route: [/files/, {host: files.example.com}]}
"""
NAMED = f"""nginx: {{server_name: [box.example.com, "*.box.example.com"], \
tls: {{certificate: {CERTIFICATE}, key: {KEY}}}}}"""
TEAM = "nginx: {upstream: port}"
LOADED = hosts.AT - numbers.BEFORE


class Host:
    """A clean host whose /etc/nginx a test changes."""

    def __init__(
        self,
        services: str = SERVICES,
        host: str = NAMED,
        declared: hosts.Declared | None = None,
    ) -> None:
        self.declared = declared or hosts.declared(wall(services, host=host))
        self.seen = hosts.clean(*self.declared)

    def with_file(self, path: str, text: str | None = None, **changed: object) -> Host:
        """The file is there like this; without it otherwise, as it was. What asks for its folder by a
        pattern gets it, too."""
        folder, _, name = path.rpartition("/")
        done = False
        for ask, files in self.seen.folders.items():
            if isinstance(files, str) or folder != ask.folder:
                continue
            if ask.pattern not in (name, "*", "*.conf") or not ask.read:
                continue
            known = {file.path: file for file in files}
            file = known.get(path, InstalledFile(path, "", modified=LOADED - 60, real=path))
            values = {"text": file.text if text is None else text, **changed}
            known[path] = file._replace(**values)  # type: ignore[arg-type]
            self.seen.folders[ask] = tuple(known[path] for path in sorted(known))
            done = True
        assert done, f"nobody asks for {path}"
        return self

    def without(self, path: str) -> Host:
        for ask, files in self.seen.folders.items():
            if not isinstance(files, str):
                self.seen.folders[ask] = tuple(file for file in files if file.path != path)
        return self

    def text(self, path: str) -> str:
        text = self.audited().files[path].text
        assert text is not None
        return text

    def edited(self, path: str, before: str, after: str) -> Host:
        text = self.text(path)
        assert before in text
        return self.with_file(path, text.replace(before, after, 1))

    def again(self) -> Host:
        """Whatever the files include now is asked for, too."""
        for _ in range(10):
            asked = list(hosts.asks(self.declared.host, self.seen))
            for ask in asked:
                hosts.answer(ask, *self.declared, self.seen)
        return self

    def audited(self, *sources: str) -> Audited:
        host, rendered = self.declared
        places = Places(self.seen.folder, f"{self.seen.out}/{host.name}", self.seen.compose)
        return Audited(host, self.seen, rendered, places, sources or ("nginx", "sockets"))

    def found(self, *sources: str) -> list[Found]:
        host, rendered = self.declared
        return hosts.found(host, self.seen, rendered, *(sources or ("nginx", "sockets")))

    def one(self) -> Found:
        (found,) = self.found()
        return found

    def gaps(self) -> list[Gap]:
        return self.audited().gaps


@pytest.mark.parametrize("folder", hosts.FOLDERS, ids=lambda folder: folder.name)
def test_a_clean_host_of_each_inventory_has_none(folder: Path) -> None:
    host, rendered = hosts.of_folder(folder)
    seen = hosts.clean(host, rendered)
    assert hosts.found(host, seen, rendered, "nginx", "sockets") == []
    places = Places(seen.folder, f"{seen.out}/{host.name}", seen.compose)
    audited = Audited(host, seen, rendered, places, ("nginx", "sockets"))
    assert audited.gaps == []
    assert audited.found == audited.declared


@pytest.mark.parametrize("folder", hosts.FOLDERS, ids=lambda folder: folder.name)
def test_the_routes_of_the_installed_files_are_the_declared_ones(folder: Path) -> None:
    """They are read where a file differs, be it by a blank line."""
    host = Host(declared=hosts.of_folder(folder))
    host.with_file(SITE, host.text(SITE) + "\n").with_file(SNIPPET, "\n" + host.text(SNIPPET))
    audited = host.audited("nginx")
    routes = {name: service.routes for name, service in audited.found.items()}
    assert audited.nginx.routes() is not None
    assert routes == {name: service.routes for name, service in audited.declared.items()}
    assert any(routes.values())


@pytest.mark.parametrize("host", [NAMED, TEAM])
def test_a_clean_host_has_none(host: str) -> None:
    assert Host(host=host).found() == []


# --- which files are asked for --------------------------------------------------------------------


def test_only_what_nginx_reads_is_asked_for() -> None:
    asked = {(ask.folder, ask.pattern, ask.read) for ask in Host().seen.folders}
    here = {ask for ask in asked if ask[0].startswith("/etc/nginx")}
    assert here == {
        ("/etc/nginx", "nginx.conf", True),
        ("/etc/nginx", "mime.types", True),
        ("/etc/nginx/conf.d", "portgen.conf", True),
        ("/etc/nginx/conf.d", "*.conf", True),
        ("/etc/nginx/sites-enabled", "*", True),
        ("/etc/nginx/modules-enabled", "*.conf", True),
        ("/etc/nginx/snippets", "portgen-locations.conf", True),
        ("/etc/nginx/tls", "box.crt", False),
        ("/etc/nginx/tls", "box.key", False),
        ("/etc/nginx", "wiki.htpasswd", False),
    }


def test_includes_are_followed_wherever_they_lead() -> None:
    host = Host().with_file(DEFAULT, "server { listen 81; include /opt/team/*/x.conf; }")
    host.again()
    assert Files("/opt/team/*", "x.conf") in host.seen.folders


def test_files_that_include_themselves_come_to_an_end() -> None:
    host = Host().with_file(DEFAULT, "include sites-enabled/*;\nserver { listen 81; }")
    assert host.again().found() == []


def test_files_that_include_one_another_without_end_are_a_gap() -> None:
    host = Host().with_file(DEFAULT, "include chain/0.conf;")
    for number in range(20):
        ask = Files("/etc/nginx/chain", f"{number}.conf")
        file = InstalledFile(f"/etc/nginx/chain/{number}.conf", f"include chain/{number + 1}.conf;")
        host.seen.folders[ask] = (file,)
    assert host.again().found() == []
    assert [gap.why for gap in host.gaps()] == ["files include one another too deep to follow"]


def test_a_host_without_nginx_is_only_asked_for_what_is_left_over() -> None:
    host = Host("      web: {port: 5000}\n", "zones: {lan: [192.168.0.0/16]}")
    folders = {ask.folder for ask in host.seen.folders if "nginx" in ask.folder}
    assert folders == {"/etc/nginx/conf.d", "/etc/nginx/snippets"}
    assert host.found() == []
    found = host.with_file(SITE, "# Rendered by portgen\n").one()
    assert (found.rule, found.finding.service) == ("nginx-differs", "nginx")
    assert "left over" in found.finding.message
    assert INSTALL in found.finding.do


# --- nginx-differs --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [SITE, SNIPPET])
def test_a_file_is_missing(path: str) -> None:
    found = Host().without(path).one()
    assert (found.rule, found.finding.service) == ("nginx-differs", "nginx")
    assert f"{path} is missing" in found.finding.message
    assert INSTALL in found.finding.do


def test_a_route_leads_elsewhere() -> None:
    host = Host().edited(SITE, "server 127.0.0.1:5001;", "server 127.0.0.1:5009;")
    found = host.one()
    assert (found.rule, found.finding.service) == ("nginx-differs", "files")
    assert found.finding.declared["routes./files/.backend"] == "127.0.0.1:5001"
    assert found.finding.found["routes./files/.backend"] == "127.0.0.1:5009"
    assert "/files/ leads to 127.0.0.1:5009" in found.finding.message
    assert INSTALL in found.finding.do
    assert host.audited().found["files"].routes["/files/"].backend == "127.0.0.1:5009"


def test_a_route_is_not_there() -> None:
    host = Host()
    text = host.text(SNIPPET)
    start = text.index("# portgen:wiki")
    found = host.with_file(SNIPPET, text[:start]).one()
    assert (found.rule, found.finding.service) == ("nginx-differs", "wiki")
    assert "/wiki/ is missing" in found.finding.message


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("auth_basic_user_file", "#", "/wiki/ has another `auth_file`"),
        ("location ^~ /wiki/ {", "location ^~ /other/ {", "/other/ is there, too"),
    ],
)
def test_what_differs_of_a_route_is_said(before: str, after: str, words: str) -> None:
    found = Host().edited(SNIPPET, before, after).one()
    assert (found.rule, found.finding.service) == ("nginx-differs", "wiki")
    assert words in found.finding.message


def test_a_hand_edit_of_what_is_no_fact_counts() -> None:
    found = Host().edited(SNIPPET, "proxy_buffering off;", "proxy_buffering off; # or on?").one()
    assert (found.rule, found.finding.service) == ("nginx-differs", "files")


def test_lines_of_nginx_itself_are_nginx_s() -> None:
    found = Host().edited(SITE, "server_tokens off;", "server_tokens on;").one()
    assert (found.rule, found.finding.service) == ("nginx-differs", "nginx")


def test_a_route_of_a_service_that_left_is_named() -> None:
    host = Host()
    text = host.text(SNIPPET)
    found = host.with_file(
        SNIPPET, f"{text}\n# portgen:gone Gone\nlocation ^~ /gone/ {{\n}}\n"
    ).one()
    assert (found.rule, found.finding.service) == ("nginx-differs", None)
    assert "gone" in found.finding.message


def test_a_file_that_is_the_same_but_for_blank_lines_differs() -> None:
    host = Host()
    assert host.with_file(SITE, host.text(SITE) + "\n").one().rule == "nginx-differs"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"owner": "www-data:www-data"}, "its owner is www-data:www-data, not root:root"),
        ({"mode": 0o666}, "its mode is 0666, not 0644"),
    ],
    ids=["owner", "mode"],
)
def test_somebody_else_may_write_a_file(changed: dict[str, object], words: str) -> None:
    one = Host().with_file(SITE, **changed).one()
    assert (one.rule, one.finding.service) == ("nginx-differs", "nginx")
    assert one.finding.message == f"{SITE}: {words}"
    assert INSTALL in one.finding.do


def test_a_hand_edit_after_the_reload_is_one_finding() -> None:
    host = Host().edited(SITE, "server_tokens off;", "server_tokens on;")
    assert [one.rule for one in host.with_file(SITE, modified=hosts.AT).found()] == [
        "nginx-differs"
    ]


# --- nginx-stopped, reload-pending ----------------------------------------------------------------


def without_sockets(host: Host, *parts: str) -> Host:
    lines = [
        line
        for line in host.seen.said(*ss.COMMAND).splitlines()
        if not any(part in line for part in parts)
    ]
    host.seen.commands[ss.COMMAND] = Said(0, "\n".join(lines))
    return host


def test_nginx_does_not_run() -> None:
    found = without_sockets(Host(), '"nginx"').one()
    assert (found.rule, found.finding.service) == ("nginx-stopped", "nginx")
    assert found.finding.do == "systemctl start nginx"


def test_a_program_that_has_nginx_s_port_is_one_finding() -> None:
    host = without_sockets(Host(), '"nginx"')
    text = host.seen.said(*ss.COMMAND)
    for port in (80, 443):
        text += f'\ntcp LISTEN 0 5 *:{port} *:* users:(("apache2",pid=7,fd=3))'
    host.seen.commands[ss.COMMAND] = Said(0, text)
    assert {one.rule for one in host.found()} == {"port-stranger"}


@pytest.mark.parametrize("path", [SITE, SNIPPET, MAIN, DEFAULT, "/etc/nginx/mime.types"])
def test_a_file_is_younger_than_the_workers(path: str) -> None:
    found = Host().with_file(path, modified=LOADED + 0.02).one()
    assert (found.rule, found.finding.service) == ("reload-pending", "nginx")
    assert found.finding.found == [path]
    assert path.removeprefix("/etc/nginx/") in found.finding.message
    assert found.finding.do == RELOAD


@pytest.mark.parametrize("later", [-60.0, 0.0, 0.009])
def test_a_file_that_the_workers_have_read_is_not(later: float) -> None:
    assert Host().with_file(SITE, modified=LOADED + later).found() == []


def test_a_file_with_a_date_in_the_future_is_not_younger_than_any_worker() -> None:
    """It would be younger after each reload."""
    assert Host().with_file(SITE, modified=hosts.AT + 3600).found() == []


@pytest.mark.parametrize("path", [CERTIFICATE, KEY])
def test_a_certificate_is_younger_than_the_workers(path: str) -> None:
    host = Host()
    for ask, files in host.seen.folders.items():
        if not isinstance(files, str):
            host.seen.folders[ask] = tuple(
                file._replace(modified=LOADED + 60) if file.path == path else file for file in files
            )
    one = host.one()
    assert (one.rule, one.finding.service, one.finding.do) == ("reload-pending", "nginx", RELOAD)
    assert one.finding.found == [path]
    assert one.finding.message.endswith(path.removeprefix("/etc/nginx/"))


def test_a_file_that_nginx_does_not_read_may_be_younger() -> None:
    host = Host().edited(MAIN, "include /etc/nginx/sites-enabled/*;", "")
    assert host.with_file(DEFAULT, modified=hosts.AT).found() == []


def test_the_youngest_worker_counts() -> None:
    """The others are of an older start, and end with their last connection."""
    host = Host().with_file(SITE, modified=LOADED + 100)
    worker = answers_sockets.nginx()[0]
    host.seen.processes[worker.pid] = worker._replace(started=LOADED + 200)
    assert host.found() == []


def test_the_master_does_not_count() -> None:
    host = Host().with_file(SITE, modified=LOADED + 100)
    master = answers_sockets.nginx()[2]
    host.seen.processes[master.pid] = master._replace(started=LOADED + 200)
    assert [one.rule for one in host.found()] == ["reload-pending"]


@pytest.mark.parametrize(
    ("part", "missing"), [("0.0.0.0:443", "0.0.0.0"), ("[::]:443", "[::]"), (":443", "0.0.0.0 and")]
)
def test_a_declared_port_is_not_listened_on(part: str, missing: str) -> None:
    found = without_sockets(Host(), part).one()
    assert (found.rule, found.finding.service) == ("reload-pending", "nginx")
    assert found.finding.port is not None
    assert found.finding.port.port == 443
    assert f"at {missing}" in found.finding.message
    assert found.finding.do == RELOAD


def test_without_the_workers_nothing_is_known_of_what_they_read() -> None:
    host = Host().with_file(SITE, modified=hosts.AT)
    for number, process in host.seen.processes.items():
        if process is not None and process.program == "nginx" and process.parent != 1:
            host.seen.processes[number] = None
    assert host.found() == []
    assert [(gap.source, gap.whole) for gap in host.gaps()] == [("sockets", False)]
    assert "ended while it was looked at" in host.gaps()[0].why


def test_nginx_without_workers_is_its_own() -> None:
    host = Host().with_file(SITE, modified=hosts.AT)
    master = answers_sockets.nginx()[2]
    others = rf'\("nginx",pid=(?!{master.pid},)\d+,fd=\d+\),?'
    text = re.sub(others, "", host.seen.said(*ss.COMMAND))
    host.seen.commands[ss.COMMAND] = Said(0, text)
    assert [one.rule for one in host.found()] == ["reload-pending"]


# --- nginx-not-included ---------------------------------------------------------------------------


def test_nginx_does_not_include_our_file() -> None:
    host = Host().edited(MAIN, "\tinclude /etc/nginx/conf.d/*.conf;\n", "")
    found = host.one()
    assert (found.rule, found.finding.service) == ("nginx-not-included", "nginx")
    line = host.text(MAIN).split("\n").index("}", host.text(MAIN).count("\n", 0, 200)) + 1
    assert found.finding.do == (
        f"sed -i '{line}{{/^[[:space:]]*}}/s|^|    include {SITE};\\n|}}' {MAIN} && {RELOAD}"
    )


def test_it_is_included_outside_of_the_http_block() -> None:
    host = Host().edited(MAIN, "\tinclude /etc/nginx/conf.d/*.conf;\n", "")
    found = host.edited(MAIN, "events {", "include conf.d/*.conf;\nevents {").one()
    assert found.rule == "nginx-not-included"


@pytest.mark.parametrize(
    "include", ["conf.d/portgen.conf", "conf.d/*.conf", "/etc/nginx/*/portgen.conf", '"conf.d/*"']
)
def test_it_may_be_included_in_other_ways(include: str) -> None:
    host = Host().edited(MAIN, "/etc/nginx/conf.d/*.conf", include)
    assert host.again().found() == []


def test_it_may_be_included_by_a_file_that_is_included() -> None:
    host = Host().edited(MAIN, "\tinclude /etc/nginx/conf.d/*.conf;\n", "")
    assert host.with_file(DEFAULT, "include conf.d/*.conf;\n").again().found() == []


def test_there_is_no_nginx() -> None:
    found = Host().without(MAIN).found()
    assert [(one.rule, one.finding.do) for one in found] == [("nginx-not-included", "")]


def test_the_teams_own_block_has_to_include_the_locations() -> None:
    host = Host("      wiki: {port: 5000, route: /wiki/}\n", TEAM)
    team = "/etc/nginx/sites-enabled/team"
    host.edited(team, "include snippets/portgen-locations.conf;", "")
    found = host.one()
    assert (found.rule, found.finding.service) == ("nginx-not-included", "nginx")
    assert "snippets/portgen-locations.conf" in found.finding.message
    assert found.finding.do == ""


def test_what_could_not_be_read_may_include_it() -> None:
    host = Host().edited(MAIN, "\tinclude /etc/nginx/conf.d/*.conf;\n", "")
    host.with_file(DEFAULT, text=None, why="permission denied")
    files = host.seen.folders[Files("/etc/nginx/sites-enabled", "*")]
    assert not isinstance(files, str)
    host.seen.folders[Files("/etc/nginx/sites-enabled", "*")] = tuple(
        file._replace(text=None) for file in files
    )
    assert host.found() == []
    assert [(gap.why, gap.whole) for gap in host.gaps()] == [
        (f"{DEFAULT}: permission denied", False)
    ]


# --- nginx-name-taken -----------------------------------------------------------------------------


def theirs(names: str, listen: str = "80") -> str:
    return f"server {{ listen {listen}; server_name {names}; return 404; }}\n"


@pytest.mark.parametrize(
    ("path", "severity", "words"),
    [
        ("/etc/nginx/conf.d/a.conf", "error", "nginx takes that one"),
        ("/etc/nginx/conf.d/z.conf", "warning", "nginx takes ours"),
        ("/etc/nginx/sites-enabled/old", "warning", "nginx takes ours"),
    ],
)
def test_another_block_has_a_name_of_ours(path: str, severity: str, words: str) -> None:
    found = Host().with_file(path, theirs("box.example.com")).one()
    assert (found.rule, found.severity) == ("nginx-name-taken", severity)
    assert f"{path}:1" in found.finding.message
    assert "box.example.com" in found.finding.message
    assert words in found.finding.message
    name = path.rpartition("/")[2]
    assert found.finding.do == f"mv {path} /etc/nginx/{name}.off && {RELOAD}"


def test_a_link_to_another_block_is_removed() -> None:
    path = "/etc/nginx/sites-enabled/old"
    real = "/etc/nginx/sites-available/old"
    found = Host().with_file(path, theirs("files.example.com"), real=real).one()
    assert found.finding.do == f"rm {path} && {RELOAD}"
    assert found.finding.key_path[-1] != "nginx"


def test_what_else_a_file_serves_is_not_stopped() -> None:
    text = theirs("box.example.com") + theirs("other.example.com")
    assert Host().with_file("/etc/nginx/conf.d/a.conf", text).one().finding.do == ""


@pytest.mark.parametrize(
    "listen", ["*:80", "0.0.0.0:80", "[::]:80", "80 default_server", "443 ssl", "0.0.0.0"]
)
def test_the_same_listen_written_otherwise(listen: str) -> None:
    text = theirs("box.example.com", listen)
    assert Host().with_file("/etc/nginx/conf.d/a.conf", text).one().rule == "nginx-name-taken"


@pytest.mark.parametrize(
    ("names", "listen"),
    [
        ("other.example.com", "80"),
        ("a.box.example.com", "80"),
        ("box.example.com", "8080"),
        ("box.example.com", "unix:/run/x"),
        ("_", "80 default_server"),
    ],
)
def test_other_names_and_ports_are_theirs(names: str, listen: str) -> None:
    text = theirs(names, listen)
    assert Host().with_file("/etc/nginx/conf.d/a.conf", text).found() == []


# --- nginx-file-missing --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "service", "words"),
    [
        (CERTIFICATE, "nginx", "the certificate"),
        (KEY, "nginx", "the key"),
        (PASSWORDS, "wiki", "the password file of wiki"),
    ],
)
def test_a_file_that_nginx_needs_is_not_there(path: str, service: str, words: str) -> None:
    found = [one for one in Host().without(path).found() if one.finding.service == service]
    assert {one.rule for one in found} == {"nginx-file-missing"}
    assert f"{words} {path} is missing" in found[0].finding.message
    assert found[0].finding.do == ""


@pytest.mark.parametrize(
    ("owner", "mode", "readable"),
    [
        ("root:www-data", 0o640, True),
        ("root:root", 0o644, True),
        ("www-data:root", 0o400, True),
        ("root:web", 0o640, True),
        ("root:root", 0o640, False),
        ("root:www-data", 0o600, False),
        ("www-data:www-data", 0o040, False),
    ],
)
def test_the_workers_have_to_read_passwords(owner: str, mode: int, readable: bool) -> None:
    host = Host()
    ask = Files.one(PASSWORDS, read=False)
    host.seen.folders[ask] = (InstalledFile(PASSWORDS, None, mode, owner=owner),)
    if readable:
        assert host.found() == []
        return
    found = host.one()
    assert (found.rule, found.finding.service) == ("nginx-file-missing", "wiki")
    assert found.finding.do == f"chgrp www-data {PASSWORDS} && chmod ug+r {PASSWORDS}"


def test_who_the_workers_are_may_be_known_to_nginx_alone() -> None:
    host = Host().edited(MAIN, "user www-data;\n", "")
    ask = Files.one(PASSWORDS, read=False)
    host.seen.folders[ask] = (InstalledFile(PASSWORDS, None, 0o640),)
    assert (host.one().rule, host.one().finding.do) == ("nginx-file-missing", "")


def test_a_key_may_be_root_s_alone() -> None:
    host = Host()
    ask = Files.one(KEY, read=False)
    host.seen.folders[ask] = (InstalledFile(KEY, None, 0o600),)
    assert host.found() == []


# --- what could not be seen -----------------------------------------------------------------------


def test_a_folder_that_can_not_be_listed_is_a_gap() -> None:
    host = Host()
    host.seen.folders[Files("/etc/nginx/tls", "box.key", read=False)] = "/etc/nginx/tls: denied"
    assert host.found() == []
    assert [(gap.source, gap.whole) for gap in host.gaps()] == [("nginx", False)]


def test_without_its_main_file_nothing_of_nginx_is_known() -> None:
    host = Host().edited(SITE, "server_tokens off;", "server_tokens on;")
    host.seen.folders[Files("/etc/nginx", "nginx.conf")] = "/etc/nginx: permission denied"
    assert host.found("nginx") == []
    assert [(gap.source, gap.whole) for gap in host.gaps()] == [("nginx", True)]


def test_a_file_of_ours_that_can_not_be_read_is_a_gap() -> None:
    host = Host()
    for ask, files in host.seen.folders.items():
        if not isinstance(files, str):
            host.seen.folders[ask] = tuple(
                file._replace(text=None, why="permission denied") if file.path == SITE else file
                for file in files
            )
    assert host.found() == []
    assert [gap.whole for gap in host.gaps()] == [False]
    audited = host.audited()
    assert audited.found == audited.declared


def test_routes_are_as_declared_where_nginx_was_not_seen() -> None:
    host = Host().edited(SITE, "server 127.0.0.1:5001;", "server 127.0.0.1:5009;")
    audited = host.audited("sockets")
    assert audited.found == audited.declared
    assert structs.asdict(audited.found["files"])["routes"]


def test_ports_of_a_file_that_nothing_includes_are_silent_because_of_that() -> None:
    host = without_sockets(Host(), ":443").edited(MAIN, "\tinclude /etc/nginx/conf.d/*.conf;\n", "")
    assert [one.rule for one in host.found()] == ["nginx-not-included"]
