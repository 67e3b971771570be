"""An operator's rule in the place of ours stays what it is, through installing, changing and taking back: the
real ufw."""

from __future__ import annotations

from tests.programs.firewall.host import Host

ACTIONS = ("deny", "reject", "limit", "allow log", "allow", "deny log-all")
# What ufw writes of them; the same place as the inventory's rules for the services below.
PLACES = {
    "5001": ("192.168.0.0/16", "user.rules"),
    "5002": ("any", "both"),
    "5060": ("fd00::/8", "user6.rules"),
}

WITH = {
    "four": "{port: 5001, via: socat, allow: [192.168.0.0/16]}",
    "all": "{port: 5002, via: socat, allow: [any]}",
    "six": "{port: 5060, via: process, allow: ['fd00::/8']}",
    "ours": "{port: 5070, via: socat, allow: [lan]}",
}
CHANGED = {
    **WITH,
    "four": "{port: 5001, via: socat, allow: [10.1.0.0/16]}",
    "ours": "{port: 5071, via: socat, allow: [lan]}",
}

# without `portgen:`
TUPLES = "grep -h '^### tuple' /etc/ufw/user.rules /etc/ufw/user6.rules | grep -v 706f727467656e3a | sort"


def apply_change_and_take_back(host: Host, action: str) -> None:
    verb, _, logged = action.partition(" ")
    rules = "\n".join(
        f"ufw {verb} {logged} proto tcp from {source} to any port {port} comment 'incident 7' >/dev/null"
        for port, (source, _) in PLACES.items()
    )
    versions = [
        host.render(services, name)
        for name, services in (("with", WITH), ("changed", CHANGED), ("without", {}))
    ]
    runs = "\n".join(
        f'{ufw}/portgen-ufw.sh || echo "code $?"; echo THEIRS; {TUPLES}; echo NEXT'
        for ufw in versions
    )
    printed = host.run(
        f"ufw --force enable >/dev/null\n{rules}\n{TUPLES}\necho NEXT\n{runs}\nufw show added"
    )
    before, *after, shown = printed.split("NEXT\n")
    said, theirs = zip(*(text.split("THEIRS\n") for text in after), strict=True)
    assert len(before.splitlines()) == 4
    assert theirs == (before,) * 3
    assert [text.count("code 3") for text in said] == [1, 1, 0]
    # The rule that moves away from the operator's place is added; the others never.
    assert [text.count("Rule added") for text in said] == [4, 3, 0]
    closed = verb in ("deny", "reject")
    for port, source in (("5001", "192.168.0.0/16"), ("5002", "any"), ("5060", "fd00::/8")):
        (line,) = {line for line in said[0].splitlines() if f"port {port}/tcp" in line}
        assert f"from {source}" in line
        assert "'incident 7'" in line
        assert ("stays closed" in line) == closed
        assert "left as it is" in line
    assert "portgen:" not in shown.replace("portgen:nginx", "")


def test_an_operators_deny_stays_theirs(host: Host) -> None:
    apply_change_and_take_back(host, "deny")


def test_an_operators_reject_stays_theirs(host: Host) -> None:
    apply_change_and_take_back(host, "reject")


def test_an_operators_limit_stays_theirs(host: Host) -> None:
    apply_change_and_take_back(host, "limit")


def test_an_operators_allow_that_logs_stays_theirs(host: Host) -> None:
    apply_change_and_take_back(host, "allow log")


def test_an_operators_allow_stays_theirs(host: Host) -> None:
    apply_change_and_take_back(host, "allow")


def test_an_operators_deny_that_logs_all_stays_theirs(host: Host) -> None:
    apply_change_and_take_back(host, "deny log-all")


def test_where_an_operator_holds_one_family_the_other_is_ours(host: Host) -> None:
    ufw = host.render({"all": WITH["all"]})
    none = host.render({}, "none")
    printed = host.run(f"""
        ufw --force enable >/dev/null
        ufw deny proto tcp from 0.0.0.0/0 to any port 5002 comment mine >/dev/null
        kept {ufw}/portgen-ufw.sh 2>/dev/null; ufw show added
        kept {ufw}/portgen-ufw.sh 2>/dev/null
        {none}/portgen-ufw.sh; ufw show added
    """)
    installed, removed = printed.split("Rule deleted (v6)\n")
    assert "portgen:all" in installed
    assert "Skipping" not in installed
    assert "portgen:all" not in removed
    assert installed.count("comment 'mine'") == removed.count("comment 'mine'") == 1


def test_our_rule_that_somebody_made_a_deny_is_ours_again(host: Host) -> None:
    """The comment says whose it is: with ours it is ours, whatever became of its action."""
    ufw = host.render({"four": WITH["four"]})
    none = host.render({}, "none")
    edited = (
        "ufw deny proto tcp from 192.168.0.0/16 to any port 5001 comment portgen:four >/dev/null"
    )
    printed = host.run(f"""
        ufw --force enable >/dev/null; {ufw}/portgen-ufw.sh >/dev/null; {edited}
        {ufw}/portgen-ufw.sh; ufw show added; {edited}; {none}/portgen-ufw.sh; ufw show added
    """)
    assert (
        "ufw allow from 192.168.0.0/16 to any port 5001 proto tcp comment 'portgen:four'" in printed
    )
    assert "portgen:four" not in printed.split("Rule deleted")[1]


def test_the_seeds_wide_rule_is_reported_with_the_command_that_removes_it(host: Host) -> None:
    ufw = host.render({"four": WITH["four"], "six": WITH["six"]})
    printed = host.run(f"""
        ufw --force enable >/dev/null
        ufw allow 5000:5399/tcp comment 'dashboards' >/dev/null
        ufw allow from 10.0.0.0/8 >/dev/null
        ufw limit in on eth0 to any port 5060 proto tcp >/dev/null
        {ufw}/portgen-ufw.sh 2>&1 >/dev/null | tee /run/said; echo "code $?"
        sed -n 's/.*to remove it: //p' /run/said >/run/commands
        sh -eu /run/commands
        {ufw}/portgen-ufw.sh; ufw show added
    """)
    said, rest = printed.split("code 0\n")
    lead = "portgen-ufw.sh: an operator's rule allows "
    assert said.splitlines() == [
        (
            f"{lead}anyone at port 5001, 5060, wider than the inventory; to remove it: ufw delete "
            "allow proto tcp from any to any port 5000:5399"
        ),
        (
            f"{lead}10.0.0.0/8 at port 5001, 5060, wider than the inventory; to remove it: ufw "
            "delete allow from 10.0.0.0/8 to any"
        ),
        (
            f"{lead}interface eth0 at port 5060, wider than the inventory; to remove it: ufw delete limit "
            "in on eth0 proto tcp from any to any port 5060"
        ),
    ]
    assert "Could not delete" not in rest
    assert "wider" not in rest
    assert "5000:5399" not in rest
    assert "10.0.0.0/8" not in rest
