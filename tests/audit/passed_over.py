"""What an audit rightly passes over, by kind, each with its reason. docs/audit.md says the same to people.

A kind is found by the change as `Mutation` writes it: `place: what became of it: the line as it was`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tests.audit.mutations import Mutation

RULES = r"(ip6?tables-save|/etc/ufw/\w+\.rules)"


class PassedOver(NamedTuple):
    """`change`: a pattern of all of it."""

    reason: str
    change: str

    def is_about(self, mutation: Mutation) -> bool:
        return re.fullmatch(self.change, str(mutation), re.DOTALL) is not None


COMMENTS = "comments and marks"
NUMBERS = "counters, queues, file descriptors, and numbers of processes that have gone"
NAMES = "what programs and processes are called, where a unit or a container says whose they are"
OTHERS = "listeners and rules for ports outside all projects"
DOCKER = "docker's own chains, and its translation of addresses"
PASSING = "policies for what leaves the host or passes through it"
MODULES = "names of iptables' modules beside the options that need them"
UFW = "ufw's settings, chains and hooks that don't decide who comes in"
NGINX = "nginx's configuration that is not portgen's"
TEAMS = "the teams' own compose files, and what they alone decide of a container"
RIGHTS = "mode, owner and age of files that portgen does not install, and where links lead"
TWICE = "what systemd or docker says twice, or of earlier runs"
PROGRAMS = "what systemd says of ufw, nginx and docker beyond whether they start at boot"
BODY = "what a health check answers beyond its status"

PASSED_OVER = (
    PassedOver(
        COMMENTS,
        r"\S.*: .*: \s*#(?!## tuple).*"
        r"|/etc/ufw/user6?\.rules: (7\d+|f7[0-9a-f]+) -> .*: ### tuple ### .*",
    ),
    PassedOver(NUMBERS, RULES + r": \d+ -> \d+: :\S+ \S+ \[\d+:\d+\]"),
    PassedOver(NUMBERS, r"ss -H: (\d+) -> \d+: (\w+ +\w+ +(\d+ +)?\1 |.*(fd|pid)=\1[,)]).*"),
    PassedOver(NAMES, r'ss -H: (\w+) -> \1x: .*\("\1".*'),
    PassedOver(OTHERS, r"ss -H: .*: .*containerd.*"),
    PassedOver(OTHERS, r"/etc/ufw/user6?\.rules: .*: ### tuple ### allow tcp 22 .*"),
    PassedOver(DOCKER, r"ip6?tables-save: .*: .*(DOCKER|docker0|br-[0-9a-f]{12}).*"),
    PassedOver(DOCKER, r"iptables-save: .*: (\*nat|:(PREROUTING|INPUT|POSTROUTING) ACCEPT .*)"),
    PassedOver(PASSING, r"ip6?tables-save: .*: :(FORWARD|OUTPUT) .*"),
    PassedOver(MODULES, RULES + r": (m|icmp6?|udp|tcp|addrtype|hl|conntrack|limit) -> .*"),
    PassedOver(UFW, RULES + r": reject-with -> .*"),
    PassedOver(UFW, r"/etc/ufw/(user|before)6?\.rules: removed: :ufw6?-(not|logging|user-limit).*"),
    PassedOver(UFW, r"/etc/default/ufw: .*: (DEFAULT_APPLICATION|MANAGE_BUILTINS|IPT_).*"),
    PassedOver(UFW, r"/etc/ufw/ufw\.conf: .*: LOGLEVEL=.*"),
    PassedOver(UFW, r"/etc/ufw/(before|after)\.init: .*"),
    PassedOver(NGINX, r"/etc/nginx/(nginx\.conf|mime\.types|(sites|modules)-enabled/.*): .*"),
    PassedOver(TEAMS, r"/srv/[^/]+/(docker-compose\.yml|\.env): .*"),
    PassedOver(RIGHTS, r"/(etc/ufw|etc/default|etc/nginx/tls|proc|sys|srv)/.*: .*: record\.json"),
    PassedOver(RIGHTS, r"/etc/.*: real .*: record\.json"),
    PassedOver(RIGHTS, r"/proc/sys/net/ipv6/bindv6only: .*"),
    PassedOver(
        TWICE,
        r"systemctl show: (.*: (Result|ExecMainStatus|\w+By|Triggers)="
        r"|(n|code|usr|bin|start_time|stop_time) -> .*: ExecStart=).*",
    ),
    PassedOver(PROGRAMS, r"systemctl show \w+\.service: .*: (?!(UnitFileState|Names)=).*"),
    PassedOver(TWICE, r"/sys/fs/cgroup/.*: .*"),
    PassedOver(NAMES, r"process .*: (pid|parent|program|arguments|started) .*"),
    PassedOver(NAMES, r"process (nginx|containerd|python3): group .*"),
    PassedOver(NAMES, r"docker inspect: \.(id|name|pid|labels\.(project|ours)) .*"),
    PassedOver(TWICE, r"docker inspect: \.(exit|started|restarts|mode|networks\.\d+\.\w+) .*"),
    PassedOver(TEAMS, r"docker inspect: \.(policy|labels\.(folder|files|one_off)) .*"),
    PassedOver(BODY, r"reply .*: (service|url|seconds|head|status 200 -> 201).*"),
)
