"""`portgen verify` with the real programs: what is right passes, what is wrong is rejected at the
inventory's line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portgen.machine import programs, verify
from tests.conftest import Run, missing
from tests.estates import REPOSITORY, edit, line_of, only
from tests.limit import HANGS, until

Portgen = Callable[..., Run]
Need = Callable[[str], str]


@pytest.fixture
def real_programs(need: Need) -> None:
    """All the real ones."""
    for program in ("nginx", "docker-compose", "systemd-analyze", "ufw"):
        need(program)


@pytest.fixture
def root() -> None:
    if os.geteuid() != 0:
        missing("ufw, and other users, need root")


# --- what is right -------------------------------------------------------------------------------


def test_the_es_hosts_output_passes_its_programs(
    real_programs: None, root: None, es: Path, portgen: Portgen
):
    code, out, err = portgen("verify", "--strict")
    assert (code, out) == (0, "")
    said = [line.split(" (")[0] for line in err.splitlines()]
    assert said == [
        "compose  ok  es-docker dashboard",
        "nginx    ok  es-docker",
        "systemd  ok  es-docker",
        "ufw      ok  es-docker",
        "ufw      ok  es-docker",
        "5 checks: 5 ok",
    ]
    rules = (es / "output/es-docker/ufw/portgen-ufw.sh").read_text().count("\nufw allow ")
    assert f"{rules} commands" in err.splitlines()[-2]


def test_every_kind_of_service_passes_before_it_is_written(
    real_programs: None, root: None, everything: Path, portgen: Portgen
):
    code, out, err = portgen("verify", "--rendered", "--strict")
    assert (code, out) == (0, ""), out + err
    assert "iptables-restore" in err
    assert not (everything / "output").exists()


def test_a_snippet_without_a_server_block_of_ours_is_checked_in_one(
    need: Need, everything: Path, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
):
    need("nginx")
    only(monkeypatch, "nginx")
    inventory = everything / "inventory.yaml"
    edit(inventory, 'server_name: [a.example, "*.b.example"], ', "")
    assert portgen("verify", "--rendered").code == 0
    edit(inventory, '"gzip off;"', '"gzip maybe;"')
    code, out, _ = portgen("verify", "--rendered")
    assert code == 1
    assert 'invalid value "maybe" in "gzip" directive' in out


def test_a_certificate_that_can_be_read_is_checked_with_its_key(
    need: Need, es: Path, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
):
    need("nginx")
    openssl = need("openssl")
    only(monkeypatch, "nginx")
    for name in ("a", "b"):
        argv = [
            openssl,
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-subj",
            "/CN=x",
            "-days",
            "2",
        ]
        subprocess.run(
            [*argv, "-keyout", f"{name}.key", "-out", f"{name}.crt"],
            cwd=es,
            check=True,
            capture_output=True,
            timeout=HANGS,
        )
    inventory = es / "inventory.yaml"
    edit(inventory, "/etc/nginx/tls/dashboards.crt", f"{es}/a.crt")
    edit(inventory, "/etc/nginx/tls/dashboards.key", f"{es}/a.key")
    code, out, err = portgen("verify", "--rendered")
    assert (code, out) == (0, "")
    assert "without certificates" not in err
    edit(inventory, f"{es}/a.key", f"{es}/b.key")
    code, out, _ = portgen("verify", "--rendered")
    assert code == 1
    assert out.startswith(
        f"inventory.yaml:{line_of(inventory, '    nginx:')}:5: error: SSL_CTX_use_PrivateKey"
    )
    assert "key values mismatch" in out


# --- what is wrong -------------------------------------------------------------------------------


def test_a_bad_raw_directive_is_rejected_by_nginx_where_it_is_written(
    need: Need, es: Path, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
):
    need("nginx")
    only(monkeypatch, "nginx")
    inventory = es / "inventory.yaml"
    edit(
        inventory,
        "        port: 5014\n",
        '        port: 5014\n        route: {path: "/t/", extra: ["gzip on;", "bogus on;"]}\n',
    )
    code, out, err = portgen("verify", "--rendered")
    line = line_of(inventory, "bogus")
    column = inventory.read_text().splitlines()[line - 1].index('"bogus') + 1
    assert code == 1
    assert out.startswith(
        f'inventory.yaml:{line}:{column}: error: unknown directive "bogus" [verify-nginx]\n'
    )
    assert "nginx    rejected  es-docker (nginx" in err


def test_a_fault_in_a_hand_edited_location_is_traced_to_its_service(
    need: Need, es: Path, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
):
    need("nginx")
    only(monkeypatch, "nginx")
    snippet = es / "output/es-docker/nginx/snippets/portgen-locations.conf"
    edit(
        snippet,
        "location ^~ /dashboard/smartnumbers/ {\n",
        "location ^~ /dashboard/smartnumbers/ {\n    proxy_buffering maybe;\n",
    )
    number = line_of(snippet, "maybe")
    code, out, _ = portgen("verify", "--format", "json")
    assert code == 1
    (problem,) = json.loads(out)["problems"]
    assert problem["place"]["line"] == line_of(es / "inventory.yaml", "      smartnumbers:")
    assert (
        problem["message"]
        == 'invalid value "maybe" in "proxy_buffering" directive, it must be "on" or "off"'
    )
    assert (
        problem["hint"]
        == f"rendered at output/es-docker/nginx/snippets/portgen-locations.conf:{number}"
    )


def test_a_fault_at_http_level_is_traced_to_nginx_own_entry(
    need: Need, es: Path, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
):
    need("nginx")
    only(monkeypatch, "nginx")
    edit(
        es / "output/es-docker/nginx/conf.d/portgen.conf",
        "    ssl_protocols TLSv1.2 TLSv1.3;",
        "    ssl_protocols TLSv9;",
    )
    code, out, _ = portgen("verify")
    assert code == 1
    assert out.startswith(
        f'inventory.yaml:{line_of(es / "inventory.yaml", "    nginx:")}:5: error: invalid value "TLSv9"'
    )


def test_one_fault_of_a_template_is_told_once_for_all_its_units(
    need: Need, es: Path, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
):
    need("systemd-analyze")
    only(monkeypatch, "systemd")
    own = es / "templates/systemd/forwarder.service.j2"
    own.parent.mkdir(parents=True)
    shutil.copy(REPOSITORY / "templates/systemd/forwarder.service.j2", own)
    edit(own, "RestartSec=2\n", "RestartSec=2\nRestartDelay=3\n")
    code, out, _ = portgen("verify", "--rendered")
    assert code == 1
    message, hint = out.splitlines()
    first = line_of(es / "inventory.yaml", "      hub-dashboard:")
    assert (
        message
        == f"inventory.yaml:{first}:7: error: Unknown key 'RestartDelay' in section [Service], "
        "ignoring. [verify-systemd]"
    )
    assert "rendered at output/es-docker/systemd/portgen-hub-dashboard.service:" in hint
    assert "the same for 23 more entries" in hint


def test_two_faulty_units_are_each_traced_to_their_service(
    need: Need, es: Path, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
):
    need("systemd-analyze")
    only(monkeypatch, "systemd")
    edit(
        es / "output/es-docker/systemd/portgen-rfq-tickets.service",
        "Restart=always",
        "Restart=sometimes",
    )
    edit(
        es / "output/es-docker/systemd/portgen-smartnumbers.service",
        "ExecStart=/usr/bin/socat ",
        "ExecStart=/usr/bin/socats ",
    )
    code, out, _ = portgen("verify")
    inventory = es / "inventory.yaml"
    assert code == 1
    assert [
        line.split(": error: ") for line in out.splitlines() if not line.startswith("    hint")
    ] == [
        [
            f"inventory.yaml:{line_of(inventory, '      smartnumbers:')}:7",
            "Command /usr/bin/socats is not executable: No such file or directory [verify-systemd]",
        ],
        [
            f"inventory.yaml:{line_of(inventory, '      rfq-tickets:')}:7",
            "Failed to parse service restart specifier, ignoring: sometimes [verify-systemd]",
        ],
    ]


def test_a_template_may_require_units_that_only_the_host_has(
    need: Need, es: Path, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
):
    need("systemd-analyze")
    only(monkeypatch, "systemd")
    unit = es / "output/es-docker/systemd/portgen-rfq-tickets.service"
    edit(
        unit,
        "Wants=network-online.target",
        "Wants=network-online.target\nRequires=docker.service some-vpn.service",
    )
    assert portgen("verify").code == 0


def test_a_bad_rule_is_rejected_by_ufw_at_its_service(
    need: Need, root: None, es: Path, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
):
    need("ufw")
    only(monkeypatch, "ufw")
    edit(
        es / "output/es-docker/ufw/portgen-ufw.sh",
        "to any port 5007 comment",
        "to any port 99999 comment",
    )
    code, out, err = portgen("verify")
    assert code == 1
    assert out.startswith(
        f"inventory.yaml:{line_of(es / 'inventory.yaml', '      smartnumbers:')}:7: error: "
        "Bad port '99999' [verify-ufw]"
    )
    assert "ufw      rejected  es-docker (ufw 0." in err


def test_a_script_that_is_no_shell_is_rejected_without_root(
    es: Path, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
):
    only(monkeypatch, "ufw")
    script = es / "output/es-docker/ufw/portgen-ufw.sh"
    edit(script, "exec python3", "if then\nexec python3")
    code, out, _ = portgen("verify")
    assert code == 1
    assert out.startswith(
        f"output/es-docker/ufw/portgen-ufw.sh:{line_of(script, 'if then')}:1: error: "
    )


def test_a_script_whose_python_is_broken_is_rejected_without_root(
    es: Path, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
):
    only(monkeypatch, "ufw")
    script = es / "output/es-docker/ufw/portgen-ufw.sh"
    edit(script, "GUARDED = ()\n", "GUARDED = ()\nif then\n")
    code, out, _ = portgen("verify")
    assert code == 1
    assert out.startswith(
        f"output/es-docker/ufw/portgen-ufw.sh:{line_of(script, 'if then')}:1: error: not valid Python: "
    )


def test_a_bad_guard_is_rejected_by_iptables_at_its_service(
    need: Need, root: None, everything: Path, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
):
    need("iptables-restore")
    only(monkeypatch, "ufw")
    assert portgen("render", "--yes").code == 0
    guard = everything / "output/box/ufw/portgen-after.rules"
    edit(
        guard,
        "--ctorigdstport 5008 --ctdir ORIGINAL -j DROP",
        "--ctorigdstport 5008 --ctsideways ORIGINAL -j DROP",
    )
    code, out, err = portgen("verify")
    assert code == 1, err
    line = line_of(everything / "inventory.yaml", "      published-lan:")
    assert out.startswith(
        f'inventory.yaml:{line}:7: error: unknown option "--ctsideways" [verify-ufw]'
    )
    assert f"portgen-after.rules:{line_of(guard, '--ctsideways')}" in out


# --- what can't be checked here ------------------------------------------------------------------


def without(monkeypatch: pytest.MonkeyPatch, *absent: str) -> None:
    find = programs.find
    monkeypatch.setattr(
        programs, "find", lambda program: None if program in absent else find(program)
    )


def test_a_missing_program_is_named_with_its_package_and_fails_when_strict(
    es: Path, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
):
    without(monkeypatch, "nginx", "docker", "docker-compose", "systemd-analyze", "ufw")
    code, out, err = portgen("verify")
    assert (code, out) == (0, "")
    assert err.splitlines() == [
        "ufw      ok  es-docker (sh)",
        "compose  not checked: docker-compose is not installed (apt-get install docker-compose)",
        "nginx    not checked: nginx is not installed (apt-get install nginx)",
        "systemd  not checked: systemd-analyze is not installed (apt-get install systemd)",
        "ufw      not checked: ufw is not installed (apt-get install ufw)",
        "5 checks: 1 ok, 4 not checked",
    ]
    code, out, err = portgen("verify", "--strict")
    assert (code, out) == (4, "")
    assert "error: not everything was checked" in err


def test_what_needs_no_program_is_found_where_the_program_is_missing(
    es: Path, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
):
    without(monkeypatch, "docker", "docker-compose")
    only(monkeypatch, "compose")
    edit(
        es / "inventory.yaml",
        "    network: {name: es-dashboards",
        "    compose: {file: absent.yml}\n    network: {name: es-dashboards",
    )
    assert portgen("verify").code == 1
    services = [
        line.strip(": ")
        for line in (es / "output/es-docker/compose/docker-compose.dashboard.yml")
        .read_text()
        .splitlines()
        if line[:3] == '  "'
    ]
    (es / "absent.yml").write_text(
        "services:\n"
        + "".join(
            f"  {name}: {{image: x}}\n"
            for name in services
            if "smartnumbers" not in name and "es-d" not in name
        )
    )
    code, out, err = portgen("verify")
    assert code == 1
    assert "absent.yml has no service smartnumbers" in out
    assert "compose  not checked: docker-compose is not installed" in err


def test_a_program_that_hangs_ends_with_the_machines_code(
    es: Path, portgen: Portgen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    only(monkeypatch, "nginx")
    hanging = tmp_path / "bin" / "nginx"
    hanging.parent.mkdir()
    hanging.write_text(
        '#!/bin/sh\n[ "$*" = -v ] && { echo "nginx version: nginx/9.9" >&2; exit 0; }\nsleep 60\n'
    )
    hanging.chmod(0o755)
    monkeypatch.setenv("PATH", f"{hanging.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(verify, "TIMEOUT", 0.3)
    code, out, err = portgen("verify")
    assert (code, out) == (4, "")
    assert "nginx    failed: nginx did not end within 0.3 s and was stopped" in err


@pytest.mark.programs
def test_without_socat_the_rest_of_the_units_is_checked(
    es: Path, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
):
    from portgen.targets.systemd import writing as systemd

    only(monkeypatch, "systemd")
    without(monkeypatch, "nothing")
    monkeypatch.setattr(systemd, "SOCAT", "/usr/bin/portgen-no-socat")
    edit(
        es / "inventory.yaml", "      hub-dashboard:\n", "      hub-dashboard:\n        notes: x\n"
    )
    if programs.find("systemd-analyze") is None:
        missing("systemd-analyze is not installed")
    code, out, err = portgen("verify", "--rendered")
    assert (code, out) == (0, "")
    assert (
        "systemd  not checked: /usr/bin/portgen-no-socat is not on this machine (apt-get install socat)"
        in err
    )
    own = es / "templates/systemd/forwarder.service.j2"
    own.parent.mkdir(parents=True)
    shutil.copy(REPOSITORY / "templates/systemd/forwarder.service.j2", own)
    edit(own, "RestartSec=2\n", "RestartSec=2\nRestartDelay=3\n")
    assert portgen("verify", "--rendered").code == 1


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder of nobody's own, where nobody may go: pytest closes its own folders to others."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        os.chown(name, programs.NOBODY, programs.NOBODY)
        shutil.copy(REPOSITORY / "inventory.yaml", name)
        shutil.copytree(REPOSITORY / "output", Path(name, "output"))
        yield Path(name)


def as_nobody(folder: Path, *arguments: str) -> Run:
    """portgen in a process of its own, as the user nobody."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONPATH": str(REPOSITORY),
    }
    argv = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        sys.executable,
        "-m",
        "portgen",
        "verify",
        *arguments,
    ]
    done = subprocess.run(
        argv,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=HANGS,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr)


