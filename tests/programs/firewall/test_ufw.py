"""The rendered ufw script against the real ufw and iptables: what it adds, what it takes back, what it leaves
alone."""

from __future__ import annotations

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.limit import HANGS
from tests.programs.firewall.host import (
    GUARDED,
    IPV4_ONLY,
    IPV4_SERVICES,
    SERVICES,
    UFW_DOCKER,
    Host,
    rules_of,
)


def test_ufw_takes_every_rule_and_a_second_run_changes_nothing(host: Host) -> None:
    ufw = host.render(SERVICES)
    printed = host.run(
        f"ufw --force enable; {ufw}/portgen-ufw.sh; echo SECOND; {ufw}/portgen-ufw.sh; "
        f"{ufw}/portgen-ufw.sh --dry-run; echo SHOW; ufw show added"
    )
    first, rest = printed.split("SECOND\n")
    second, shown = rest.split("SHOW\n")
    assert first.count("Rule added") >= 7
    assert second == ""
    assert rules_of(shown) == [
        "ufw allow from 192.168.7.0/24 to any port 5053 proto udp comment 'portgen:dns'",
        "ufw allow 80/tcp comment 'portgen:nginx'",
        "ufw allow 5003/tcp comment 'portgen:open'",
        "ufw allow from 10.8.0.7 to any port 5001 proto tcp comment 'portgen:shop'",
        "ufw allow from 192.168.0.0/16 to any port 5001 proto tcp comment 'portgen:shop'",
        "ufw allow from 10.8.0.7 to any port 5000 proto tcp comment 'portgen:wiki'",
        "ufw allow from 192.168.0.0/16 to any port 5000 proto tcp comment 'portgen:wiki'",
        "ufw allow from fd00::/8 to any port 5060 proto tcp comment 'portgen:six'",
    ]


def test_a_removed_service_loses_exactly_its_rules_and_the_new_one_comes_first(host: Host) -> None:
    before = host.render(SERVICES)
    services = {
        **{name: text for name, text in SERVICES.items() if name != "wiki"},
        "added": "{port: 5050, via: socat, allow: [any]}",
    }
    after = host.render(services, "after")
    printed = host.run(
        f"kept {before}/portgen-ufw.sh >/dev/null; ufw allow 22/tcp comment 'ssh' >/dev/null; "
        f"kept {after}/portgen-ufw.sh --dry-run; "
        f"kept {after}/portgen-ufw.sh; echo SHOW; ufw show added"
    )
    planned, shown = printed.split("SHOW\n")
    assert rules_of(planned) == [
        "ufw allow proto tcp from any to any port 5050 comment 'portgen:added'",
        "ufw delete allow proto tcp from 10.8.0.7 to any port 5000 comment 'portgen:wiki'",
        "ufw delete allow proto tcp from 192.168.0.0/16 to any port 5000 comment 'portgen:wiki'",
    ]
    assert "portgen:wiki" not in shown
    assert "ufw allow 22/tcp comment 'ssh'" in shown
    assert "ufw allow 5050/tcp comment 'portgen:added'" in shown


def test_only_what_differs_calls_ufw(host: Host) -> None:
    ufw = host.render(SERVICES)
    counted = f"""
        mkdir {host.folder}/bin
        printf '#!/bin/sh\\necho "$@" >>{host.folder}/calls\\nexec /usr/sbin/ufw "$@"\\n' \
            >{host.folder}/bin/ufw
        chmod +x {host.folder}/bin/ufw
        kept {ufw}/portgen-ufw.sh >/dev/null 2>&1
        ufw delete allow 5003/tcp >/dev/null; rm -f {host.folder}/calls
        PATH={host.folder}/bin:$PATH; kept {ufw}/portgen-ufw.sh >/dev/null 2>&1
        cat {host.folder}/calls
    """
    calls = host.run(counted).splitlines()
    assert calls == ["allow proto tcp from any to any port 5003 comment portgen:open"]


