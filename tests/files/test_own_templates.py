"""A project's own templates: they may write what they like, and do nothing else. They come with a pull
request, as text.

Each escape would leave a canary or print what no template is given; each glutton would take all time or
memory. Through the real command line, so in the process in which they really run.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from portgen import chain
from portgen.files import own_templates
from portgen.machine import programs
from portgen.problem import Exit
from portgen.settings import Settings
from tests.conftest import Run, missing
from tests.estates import wall
from tests.limit import HANGS, until

Portgen = Callable[..., Run]

INVENTORY = wall(
    "      first: {title: First, port: 5000}\n      second: {title: Second, port: 5001}\n",
    host="zones: {lan: [192.168.0.0/16]}, nginx: {server_name: box.example.com, listen: 80}",
    more='    defaults: {via: socat, container_port: 5000, route: "/{name}/", allow: [lan]}\n',
)
UNIT = "systemd/forwarder.service.j2"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    return tmp_path


@pytest.fixture
def own(project: Path) -> Callable[..., Path]:
    """`own("nginx/portgen.conf.j2", text)`: a template of the project's own."""

    def write(name: str, text: str) -> Path:
        path = project / "templates" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


def output(project: Path) -> dict[str, str]:
    return {
        str(path.relative_to(project / "output")): path.read_text()
        for path in (project / "output").rglob("*")
        if path.is_file()
    }


# --- what is meant to work -----------------------------------------------------------------------


def test_a_copy_of_a_default_template_renders_the_same_bytes(
    project: Path, own: Callable[..., Path], portgen: Portgen
) -> None:
    """Each of them alone, so that each stands among default ones that include it or that it includes; then
    all at once."""
    assert portgen("render", "--yes").code == Exit.OK
    default = output(project)
    shipped = chain.template_folders(Settings())[-1]
    for path in sorted(path for path in shipped.rglob("*") if path.is_file()):
        if path.parent.name == "__pycache__":
            continue  # an installed portgen has apply.py compiled
        copy = own(str(path.relative_to(shipped)), path.read_text())
        assert portgen("render", "--check").code == Exit.OK, copy
        if path.name.endswith(".sh.j2"):
            copy.unlink()
    assert portgen("render", "--check").code == Exit.OK
    assert output(project) == default


def test_default_and_own_templates_include_each_other(
    project: Path, own: Callable[..., Path], portgen: Portgen
) -> None:
    own("ufw/apply.py", "# theirs, {{ 'for' }} {{ host.name }}\n")
    own(
        UNIT,
        "{% extends 'systemd/base.j2' %}{% import 'macros.j2' as m %}{% block body %}{{ "
        "m.mark(f) }}{% endblock %}",
    )
    own(
        "systemd/base.j2",
        "# base\n{% block body %}{% endblock %}\n"
        "{% include 'nginx/portgen-locations.conf.j2' ignore missing %}",
    )
    own("macros.j2", "{% macro mark(f) %}# portgen:{{ f.service }}{% endmacro %}")
    own(
        "nginx/portgen-locations.conf.j2",
        "{% set seen = namespace(n=0) %}{% for r in routes %}{% set seen.n = seen.n + 1 %}{% "
        "endfor %}{{ seen.n }}\n",
    )
    own(
        UNIT,
        "# portgen:{{ f.service }} {{ '%s-%d' | format(f.title, f.port) | systemd_text }}\n"
        "{% include 'macros.j2' %}\n",
    )
    assert portgen("render", "--yes").code == Exit.OK
    files = output(project)
    assert "\n# theirs, for box\n" in files["box/ufw/portgen-ufw.sh"]
    assert files["box/systemd/portgen-first.service"] == "# portgen:first First-5000\n"
    assert files["box/nginx/snippets/portgen-locations.conf"] == "2\n"
    assert "# Ports of box" in files["box/docs/PORTS.md"]


def test_line_ends_of_a_template_are_no_part_of_what_it_says(
    project: Path, own: Callable[..., Path], portgen: Portgen
) -> None:
    assert portgen("render", "--yes").code == Exit.OK
    default = (chain.template_folders(Settings())[-1] / UNIT).read_bytes()
    own(UNIT, "").write_bytes(default.replace(b"\n", b"\r\n"))
    assert portgen("render", "--check").code == Exit.OK


