"""What can't be loaded: each kind of fault at its place, exit code 3, nothing written, never a traceback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from portgen.inventory import reader
from portgen.inventory.source import parse
from portgen.problem import Exit, PortgenError
from tests.limit import HANGS, ends

Run = Callable[..., Any]

HEAD = "version: 1\nhosts: {box: {}}\nprojects:\n  wall:\n    services:\n"


def service(fields: str) -> str:
    """An inventory with one service; its fields are on line 6, from column 15 on."""
    return f"{HEAD}      web: {{{fields}}}\n".replace("web: {", "web:   {")


# name: (the file, what is told: place and message; then perhaps a hint)
FAULTS: dict[str, tuple[str | bytes, list[str]]] = {
    # --- bytes
    "nul": (
        b"version: 1\nhosts: {b\x00x: {}}\n",
        ["2:10: error: character U+0000 is not allowed in YAML [encoding]"],
    ),
    "control characters, all of them": (
        b"version: 1\n# \x07\n\x1b[31m: 1\n# \x7f\n",
        [
            "2:3: error: character U+0007 is not allowed in YAML [encoding]",
            "3:1: error: character U+001B is not allowed in YAML [encoding]",
            "4:3: error: character U+007F is not allowed in YAML [encoding]",
        ],
    ),
    "latin-1": (
        "version: 1\n# déjà\n".encode("latin-1"),
        ["2:4: error: byte 0xe9 is not UTF-8 [encoding]", "hint: save the file as UTF-8"],
    ),
    "half a character at the end": (
        b"version: 1\n# \xe2\x82",
        ["2:3: error: byte 0xe2 is not UTF-8 [encoding]", "hint: save the file as UTF-8"],
    ),
    "an encoded surrogate": (
        b"version: 1\n# \xed\xa0\x80",
        ["2:3: error: byte 0xed is not UTF-8 [encoding]", "hint: save the file as UTF-8"],
    ),
    "not UTF-8 behind wide characters": (
        "# ü€𝄞 ".encode() + b"\xff\n",
        ["1:7: error: byte 0xff is not UTF-8 [encoding]", "hint: save the file as UTF-8"],
    ),
    "not UTF-8 behind a byte-order mark": (
        b"\xef\xbb\xbfversion: \xff",
        ["1:10: error: byte 0xff is not UTF-8 [encoding]", "hint: save the file as UTF-8"],
    ),
    "UTF-16": (
        "version: 1\n".encode("utf-16"),
        [
            "1:1: error: byte 0xff is not UTF-8 [encoding]",
            "hint: this looks like UTF-16: save the file as UTF-8",
        ],
    ),
    "UTF-16, big end first": (
        b"\xfe\xff" + "version: 1\n".encode("utf-16-be"),
        [
            "1:1: error: byte 0xfe is not UTF-8 [encoding]",
            "hint: this looks like UTF-16: save the file as UTF-8",
        ],
    ),
    # --- lines and columns
    "behind a byte-order mark": (
        b"\xef\xbb\xbfversions: 1\nversion: 1\n",
        ["1:1: error: unknown field `versions` [inventory]", "hint: did you mean `version`?"],
    ),
    "behind CRLF": (
        b"version: 1\r\nhosts: {}\r\nports: 1\r\n",
        ["3:1: error: unknown field `ports` [inventory]", "hint: did you mean `projects`?"],
    ),
    "behind a lone CR": (
        b"version: 1\n# a\r# b\r\nports: 1\n",
        ["3:1: error: unknown field `ports` [inventory]", "hint: did you mean `projects`?"],
    ),
    "behind NEL, U+2028 and U+2029": (
        "version: 1\n# a\u0085# b\u2028# c\u2029\nports: 1\n",
        ["3:1: error: unknown field `ports` [inventory]", "hint: did you mean `projects`?"],
    ),
    "behind NEL within a quoted text": (
        'version: 1\nprojects: {wall: {title: "a\u0085b"}}\nports: 1\n',
        ["3:1: error: unknown field `ports` [inventory]", "hint: did you mean `projects`?"],
    ),
    "behind wide characters": (
        "version: 1\nprojects: {wall: {title: '𝄞€ü', prots: 1}}\n",
        ["2:33: error: unknown field `prots` [inventory]", "hint: did you mean `ports`?"],
    ),
    "behind a multi-line text": (
        HEAD + "      web:\n        notes: |\n          one\n\n          two\n        prot: 1\n",
        ["11:9: error: unknown field `prot` [inventory]", "hint: did you mean `port`?"],
    ),
    # --- YAML
    "a tab": (
        b"version: 1\nhosts:\n\tbox: {}\n",
        [
            (
                "3:1: error: while scanning for the next token, found character that cannot start "
                "any token [yaml]"
            ),
            "hint: YAML indents with blanks, never with tabs",
        ],
    ),
    "an open bracket": (
        "version: 1\nhosts: [a\n",
        [
            "3:1: error: while parsing a flow sequence, did not find expected ',' or ']' [yaml]",
            "hint: a list that opens with `[` closes with `]`",
        ],
    ),
    "an open quote": (
        'version: 1\nhosts: "a\n',
        [
            "2:8: error: while scanning a quoted scalar, found unexpected end of stream [yaml]",
            "hint: the quote that opens here is never closed",
        ],
    ),
    "two colons": (
        "version: 1\nprojects: a: b\n",
        [
            "2:12: error: mapping values are not allowed in this context [yaml]",
            (
                "hint: quote a text that contains `: `; or the line above lacks its `: ` or is "
                "indented differently"
            ),
        ],
    ),
    "a bad indentation": (
        "version: 1\n  hosts: {}\n",
        [
            "2:8: error: mapping values are not allowed in this context [yaml]",
            (
                "hint: quote a text that contains `: `; or the line above lacks its `: ` or is "
                "indented differently"
            ),
        ],
    ),
    "a reserved sign": (
        "version: 1\nhosts: @box\n",
        [
            (
                "2:8: error: while scanning for the next token, found character that cannot start "
                "any token [yaml]"
            ),
            "hint: quote a text that begins with `@`",
        ],
    ),
    "a twice-written key": (
        "version: 1\nhosts: {}\nversion: 1\n",
        [
            "3:1: error: the key `version` is written twice (line 1) [yaml]",
            "hint: YAML would keep the last one, silently",
        ],
    ),
    "a twice-written key within braces": (
        service("port: 1, via: host, port: 2"),
        [
            "6:35: error: the key `port` is written twice (line 6) [yaml]",
            "hint: YAML would keep the last one, silently",
        ],
    ),
    "a twice-written key, quoted once": (
        'version: 1\n"version": 1\n',
        [
            "2:1: error: the key `version` is written twice (line 1) [yaml]",
            "hint: YAML would keep the last one, silently",
        ],
    ),
    "three times, and a fault of another kind": (
        "version: 1\nversion: 2\nversion: 3\nhost: 1\n",
        [
            "2:1: error: the key `version` is written twice (line 1) [yaml]",
            "hint: YAML would keep the last one, silently",
            "3:1: error: the key `version` is written twice (line 1) [yaml]",
            "hint: YAML would keep the last one, silently",
            "4:1: error: unknown field `host` [inventory]",
            "hint: did you mean `hosts`?",
        ],
    ),
    "two merges": (
        "version: 1\nhosts:\n  a: &a {}\n  b:\n    <<: *a\n    <<: *a\n",
        [
            "6:5: error: the key `<<` is written twice (line 5) [yaml]",
            "hint: `<<: [*one, *other]` merges several",
        ],
    ),
    "a twice-written key in what is merged": (
        "version: 1\nhosts:\n  a: &a {reserved: 1, reserved: 2}\n  b: {<<: *a}\n",
        [
            "3:23: error: the key `reserved` is written twice (line 3) [yaml]",
            "hint: YAML would keep the last one, silently",
        ],
    ),
    "a merge of a scalar": (
        "version: 1\nhosts: {box: {<<: 5}}\n",
        ["2:15: error: `<<` merges mappings only [yaml]"],
    ),
    "a merge of a list of scalars": (
        "version: 1\nhosts: {box: {<<: [{}, 5, {}]}}\n",
        ["2:15: error: `<<` merges mappings only [yaml]"],
    ),
    "a second document": (
        "version: 1\n---\nversion: 1\n",
        [
            "2:1: error: a second document begins here [yaml]",
            "hint: an inventory is one document: remove the `---`",
        ],
    ),
    "a document behind an end": (
        "version: 1\n...\nversion: 1\n",
        ["3:1: error: did not find expected <document start> [yaml]"],
    ),
    "a document behind an end, with its beginning": (
        "version: 1\n...\n---\nversion: 1\n",
        [
            "3:1: error: a second document begins here [yaml]",
            "hint: an inventory is one document: remove the `---`",
        ],
    ),
    "tags": (
        "version: !!int 1\nhosts: !!python/object:os.system {}\nprojects: !mine {}\n",
        [
            "1:10: error: the tag `tag:yaml.org,2002:int` is not allowed [yaml]",
            "hint: write the value plainly; quote it to make it text",
            "2:8: error: the tag `tag:yaml.org,2002:python/object:os.system` is not allowed [yaml]",
            "hint: write the value plainly; quote it to make it text",
            "3:11: error: the tag `!mine` is not allowed [yaml]",
            "hint: write the value plainly; quote it to make it text",
        ],
    ),
    "a tag on a key": (
        "!!str version: 1\n",
        ["1:1: error: the tag `tag:yaml.org,2002:str` is not allowed [yaml]"],
    ),
    "an alias without an anchor": (
        "version: 1\nhosts: *none\n",
        ["2:8: error: the alias `*none` has no anchor [yaml]"],
    ),
    "an alias inside its anchor": (
        "version: 1\nhosts: &a {box: *a}\n",
        ["2:17: error: the alias `*a` stands inside its own anchor [yaml]"],
    ),
    "an alias inside its anchor, in a list": (
        "version: 1\nhosts: {box: {reserved: &a [*a]}}\n",
        ["2:29: error: the alias `*a` stands inside its own anchor [yaml]"],
    ),
    "a fault in what is aliased, told once": (
        "version: 1\nhosts: {box: {}}\nprojects:\n  a: {services: {x: &x {prot: 1}, y: *x, z: *x}}\n",
        ["4:25: error: unknown field `prot` [inventory]", "hint: did you mean `port`?"],
    ),
    "an alias bomb": (
        "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + "".join(
            f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 10)}]\n"
            for n in range(9)
        ),
        [
            "4:32: error: aliases expand to more than 10,370 values [yaml]",
            "hint: an inventory of this length may have no more: write the values out, or share fewer",
        ],
    ),
    "depth": (
        "version: 1\nhosts: " + "[" * 100_000,
        ["2:71: error: nested more than 64 deep [yaml]"],
    ),
    "depth of mappings": ("{a: " * 100_000, ["1:257: error: nested more than 64 deep [yaml]"]),
    "a list as a key": ("version: 1\n[a, b]: 1\n", ["2:1: error: a key must be plain text [yaml]"]),
    "a complex key": (
        "version: 1\n? {a: 1}\n: 1\n",
        ["2:3: error: a key must be plain text [yaml]"],
    ),
    "an alias as a key": (
        "version: &v 1\n*v : 1\n",
        ["2:1: error: a key must be plain text [yaml]"],
    ),
    # --- nothing, or not this
    "empty": (
        b"",
        [
            "1:1: error: the inventory is empty [yaml]",
            "hint: `portgen init` makes one to start from",
        ],
    ),
    "only a byte-order mark": (
        b"\xef\xbb\xbf",
        [
            "1:1: error: the inventory is empty [yaml]",
            "hint: `portgen init` makes one to start from",
        ],
    ),
    "only comments": (
        "# nothing\n\n# yet\n",
        [
            "1:1: error: the inventory is empty [yaml]",
            "hint: `portgen init` makes one to start from",
        ],
    ),
    "only a document's beginning": (
        "---\n",
        [
            "1:1: error: the inventory is empty [yaml]",
            "hint: `portgen init` makes one to start from",
        ],
    ),
    "only null": (
        "null\n",
        [
            "1:1: error: the inventory is empty [yaml]",
            "hint: `portgen init` makes one to start from",
        ],
    ),
    "a list": (
        "- version: 1\n",
        [
            "1:1: error: expected a mapping, found a list [inventory]",
            "hint: each has a name and a `:`, and no `-` before it: `NAME: …`",
        ],
    ),
    "a word": ("inventory\n", ["1:1: error: expected a mapping, found `inventory` [inventory]"]),
    "a number": ("1\n", ["1:1: error: expected a mapping, found `1` [inventory]"]),
    "an empty mapping": (
        "{}\n",
        ["1:1: error: the field `version` is missing [inventory]", "hint: such as `version: 1`"],
    ),
    # --- types
    "another version": (
        "version: 2\n",
        [
            "1:10: error: `2` is not one of: 1 [inventory]",
            "hint: write `version: 1`: it is the inventory's version, not compose's",
        ],
    ),
    "a version that is text": (
        "version: '1'\n",
        ["1:10: error: `1` is not one of: 1 [inventory]", "hint: write it without quotes"],
    ),
    "a version that is true": (
        "version: true\n",
        [
            "1:10: error: true is not one of: 1 [inventory]",
            "hint: write `version: 1`: it is the inventory's version, not compose's",
        ],
    ),
    "a version with a point": (
        "version: 1.0\n",
        [
            "1:10: error: `1.0` is not one of: 1 [inventory]",
            "hint: write `version: 1`: it is the inventory's version, not compose's",
        ],
    ),
    "a version that is a list": (
        "version: [1]\n",
        [
            "1:10: error: a list is not one of: 1 [inventory]",
            "hint: write `version: 1`: it is the inventory's version, not compose's",
        ],
    ),
    "a version that is a mapping": (
        "version: {}\n",
        [
            "1:10: error: a mapping is not one of: 1 [inventory]",
            "hint: write `version: 1`: it is the inventory's version, not compose's",
        ],
    ),
    "no version": (
        "hosts: {box: {}}\n",
        ["1:1: error: the field `version` is missing [inventory]", "hint: such as `version: 1`"],
    ),
    "yes": (
        service("route: {path: /a/, strip: yes}, port: 1"),
        ["6:41: error: expected true or false, found `yes` [inventory]", "hint: write `true`"],
    ),
    "no": (
        service("route: {path: /a/, buffering: no}, port: 1"),
        ["6:45: error: expected true or false, found `no` [inventory]", "hint: write `false`"],
    ),
    "base 60": (
        service("port: 22:22"),
        [
            "6:21: error: `22:22` is not a port: a whole number from 1 to 65535 [inventory]",
            "hint: write `port: 22` and `container_port: 22`",
        ],
    ),
    "octal": (
        service("port: 0644"),
        [
            "6:21: error: `0644` is not a port: a whole number from 1 to 65535 [inventory]",
            "hint: write it without the leading zero",
        ],
    ),
    "octal of YAML 1.2": (
        service("port: 0o644"),
        ["6:21: error: `0o644` is not a port: a whole number from 1 to 65535 [inventory]"],
    ),
    "hexadecimal": (
        service("port: 0x50"),
        ["6:21: error: `0x50` is not a port: a whole number from 1 to 65535 [inventory]"],
    ),
    "underscores": (
        service("port: 5_000"),
        ["6:21: error: `5_000` is not a port: a whole number from 1 to 65535 [inventory]"],
    ),
    "a fraction": (
        service("port: 5000.5"),
        ["6:21: error: `5000.5` is not a port: a whole number from 1 to 65535 [inventory]"],
    ),
    "a whole fraction": (
        service("port: 5000.0"),
        ["6:21: error: `5000.0` is not a port: a whole number from 1 to 65535 [inventory]"],
    ),
    "an exponent": (
        service("port: 5e3"),
        ["6:21: error: `5000.0` is not a port: a whole number from 1 to 65535 [inventory]"],
    ),
    "infinity": (
        service("port: 1e999"),
        ["6:21: error: `inf` is not a port: a whole number from 1 to 65535 [inventory]"],
    ),
    "a quoted number": (
        service("port: '5000'"),
        [
            "6:21: error: `5000` is not a port: a whole number from 1 to 65535 [inventory]",
            "hint: it is text: write it without quotes",
        ],
    ),
    "nothing for a port": (
        HEAD + "      web:\n        port:\n        via: host\n",
        [
            "7:14: error: expected a whole number, found nothing [inventory]",
            "hint: write a number, or leave the field out",
        ],
    ),
    "true for a port": (
        service("port: true"),
        ["6:21: error: true is not a port: a whole number from 1 to 65535 [inventory]"],
    ),
    "0 for a port": (
        service("port: 0"),
        ["6:21: error: `0` is not a port: a whole number from 1 to 65535 [inventory]"],
    ),
    "a port that no header holds": (
        service("port: 65536"),
        ["6:21: error: `65536` is not a port: a whole number from 1 to 65535 [inventory]"],
    ),
    "a port below zero": (
        service("port: -1"),
        ["6:21: error: `-1` is not a port: a whole number from 1 to 65535 [inventory]"],
    ),
    "a million digits": (
        service("port: " + "1" * 1_000_000),
        [f"6:21: error: `{'1' * 57}...` is not a port: a whole number from 1 to 65535 [inventory]"],
    ),
    "18 digits": (
        service("port: " + "9" * 18),
        [f"6:21: error: `{'9' * 18}` is not a port: a whole number from 1 to 65535 [inventory]"],
    ),
    "a day that is none": (
        service("assigned: 2025-02-30"),
        ["6:25: error: day is out of range for month [inventory]"],
    ),
    "a timestamp": (
        service("assigned: 2025-09-22T10:00:00Z"),
        ["6:25: error: '2025-09-22T10:00:00Z' is not a date such as 2025-09-22 [inventory]"],
    ),
    "a title that is a number": (
        service("title: 5"),
        ["6:22: error: expected text, found `5` [inventory]", "hint: quote it to make it text"],
    ),
    "a title that is true": (
        service("title: true"),
        ["6:22: error: expected text, found true [inventory]", "hint: quote it to make it text"],
    ),
    "an unknown way": (
        service("via: dokcer"),
        [
            "6:20: error: `dokcer` is not one of: docker, host, process, socat [inventory]",
            "hint: did you mean `docker`?",
        ],
    ),
    "a list of ways": (
        service("via: [docker]"),
        [
            "6:20: error: a list is not one of: docker, host, process, socat [inventory]",
            "hint: did you mean `docker`?",
        ],
    ),
    "a word for a list": (
        service("allow: lan"),
        ["6:22: error: expected a list, found `lan` [inventory]", "hint: write [lan]"],
    ),
    "a mapping for a list": (
        service("allow: {lan: 1}"),
        ["6:22: error: expected a list, found a mapping [inventory]"],
    ),
    "a number in a list": (
        service("allow: [lan, 5]"),
        ["6:28: error: expected text, found `5` [inventory]", "hint: quote it to make it text"],
    ),
    "an empty list of ports": (
        service("ports: []"),
        ["6:22: error: the list is empty [inventory]"],
    ),
    "a range for a service's port": (
        service("ports: [5000-5001]"),
        [
            "6:23: error: `5000-5001` is not a port: a whole number from 1 to 65535 [inventory]",
            "hint: write `{port: 5000-5001}`",
        ],
    ),
    "an unknown field in a list": (
        service("ports: [5000, {prot: 5001}]"),
        [
            "6:29: error: the field `port` is missing [inventory]",
            "hint: such as `{port: 5000, container_port: 80}`",
            "6:30: error: unknown field `prot` [inventory]",
            "hint: did you mean `port`?",
        ],
    ),
    "port and ports": (
        service("port: 5000, ports: [5001]"),
        [
            "6:34: error: web has both `port` and `ports` [inventory]",
            "hint: put all of them into `ports`, the primary first",
        ],
    ),
    "a backward range": (
        "version: 1\nprojects: {wall: {ports: 5399-5000}}\n",
        ["2:26: error: 5399-5000: the range runs backwards; write 5000-5399 [inventory]"],
    ),
    "a range past the end": (
        "version: 1\nprojects: {wall: {ports: [1, 65000-70000]}}\n",
        ["2:30: error: `70000` is not a port: a whole number from 1 to 65535 [inventory]"],
    ),
    "a range that overlaps another of its list": (
        "version: 1\nprojects: {wall: {ports: [7000-7009, 6000, 7005-7020]}}\n",
        [
            "2:44: error: 7005-7009 is in this list twice: in 7000-7009 and in 7005-7020 [inventory]",
            "hint: leave it out of one of them",
        ],
    ),
    "a range that touches another of its list, from below": (
        "version: 1\nhosts: {box: {reserved: [7005-7020, 7000-7005]}}\n",
        [
            "2:37: error: 7005 is in this list twice: in 7005-7020 and in 7000-7005 [inventory]",
            "hint: leave it out of one of them",
        ],
    ),
    "a port twice in a group": (
        "version: 1\nprojects: {wall: {ports: 1-9, groups: [{name: g, ports: [7, 7]}]}}\n",
        [
            "2:61: error: 7 is in this list twice: in 7 and in 7 [inventory]",
            "hint: leave it out of one of them",
        ],
    ),
    "a zone that would run a command": (
        (
            "version: 1\nhosts: {box: {zones: {lan: ['fe80::1%x\\nRULES', "
            '"fe80::1%x\\nRULES\\ntouch x\\n/128"]}}}\n'
        ),
        [
            "2:29: error: 'fe80::1%x\\\\nRULES' is not a CIDR such as 192.168.0.0/16 [inventory]",
            (
                "2:49: error: 'fe80::1%x\\nRULES\\ntouch x\\n/128' is not a CIDR such as "
                "192.168.0.0/16 [inventory]"
            ),
        ],
    ),
    "a zone with a scope": (
        "version: 1\nhosts: {box: {zones: {lan: ['fe80::1%eth0']}}}\n",
        ["2:29: error: 'fe80::1%eth0' is not a CIDR such as 192.168.0.0/16 [inventory]"],
    ),
    "IPv4 in IPv6's form": (
        "version: 1\nhosts: {box: {zones: {lan: ['::ffff:10.0.0.0/104']}}}\n",
        [
            "2:29: error: ::ffff:10.0.0.0/104: an IPv4 address in IPv6's form [inventory]",
            "hint: write 10.0.0.0/8",
        ],
    ),
    "a network that is docker's own": (
        "version: 1\nprojects: {wall: {network: {name: bridge, subnet: 172.30.0.0/24}}}\n",
        [
            "2:35: error: `bridge` is not allowed here [inventory]",
            "hint: A Docker network's name; host, bridge, none and default are Docker's own",
        ],
    ),
    "a subnet of loopback addresses": (
        "version: 1\nprojects: {wall: {network: {name: a, subnet: 127.0.0.0/24}}}\n",
        [
            (
                "2:46: error: 127.0.0.0/24: a network can't have these addresses; take one of "
                "10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 [inventory]"
            )
        ],
    ),
    "host bits": (
        "version: 1\nprojects: {wall: {network: {name: a, subnet: 172.30.0.1/24}}}\n",
        [
            "2:46: error: 172.30.0.1/24 has host bits set [inventory]",
            "hint: the network is `172.30.0.0/24`",
        ],
    ),
    "a subnet that is too narrow for docker": (
        "version: 1\nprojects: {wall: {network: {name: a, subnet: 172.30.0.0/31}}}\n",
        ["2:46: error: 172.30.0.0/31: a Docker network needs a prefix from /8 to /29 [inventory]"],
    ),
    "a name in capitals": (
        "version: 1\nhosts: {Box: {}}\n",
        ["2:9: error: `Box` is not allowed here [inventory]", "hint: write `box`"],
    ),
    "a name that leads out": (
        'version: 1\nhosts: {"../x": {}}\n',
        ["2:9: error: `../x` is not allowed here [inventory]", "hint: write `x`"],
    ),
    "a name too long for a file": (
        f"version: 1\nprojects: {{{'x' * 200}: {{}}, {'y' * 201}: {{}}}}\n",
        [
            f"2:218: error: `{'y' * 57}...` is not allowed here [inventory]",
            "hint: Lower-case letters, digits and single hyphens, 200 at most",
        ],
    ),
    "an empty name": (
        'version: 1\nhosts: {"": {}}\n',
        [
            "2:9: error: `` is not allowed here [inventory]",
            "hint: Lower-case letters, digits and single hyphens",
        ],
    ),
    "a line break in a name": (
        'version: 1\nhosts: {"box\\n": {}}\n',
        ["2:9: error: `box\\n` is not allowed here [inventory]", "hint: write `box`"],
    ),
    "a huge key": (
        "version: 1\n" + "k" * 1000 + ": 1\n",
        [
            f"2:1: error: unknown field `{'k' * 57}...` [inventory]",
            "hint: known here: expect, hosts, projects, version",
        ],
    ),
    "a huge quoted key": (
        'version: 1\n? "' + "k" * 1_000_000 + '"\n: 1\n',
        [
            f"2:3: error: unknown field `{'k' * 57}...` [inventory]",
            "hint: known here: expect, hosts, projects, version",
        ],
    ),
    "a key that would colour the terminal": (
        'version: 1\n"\\e[31m": 1\n"\\u202e": 1\n',
        [
            "2:1: error: unknown field `\\x1b[31m` [inventory]",
            "hint: known here: expect, hosts, projects, version",
            "3:1: error: unknown field `\\u202e` [inventory]",
            "hint: known here: expect, hosts, projects, version",
        ],
    ),
    "a message that would look like two": (
        'version: 1\n"a\\ninventory.yaml:9:9: error: forged": 1\n',
        [
            "2:1: error: unknown field `a\\ninventory.yaml:9:9: error: forged` [inventory]",
            "hint: known here: expect, hosts, projects, version",
        ],
    ),
    "many at once, sorted by place": (
        """\
