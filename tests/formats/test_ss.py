"""What `ss` says, recorded on Debian 12 as root, with programs that listen on each kind of address."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from portgen.formats import ss
from portgen.formats.ss import Socket

RECORDED = Path(__file__).parent / "recorded" / "ss"


def test_every_listener_is_read_with_its_address_and_its_program() -> None:
    text = (RECORDED / "iproute2-6.1-listening.txt").read_text(encoding="utf-8")
    found = [socket._replace(pids=()) for socket in ss.sockets(text)]
    assert found == [
        Socket("udp", "127.0.0.1", 45011, "python3", 15224),
        Socket("udp", "::1", 45012, "python3", 15224),
        Socket("tcp", "127.0.0.1", 45007, "python3", 15224),
        Socket("tcp", "127.0.0.1", 45014, "socat", 15242),
        Socket("tcp", "0.0.0.0", 45008, "python3", 15224),
        Socket("tcp", "127.0.0.53%lo", 45013, "python3", 15224),
        Socket("tcp", "0.0.0.0", 2024, None, None),
        Socket("tcp", "*", 45010, "python3", 15224),
        Socket("tcp", "::1", 45009, "python3", 15224),
    ]


def test_a_program_of_many_processes_is_named_once() -> None:
    line = (
        "tcp   LISTEN 0      511          0.0.0.0:80         0.0.0.0:*    "
        'users:(("nginx",pid=812,fd=6),("nginx",pid=813,fd=6))\n'
    )
    assert list(ss.sockets(line)) == [Socket("tcp", "0.0.0.0", 80, "nginx", 812, (812, 813))]


@pytest.mark.parametrize(
    "line",
    [
        "Netid State",
        'tcp LISTEN 0 511 0.0.0.0:80 0.0.0.0:* users:("nginx",pid=812,fd=6)',
        'tcp LISTEN 0 511 0.0.0.0:80 0.0.0.0:* users:(("nginx",pid=812,fd=6),("nginx"))',
        "tcp LISTEN 0 511 0.0.0.0:80 0.0.0.0:* nginx",
    ],
)
def test_what_can_not_be_read_is_no_empty_answer(line: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"can't parse this line from `ss`: {line}")):
        list(ss.sockets(f"{line}\n"))


def test_a_program_s_name_may_have_what_else_ends_a_line() -> None:
    line = 'tcp LISTEN 0 128 0.0.0.0:5398 0.0.0.0:* users:(("a\u2028b\x0c",pid=77,fd=3))'
    (socket,) = ss.sockets(f"{line}\n")
    assert socket.program == "a\u2028b\x0c"


def test_a_listener_has_no_other_end() -> None:
    with pytest.raises(ValueError, match="can't parse this line"):
        list(ss.sockets("tcp LISTEN 0 128 0.0.0.0:80 192.168.0.9:*\n"))
