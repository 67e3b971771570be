"""Shell scripts that call ufw or run socat: which of their lines are commands of this host."""

from __future__ import annotations

import pytest

from portgen import adopt
from portgen.adopt import Adopted, Sources, Text, factoring, recognised, scripts
from portgen.plan import planner
from tests.limit import ends

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
    f"bash --norc -euo pipefail -ce +x -O extglob -- '{SOCAT}' x -c ls",
    f"sh -c -e '{SOCAT}'",
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
    f"bash deploy.sh -c '{SOCAT}'",
    f"sh -e deploy.sh -c '{SOCAT}'",
    f"bash -- deploy.sh -c '{SOCAT}'",
    f"bash -o pipefail deploy.sh -c '{SOCAT}'",
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


STAYS = [
    "socat TCP-LISTEN:8014,fork TCP:nas.lan:80 &",
    "SOCAT_DEFAULT_LISTEN_IP=6 socat TCP-LISTEN:8014,fork TCP:10.0.0.5:80",
    "exec socat SSL-L:8014,fork,cert=/etc/x.pem TCP:10.0.0.5:80",
    "socat TCP-LISTEN:8014,fork TCP:$(dig +short 'x):80 &",
    "socat TCP-LISTEN:8014,fork,if=wg0 TCP:10.0.0.5:80 &",
]


@pytest.mark.parametrize("text", STAYS)
def test_a_forwarder_that_no_inventory_can_say_holds_its_port(text: str) -> None:
    rules = Text("ufw", "u.txt", "Status: active\n\n8014/tcp ALLOW Anywhere\n", "u.txt")
    result = adopted(script("units", f"#!/bin/sh\n{text}\n"), rules)
    assert result.conflicts == ()
    assert list(planner.make(result.source.inventory).services) == []