def test_a_user_who_is_not_root_gets_everything_but_ufw_and_is_told_so(
    root: None, real_programs: None, need: Need, public: Path
):
    need("setpriv")
    code, out, err = as_nobody(public)
    assert (code, out) == (0, ""), err
    lines = err.splitlines()
    assert [line.split(" (")[0] for line in lines[:-2]] == [
        "compose  ok  es-docker dashboard",
        "nginx    ok  es-docker",
        "systemd  ok  es-docker",
        "ufw      ok  es-docker",
    ]
    assert lines[-2:] == [
        "ufw      not checked: ufw needs root",
        "5 checks: 4 ok, 1 not checked: ufw needs root",
    ]
    assert as_nobody(public, "--strict").code == 4


def test_no_place_for_temporary_files_is_the_machines_fault(
    es: Path, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
):
    only(monkeypatch, "nginx")
    monkeypatch.setattr(verify.tempfile, "tempdir", str(es / "none"))
    monkeypatch.setattr(verify, "find_program", lambda program: verify.Found(("nginx",), "nginx"))
    code, out, err = portgen("verify")
    assert (code, out) == (4, "")
    assert "can't be staged: No such file or directory\n    hint: TMPDIR names" in err


def test_nothing_rendered_yet_is_said_and_nothing_is_checked(portgen: Portgen, everything: Path):
    code, out, err = portgen("verify")
    assert (code, out) == (1, "")
    assert (
        "error: output: nothing is rendered there\n"
        "    hint: `portgen render` first, or `portgen verify --rendered`" in err
    )


