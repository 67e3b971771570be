"""Which port a program's own unit says that it listens at."""

from __future__ import annotations

import pytest

from portgen import adopt
from portgen.adopt import Sources, Text
from portgen.adopt.sighted import Sighted

COMMANDS = {
    "/usr/bin/gunicorn app:app -b 0.0.0.0:5400": [("0.0.0.0", 5400)],
    "/usr/bin/app --port=5400": [("", 5400)],
    "/usr/bin/app --port 5400 --redis 10.0.0.9:6379": [("", 5400)],
    "/usr/bin/app --redis 10.0.0.9:6379 --port 5400": [("", 5400)],
    "/usr/bin/app --redis 10.0.0.9:6379": [],
    "/usr/bin/app --redis=10.0.0.9:6379": [],
    "/usr/bin/app --listen [::1]:5400": [("::1", 5400)],
    "/usr/bin/app -listen-address :9100": [("", 9100)],
    "/opt/manage.py runserver localhost:8000": [("127.0.0.1", 8000)],
    "/usr/bin/python3 -m http.server 8000": [],
    "/usr/bin/autossh -N -p 2222 box.example.com": [],
    "-/usr/bin/ssh -p 2222 box.example.com": [],
    "/usr/bin/app --workers 4": [],
}


def sighted(command: str, *others: Text) -> Sighted:
    unit = f"[Service]\nExecStart={command}\n"
    texts = [Text("units", "app.service", unit, "app.service"), *others]
    return adopt.sight(Sources(texts, {}.get))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_names_its_own_port_and_not_that_of_others(command: str) -> None:
    listeners = sighted(command).listeners
    assert [(one.bind, one.endpoint.port) for one in listeners] == COMMANDS[command]


def test_a_program_that_ss_does_not_show_does_not_listen() -> None:
    """Its unit may be one that nobody starts."""
    unit = Text(
        "units", "app.service", "[Service]\nExecStart=/usr/bin/app --port 5400\n", "app.service"
    )
    ss = Text("ss", "ss.txt", 'tcp LISTEN 0 128 *:22 *:* users:(("sshd",pid=1,fd=3))\n', "ss.txt")
    assert [*adopt.adopt(Sources([unit], {}.get), "box").source.inventory.projects] == ["programs"]
    result = adopt.adopt(Sources([unit, ss], {}.get), "box")
    assert result.source.inventory.projects == {}
    assert [(one.said.place, one.why) for one in result.lists.left] == [
        ("app.service:2", "no program listens there, as `ss` shows")
    ]


def test_programs_of_one_interpreter_are_services_of_their_own() -> None:
    ss = Text(
        "ss",
        "ss.txt",
        'tcp LISTEN 0 128 *:5400 *:* users:(("python3",pid=1,fd=3))\n'
        'tcp LISTEN 0 128 *:5401 *:* users:(("python3",pid=2,fd=3))\n'
        'tcp LISTEN 0 128 *:5402 *:* users:(("nodejs",pid=3,fd=3))\n',
    )
    unit = "[Service]\nExecStart=/usr/bin/python3 /srv/hub.py --port 5400\n"
    hub = Text("units", "inventory-hub.service", unit, "inventory-hub.service")
    result = adopt.adopt(Sources([ss, hub], {}.get), "box")
    services = result.source.inventory.projects["programs"].services
    assert list(services) == ["inventory-hub", "python3-5401", "nodejs-5402"]
