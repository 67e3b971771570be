"""Unit files as settings, command lines as words."""

from __future__ import annotations

import pytest

from portgen.formats import systemd

UNIT = """\
# a comment
[Unit]
Description = two words
; another comment

[Service]
ExecStart=/usr/bin/socat -d \\
    # within a value
    TCP-LISTEN:80 \\
    TCP:10.0.0.1:80
Environment=
nonsense
"""


def test_settings_are_read_with_their_sections_and_lines() -> None:
    assert [tuple(setting) for setting in systemd.read(UNIT)] == [
        ("Unit", "Description", "two words", 3, 3),
        ("Service", "ExecStart", "/usr/bin/socat -d  TCP-LISTEN:80  TCP:10.0.0.1:80", 7, 10),
        ("Service", "Environment", "", 11, 11),
    ]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("/bin/a  b\tc", ["/bin/a", "b", "c"]),
        ('/bin/a "b c" \'d "e\'', ["/bin/a", "b c", 'd "e']),
        ('/bin/a "\\x41\\101\\n" b\\ c', ["/bin/a", "AA\n", "b c"]),
        ("/bin/a 100%% $$5 %n", ["/bin/a", "100%", "$5", "%n"]),
        ("/bin/a --x='b c'd", ["/bin/a", "--x=b cd"]),
    ],
)
def test_a_command_line_is_split_as_systemd_does(value: str, words: list[str]) -> None:
    assert systemd.words(value) == words
