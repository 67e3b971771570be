#!/bin/sh
# Rendered by portgen from the inventory of es-docker: change it there, edits here are lost.
#
#   portgen-ufw.sh             add the rules below that are missing, then delete those of ours that are no longer below
#   portgen-ufw.sh --dry-run   print the ufw commands that it would run
#
# Ours is a rule whose comment is `portgen:` and a name. Nobody else's rule is changed: where an operator already allows the
# same, theirs stays as it is. It never enables ufw where it was not active. Running it again changes nothing.
# Without the guard (portgen-after.rules, where there is one) nothing is opened; a command that ufw refuses stops no other, is
# told at the end (exit code 1), and as long as one rule can't be added no rule and no guard is taken back.
set -eu

rules() {
    cat <<'RULES'
ufw allow proto tcp from 192.168.0.0/16 to any port 5400 comment 'portgen:api-server'
ufw allow proto tcp from 192.168.0.0/16 to any port 5004 comment 'portgen:bottomleft-dashboard'
ufw allow proto tcp from 192.168.0.0/16 to any port 5010 comment 'portgen:fortigate-stats'
ufw allow proto tcp from 192.168.0.0/16 to any port 5000 comment 'portgen:hub-dashboard'
ufw allow proto tcp from 192.168.0.0/16 to any port 5018 comment 'portgen:in-progress-tickets'
ufw allow proto tcp from 192.168.0.0/16 to any port 5024 comment 'portgen:needs-es-attention'
ufw allow proto tcp from 192.168.0.0/16 to any port 5017 comment 'portgen:new-tickets-by-tech'
ufw allow proto tcp from any to any port 80 comment 'portgen:nginx'
ufw allow proto tcp from any to any port 443 comment 'portgen:nginx'
ufw allow proto tcp from 192.168.0.0/16 to any port 5006 comment 'portgen:ninja-seat-count'
ufw allow proto tcp from 172.30.0.0/22 to any port 5432 comment 'portgen:postgresql'
ufw allow proto tcp from 192.168.0.0/16 to any port 5003 comment 'portgen:re-opened-tickets'
ufw allow proto tcp from 192.168.0.0/16 to any port 5019 comment 'portgen:rfq-tickets'
ufw allow proto tcp from 192.168.0.0/16 to any port 5023 comment 'portgen:scheduled-internal'
ufw allow proto tcp from 192.168.0.0/16 to any port 5022 comment 'portgen:scheduled-onsite'
ufw allow proto tcp from 192.168.0.0/16 to any port 5007 comment 'portgen:smartnumbers'
ufw allow proto tcp from 192.168.0.0/16 to any port 5025 comment 'portgen:technician-kpi-wall'
ufw allow proto tcp from 192.168.0.0/16 to any port 5002 comment 'portgen:technician-performance'
ufw allow proto tcp from 192.168.0.0/16 to any port 5009 comment 'portgen:threatlocker-stats'
ufw allow proto tcp from 192.168.0.0/16 to any port 5012 comment 'portgen:ticket-statistics'
ufw allow proto tcp from 192.168.0.0/16 to any port 5016 comment 'portgen:tickets-by-status'
ufw allow proto tcp from 192.168.0.0/16 to any port 5014 comment 'portgen:tickets-closed-today'
ufw allow proto tcp from 192.168.0.0/16 to any port 5005 comment 'portgen:topleft-dashboard'
ufw allow proto tcp from 192.168.0.0/16 to any port 5015 comment 'portgen:unassigned-tickets'
ufw allow proto tcp from 192.168.0.0/16 to any port 5001 comment 'portgen:variances-dashboard'
ufw allow proto tcp from 192.168.0.0/16 to any port 5013 comment 'portgen:veeam-backup-job-status'
ufw allow proto tcp from 192.168.0.0/16 to any port 5008 comment 'portgen:veeam-usage'
ufw allow proto tcp from 192.168.0.0/16 to any port 5021 comment 'portgen:waiting-on-client-4'
ufw allow proto tcp from 192.168.0.0/16 to any port 5020 comment 'portgen:waiting-on-vendor'
RULES
}
guarded=no

dry=no
case "${1-}" in
--dry-run) dry=yes ;;
'') ;;
*)
    echo "usage: $0 [--dry-run]" >&2
    exit 2
    ;;