version: 2
hosts: {Box: {reserved: 0}}
projects:
  wall:
    prots: 5000-5399
    status: activ
    services:
      web: {port: 70000, via: dcoker, assigned: 22.09.2025, health: api}
      web: {port: 5000}
""",
        [
            "1:10: error: `2` is not one of: 1 [inventory]",
            "hint: write `version: 1`: it is the inventory's version, not compose's",
            "2:9: error: `Box` is not allowed here [inventory]",
            "hint: write `box`",
            "2:25: error: `0` is not a port: a whole number from 1 to 65535 [inventory]",
            "5:5: error: unknown field `prots` [inventory]",
            "hint: did you mean `ports`?",
            "6:13: error: `activ` is not one of: active, planned, retired [inventory]",
            "hint: did you mean `active`?",
            "8:19: error: `70000` is not a port: a whole number from 1 to 65535 [inventory]",
            "8:31: error: `dcoker` is not one of: docker, host, process, socat [inventory]",
            "hint: did you mean `docker`?",
            "8:49: error: '22.09.2025' is not a date such as 2025-09-22 [inventory]",
            "8:69: error: `api` is not allowed here [inventory]",
            "hint: write `/api`",
            "9:7: error: the key `web` is written twice (line 8) [yaml]",
            "hint: YAML would keep the last one, silently",
        ],
    ),
    "those before the syntax error too": (
        "version: 1\nversion: 1\nhosts: *none\nprojects: [\n",
        [
            "2:1: error: the key `version` is written twice (line 1) [yaml]",
            "hint: YAML would keep the last one, silently",
            "3:8: error: the alias `*none` has no anchor [yaml]",
            "5:1: error: while parsing a flow node, did not find expected node content [yaml]",
        ],
    ),
}


def told(lines: list[str]) -> str:
    return "".join(
        f"    {line}\n" if line.startswith("hint: ") else f"inventory.yaml:{line}\n"
        for line in lines
    )


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_at_its_place_and_nothing_is_written(
    name: str, tmp_path: Path, portgen: Run
) -> None:
    content, lines = FAULTS[name]
    (tmp_path / "inventory.yaml").write_bytes(
        content if isinstance(content, bytes) else content.encode()
    )
    (tmp_path / "output").mkdir()
    (tmp_path / "output/SHA256SUMS").write_text("as it was")
    run = portgen("render", "--yes", "--force")
    assert run.out == told(lines)
    assert (run.code, run.err) == (Exit.INVENTORY, "")
    assert [(path.name, path.read_text()) for path in (tmp_path / "output").iterdir()] == [
        ("SHA256SUMS", "as it was")
    ]


@pytest.mark.parametrize(
    "command",
    [["lint"], ["render", "--check"], ["lint", "--format", "github"], ["lint", "--format", "json"]],
)
def test_every_command_says_so_with_the_same_code(
    command: list[str], tmp_path: Path, portgen: Run
) -> None:
    (tmp_path / "inventory.yaml").write_text("version: 2\n")
    run = portgen(*command)
    assert run.code == Exit.INVENTORY
    assert "`2` is not one of: 1" in run.out


def test_the_real_program_ends_with_3_and_without_a_traceback(tmp_path: Path) -> None:
    for name in ("nul", "UTF-16", "depth", "an alias bomb", "many at once, sorted by place"):
        content, lines = FAULTS[name]
        (tmp_path / "inventory.yaml").write_bytes(
            content if isinstance(content, bytes) else content.encode()
        )
        ran = subprocess.run(
            [sys.executable, "-m", "portgen", "render"],
            check=False,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=HANGS,
        )
        assert (ran.returncode, ran.stdout, ran.stderr) == (Exit.INVENTORY, told(lines), "")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["inventory.yaml"]


# --- the file itself -----------------------------------------------------------------------------


def test_a_missing_inventory(portgen: Run) -> None:
    run = portgen("render", "-C", ".")
    assert (run.code, run.out) == (Exit.INVENTORY, "")
    assert (
        run.err == "error: inventory.yaml: no such inventory\n"
        "    hint: `portgen init` makes one; `-C DIR` names its folder, `-i FILE` its file\n"
    )


def test_a_folder_in_place_of_the_inventory(tmp_path: Path, portgen: Run) -> None:
    (tmp_path / "inventory.yaml").mkdir()
    run = portgen("lint")
    assert (run.code, run.err) == (
        Exit.INVENTORY,
        "error: inventory.yaml: can't be read: Is a directory\n",
    )


def test_a_file_on_the_way_to_the_inventory(tmp_path: Path, portgen: Run) -> None:
    (tmp_path / "file").write_text("")
    run = portgen("-i", "file/inventory.yaml", "lint")
    assert (run.code, run.err) == (
        Exit.INVENTORY,
        "error: file/inventory.yaml: can't be read: Not a directory\n",
    )


def test_a_link_to_itself_in_place_of_the_inventory(tmp_path: Path, portgen: Run) -> None:
    (tmp_path / "inventory.yaml").symlink_to("inventory.yaml")
    run = portgen("lint")
    assert (run.code, run.err) == (
        Exit.INVENTORY,
        "error: inventory.yaml: can't be read: Too many levels of symbolic links\n",
    )


def test_an_unreadable_inventory(tmp_path: Path, need: Callable[[str], str]) -> None:
    inventory_file = tmp_path / "inventory.yaml"
    inventory_file.write_text("version: 1\n")
    inventory_file.chmod(0o000)
    command = [sys.executable, "-m", "portgen", "lint"]
    if os.getuid() == 0:
        # Root reads everything, unless it has put that right away.
        command = [
            need("setpriv"),
            "--bounding-set=-dac_override,-dac_read_search",
            "--inh-caps=-dac_override,-dac_read_search",
            *command,
        ]
    ran = subprocess.run(
        command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=HANGS
    )
    assert (ran.returncode, ran.stderr) == (
        Exit.INVENTORY,
        "error: inventory.yaml: can't be read: Permission denied\n",
    )


def test_a_name_too_long_for_a_file(portgen: Run) -> None:
    run = portgen("-i", "x" * 300, "lint")
    assert (run.code, run.err) == (
        Exit.INVENTORY,
        f"error: {'x' * 300}: can't be read: File name too long\n",
    )


# --- both parsers, and anything at all -----------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [name for name in FAULTS if not name.startswith(("a million", "a huge quoted", "depth"))],
)
def test_where_libyaml_is_missing_the_places_are_the_same(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Syntax errors have other words and sometimes another end; everything that portgen itself finds is the
    same."""
    content, lines = FAULTS[name]
    monkeypatch.setattr(reader, "LOADER", yaml.SafeLoader)
    with pytest.raises(PortgenError) as refused:
        parse(content if isinstance(content, bytes) else content.encode(), "inventory.yaml")
    own = [
        line
        for line in lines
        if re.match(r"[0-9]", line)
        and "while " not in line
        and not re.search("mapping values|document start", line)
    ]
    found = [
        f"{problem.location.line}:{problem.location.column}: error: {problem.message} [{problem.rule}]"
        for problem in refused.value.problems
    ]
    assert [line for line in found if line in own] == own
    assert len(found) == sum(not line.startswith("hint: ") for line in lines)