# --- nothing but text ----------------------------------------------------------------------------

# What each would run, had it the module os: `RUN` becomes a command that leaves the canary.
ESCAPES = [
    "{{ cycler.__init__.__globals__.os.popen(RUN).read() }}",
    "{{ joiner.__init__.__globals__.os.popen(RUN).read() }}",
    "{{ namespace.__init__.__globals__.os.popen(RUN).read() }}",
    "{{ lipsum.__globals__['os'].popen(RUN).read() }}",
    "{{ lipsum['__globals__'].os.popen(RUN).read() }}",
    "{{ (lipsum|attr('__globals__')).os.popen(RUN).read() }}",
    "{{ (lipsum|attr('__glo' ~ 'bals__'))['os'].popen(RUN).read() }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''['__class__']['__mro__'][1]['__subclasses__']() }}",
    "{{ (''|attr('__class__')|attr('__mro__'))[1] }}",
    "{{ ('', )|map('attr', '__class__')|join }}",
    "{{ ['']|map(attribute='__class__')|join }}",
    "{% for kind, _ in [host]|groupby('__class__') %}{{ kind }}{% endfor %}",
    "{{ [host]|sum(attribute='__class__') }}",
    "{{ self.__init__.__globals__.__builtins__.__import__('os').popen(RUN).read() }}",
    "{{ self._TemplateReference__context.environment.globals }}",
    "{{ host.__init__.__globals__ }}",
    "{{ host.__class__.__init__ }}",
    "{{ host.__struct_fields__ }}",
    "{{ host.__reduce__() }}",
    "{{ command.__class__ }}",
    "{{ host.server.place.__globals__ }}",
    "{{ range.__self__ }}",
    "{{ dict.__base__.__subclasses__() }}",
    "{{ '{0.__class__.__mro__}'.format('') }}",
    "{{ '{x.__class__.__mro__}'.format_map({'x': ''}) }}",
    "{{ ('{0.__class__}'|attr('format'))('') }}",  # CVE-2025-27516
    "{{ (['{0.__class__}']|map('attr', 'format')|list)[0]('') }}",
    # CVE-2024-56326
    "{% set g = '{0.__class__.__init__.__globals__}'.format %}{{ [host]|map('string')|list }}{{ g(host) }}",
    "{% macro m() %}{{ caller.__globals__ }}{% endmacro %}{% call m() %}{% endcall %}",
    "{% macro m() %}{% endmacro %}{{ m.__init__.__globals__ }}",
    "{% macro m() %}{% endmacro %}{{ m._func.__globals__ }}",
    "{% macro m() %}{% endmacro %}{{ m._environment }}",
    "{% import 'x.j2' as x %}{{ x.__init__.__globals__ }}",
    "{% import 'x.j2' as x %}{{ x._body_stream }}",
    "{{ loop.__init__.__globals__ if loop is defined else host.__module__ }}",
    "{% for x in [1] %}{{ loop._iterable.__class__ }}{% endfor %}",
    "{% for x in [1] %}{{ loop.__init__.__globals__ }}{% endfor %}",
    "{% set _ = host.__setattr__('name', 'x') %}{{ host.name }}",
    "{{ (host.name|systemd_text).__class__ }}",
    "{{ systemd_text.__globals__ }}",
    "{{ ''|systemd_arg|attr('__class__') }}",
    "{% include '/etc/passwd' %}",
    "{% include '../inventory.yaml' %}",
    "{% include '../../../../etc/passwd' %}",
    "{% extends '/etc/passwd' %}",
    "{% import '../inventory.yaml' as x %}{{ x }}",
    "{% include '.hidden.j2' %}",
    "{% set l = [] %}{{ l.append(1) }}",
    "{% set d = {} %}{{ d.update(a=1) }}",
    "{{ 1|attr('__class__') }}{{ x }}",
]
SECRETS = (
    "<class",
    "<function",
    "<module",
    "root:x:0:0",
    "version: 1",
    "__subclasses__",
    "built-in",
    "uid=",
    "bound method",
    "_environment",
)