esac
etc=${PORTGEN_UFW_DIR:-/etc/ufw}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
readable=yes
for file in "$etc/user.rules" "$etc/user6.rules"; do
    [ -r "$file" ] || readable=no
done
if [ "$dry" = no ] && [ "$(id -u)" != 0 ]; then
    echo "$0: run it as root" >&2
    exit 1
fi
if [ "$readable" = no ]; then
    if [ "$dry" = no ]; then
        echo "$0: can't read $etc/user.rules: is ufw installed?" >&2
        exit 1
    fi
    echo "$0: can't read $etc/user.rules (run as root?): assuming that ufw has no rule yet" >&2
fi

# As ufw decides it: where it leaves IPv6 alone, it refuses a rule with an IPv6 source and keeps user6.rules as it is.
ipv6=yes
if [ -r /etc/default/ufw ] && ! grep -qiE "^IPV6=[\"']?yes" /etc/default/ufw; then ipv6=no; fi

# What differs, as lines "add|command", "delete|command", "note|text". ufw writes each rule into user.rules as
#   ### tuple ### allow tcp 5007 0.0.0.0/0 any 192.168.0.0/16 in comment=<hex>
difference() {
    {
        rules
        echo '=== present ==='
        if [ "$readable" = yes ]; then cat "$etc/user.rules"; fi
        if [ "$readable$ipv6" = yesyes ]; then cat "$etc/user6.rules"; fi
    } | awk -v ipv6="$ipv6" '
        function hex(text,    out, i) {
            for (i = 1; i <= length(text); i++) out = out sprintf("%02x", ord[substr(text, i, 1)])
            return out
        }
        function unhex(text,    out, i) {
            for (i = 1; i < length(text); i += 2)
                out = out sprintf("%c", index(digits, substr(text, i, 1)) * 16 - 16 + index(digits, substr(text, i + 1, 1)) - 1)
            return out
        }
        function key(proto, port, source) {
            return proto " " port " " (source == "0.0.0.0/0" || source == "::/0" ? "any" : source)
        }
        BEGIN { digits = "0123456789abcdef"; for (i = 32; i < 127; i++) ord[sprintf("%c", i)] = i }
        /^=== present ===$/ { present = 1; next }
        !present && /^ufw allow / {
            # ufw allow proto P from SOURCE to any port N comment QUOTED
            if (ipv6 == "no" && $6 ~ /:/) {
                print "note|port " $10 "/" $4 " from " $6 " (" substr($12, 2, length($12) - 2) ") is skipped: ufw leaves IPv6 alone (IPV6 in /etc/default/ufw)"
                next
            }
            n++
            command[n] = $0
            wanted[n] = key($4, $10, $6)
            mark[n] = substr($12, 2, length($12) - 2)
            want[wanted[n]] = 1
            next
        }
        /^### tuple ### / {
            comment = $NF ~ /^comment=/ ? substr($NF, 9) : ""
            direction = $NF ~ /^comment=/ ? $(NF - 1) : $NF
            line++
            if ($4 ~ /^(deny|reject)/ && direction == "in" && $8 == "any") {
                if (!(($5 " " $6) in denied)) denied[$5 " " $6] = line
            }
            if ($4 != "allow" || direction != "in" || $8 != "any" || $7 !~ /^(0\.0\.0\.0\/0|::\/0)$/) next
            k = key($5, $6, $9)
            text = unhex(comment)
            if (!(k in place)) place[k] = line
            if (text ~ /^portgen:[a-z0-9]+(-[a-z0-9]+)*$/) {
                ours[k] = text
                if (!(k in want) && !((k, text) in gone)) {
                    gone[k, text] = 1
                    split(k, part, " ")
                    m++
                    old[m] = "ufw delete allow proto " part[1] " from " part[3] " to any port " part[2] " comment \047" text "\047"
                }
            } else {
                theirs[k] = text == "" ? "no comment" : text
            }
        }
        END {
            for (i = 1; i <= n; i++) {
                k = wanted[i]
                split(k, part, " ")
                for (p = 0; p < 2; p++) {
                    d = (p ? "any" : part[1]) " " part[2]
                    if (d in denied && (!(k in place) || denied[d] < place[k]))
                        print "note|warning: port " part[2] "/" part[1] " (" mark[i] "): an earlier rule of the operator denies it, and the first match wins"
                }
                if (k in theirs) print "note|port " part[2] "/" part[1] " from " part[3] " (" mark[i] ") is already allowed by a rule of the operator (" theirs[k] "): left as it is"
                else if (!(k in ours) || ours[k] != mark[i]) print "add|" command[i]
            }
            for (i = 1; i <= m; i++) print "delete|" old[i]
        }'
}

