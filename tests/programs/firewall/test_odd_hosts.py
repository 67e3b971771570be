"""A host that is not as the script would like it: a full disk, damaged files, another run, a docker
that answers oddly. The real ufw and iptables. Nothing of an operator's is lost, and exit code 0
means that the guard is in force."""

from __future__ import annotations

from tests.programs.firewall.host import GUARDED, IPV4_ONLY, SERVICES, Host
from tests.programs.firewall.test_guard_kept import GONE, SHOP, installed, there
from tests.targets.ufw.inspected import published

WIKI = {"wiki": SERVICES["wiki"]}
ENABLE = f"{IPV4_ONLY} ufw allow 22/tcp comment mine >/dev/null; ufw --force enable >/dev/null"


def test_a_file_of_ufws_that_is_cut_off_costs_no_rule(host: Host) -> None:
    script = host.render(WIKI) / "portgen-ufw.sh"
    printed = host.run(f"""
        {ENABLE}; {script} >/dev/null; iptables -S ufw-user-input >/run/before; : >/etc/ufw/user.rules
        {script} || echo "code $?"
        iptables -S ufw-user-input | cmp - /run/before && echo same
        wc -c </etc/ufw/user.rules
    """)
    assert printed.splitlines() == [
        (
            "portgen-ufw.sh: /etc/ufw/user.rules is cut off, as after a full disk or a killed "
            "ufw: bring back what `iptables -S` still has"
        ),
        "code 1",
        "same",
        "0",
    ]


def test_ufw_cuts_its_file_off_in_the_middle_of_a_run_which_ends_there(host: Host) -> None:
    script = host.render(WIKI) / "portgen-ufw.sh"
    printed = host.run(f"""
        {ENABLE}
        printf '#!/bin/sh\\n/usr/sbin/ufw "$@"; : >/etc/ufw/user.rules\\n' >/run/bin/ufw
        chmod +x /run/bin/ufw
        {script} || echo "code $?"; iptables -S ufw-user-input
    """)
    assert printed.count("Rule added") == 1
    assert "is cut off" in printed
    assert "code 1" in printed
    assert "--dport 22 -j ACCEPT" in printed


def test_on_a_full_disk_ufw_is_not_called_and_keeps_its_rules(host: Host) -> None:
    script = host.render(WIKI) / "portgen-ufw.sh"
    printed = host.run(f"""
        {ENABLE}; mkdir /run/small; mount -t tmpfs -o size=256k none /run/small; cp -a /etc/ufw/. /run/small
        mount --bind /run/small /etc/ufw; dd if=/dev/zero of=/etc/ufw/fill bs=4k 2>/dev/null || true
        {script} || echo "code $?"; grep -c tuple /etc/ufw/user.rules; iptables -S ufw-user-input
    """)
    assert "the disk of /etc/ufw is full" in printed
    assert "code 1\n1\n" in printed
    assert "--dport 22 -j ACCEPT" in printed


def test_bytes_that_are_not_utf_8_in_the_kernel_and_in_ufws_file_stop_nothing(host: Host) -> None:
    script = host.render(GUARDED) / "portgen-ufw.sh"
    printed = host.run(f"""
        {ENABLE}; iptables -A INPUT -m comment --comment $'caf\\xe9'; {script} >/dev/null; echo "code $?"
        printf '# caf\\xe9\\n' >>/etc/ufw/user.rules; iptables -D ufw-user-input 1; {script}; echo "code $?"
        iptables -S ufw-user-input | grep -c -e --dport
    """)
    assert "Traceback" not in printed
    assert [line for line in printed.splitlines() if line.startswith("code")] == [
        "code 0",
        "code 0",
    ]
    assert printed.endswith("4\n")


def test_two_runs_at_once_place_one_jump_and_each_rule(host: Host) -> None:
    script = host.render(GUARDED) / "portgen-ufw.sh"
    printed = host.run(f"""
        {ENABLE}
        for one in 1 2 3 4; do
            {{ {script} >/run/said.$one 2>&1; echo "code $?" >>/run/said.$one; }} &
        done
        wait
        cat /run/said.*; iptables -S DOCKER-USER
    """)
    assert printed.count("code 0") == 4
    assert printed.count("Rule added") == 3
    assert "Skipping" not in printed
    assert printed.count("-j PORTGEN-GUARD") == 1


def test_a_jump_behind_a_rule_that_lets_everything_by_is_put_first(host: Host) -> None:
    script = host.render(GUARDED) / "portgen-ufw.sh"
    printed = host.run(f"""
        {ENABLE}; {script} >/dev/null; iptables -F DOCKER-USER
        iptables -A DOCKER-USER -j RETURN; iptables -A DOCKER-USER -j PORTGEN-GUARD
        {script}; iptables -S DOCKER-USER
    """)
    assert printed.splitlines() == [
        "-N DOCKER-USER",
        "-A DOCKER-USER -j PORTGEN-GUARD",
        "-A DOCKER-USER -j RETURN",
    ]


