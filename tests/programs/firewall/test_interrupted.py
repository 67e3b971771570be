"""The script is killed, or a command fails, at each command that it runs; the next run makes all of it true
in the kernel.

Wrappers around ufw and iptables count the calls. The N-th one kills the script before the command, or after
it, or fails in its place. Then the script runs once more, whole. What counts is what the kernel has, never
what the files say.
"""

from __future__ import annotations

from tests.programs.firewall.host import IPV4_ONLY, Host

# Few rules: each costs a call of ufw in every run.
BEFORE = {"old": "{port: 5009, allow: [10.0.0.0/8]}"}
AFTER = {"shop": "{port: 5001, allow: [192.168.0.0/16]}", "inner": "{port: 5002}"}

PROGRAMS = ("ufw", "iptables", "iptables-restore")
WRAPPER = """\
#!/bin/sh
# Counts the calls of the script under test; ufw's own calls of iptables are not among them: it uses full
# paths.
program=${0##*/}
[ -e /run/armed ] || exec /usr/sbin/$program "$@"
count=$(($(cat /run/count) + 1)); echo $count >/run/count; echo "$program $*" >>/run/calls
if [ $count -eq "$(cat /run/at)" ]; then
    case $(cat /run/mode) in
    before) kill -KILL $PPID; exit 1 ;;
    after) /usr/sbin/$program "$@"; kill -KILL $PPID; exit 1 ;;
    fail) exit 1 ;;
    esac
fi
exec /usr/sbin/$program "$@"
"""


def at_each_call(
    host: Host, mode: str, first: dict[str, str], then: dict[str, str]
) -> list[list[str]]:
    """For each call that the second script makes: what the kernel and the files have after the run that
    followed it."""
    before, after = host.render(first, f"before-{mode}"), host.render(then, f"after-{mode}")
    wrapper = host.folder / "wrapper"
    wrapper.write_text(WRAPPER)
    state = """
        iptables -S PORTGEN-GUARD 2>/dev/null || true; iptables -S DOCKER-USER; iptables -S ufw-user-input
        grep -h '^### tuple' /etc/ufw/user.rules
        sed -n '/BEGIN PORTGEN/,$p' /etc/ufw/after.rules | grep '^-A' || true
    """
    wrappers = "; ".join(
        f"cp {wrapper} /run/bin/{program}; chmod +x /run/bin/{program}" for program in PROGRAMS
    )
    printed = host.run(f"""
        {wrappers}; {IPV4_ONLY} ufw --force enable >/dev/null; echo {mode} >/run/mode
        state() {{ {state}
        }}
        {before}/portgen-ufw.sh >/dev/null 2>&1; cp -a /etc/ufw /run/ufw
        iptables-save >/run/kernel
        {after}/portgen-ufw.sh >/dev/null 2>&1; state | tee /run/wanted; echo NEXT
        for at in $(seq 1 60); do
            cp -a /run/ufw/. /etc/ufw/; iptables-restore </run/kernel
            echo 0 >/run/count; echo $at >/run/at; : >/run/armed
            claims=yes
            {after}/portgen-ufw.sh >/run/said 2>&1 || {{ claims=no; echo "ended $?" >>/run/said; }}
            rm /run/armed
            [ $(cat /run/count) -ge $at ] || break
            echo "at $at"
            [ $claims = no ] || state | cmp -s - /run/wanted || echo "claimed to be done, and was not"
            {after}/portgen-ufw.sh >/dev/null 2>&1 || echo "code $?"; state; echo NEXT
        done
        tail -n 1 /run/said
    """)
    # bash reports each child that was killed.
    return [
        [line for line in text.splitlines() if "Killed" not in line]
        for text in printed.split("NEXT\n")
    ]


def all_healed(host: Host, mode: str, first: dict[str, str], then: dict[str, str]) -> None:
    wanted, *healed, last = at_each_call(host, mode, first, then)
    assert last[-1:] != ["ended 1"], "the loop ended before the script's last call"
    assert len(healed) >= 8
    wrong = {text[0]: text[1:] for text in healed if text[1:] != wanted}
    assert wrong == {}


def test_an_install_that_was_killed_before_any_command_is_finished(host: Host) -> None:
    all_healed(host, "before", {}, AFTER)


def test_an_install_that_was_killed_after_any_command_is_finished(host: Host) -> None:
    all_healed(host, "after", {}, AFTER)


def test_an_install_that_failed_anywhere_is_finished(host: Host) -> None:
    all_healed(host, "fail", {}, AFTER)


def test_a_change_of_the_guard_that_was_killed_anywhere_is_finished(
    host: Host,
) -> None:
    all_healed(host, "after", BEFORE, AFTER)


def test_a_removal_of_the_guard_that_failed_anywhere_is_finished(
    host: Host,
) -> None:
    all_healed(host, "fail", BEFORE, {})