def test_an_operators_identical_rule_outlives_the_service(host: Host) -> None:
    with_wiki = host.render({"wiki": "{port: 5000, via: socat, allow: [192.168.0.0/16]}"})
    without = host.render({}, "without")
    mine = "ufw allow from 192.168.0.0/16 to any port 5000 proto tcp comment 'mine, do not touch'"
    printed = host.run(
        f"{mine} >/dev/null; kept {with_wiki}/portgen-ufw.sh; ufw show added; kept "
        f"{without}/portgen-ufw.sh; ufw show added"
    )
    assert (
        "port 5000/tcp from 192.168.0.0/16 (portgen:wiki) is an operator's rule already "
        "(ufw allow proto tcp from 192.168.0.0/16 to any port 5000, 'mine, do not touch'); "
        "it is left as it is" in printed
    )
    assert rules_of(printed).count(mine) == 2
    assert "portgen:wiki'" not in printed


def test_an_operators_earlier_deny_is_told(host: Host) -> None:
    ufw = host.render({"wiki": "{port: 5000, via: socat, allow: [lan]}"})
    assert (
        "port 5000/tcp from 10.8.0.7 (portgen:wiki) stays closed: an operator's earlier rule comes first"
        in host.run(f"ufw deny 5000/tcp >/dev/null; kept {ufw}/portgen-ufw.sh")
    )


def test_a_comment_that_only_looks_like_ours_is_the_operators(host: Host) -> None:
    ufw = host.render({})
    printed = host.run(
        "ufw allow 6000/tcp comment 'portgen: see the wiki' >/dev/null; kept "
        f"{ufw}/portgen-ufw.sh; ufw show added"
    )
    assert "portgen: see the wiki" in printed


def test_a_renamed_service_keeps_its_rule_under_the_new_name(host: Host) -> None:
    before = host.render({"old": "{port: 5000, via: socat, allow: [lan]}"})
    after = host.render({"new": "{port: 5000, via: socat, allow: [lan]}"}, "after")
    printed = host.run(
        f"ufw --force enable >/dev/null; {before}/portgen-ufw.sh >/dev/null; "
        f"{after}/portgen-ufw.sh; ufw show added"
    )
    assert "Rule deleted" not in printed  # the port is never closed in between
    assert sorted(re.findall(r"portgen:\w+", printed)) == [
        "portgen:new",
        "portgen:new",
        "portgen:nginx",
    ]


def test_the_dry_run_works_without_ufw_and_without_root(need, tmp_path: Path) -> None:
    ufw = Host(tmp_path).render(SERVICES)
    done = subprocess.run(
        ("sh", str(ufw / "portgen-ufw.sh"), "--dry-run"),
        capture_output=True,
        text=True,
        timeout=HANGS,
        check=False,
        env={"PATH": "/usr/bin:/bin", "PORTGEN_UFW_DIR": str(tmp_path / "nowhere")},
    )
    assert done.returncode == 3, done.stderr  # nothing of it is in force without ufw
    assert len(rules_of(done.stdout)) >= 8
    assert "assuming that ufw has no rule yet" in done.stderr