def test_a_policy_that_lets_everything_in_is_told(host: Host) -> None:
    script = host.render(WIKI) / "portgen-ufw.sh"
    printed = host.run(f"{ENABLE}; ufw default allow incoming >/dev/null; {script}")
    assert (
        "ufw lets in what no rule denies (DEFAULT_INPUT_POLICY in /etc/default/ufw), wider than the inventory"
        in printed
    )


def test_an_ipv4_address_written_as_ipv6_is_one_rule_however_it_is_spelt(host: Host) -> None:
    service = "{port: 5010, via: process, allow: ['::a00:1/128', '::10.0.0.2/128']}"
    script = host.render({"mapped": service}) / "portgen-ufw.sh"
    printed = host.run(
        f"ufw --force enable >/dev/null; {script} >/dev/null 2>&1; {script}; grep -c 'tcp "
        "5010' /etc/ufw/user6.rules"
    )
    assert printed == "2\n"


def test_ufws_settings_are_read_as_ufw_reads_them(host: Host) -> None:
    script = host.render(WIKI) / "portgen-ufw.sh"
    printed = host.run(f"""
        {IPV4_ONLY} printf 'ENABLED=yes\\nENABLED=no\\n' >>/etc/ufw/ufw.conf; kept {script}
        {{ echo IPV6=yes; echo IPV6=no; }} >>/etc/default/ufw; kept {script}
    """)
    assert printed.count("ufw is not active") == 2
    assert "Rules updated (v6)" not in printed


def test_after_init_is_changed_only_where_a_shell_runs_it(host: Host) -> None:
    script = host.render(GUARDED) / "portgen-ufw.sh"
    printed = host.run(f"""
        {ENABLE}; for line in '#!/bin/sh -e' '#!/usr/bin/env bash' '#!/usr/bin/fish' '#!/bin/csh'; do
            printf '%s\\necho theirs\\n' "$line" >/etc/ufw/after.init
            {script} 2>&1 | grep -c 'not a shell script' || true
        done
    """)
    assert printed.split() == ["0", "0", "1", "1"]


def test_only_our_own_block_loses_its_crlf(
    host: Host,
) -> None:
    script = host.render(GUARDED) / "portgen-ufw.sh"
    printed = host.run(f"""
        {ENABLE}; printf '#!/bin/sh\necho "a\rb"\n' >/etc/ufw/after.init
        chmod +x /etc/ufw/after.init; {script} >/dev/null
        tail -n 1 /etc/ufw/after.init | od -An -c
        sed -i '/^# BEGIN PORTGEN/,/^# END PORTGEN/s/$/\r/' /etc/ufw/after.rules
        {script}
        grep -c "$(printf '\r')" /etc/ufw/after.rules || true
        grep -c '^# BEGIN PORTGEN' /etc/ufw/after.rules
        sed -n '/^.filter/,$p' /etc/ufw/after.rules | iptables-restore --test --noflush; echo "code $?"
    """)
    assert "\\r   b" in printed
    assert printed.endswith("\n0\n1\ncode 0\n")


DIES = """cat >/run/bin/docker <<'DOCKER'
#!/bin/sh
case $1 in
ps) [ ! -e /run/asked ] || exit 1; echo 0123456789abcdef; : >/run/asked ;;
inspect) echo '[]'; exit 1 ;;
esac
DOCKER
"""


def test_a_daemon_that_ends_between_two_questions_takes_no_guard_away(host: Host) -> None:
    printed = installed(host, {}, DIES, "iptables -S DOCKER-USER | tail -n 1")
    assert "code 3\nportgen-ufw.sh: docker does not answer" in printed
    assert printed.endswith("-A DOCKER-USER -j PORTGEN-GUARD\n")


def test_a_container_that_is_removed_between_two_questions_is_no_fault(host: Host) -> None:
    printed = installed(host, {}, DIES.replace("exit 1; echo", "exit 0; echo"), GONE)
    assert printed == "gone\n0\n"


def test_docker_with_a_socket_and_without_its_program_is_not_known(
    host: Host,
) -> None:
    without = (
        "rm /run/bin/docker; : >/run/docker.sock; mkdir /run/few; ln -sf /usr/sbin/* "
        "/usr/bin/* /run/few; rm -f /run/few/docker; PATH=/run/few"
    )
    script = host.render({}, "nothing") / "portgen-ufw.sh"
    before = host.render(SHOP, "shop") / "portgen-ufw.sh"
    printed = host.run(f"""
        {ENABLE}; {before} >/dev/null; {without}
        sed -i 's|":/usr/sbin:/sbin"|""|' {script}; kept {script} 2>&1 | grep -c 'docker does not answer'
    """)
    assert printed == "1\n"


def test_a_container_with_a_port_of_a_range_keeps_its_guard(host: Host) -> None:
    printed = installed(
        host, {}, there(published("5000-5010", "5001")), "iptables -S DOCKER-USER | tail -n 1"
    )
    assert "5001/tcp stays guarded as before" in printed
    assert printed.endswith("-A DOCKER-USER -j PORTGEN-GUARD\n")