WORDS = (
    "version: 1\n|hosts:| |  |\n"
    "|{|}|[|]|, |: |- |&a |*a|<<: |? |!!str |>|'|#|\t|box|wall|projects:|services:|port: "
    "|5000|via: socat|~|---\n|...\n"
)
PIECES = st.sampled_from(
    [
        *WORDS.split("|"),
        "|\n",
        '"',
        "\r",
        "\u0085",
        "\u2028",
        "é",
        "𝄞",
        "\\",
        "%",
        "@",
        "null",
        "1" * 30,
    ]
)


@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(PIECES, max_size=40).map(lambda parts: "".join(parts).encode()),
    )
)
def test_anything_is_loaded_or_refused_with_places_inside_the_file(data: bytes) -> None:
    check_anything(data)


@given(st.data())
def test_a_damaged_inventory_is_loaded_or_refused_with_places_inside_the_file(
    data: st.DataObject,
) -> None:
    text = (Path(__file__).parents[2] / "inventory.yaml").read_bytes()
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 30))
    check_anything(
        text[:at]
        + data.draw(st.one_of(st.binary(max_size=4), PIECES.map(str.encode)))
        + text[at + cut :]
    )


def check_anything(data: bytes) -> None:
    try:
        with ends():
            parse(data, "inventory.yaml")
    except PortgenError as error:
        refused = error
    else:
        return
    assert refused.code == Exit.INVENTORY
    assert refused.problems
    lines = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").split("\n")
    for problem in refused.problems:
        assert 1 <= problem.location.line <= len(lines)
        assert 1 <= problem.location.column <= len(lines[problem.location.line - 1]) + 1
        assert "\n" not in problem.message