def test_the_guard_lives_beside_ufw_dockers_block_over_three_reloads(host: Host) -> None:
    ufw = host.render(IPV4_SERVICES)
    block = f"cat >>/etc/ufw/after.rules <<'BLOCK'\n{UFW_DOCKER}BLOCK\n"
    install = f"{ufw}/portgen-ufw.sh >/dev/null\n"
    enable, reload = (
        f"{IPV4_ONLY}ufw --force enable >/dev/null\n",
        "for n in 1 2 3; do ufw reload >/dev/null; iptables -S; echo RELOADED; done\n",
    )
    lives = {
        "before": enable + block + install + reload,
        "after": enable + install + block + reload,
    }
    with ThreadPoolExecutor() as both:
        printed_by = dict(zip(lives, both.map(host.run, lives.values()), strict=True))
    for order, printed in printed_by.items():
        one, two, three, _ = printed.split("RELOADED\n")
        assert one == two == three, order
        lines = three.splitlines()
        assert [line for line in lines if line.startswith("-A DOCKER-USER")] == [
            "-A DOCKER-USER -j PORTGEN-GUARD",
            "-A DOCKER-USER -j ufw-user-forward",
            "-A DOCKER-USER -s 10.0.0.0/8 -j RETURN",
            (
                "-A DOCKER-USER -d 192.168.0.0/16 -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j "
                "ufw-docker-logging-deny"
            ),
            "-A DOCKER-USER -j RETURN",
        ], order
        guard = [line for line in lines if line.startswith("-A PORTGEN-GUARD")]
        assert guard == [
            "-A PORTGEN-GUARD -m conntrack --ctstate DNAT --ctorigdst 127.0.0.0/8 --ctdir ORIGINAL -j DROP",
            (
                "-A PORTGEN-GUARD -s 192.168.7.0/24 -p udp -m conntrack --ctstate DNAT "
                "--ctorigdstport 5053 --ctdir ORIGINAL -j RETURN"
            ),
            (
                "-A PORTGEN-GUARD -p udp -m conntrack --ctstate DNAT --ctorigdstport 5053 --ctdir "
                "ORIGINAL -j DROP"
            ),
            (
                "-A PORTGEN-GUARD ! -s 172.30.0.0/24 -d 172.30.0.69/32 -m conntrack ! --ctstate DNAT "
                "--ctdir ORIGINAL -j DROP"
            ),
            (
                "-A PORTGEN-GUARD ! -s 172.30.0.0/24 -d 172.30.0.18/32 -m conntrack ! --ctstate DNAT "
                "--ctdir ORIGINAL -j DROP"
            ),
            (
                "-A PORTGEN-GUARD -s 192.168.0.0/16 -p tcp -m conntrack --ctstate DNAT "
                "--ctorigdstport 5001 --ctdir ORIGINAL -j RETURN"
            ),
            (
                "-A PORTGEN-GUARD -s 10.8.0.7/32 -p tcp -m conntrack --ctstate DNAT --ctorigdstport "
                "5001 --ctdir ORIGINAL -j RETURN"
            ),
            (
                "-A PORTGEN-GUARD -p tcp -m conntrack --ctstate DNAT --ctorigdstport 5001 --ctdir "
                "ORIGINAL -j DROP"
            ),
            (
                "-A PORTGEN-GUARD ! -s 172.30.0.0/24 -d 172.30.0.17/32 -m conntrack ! --ctstate DNAT "
                "--ctdir ORIGINAL -j DROP"
            ),
        ], order


def test_a_rule_that_another_tool_put_into_docker_user_survives_three_reloads(host: Host) -> None:
    ufw = host.render(GUARDED)
    printed = host.run(
        f"{IPV4_ONLY}ufw --force enable >/dev/null; {ufw}/portgen-ufw.sh >/dev/null; iptables "
        "-A DOCKER-USER -s 203.0.113.9 -j DROP\n"
        "for n in 1 2 3; do ufw reload >/dev/null; done; iptables -S DOCKER-USER"
    )
    assert printed.splitlines() == [
        "-N DOCKER-USER",
        "-A DOCKER-USER -j PORTGEN-GUARD",
        "-A DOCKER-USER -s 203.0.113.9/32 -j DROP",
    ]