@pytest.mark.parametrize("text", ESCAPES)
@pytest.mark.parametrize("place", [UNIT, "ufw/apply.py"], ids=["page", "included"])
def test_no_template_gets_out(
    project: Path, own: Callable[..., Path], portgen: Portgen, place: str, text: str
) -> None:
    """Neither where it is a page's template nor where a default one includes it; nor with what an earlier run
    compiled."""
    canary = project / "canary"
    own("x.j2", "{% macro a() %}{% endmacro %}")
    own(".hidden.j2", "version: 1")
    own(place, "# portgen\n" + text.replace("RUN", f"'id; touch {canary}'"))
    for _ in range(2):
        ran = portgen("render", "--yes")
        assert not canary.exists()
        printed = "".join(output(project).values()) if (project / "output").exists() else ""
        assert not [secret for secret in SECRETS if secret in printed]
        assert ran.code == Exit.INVENTORY, ran.out
        assert "templates/" in ran.err


def test_values_can_not_be_changed_for_the_next_page(
    project: Path, own: Callable[..., Path], portgen: Portgen
) -> None:
    own("nginx/portgen.conf.j2", "{% set _ = host.zones.clear() %}")
    ran = portgen("render", "--yes")
    assert ran.code == Exit.INVENTORY
    assert "SecurityError" in ran.err
    assert not (project / "output").exists()


def test_what_was_compiled_without_the_sandbox_is_not_run_in_it(
    project: Path, own: Callable[..., Path], portgen: Portgen
) -> None:
    """A default template that includes the project's text is compiled twice, and calls are checked in the
    second only."""
    assert portgen("render", "--yes").code == Exit.OK
    own("ufw/apply.py", "{{ '{0.__class__}'.format('') }}")
    assert "SecurityError" in portgen("render").err