def test_an_inventory_with_errors_is_said_where_the_files_are_older(
    portgen: Portgen, everything: Path
):
    assert portgen("render", "--yes")[0] == 0
    for path in (everything / "output").glob("*/*/**/*"):
        if path.is_file() and "docs" not in path.parts:
            path.unlink()
    edit(everything / "inventory.yaml", "lan: {port: 5001,", "lan: {port: 5000,")
    code, _, err = portgen("verify")
    assert code == 0
    assert (
        "note: inventory.yaml has errors (`portgen lint`): output/ is what was rendered before\n"
        in err
    )


def test_files_of_a_host_that_left_the_inventory_are_not_said_to_be_none(
    portgen: Portgen, tmp_path: Path
):
    inventory = tmp_path / "inventory.yaml"
    inventory.write_text(
        "version: 1\nhosts: {old: {}}\nprojects:\n  wall:\n    ports: 5000\n"
        "    services: {web: {port: 5000, allow: [any]}}\n"
    )
    assert portgen("render", "--yes")[0] == 0
    edit(inventory, "old:", "new:")
    code, _, err = portgen("verify")
    assert (code, err.splitlines()[-1]) == (
        0,
        "nothing to check: output/ has no file for new that a program reads",
    )


def test_what_would_not_be_written_is_not_checked(portgen: Portgen, everything: Path):
    edit(everything / "inventory.yaml", "lan: {port: 5001,", "lan: {port: 5000,")
    code, out, err = portgen("verify", "--rendered")
    assert code == 1
    assert "[port-taken]" in out
    assert "not checked: fix the errors above first, these files would not be written" in err
    assert " ok " not in err