def test_ufws_file_and_the_kernel_are_made_to_agree(
    host: Host,
) -> None:
    """ufw writes its file first: killed in between, file and kernel differ, and ufw itself never looks."""
    ufw = host.render(AFTER)
    printed = host.run(f"""
        ufw --force enable >/dev/null; {ufw}/portgen-ufw.sh >/dev/null
        iptables -S ufw-user-input >/run/wanted; ip6tables -S ufw6-user-input >/run/wanted6
        iptables -D ufw-user-input 1; {ufw}/portgen-ufw.sh
        iptables -S ufw-user-input | diff /run/wanted - && echo SAME
        ip6tables -A ufw6-user-input -p tcp --dport 5999 -j ACCEPT; {ufw}/portgen-ufw.sh
        ip6tables -S ufw6-user-input | diff /run/wanted6 - && echo SAME
        iptables -F ufw-user-input; {ufw}/portgen-ufw.sh
        iptables -S ufw-user-input | diff /run/wanted - && echo SAME
        {ufw}/portgen-ufw.sh
    """)
    assert printed.splitlines() == [
        line
        for name in ("user.rules", "user6.rules", "user.rules")
        for line in (
            (
                f"portgen-ufw.sh: the kernel did not have the rules of /etc/ufw/{name}, as after an "
                "interrupted ufw: loaded them again"
            ),
            "SAME",
        )
    ]


def test_ufw_enabled_without_its_rules_in_the_kernel_is_a_failure(host: Host) -> None:
    ufw = host.render(AFTER)
    printed = host.run(f"""
        ufw --force enable >/dev/null; {ufw}/portgen-ufw.sh >/dev/null; iptables -F; iptables -X
        {ufw}/portgen-ufw.sh || echo "code $?"; iptables -S PORTGEN-GUARD | wc -l; iptables -S DOCKER-USER
    """)
    assert "ufw is enabled, and its rules are not in the kernel" in printed
    assert "code 1" in printed
    # the guard is back all the same
    assert printed.splitlines()[-3:] == ["6", "-N DOCKER-USER", "-A DOCKER-USER -j PORTGEN-GUARD"]


def test_a_flushed_chain_and_a_lost_jump_are_found_in_the_kernel(host: Host) -> None:
    ufw = host.render(AFTER)
    printed = host.run(f"""
        ufw --force enable >/dev/null; {ufw}/portgen-ufw.sh >/dev/null; iptables -S PORTGEN-GUARD >/run/wanted
        for fault in '-F PORTGEN-GUARD' '-D PORTGEN-GUARD 2' \
            '-D DOCKER-USER -j PORTGEN-GUARD' '-F DOCKER-USER'; do
            iptables $fault; {ufw}/portgen-ufw.sh --dry-run; {ufw}/portgen-ufw.sh
            iptables -S PORTGEN-GUARD | diff /run/wanted - && iptables -S DOCKER-USER | grep -c PORTGEN
        done
    """)
    assert (
        printed.splitlines()
        == ["# would load the chain PORTGEN-GUARD into the kernel: 5 rules", "1"] * 4
    )


def test_ufw_is_never_reloaded(host: Host) -> None:
    """`ufw reload` takes the firewall down for seconds. The calls of an install, a change and a removal are
    looked at."""
    versions = [
        host.render(services, name)
        for name, services in (("one", BEFORE), ("two", AFTER), ("three", {}))
    ]
    wrapper = host.folder / "wrapper"
    wrapper.write_text(WRAPPER)
    runs = "; ".join(f"{ufw}/portgen-ufw.sh >/dev/null 2>&1" for ufw in versions)
    calls = host.run(f"""
        ufw --force enable >/dev/null
        for program in {" ".join(PROGRAMS)}; do
            cp {wrapper} /run/bin/$program; chmod +x /run/bin/$program
        done
        echo 0 >/run/count; echo 0 >/run/at; : >/run/armed; {runs}; cat /run/calls
    """).splitlines()
    verbs = {call.split()[1] for call in calls if call.startswith("ufw ")}
    assert verbs == {"allow", "delete"}
    assert {call.split()[0] for call in calls} == set(PROGRAMS)


def test_the_guard_is_in_a_table_that_docker_leaves_alone_too(host: Host) -> None:
    """docker takes its jump to DOCKER-USER out, and puts it back, whenever it makes a network: for that
    moment the other table counts."""
    ufw, none = host.render(AFTER), host.render({}, "none")
    both = (
        "iptables -t mangle -S PORTGEN-GUARD | diff <(iptables -S PORTGEN-GUARD) - && "
        "iptables -t mangle -S FORWARD"
    )
    printed = host.run(f"""
        ufw --force enable >/dev/null; {ufw}/portgen-ufw.sh >/dev/null; {both}
        for n in 1 2 3; do ufw reload >/dev/null; done; {both}
        for fault in '-F PORTGEN-GUARD' '-D FORWARD -j PORTGEN-GUARD'; do
            iptables -t mangle $fault; {ufw}/portgen-ufw.sh; {both}
        done
        iptables-save >/run/before; {ufw}/portgen-ufw.sh
        iptables-save | diff <(grep -v '^#' /run/before) <(grep -v '^#' /dev/stdin)
        {none}/portgen-ufw.sh >/dev/null; iptables-save | grep -c PORTGEN || true
    """)
    assert printed.splitlines() == ["-P FORWARD ACCEPT", "-A FORWARD -j PORTGEN-GUARD"] * 4 + ["0"]