@pytest.fixture(autouse=True)
def work_is_what_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a second of work may take minutes: the limit by the clock is not the one under
    test."""
    monkeypatch.setattr(programs, "PATIENCE", HANGS)


# --- time and memory -----------------------------------------------------------------------------

OUT_OF_MEMORY = "MemoryError: more memory than a template may have"
GLUTTONS = {
    "loops": (
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        ":1: TimeoutError: takes longer than 1 s",
    ),
    "lipsum": ("{{ lipsum(n=10**9) }}", ":1: TimeoutError: takes longer than"),
    "recursion": ("{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}", "RecursionError"),
    "slow macro": (
        "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(99) }}",
        "TimeoutError",
    ),
    "power": ("{{ 9 ** (9 ** 9) }}", " 1 s"),
    "power of a value": ("{{ (host.name|length + 6) ** (9 ** 9) }}", " 1 s"),
    "string": ("{{ 'x' * 10**10 }}", OUT_OF_MEMORY),
    "string of a value": ("{{ host.name * 10**10 }}", OUT_OF_MEMORY),
    "strings": (
        "{% set n = namespace(s='x') %}{% for a in range(99) %}{% set n.s = n.s ~ n.s %}{% endfor %}",
        OUT_OF_MEMORY,
    ),
    "page": ("{% for a in range(99999) %}{{ 'x' * 99999 }}{% endfor %}", OUT_OF_MEMORY),
    "list": (
        "{% set n = namespace(l=[1]) %}{% for a in range(99) %}{% set n.l = n.l + n.l %}{% endfor %}",
        OUT_OF_MEMORY,
    ),
    "range": ("{% for a in range(10**12) %}{% endfor %}", "OverflowError"),
    "width": ("{{ '%09999999999d' % 1 }}", OUT_OF_MEMORY),
    "width by format": ("{{ '{:>9999999999}'.format('') }}", OUT_OF_MEMORY),
    "width by filter": ("{{ '%9999999999s'|format('') }}", OUT_OF_MEMORY),
    "centre": ("{{ 'x'|center(10**10) }}", OUT_OF_MEMORY),
    "indent": ("{{ ('x\n' * 10**5) | indent(10**6) }}", OUT_OF_MEMORY),
    "number": ("{{ '9' * 10**6 }}{{ ('9' * 4000000)|int }}", None),
}


@pytest.mark.parametrize("kind", GLUTTONS)
def test_no_template_takes_all_time_or_memory(
    project: Path,
    own: Callable[..., Path],
    portgen: Portgen,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    text, said = GLUTTONS[kind]
    # Little of what the kind is about, and enough of the other.
    if said == OUT_OF_MEMORY:
        monkeypatch.setattr(chain, "TEMPLATE_MEMORY", 64 << 20)
    else:
        monkeypatch.setattr(chain, "TEMPLATE_SECONDS", 1.0)
    own(UNIT, text)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ran = portgen("render", "--yes")
    # KiB; the page of a glutton that may pass is small
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
    if said is not None:
        assert (ran.code, ran.out) == (Exit.INVENTORY, "")
        assert UNIT in ran.err
        assert said in ran.err
        assert "hint: " in ran.err
        assert not (project / "output").exists()
    with pytest.raises(ChildProcessError):  # nobody is left behind
        os.waitpid(-1, os.WNOHANG)


def test_the_real_limits_are_ten_seconds_and_half_a_gibibyte() -> None:
    assert (chain.TEMPLATE_SECONDS, chain.TEMPLATE_MEMORY) == (10.0, 512 << 20)


@pytest.mark.parametrize(
    "command",
    [
        ("render",),
        ("render", "--check"),
        ("diff",),
        ("explain", "first"),
        ("verify", "--rendered"),
        ("move", "first", "5020", "--render"),
    ],
)
def test_every_command_that_renders_is_bounded(
    own: Callable[..., Path],
    portgen: Portgen,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
) -> None:
    monkeypatch.setattr(chain, "TEMPLATE_SECONDS", 0.2)
    own(UNIT, GLUTTONS["loops"][0])
    ran = portgen(*command)
    assert ran.code == Exit.INVENTORY
    assert f"templates/{UNIT}:1: TimeoutError: takes longer than 0.2 s" in ran.err


@pytest.mark.parametrize(
    "command",
    [
        ("lint",),
        ("ports",),
        ("next", "wall"),
        ("schema",),
        ("completion", "bash"),
        ("add", "third", "--project", "wall", "--yes"),
        ("move", "first", "5020", "--yes"),
        ("swap", "first", "second", "--yes"),
        ("remove", "second", "--yes"),
    ],
)
def test_what_needs_no_rendering_renders_nothing(
    own: Callable[..., Path], portgen: Portgen, command: tuple[str, ...]
) -> None:
    own(UNIT, "{{ nobody }}")
    assert portgen(*command).code == Exit.OK


def test_an_interrupt_leaves_nobody_behind(own: Callable[..., Path], project: Path) -> None:
    """Ctrl-C while a template runs: the process ends, and so does the one in which the template runs."""
    import signal
    import subprocess
    import sys

    own(UNIT, "{{ 9 ** (9 ** 9) }}")
    process = subprocess.Popen(
        [sys.executable, "-m", "portgen", "render", "--yes"],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: children_of(process.pid))
    children = children_of(process.pid)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=HANGS)
    assert process.returncode == Exit.INTERRUPTED
    assert said == "interrupted: nothing was written to output/\n"
    until(lambda: not any(runs(child) for child in children))


def test_a_render_that_is_killed_leaves_neither_a_process_nor_its_lock(
    own: Callable[..., Path], project: Path, portgen: Portgen
) -> None:
    """SIGKILL, as of a CI that has waited enough: nobody can tidy up, and the next render does not wait for
    what nobody needs."""
    import subprocess
    import sys

    slow = own(UNIT, "{{ 9 ** (9 ** 9) }}")
    process = subprocess.Popen(
        [sys.executable, "-m", "portgen", "render", "--yes"],
        cwd=project,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: children_of(process.pid))
    children = children_of(process.pid)
    time.sleep(0.5)
    process.kill()
    process.wait()
    slow.unlink()
    ran = portgen("render", "--yes")
    assert (ran.code, "waiting" in ran.err) == (Exit.OK, False)
    until(lambda: not any(runs(child) for child in children))


def children_of(process: int) -> list[str]:
    """The numbers of the processes that it has started."""
    return Path(f"/proc/{process}/task/{process}/children").read_text().split()


def runs(process: str) -> bool:
    """Whether a process is there, and no zombie that only a careless init has not fetched."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_page_that_portgen_would_not_read_again_is_not_written(
    own: Callable[..., Path], project: Path, portgen: Portgen
) -> None:
    """It would stand in the way of every render after it, also of the one without that template."""
    own(UNIT, "{{ 'x' * 70000000 }}")
    ran = portgen("render", "--yes")
    assert (ran.code, ran.out) == (Exit.INVENTORY, "")
    assert f"{UNIT}: ValueError: a page of more than 64 MB" in ran.err
    assert not (project / "output").exists()