# --- what is left alone --------------------------------------------------------------------------

LEFT_ALONE = (
    "/etc/nginx",
    "/etc/ufw",
    "/etc/systemd",
    "/var/log/nginx",
    "/var/lib/nginx",
    "/var/lib/ufw",
    "/run/systemd",
    "/run/nginx.pid",
    "/run/ufw.lock",
)


def everything_there() -> dict[str, tuple[float, int]]:
    """Times and sizes of all that the programs of this machine could have written."""
    found = {}
    for top in map(Path, LEFT_ALONE):
        for path in [top, *top.rglob("*")] if top.exists() else []:
            status = path.lstat()
            found[str(path)] = (status.st_mtime, status.st_size)
    return found


def test_nothing_outside_of_the_stage_is_touched(
    real_programs: None, es: Path, portgen: Portgen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    stage = tmp_path / "stage"
    stage.mkdir()
    monkeypatch.setattr(verify.tempfile, "tempdir", str(stage))
    before, ours = everything_there(), sorted(str(path) for path in es.rglob("*"))
    assert portgen("verify", "--with-system").code == 0
    assert everything_there() == before
    assert sorted(str(path) for path in es.rglob("*")) == ours
    assert list(stage.iterdir()) == []


@pytest.fixture
def running(need: Need, tmp_path: Path) -> Iterator[tuple[Path, int, int]]:
    """An nginx of our own with its whole configuration below a folder: the folder, its port, its pid."""
    nginx = need("nginx")
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    etc = tmp_path / "etc-nginx"
    for name in ("conf.d", "sites-available", "sites-enabled", "snippets", "log"):
        (etc / name).mkdir(parents=True)
    (etc / "nginx.conf").write_text(
        f"user root;\nworker_processes 1;\npid {etc}/log/nginx.pid;\n"
        f"error_log {etc}/log/error.log;\nevents {{}}\n"
        f"http {{\n    access_log {etc}/log/access.log;\n    client_body_temp_path {etc}/log/body;\n"
        f"    proxy_temp_path {etc}/log/p; fastcgi_temp_path {etc}/log/f; uwsgi_temp_path "
        f"{etc}/log/u; scgi_temp_path {etc}/log/s;\n"
        "    include conf.d/*.conf;\n    include sites-enabled/*;\n}\n"
    )
    (etc / "sites-available/theirs").write_text(
        f"server {{\n    listen 127.0.0.1:{port} default_server;\n"
        f"    server_name theirs.example;\n    access_log {etc}/log/theirs.log combined;\n"
        "    location / { return 200 theirs; }\n}\n"
    )
    (etc / "sites-enabled/theirs").symlink_to("../sites-available/theirs")
    process = subprocess.Popen(
        [nginx, "-p", str(etc), "-c", str(etc / "nginx.conf"), "-g", "daemon off;"],
        stderr=subprocess.DEVNULL,
    )
    try:
        written = etc / "log/nginx.pid"
        until(
            lambda: process.poll() is not None or (written.exists() and written.read_text().strip())
        )
        assert process.poll() is None
        yield etc, port, process.pid
    finally:
        process.terminate()
        process.wait(HANGS)


def test_a_running_nginx_is_not_disturbed(
    root: None,
    running: tuple[Path, int, int],
    es: Path,
    portgen: Portgen,
    monkeypatch: pytest.MonkeyPatch,
):
    etc, port, pid = running
    only(monkeypatch, "nginx")
    monkeypatch.setattr(verify, "ETC_NGINX", etc)
    before = {path: path.stat().st_mtime_ns for path in etc.rglob("*")}
    code, out, err = portgen("verify", "--with-system")
    assert (code, out) == (0, ""), out + err
    assert "nginx    ok  es-docker with /etc/nginx (nginx" in err
    assert {path: path.stat().st_mtime_ns for path in etc.rglob("*")} == before
    assert int((etc / "log/nginx.pid").read_text()) == pid
    assert urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=HANGS).read() == b"theirs"


