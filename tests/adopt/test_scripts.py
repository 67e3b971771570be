"""Shell scripts that call ufw or run socat: which of their lines are commands of this host."""

from __future__ import annotations

import pytest

from portgen import adopt
from portgen.adopt import Adopted, Sources, Text, recognised, scripts
from portgen.plan import planner

SOCAT = "socat TCP-LISTEN:8014,fork TCP:10.0.0.5:80"
DENIES = "ufw default deny\n"


def adopted(*texts: Text) -> Adopted:
    return adopt.adopt(Sources(texts, {}.get), "box")


def script(kind: str, text: str) -> Text:
    return Text(kind, "run.sh", text, "run.sh")


def left(result: Adopted) -> list[tuple[int, str]]:
    return [(one.said.line, one.why) for one in result.lists.left]


def forwarders(result: Adopted) -> list[int]:
    services = planner.make(result.source.inventory).services
    return [port.port for one in services if one.via == "socat" for port in one.ports]


HERE = [
    SOCAT,
    f"{SOCAT} &",
    f"nohup /usr/bin/{SOCAT} </dev/null >/dev/null 2>&1 &",
    f"sudo -n -u nobody -- {SOCAT}",
    f"exec setsid -f nice -n 5 {SOCAT}",
    f"env -i LANG=C stdbuf -oL timeout -k 5 1h {SOCAT}",
    f"while true; do {SOCAT}; done",
    f'su nobody -s /bin/sh -c "{SOCAT}"',
    f"sudo su - nobody -c '{SOCAT} >> /var/log/x 2>&1 &'",
    f"runuser -u nobody -- {SOCAT}",
    f"/bin/bash -lc '{SOCAT}'",
    f"pgrep socat || {SOCAT}",
]
ELSEWHERE = [
    f"ssh gw {SOCAT}",
    f'ssh gw "{SOCAT}"',
    f"ip netns exec blue {SOCAT}",
    "docker run --rm -p 8014:80 alpine/socat tcp-listen:80,fork TCP:10.0.0.5:80",
    f"sudo -h gw {SOCAT}",
    f"sudo chroot /srv/x {SOCAT}",
    f"nsenter -t 5 -n {SOCAT}",
    f"SOCAT_DEFAULT_LISTEN_IP=6 {SOCAT}",
    f"echo '{SOCAT}' | ssh gw sh",
    f"cat <<EOF | ssh gw sh\n{SOCAT}\nEOF",
    f"cat > /etc/rc.local <<-'END'\n\t{SOCAT}\n\tEND",
    f"x='\n{SOCAT}\n'; ssh gw \"$x\"",
]


@pytest.mark.parametrize("text", HERE)
def test_what_runs_a_forwarder_on_this_host_is_seen_through(text: str) -> None:
    one = script("units", f"#!/bin/sh\n{text}\n")
    assert recognised.is_one(one)
    result = adopted(one)
    assert forwarders(result) == [8014]
    assert left(result) == []


@pytest.mark.parametrize("text", ELSEWHERE)
def test_a_forwarder_that_may_run_elsewhere_is_none_of_this_host(text: str) -> None:
    result = adopted(script("units", f"{text}\n"))
    assert forwarders(result) == []
    assert len(left(result)) == 1


def test_two_forwarders_of_one_line_are_two() -> None:
    other = SOCAT.replace("8014", "8015").replace(",fork", ",fork,so-bindtodevice=wg0")
    rules = Text("ufw", "u.txt", "Status: active\n\n8014/tcp ALLOW Anywhere\n", "u.txt")
    result = adopted(script("units", f"{SOCAT} & {other} &\n"), rules)
    assert forwarders(result) == [8014]
    assert SOCAT in [one.said.text for one in result.lists.taken]
    assert [one.said.text for one in result.lists.left] == [other]


NO_RULES = [
    "ufw --dry-run allow 8012/tcp",
    "sudo ufw allow 8012/tcp --dry-run",
    "cat <<EOF\nufw allow 8012/tcp\nEOF",
    "cat <<'END OF' >x <<B\nufw allow 8012/tcp\nEND OF\nB",
    "ssh gw ufw allow 8012/tcp",
    "echo '\nufw allow 8012/tcp\n' > x",
    "ip netns exec blue ufw allow 8012/tcp",
]


@pytest.mark.parametrize("text", NO_RULES)
def test_what_only_looks_like_a_rule_opens_nothing(text: str) -> None:
    result = adopted(script("ufw", f"{DENIES}{text}\n"))
    assert [*planner.make(result.source.inventory).services] == []
    assert len(left(result)) == 1


RULES = [
    "sudo -n ufw allow 8012/tcp",
    "echo y | ufw allow 8012/tcp",
    "echo '<<EOF'\nufw allow 8012/tcp",
    "x=$((1 << 4))\nufw allow 8012/tcp",
    "cat <<< EOF\nufw allow 8012/tcp",
    "cat <<EOF\nEOF\nufw allow 8012/tcp",
    "# don't cat <<EOF\nufw allow 8012/tcp",
    "ls # don't\nufw allow 8012/tcp",
    "sh -c 'ufw allow 8012/tcp'",
]


@pytest.mark.parametrize("text", RULES)
def test_a_rule_beside_what_looks_like_text_is_one(text: str) -> None:
    services = planner.make(adopted(script("ufw", f"{DENIES}{text}\n")).source.inventory).services
    assert [port.sources for one in services for port in one.ports] == [("any",)]


def test_each_rule_of_a_line_is_in_a_list_of_its_own() -> None:
    line = "ufw allow 8001/tcp && ufw limit 8002/tcp && ufw deny from 203.0.113.7"
    result = adopted(script("ufw", f"{line}\n"))
    assert [one.said.text for one in result.lists.taken] == ["ufw allow 8001/tcp"]
    assert [one.said.text for one in result.lists.different] == ["ufw limit 8002/tcp"]
    assert [one.said.text for one in result.lists.left] == ["ufw deny from 203.0.113.7"]


def test_quotes_that_nothing_closes_end_with_their_line() -> None:
    text = "echo 'a\n" + "ls\n" * 60 + "ufw allow 80\n"
    assert [one.line for one in scripts.commands(text)] == [*range(1, 63)]