# A command of ours is made of words without blanks and one quoted comment: split, unquote, run.
run() {
    if [ "$dry" = yes ]; then
        echo "$1"
        return
    fi
    # shellcheck disable=SC2086 # the words are ours: names, numbers and addresses
    set -- $1
    last=
    for word in "$@"; do last=$word; done
    last=${last#\'}
    last=${last%\'}
    count=$#
    while [ "$count" -gt 1 ]; do
        set -- "$@" "$1"
        shift
        count=$((count - 1))
    done
    shift
    "$@" "$last"
}

# --- the guard: a block in after.rules, and one in after.init that keeps the jump to it ---

begin='# BEGIN PORTGEN-GUARD'
end='# END PORTGEN-GUARD'

init_block() {
    cat <<'INIT'
# BEGIN PORTGEN-GUARD
# Placed by portgen-ufw.sh. A rules file can't say "unless it is there", so the jump to the guard is kept here.
# DOCKER-USER is made where dockerd has not started yet, as at boot: dockerd then takes it as it is.
if [ "${1-}" = start ]; then
    iptables -w -n -L DOCKER-USER >/dev/null 2>&1 || iptables -w -N DOCKER-USER
    iptables -w -C DOCKER-USER -j PORTGEN-GUARD 2>/dev/null || iptables -w -I DOCKER-USER 1 -j PORTGEN-GUARD
fi
INIT
    # A file that was not executable did not run before; the rest of it must not start to run because of us.
    [ "$1" = asleep ] && echo 'exit 0 # the file was not executable before: nothing below runs'
    echo "$end"
}

# without_block FILE: the file without our block; fails where the block has no end.
without_block() {
    awk -v begin="$begin" -v end="$end" '
        $0 == begin { if (inside) exit 1; inside = 1; next }
        $0 == end && inside { inside = 0; next }
        !inside { print }
        END { if (inside) exit 1 }' "$1"
}

# put FILE NEW: replace FILE by NEW, keeping its owner and mode; a symlink stays one, and the file that it names is replaced.
put() {
    target=$(readlink -f -- "$1")
    cp -p -- "$target" "$target.portgen-new"
    cat -- "$2" >"$target.portgen-new"
    mv -- "$target.portgen-new" "$target"
}

guard() {
    rules_file=$etc/after.rules
    init_file=$etc/after.init
    for file in "$rules_file" "$init_file"; do
        # Only in a dry run: root reads them all.
        if [ -e "$file" ] && [ ! -r "$file" ]; then
            verb=place
            [ "$guarded" = yes ] || verb=remove
            echo "# would $verb the PORTGEN-GUARD blocks of $rules_file and $init_file" \
                "(can't read $file: run as root to see whether they are there)"
            return
        fi
    done
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    [ -e "$rules_file" ] || {
        [ "$guarded" = no ] && return
        if [ "$dry" = yes ]; then
            echo "# would place the PORTGEN-GUARD blocks of $rules_file and $init_file"
            return
        fi
        echo "$0: $rules_file is missing: is ufw installed?" >&2
        exit 1
    }
    without_block "$rules_file" >"$work/rules" || {
        echo "$0: $rules_file has a '$begin' without its '$end': mend it by hand" >&2
        exit 1
    }
    : >"$work/init"
    asleep=awake
    if [ -e "$init_file" ]; then
        without_block "$init_file" >"$work/init" || {
            echo "$0: $init_file has a '$begin' without its '$end': mend it by hand" >&2
            exit 1
        }
        if [ ! -x "$init_file" ] || grep -q '^exit 0 # the file was not executable before' "$init_file"; then asleep=asleep; fi
    fi
    if [ "$guarded" = yes ]; then
        [ -r "$here/portgen-after.rules" ] || {
            echo "$0: $here/portgen-after.rules is missing: keep it beside this script" >&2
            exit 1
        }
        # In its old place where it has one, so that what stands around it keeps its order.
        awk -v begin="$begin" -v end="$end" -v block="$here/portgen-after.rules" '
            function insert(   line) { while ((getline line < block) > 0) print line; done = 1 }
            $0 == begin { insert(); inside = 1; next }
            $0 == end && inside { inside = 0; next }
            !inside { print }
            END { if (!done) insert() }' "$rules_file" >"$work/rules"
        head=$(sed -n 1p "$work/init")
        case "$head" in
        '') head='#!/bin/sh' ;;
        '#!'*sh) ;;
        *)
            echo "$0: $init_file is no shell script: add the jump to PORTGEN-GUARD by hand" >&2
            exit 1
            ;;
        esac
        {
            echo "$head"
            init_block "$asleep"
            sed 1d "$work/init"
        } >"$work/init.new"
        mv "$work/init.new" "$work/init"
    fi
    changed=no
    cmp -s "$work/rules" "$rules_file" || changed=yes
    if [ -e "$init_file" ] || [ "$guarded" = yes ]; then
        if [ ! -e "$init_file" ] || ! cmp -s "$work/init" "$init_file" || { [ "$guarded" = yes ] && [ ! -x "$init_file" ]; }; then changed=yes; fi
    fi
    active=no
    if [ "$changed" = yes ] && LC_ALL=C ufw status 2>/dev/null | grep -q '^Status: active'; then active=yes; fi
    if [ "$changed" = yes ] && [ "$dry" = yes ]; then
        echo "# would change the PORTGEN-GUARD blocks of $rules_file and $init_file"
        echo 'ufw reload'
    elif [ "$changed" = yes ]; then
        cp -p -- "$rules_file" "$work/rules.old"
        if [ -e "$init_file" ]; then cp -p -- "$init_file" "$work/init.old"; fi
        put "$rules_file" "$work/rules"
        if [ "$guarded" = yes ]; then
            [ -e "$init_file" ] || : >"$init_file"
            put "$init_file" "$work/init"
            chmod u+x "$init_file"
        elif [ -e "$init_file" ] && ! cmp -s "$work/init" "$init_file"; then
            put "$init_file" "$work/init"
            if [ "$asleep" = asleep ]; then chmod a-x "$init_file"; fi
        fi
        if [ "$active" = yes ] && ! ufw reload; then
            put "$rules_file" "$work/rules.old"
            if [ -e "$work/init.old" ]; then cp -p -- "$work/init.old" "$init_file"; else rm -f -- "$init_file"; fi
            echo "$0: ufw did not take the guard; $rules_file and $init_file are as they were" >&2
            # A reload that fails leaves ufw disabled, at the next boot too, and it was active.
            if ! { ufw --force enable && ufw reload; }; then
                echo "$0: ufw does not come up again: see to it at once, the host may be open" >&2
            fi
            exit 1
        fi
        if [ "$active" = no ] && [ "$guarded" = yes ]; then
            echo "$0: ufw is not active: the guard takes effect with 'ufw enable'" >&2
        fi
    fi
    if [ "$guarded" = no ] && [ "$dry" = no ] && iptables -w -n -L PORTGEN-GUARD >/dev/null 2>&1; then
        while iptables -w -D DOCKER-USER -j PORTGEN-GUARD 2>/dev/null; do :; done
        iptables -w -F PORTGEN-GUARD
        iptables -w -X PORTGEN-GUARD
    fi
}

# --- all of it: the guard comes before what it guards, and what is taken back comes last ---

todo=$(difference)
each() {
    printf '%s\n' "$todo" | sed -n "s/^$1|//p"
}

# run_all KIND: run each command of that kind, and remember those that ufw refuses.
failures=0
failed=
run_all() {
    while IFS= read -r command; do
        [ -n "$command" ] || continue
        run "$command" </dev/null || {
            failures=$((failures + 1))
            failed="$failed${failed:+; }$command"
        }
    done <<COMMANDS
$(each "$1")
COMMANDS
}

each note | while IFS= read -r text; do echo "$0: $text" >&2; done
if [ "$guarded" = yes ]; then guard; fi
run_all add
kept=no
if [ "$failures" = 0 ]; then run_all delete; else kept=yes; fi
if [ "$failures" -gt 0 ]; then
    commands='commands'
    [ "$failures" -gt 1 ] || commands='command'
    echo "$0: $failures $commands failed: $failed" >&2
fi
if [ "$kept" = yes ]; then
    echo "$0: nothing is taken back until every rule is added" >&2
elif [ "$guarded" = no ]; then
    guard
fi
[ "$failures" = 0 ] || exit 1