# --- together with what the host has -------------------------------------------------------------


@pytest.fixture
def system(tmp_path: Path, need: Need, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host's /etc/nginx, as Debian's package makes it."""
    need("nginx")
    only(monkeypatch, "nginx")
    etc = tmp_path / "etc-nginx"
    (etc / "sites-enabled").mkdir(parents=True)
    (etc / "nginx.conf").write_text(
        "user www-data;\nworker_processes auto;\npid /run/nginx.pid;\nerror_log /var/log/nginx/error.log;\n"
        "events {\n    worker_connections 768;\n}\nhttp {\n    access_log /var/log/nginx/access.log;\n"
        "    include /etc/nginx/conf.d/*.conf;\n    include /etc/nginx/sites-enabled/*;\n}\n"
    )
    monkeypatch.setattr(verify, "ETC_NGINX", etc)
    return etc


def test_a_server_name_that_another_site_has_is_a_warning(system: Path, es: Path, portgen: Portgen):
    (system / "sites-enabled/old").write_text(
        "server {\n    listen 80;\n    listen [::]:80;\n    server_name dashboards.example.com;\n}\n"
    )
    code, out, _ = portgen("verify", "--with-system")
    assert code == 0
    assert (
        'warning: conflicting server name "dashboards.example.com" on 80, ignored [verify-nginx]'
        in out
    )
    assert portgen("verify", "--with-system", "--strict").code == 1
    assert portgen("verify").out == ""


def test_a_variable_that_another_site_defines_too_is_rejected_where_it_stands(
    system: Path, es: Path, portgen: Portgen
):
    (system / "sites-enabled/old").write_text(
        "\nupstream portgen_smartnumbers { server 127.0.0.1:1; }\n"
    )
    code, out, _ = portgen("verify", "--with-system")
    assert code == 1
    assert (
        out == '/etc/nginx/sites-enabled/old:2:1: error: duplicate upstream "portgen_smartnumbers" '
        "[verify-nginx]\n"
    )


def test_what_lies_installed_gives_way_to_the_candidate(system: Path, es: Path, portgen: Portgen):
    (system / "conf.d").mkdir()
    (system / "conf.d/portgen.conf").write_text("an older, broken one\n")
    assert portgen("verify", "--with-system").code == 0


def test_a_configuration_that_does_not_include_ours_is_a_warning(
    system: Path, es: Path, portgen: Portgen
):
    edit(system / "nginx.conf", "    include /etc/nginx/conf.d/*.conf;\n", "")
    code, out, _ = portgen("verify", "--with-system")
    line = line_of(es / "inventory.yaml", "    nginx:")
    assert code == 0
    assert (
        f"inventory.yaml:{line}:5: warning: nothing under /etc/nginx includes conf.d/portgen.conf"
        in out
    )


def test_a_machine_without_nginx_configuration_is_said(
    es: Path, need: Need, portgen: Portgen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    need("nginx")
    only(monkeypatch, "nginx")
    monkeypatch.setattr(verify, "ETC_NGINX", tmp_path / "none")
    code, _, err = portgen("verify", "--with-system", "--strict")
    assert code == 4
    assert "nginx    not checked: there is no /etc/nginx/nginx.conf to read" in err


def test_private_keys_are_never_copied(tmp_path: Path):
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls/a.key").write_text("-----BEGIN PRIVATE KEY-----\n")
    (tmp_path / "nginx.conf").write_text("events {}\n")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert verify.configuration_below(tmp_path) == {"nginx.conf": "events {}\n"}