NO_RULES = [
    "ufw --dry-run allow 8012/tcp",
    "sudo ufw allow 8012/tcp --dry-run",
    "cat <<EOF\nufw allow 8012/tcp\nEOF",
    "cat <<'END OF' >x <<B\nufw allow 8012/tcp\nEND OF\nB",
    "ssh gw ufw allow 8012/tcp",
    "echo '\nufw allow 8012/tcp\n' > x",
    "ip netns exec blue ufw allow 8012/tcp",
    'bash deploy.sh -c "ufw allow 8012/tcp"',
    "su nobody --command='ufw allow 8012/tcp'",
    "$UFW allow 8012/tcp",
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


PUTS_IN = [
    "P=8012\nufw allow $P/tcp",
    "if [ x ]; then\n  ls\nfi\nexport P='8012' # the wiki\nexport P\nufw allow \"$P\"/tcp",
    "for x in a b; do ls; done\nP=8012\nfor y in $P; do echo $y; done\nufw allow ${P}/tcp",
    "f() {\n  case $1 in\n    a) ls ;;\n    *) exit ;;\n  esac\n}\nP=8012\nufw allow $P/tcp",
    ". /lib/lsb/init-functions\nP=8012\nufw allow $P/tcp",
    'P=8012\nls $((P + 1)); sh -c "ufw allow $P/tcp"',
]
MAY_BE_ANOTHER = [
    'P=8012\nif [ "$1" ]; then\n  P=80\nfi',
    'if [ "$1" ]\nthen\n  P=8012\nfi',
    'if [ "$1" ]; then\n  P=8012\nfi',
    '[ "$1" ] &&\n  P=8012',
    "case $1 in\n  a)\n    P=8012\n    ;;\nesac",
    "f() {\n  P=8012\n}",
    "(\nP=8012\n)",
    "if a; then\n  echo done\n  P=8012\nfi",
    "P=8012\nP=$(cat /etc/port)",
    "P=8012\nP=80; Q=any",
    "P=8012\nP=80",
    'P=8012\n[ -n "$1" ] && P=$1',
    "P=8012\nP+=1",
    'P=8012\nread -r -p "port? " P',
    "P=8012\ncat x | while IFS=: read -r Q P; do",
    "P=8012\nfor P in 443 8443; do ls; done",
    'P=8012\nIFS=" ;" LANG=C read -r Q P <x',
    "P=8012\nunset P",
    "P=8012\nlocal P",
    "P=8012\nprintf -v P %s 80",
    "P=8012\nmapfile -t P < x",
    "P=8012\nwhile getopts p: P; do ls; done",
    "P=8012\n(( P++ ))",
    "P=8012\nlet P=P+1",
    "P=8012\n: ${P:=80}",
    "P=8012\n. /etc/default/x",
    'P=8012\neval "$(x)"',
    "P=8012\nf() {\n  source x\n}",
    "P=8012; ls",
    "P=8012&",
    "P=`cat x`",
]


@pytest.mark.parametrize("text", PUTS_IN)
def test_a_variable_that_is_set_once_is_put_in(text: str) -> None:
    services = planner.make(adopted(script("ufw", f"{DENIES}{text}\n")).source.inventory).services
    assert [port.port for one in services for port in one.ports] == [8012]


@pytest.mark.parametrize("text", MAY_BE_ANOTHER)
def test_a_variable_that_may_have_another_value_is_not_put_in(text: str) -> None:
    result = adopted(script("ufw", f"{DENIES}{text}\nufw allow $P/tcp\n"))
    assert [*planner.make(result.source.inventory).services] == []
    assert left(result)[-1][1] == "can't be read as a rule of ufw's"
    result = adopted(script("units", f"{text}\n{SOCAT.replace('8014', '$P')}\n"))
    assert forwarders(result) == []
    assert len(left(result)) == 1


WITH_A_VARIABLE = [
    "ufw allow from $X to any port 8012 proto tcp",
    "ufw allow from any to any port 8012 proto $X",
    "ufw allow in on $X to any port 8012",
    "ufw allow from any to any app $X",
    "P=8012\nsh -c 'ufw allow $P/tcp'",
    "P=8012\nufw allow \\$P/tcp",
]


@pytest.mark.parametrize("text", WITH_A_VARIABLE)
def test_a_rule_with_a_variable_that_is_not_known_stays(text: str) -> None:
    result = adopted(script("ufw", f"{DENIES}{text}\n"))
    assert [*planner.make(result.source.inventory).services] == []
    assert [why for _, why in left(result)] == ["can't be read as a rule of ufw's"]


BY_NUMBER = [
    "ufw --force delete 1",
    "yes | ufw delete 1",
    "ufw route delete 1",
    "for n in 2 1; do ufw --force delete $n; done",
    'ufw delete allow "$P/tcp"',
    "echo 1 | xargs -n1 ufw --force delete",
    '"$UFW" --force delete 1',
]


@pytest.mark.parametrize("text", BY_NUMBER)
def test_a_rule_that_a_later_number_may_delete_lets_nobody_in(text: str) -> None:
    before = "ufw allow 8012/tcp\nufw deny from 203.0.113.7\nufw limit 8013/tcp"
    result = adopted(script("ufw", f"{DENIES}{before}\n{text}\nufw allow 8014/tcp\n"))
    services = planner.make(result.source.inventory).services
    assert [port.port for one in services for port in one.ports] == [8014]
    why = "run.sh:5 deletes a rule, and the script does not say which: it may be this one"
    assert [line for line, reason in left(result) if reason == why] == [2, 4]
    assert {line for line, _ in left(result)} == {2, 3, 4, 5}


def test_a_rule_that_a_number_may_have_deleted_can_be_added_again() -> None:
    text = "ufw allow 8012/tcp\nufw delete 1\nufw allow 8012/tcp\nufw delete allow 8012/tcp\n"
    for last, ports in ((4, []), (3, [8012])):
        part = "".join(text.splitlines(keepends=True)[:last])
        result = adopted(script("ufw", f"{DENIES}{part}"))
        services = planner.make(result.source.inventory).services
        assert [port.port for one in services for port in one.ports] == ports


def test_what_stands_before_a_reset_is_gone() -> None:
    text = "ufw allow 8012/tcp\nufw --force reset\nufw allow 8013/tcp\n"
    result = adopted(script("ufw", f"{DENIES}{text}"))
    services = planner.make(result.source.inventory).services
    assert [port.port for one in services for port in one.ports] == [8013]
    assert left(result) == [(2, "run.sh:3 takes it back")]


CALLS_UFW = [
    "for p in 443 8443; do ufw allow $p/tcp; done",
    "for p in 443 8443\ndo ufw allow $p/tcp\ndone",
    "su -c 'ufw allow 8012/tcp'",
    "/bin/sh -ec '/usr/sbin/ufw --force enable'",
    "if ! LANG=C nice ufw allow 8012; then exit 1; fi",
    "echo y | sudo -n /usr/sbin/ufw delete 1",
]


@pytest.mark.parametrize("text", CALLS_UFW)
def test_a_script_that_calls_ufw_in_any_way_is_one(text: str) -> None:
    assert recognised.is_one(script("ufw", f"#!/bin/sh\n{text}\n"))


@pytest.mark.parametrize("text", ["ssh gw 'ufw allow 22'", "echo ufw allow 22", "see ufw(8)", "x"])
def test_a_text_that_only_names_ufw_is_no_script_of_its(text: str) -> None:
    assert not recognised.is_one(script("ufw", f"#!/bin/sh\n{text}\n"))


@pytest.mark.parametrize("text", CALLS_UFW[:2])
def test_the_rules_of_a_loop_stay(text: str) -> None:
    result = adopted(script("ufw", f"{DENIES}{text}\n"))
    assert [*planner.make(result.source.inventory).services] == []
    assert [why for _, why in left(result)] == ["can't be read as a rule of ufw's"]


LONG = [
    "ufw allow 81 " + " " * 200_000 + "x",
    "ufw allow 81 " + "1" * 100_000,
    "ufw allow 81 " + "((a)" * 50_000,
    "ufw allow 81; " + "(( " * 50_000,
    "ufw allow 81 " + ";a=" * 50_000,
    "sudo " * 100_000 + "ufw allow 81",
    "A=1 " * 100_000 + "ufw allow 81",
    "sh " + "-o x " * 100_000 + "ufw allow 81",
    "cat <<A" + " <<A" * 100_000 + "\n" + "A\n" * 100_000,
]


@pytest.mark.parametrize("number", range(len(LONG)))
def test_a_long_line_is_read_in_its_length_not_in_its_square(number: int) -> None:
    for kind in ("ufw", "units"):
        text = script(
            kind, LONG[number].replace("ufw allow 81", "ufw allow 81" if kind == "ufw" else SOCAT)
        )
        with ends():
            recognised.is_one(text)
            adopt.sight(Sources([text], {}.get))


def test_rules_that_are_replaced_and_deleted_are_read_in_their_number() -> None:
    adds = [f"ufw allow {1024 + at}/tcp\n" for at in range(8000)]
    limits = [line.replace("allow", "limit") for line in adds]
    deletes = [line.replace("allow", "delete limit") for line in adds]
    numbers = ["ufw deny from 10.0.0.1\n", *["ufw delete 1\n"] * 8000]
    text = script("ufw", "".join([*adds, *limits, *deletes, *numbers]))
    with ends():
        found = adopt.sight(Sources([text], {}.get))
    assert [rule.said.line for rule in found.firewall.rules] == [24001]


def test_what_many_services_have_alike_is_found_in_their_number() -> None:
    services = {f"s{at}": {"port": at, "allow": [f"10.{at}", "x"]} for at in range(40_000)}
    services["last"] = {"allow": ["10.7", "x"]}
    with ends():
        assert factoring.factored(services) == {"allow": ["10.7", "x"]}
    assert [name for name, fields in services.items() if "allow" not in fields] == ["s7", "last"]