# --- what is not a template ----------------------------------------------------------------------


def link_to(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


def place_in_a_linked_folder(path: Path) -> None:
    path.parent.rmdir()
    path.parent.symlink_to("/etc")


def place_in_linked_templates(path: Path) -> None:
    path.parent.rmdir()
    path.parent.parent.rmdir()
    path.parent.parent.symlink_to("/etc")


def place_a_socket(path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(path))


def place_a_device(path: Path) -> None:
    if os.getuid() != 0:
        missing("making a device needs root")
    os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))


def place_a_huge_file(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(5 << 30)


def place_one_more_than(most: int) -> Callable[[Path], None]:
    def place(path: Path) -> None:
        for number in range(most + 1):
            (path.parent / f"{number}.j2").write_text("")

    return place


MOST = 20
GUIDE = "templates/docs/PORTS.md.j2"
# What stands where a template may be: what places it, and the path that the message names.
NO_TEMPLATES = {
    "link": (link_to("/etc/hostname"), GUIDE),
    "link to a device": (link_to("/dev/zero"), GUIDE),
    "link within": (link_to("../../inventory.yaml"), GUIDE),
    "link to nowhere": (link_to("nowhere"), GUIDE),
    "linked folder": (place_in_a_linked_folder, "templates/docs"),
    "templates itself": (place_in_linked_templates, "templates"),
    "fifo": (os.mkfifo, GUIDE),
    "socket": (place_a_socket, GUIDE),
    "device": (place_a_device, GUIDE),
    "huge": (place_a_huge_file, GUIDE),
    "many": (place_one_more_than(MOST), "templates"),
}


@pytest.mark.parametrize(
    "command", [("render", "--yes"), ("render", "--check"), ("diff",), ("explain", "first")]
)
@pytest.mark.parametrize("kind", NO_TEMPLATES)
def test_what_is_no_file_of_the_project_is_refused(
    project: Path,
    own: Callable[..., Path],
    portgen: Portgen,
    kind: str,
    command: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = own("docs/PORTS.md.j2", "secret\n")
    path.unlink()
    if kind == "many":
        monkeypatch.setattr(own_templates, "MOST", MOST)
    put, place = NO_TEMPLATES[kind]
    put(path)
    ran = portgen(*command)
    assert (ran.code, ran.out) == (Exit.MACHINE, "")
    assert f"{place}: " in ran.err
    assert "hint: " in ran.err
    assert not (project / "output").exists()
    assert portgen("lint").code == Exit.OK


def test_what_an_editor_leaves_beside_a_template_is_none(
    project: Path, own: Callable[..., Path], portgen: Portgen
) -> None:
    path = own(UNIT, "# portgen:{{ f.service }}\n")
    path.with_name(".#forwarder.service.j2").symlink_to("somebody@box.4711:1795641172")
    path.with_name(".git").mkdir()
    assert portgen("render", "--yes").code == Exit.OK
    assert portgen("render", "--check").code == Exit.OK
    assert output(project)["box/systemd/portgen-first.service"] == "# portgen:first\n"


def test_a_text_that_no_file_can_hold_is_the_templates_fault(
    own: Callable[..., Path], portgen: Portgen
) -> None:
    own(UNIT, "{{ '\\ud800' }}")
    ran = portgen("render", "--yes")
    assert ran.code == Exit.INVENTORY
    assert f"{UNIT}: UnicodeEncodeError" in ran.err


def test_what_a_template_fails_with_writes_nothing_else_to_a_terminal(
    own: Callable[..., Path], portgen: Portgen
) -> None:
    own(UNIT, "{{ {}['\\x1b]0;owned\\x07\\n::error::' ~ 'x' * 10**6] }}")
    ran = portgen("render", "--yes")
    assert ran.code == Exit.INVENTORY
    assert not {"\x1b", "\x07"} & set(ran.err)
    assert len(ran.err) < 2000
    assert not any(line.startswith("::error::") for line in ran.err.splitlines())