def test_the_guard_is_replaced_in_its_place_and_removed_without_a_trace(host: Host) -> None:
    first = host.render(IPV4_SERVICES)
    second = host.render({"shop": "{port: 5009, allow: [lan]}"}, "second")
    none = host.render({"wiki": "{port: 5000, via: socat, allow: [lan]}"}, "none")
    printed = host.run(f"""
        cp -p /etc/ufw/after.rules /etc/ufw/after.init {host.folder}
        stat -c '%a %U:%G' /etc/ufw/after.rules /etc/ufw/after.init
        {IPV4_ONLY}ufw --force enable >/dev/null
        {first}/portgen-ufw.sh >/dev/null
        echo '# the operator wrote this below' >>/etc/ufw/after.rules
        {second}/portgen-ufw.sh >/dev/null
        grep -c 'BEGIN PORTGEN-GUARD' /etc/ufw/after.rules /etc/ufw/after.init
        tail -n 1 /etc/ufw/after.rules
        iptables -S PORTGEN-GUARD | grep -c 'ctorigdstport 5009'
        iptables -S PORTGEN-GUARD | grep -c 'ctorigdstport 5001' || true
        {none}/portgen-ufw.sh >/dev/null
        sed -i '$d' /etc/ufw/after.rules
        cmp /etc/ufw/after.rules {host.folder}/after.rules
        cmp /etc/ufw/after.init {host.folder}/after.init
        stat -c '%a %U:%G' /etc/ufw/after.rules /etc/ufw/after.init
        iptables -S | grep -c PORTGEN || true
        {none}/portgen-ufw.sh --dry-run
    """)
    assert printed.splitlines() == [
        "640 root:root",
        "640 root:root",
        "/etc/ufw/after.rules:1",
        "/etc/ufw/after.init:1",
        "# the operator wrote this below",
        "3",
        "0",
        "640 root:root",
        "640 root:root",
        "0",
    ]


def test_an_after_init_of_the_operator_is_as_it_was(
    host: Host,
) -> None:
    ufw = host.render(GUARDED)
    for mode, ran in (("755", ["ran start"]), ("644", [])):
        printed = host.run(f"""
            printf '#!/bin/sh\\necho "ran $1" >>/run/operator\\n' >/etc/ufw/after.init
            chmod {mode} /etc/ufw/after.init
            kept {ufw}/portgen-ufw.sh >/dev/null 2>&1
            ufw --force enable >/dev/null
            iptables -S DOCKER-USER | tail -n 1
            cat /run/operator 2>/dev/null || true
        """)
        assert printed.splitlines() == ["-A DOCKER-USER -j PORTGEN-GUARD", *ran]


def test_a_damaged_block_is_refused_and_nothing_is_lost(host: Host) -> None:
    ufw = host.render(GUARDED)
    printed = host.run(f"""
        printf '# BEGIN PORTGEN-GUARD\\n*filter\\nCOMMIT\\n# mine\\n' >>/etc/ufw/after.rules
        cp /etc/ufw/after.rules {host.folder}/before
        if {ufw}/portgen-ufw.sh; then echo accepted; fi
        cmp /etc/ufw/after.rules {host.folder}/before && echo untouched
    """)
    assert (
        "has a '# BEGIN PORTGEN-GUARD' without its '# END PORTGEN-GUARD', or several: fix it by hand"
        in printed
    )
    assert "accepted" not in printed
    assert printed.splitlines()[-1] == "untouched"


def test_a_guard_that_ufw_refuses_is_taken_back(host: Host) -> None:
    ufw = host.render(GUARDED)
    guard = ufw / "portgen-after.rules"
    guard.write_text(guard.read_text().replace("-j DROP", "-j NO-SUCH-CHAIN", 1))
    printed = host.run(f"""
        ufw --force enable >/dev/null; iptables -S >{host.folder}/live
        cp /etc/ufw/after.rules {host.folder}/before
        cp /etc/ufw/after.init {host.folder}/before.init
        if {ufw}/portgen-ufw.sh; then echo accepted; fi
        cmp /etc/ufw/after.init {host.folder}/before.init; stat -c %a /etc/ufw/after.init
        ufw show added | grep -c portgen || true
        grep ^ENABLED /etc/ufw/ufw.conf; iptables -S | grep -v DOCKER-USER | diff {host.folder}/live -
        cmp /etc/ufw/after.rules {host.folder}/before && echo untouched; ufw status | head -n 1
    """)
    assert "accepted" not in printed
    assert "does not come up again" not in printed
    # without a guard nothing is opened, and nothing is left open
    assert printed.splitlines()[-5:-2] == ["640", "0", "ENABLED=yes"]
    assert printed.splitlines()[-2:] == ["untouched", "Status: active"]


def test_the_guard_file_missing_beside_the_script_is_an_error_not_an_open_door(host: Host) -> None:
    ufw = host.render(GUARDED)
    (ufw / "portgen-after.rules").rename(host.folder / "elsewhere")
    printed = host.run(f"if {ufw}/portgen-ufw.sh; then echo accepted; fi")
    assert "portgen-after.rules is missing: keep it beside this script" in printed
    assert "accepted" not in printed


REFUSED = "ufw allow proto tcp from any to any port 99999 comment 'portgen:open'"


def test_a_rule_that_ufw_refuses_stops_no_other_and_nothing_is_taken_back(host: Host) -> None:
    before = host.render({"old": "{port: 5010, via: socat, allow: [any]}"}, "before")
    ufw = host.render(SERVICES)
    script = ufw / "portgen-ufw.sh"
    right = script.read_text()
    wrong = host.folder / "wrong" / "portgen-ufw.sh"
    wrong.parent.mkdir()
    (wrong.parent / "portgen-after.rules").write_text((ufw / "portgen-after.rules").read_text())
    wrong.write_text(right.replace("to any port 5003 comment", "to any port 99999 comment"))
    wrong.chmod(0o755)
    printed = host.run(f"""
        ufw --force enable >/dev/null; {before}/portgen-ufw.sh >/dev/null
        {wrong} && echo accepted || echo "code $?"
        iptables -S DOCKER-USER | tail -n 1; iptables -S PORTGEN-GUARD | grep -c 'ctorigdstport 5001'
        echo SHOW; ufw show added; echo RIGHT; {script}; echo SHOW; ufw show added
    """)
    ran, shown, again, at_last = re.split("SHOW\n|RIGHT\n", printed)
    assert "ERROR: Bad port '99999'\n" in ran
    assert ran.splitlines()[-5:] == [
        f"portgen-ufw.sh: 1 command failed: {REFUSED}",
        "portgen-ufw.sh: nothing is taken back until every rule is added",
        "code 1",
        "-A DOCKER-USER -j PORTGEN-GUARD",
        "3",
    ]
    assert sorted(set(re.findall(r"portgen:\w+", shown))) == [
        f"portgen:{name}" for name in ("dns", "nginx", "old", "shop", "six", "wiki")
    ]
    assert "failed" not in again
    assert sorted(set(re.findall(r"portgen:\w+", at_last))) == [
        f"portgen:{name}" for name in ("dns", "nginx", "open", "shop", "six", "wiki")
    ]


def test_the_guard_is_not_taken_back_while_a_rule_can_not_be_added(host: Host) -> None:
    guarded = host.render(GUARDED)
    none = host.render({"open": "{port: 5003, via: socat, allow: [any]}"}, "none")
    script = none / "portgen-ufw.sh"
    script.write_text(
        script.read_text().replace("to any port 5003 comment", "to any port 99999 comment")
    )
    printed = host.run(f"""
        kept {guarded}/portgen-ufw.sh >/dev/null 2>&1
        {script} && echo accepted || echo "code $?"
        grep -c 'BEGIN PORTGEN-GUARD' /etc/ufw/after.rules /etc/ufw/after.init
    """)
    assert printed.splitlines()[-3:] == [
        "code 1",
        "/etc/ufw/after.rules:1",
        "/etc/ufw/after.init:1",
    ]


def test_several_commands_that_fail_are_counted_and_named(host: Host) -> None:
    before = host.render({"old": "{port: 5010, via: socat, allow: [lan]}"}, "before")
    after = host.render({}, "after")
    deletes = [
        "ufw delete allow proto tcp from 10.8.0.7 to any port 5010 comment 'portgen:old'",
        "ufw delete allow proto tcp from 192.168.0.0/16 to any port 5010 comment 'portgen:old'",
    ]
    printed = host.run(f"""
        kept {before}/portgen-ufw.sh >/dev/null
        printf '#!/bin/sh\ncase "$1" in delete) exit 1;; esac; exec /usr/sbin/ufw "$@"\n' >/run/bin/ufw
        chmod +x /run/bin/ufw
        {after}/portgen-ufw.sh && echo accepted || echo "code $?"
    """)
    assert printed.splitlines()[-2:] == [
        f"portgen-ufw.sh: 2 commands failed: {'; '.join(deletes)}",
        "code 1",
    ]


def test_rules_for_ipv6_are_skipped_where_ufw_leaves_ipv6_alone(
    host: Host,
) -> None:
    ufw = host.render({name: SERVICES[name] for name in ("open", "six")})
    without = host.render({}, "without")
    printed = host.run(f"""
        ufw --force enable >/dev/null; {ufw}/portgen-ufw.sh >/dev/null 2>&1
        ufw delete allow 5003/tcp >/dev/null
        ufw delete allow proto tcp from fd00::/8 to any port 5060 >/dev/null
        sed -i 's/^IPV6=.*/IPV6=no/' /etc/default/ufw
        echo RUN; kept {ufw}/portgen-ufw.sh
        echo RUN; kept {ufw}/portgen-ufw.sh
        echo RUN; kept {without}/portgen-ufw.sh 2>&1 | grep -i -e ipv6 -e error || true
    """)
    _, first, second, third = printed.split("RUN\n")
    skipped = (
        "portgen-ufw.sh: port 5060/tcp from fd00::/8 (portgen:six) is skipped: ufw leaves "
        "IPv6 alone (IPV6 in /etc/default/ufw)"
    )
    assert first.splitlines() == [skipped, "Rule added"]
    assert second.splitlines() == [skipped]
    assert third == ""


def test_an_old_rule_for_ipv6_stays_while_ufw_leaves_ipv6_alone(
    host: Host,
) -> None:
    ufw = host.render({"six": SERVICES["six"]})
    without = host.render({}, "without")
    printed = host.run(f"""
        kept {ufw}/portgen-ufw.sh >/dev/null 2>&1
        sed -i 's/^IPV6=.*/IPV6=no/' /etc/default/ufw; kept {without}/portgen-ufw.sh
        grep -c fd00::/8 /etc/ufw/user6.rules
        sed -i 's/^IPV6=.*/IPV6=yes/' /etc/default/ufw; kept {without}/portgen-ufw.sh; ufw show added
    """)
    assert "failed" not in printed
    assert sorted(set(re.findall(r"portgen:\w+", printed))) == ["portgen:nginx"]


def test_a_dry_run_that_may_not_read_the_guards_files_says_so(
    host: Host,
) -> None:
    ufw = host.render(GUARDED)
    none = host.render({}, "none")
    printed = host.run(f"""
        cp -r {ufw} /run/guarded; cp -r {none} /run/none
        for folder in guarded none; do
            setpriv --reuid=65534 --regid=65534 --clear-groups \
                /run/$folder/portgen-ufw.sh --dry-run || [ $? = 3 ]
        done
    """)
    unread = "(can't read /etc/ufw/after.rules: run it as root)"
    told = [
        line for line in printed.splitlines() if "after" in line or "GUARD" in line or "awk" in line
    ]
    assert told == [
        f"# would place the PORTGEN-GUARD blocks of /etc/ufw/after.rules and /etc/ufw/after.init {unread}",
        (
            "# would remove the PORTGEN-GUARD blocks of /etc/ufw/after.rules and /etc/ufw/after6.rules "
            f"and /etc/ufw/after.init {unread}"
        ),
    ]


def test_files_of_ufw_that_are_symlinks_stay_so_and_their_targets_change(host: Host) -> None:
    ufw = host.render(GUARDED)
    none = host.render({}, "none")
    printed = host.run(f"""
        mkdir /etc/kept
        for name in after.rules after.init; do
            mv /etc/ufw/$name /etc/kept/; ln -s ../kept/$name /etc/ufw/$name
        done
        cp -p /etc/kept/after.* {host.folder}
        kept {ufw}/portgen-ufw.sh >/dev/null 2>&1
        readlink /etc/ufw/after.rules /etc/ufw/after.init
        grep -c 'BEGIN PORTGEN-GUARD' /etc/kept/after.rules /etc/kept/after.init
        kept {none}/portgen-ufw.sh >/dev/null 2>&1
        readlink /etc/ufw/after.rules /etc/ufw/after.init
        for name in after.rules after.init; do cmp /etc/kept/$name {host.folder}/$name; done
        ls /etc/kept
    """)
    links = ["../kept/after.rules", "../kept/after.init"]
    assert printed.splitlines() == [
        *links,
        "/etc/kept/after.rules:1",
        "/etc/kept/after.init:1",
        *links,
        "after.init",
        "after.rules",
    ]


def test_a_range_is_one_rule_and_one_group_of_the_guard(host: Host) -> None:
    entry = "{{ports: [{{port: {}, protocol: udp}}], allow: [lan]}}"
    before = host.render({"calls": entry.format("5010-5019")})
    after = host.render({"calls": entry.format("5010-5014")}, "after")
    printed = host.run(
        "ufw --force enable >/dev/null; ufw deny proto udp from any to any port 5019 >/dev/null; "
        f"kept {before}/portgen-ufw.sh; echo SECOND; kept {before}/portgen-ufw.sh; echo SHOW; "
        "ufw show added; iptables -S PORTGEN-GUARD; echo AFTER; "
        f"kept {after}/portgen-ufw.sh; ufw show added; iptables -S PORTGEN-GUARD"
    )
    first, rest = printed.split("SECOND\n")
    second, rest = rest.split("SHOW\n")
    shown, later = rest.split("AFTER\n")
    assert "port 5010:5019/udp from 192.168.0.0/16 (portgen:calls) stays closed in part" in first
    assert "Rule" not in second
    for text, ports in ((shown, "5010:5019"), (later, "5010:5014")):
        rule = (
            f"ufw allow from 192.168.0.0/16 to any port {ports} proto udp comment 'portgen:calls'"
        )
        assert [line for line in rules_of(text) if "192.168" in line] == [rule]
        guarded = re.findall(r"--ctorigdstport (\S+) --ctdir ORIGINAL -j (\w+)", text)
        assert guarded == [(ports, "RETURN"), (ports, "RETURN"), (ports, "DROP")]


def test_a_port_that_nginx_still_listens_on_is_not_opened_for_another(host: Host) -> None:
    """Until nginx is reloaded with the rendered file, which does not have the port, its visitors would get in
    there. What nginx keeps, and its own rules, don't wait."""
    ufw = host.render(GUARDED)
    installed = "/etc/nginx/conf.d/portgen.conf"  # a copy's, which goes with it
    printed = host.run(
        "ufw --force enable; mkdir -p /etc/nginx/conf.d; "
        f"printf 'server {{\\n    listen 80;\\n    listen [::]:5001 ssl;\\n' >{installed}; "
        f"{ufw}/portgen-ufw.sh || echo code $?; ufw show added; echo RELOADED; rm {installed}; "
        f"{ufw}/portgen-ufw.sh && echo code 0; ufw show added"
    )
    waiting, reloaded = printed.split("RELOADED\n")
    assert "portgen:shop) waits: nginx listens there until it is reloaded" in waiting
    assert "code 3" in waiting
    assert [line for line in rules_of(waiting) if "5001" in line] == []
    assert [line for line in rules_of(waiting) if "nginx" in line]
    assert "code 0" in reloaded
    assert [line for line in rules_of(reloaded) if "5001" in line and "show" not in line]
