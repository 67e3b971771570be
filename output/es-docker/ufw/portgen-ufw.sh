#!/bin/sh
# Rendered by portgen from the inventory of es-docker: change it there, edits here are lost.
#
#   portgen-ufw.sh             add the rules below that are missing, then delete those of ours that are no longer below
#   portgen-ufw.sh --dry-run   print the ufw commands that it would run
#
# Ours is a rule whose comment is `portgen:` and a name. Nobody else's rule is changed: where an operator already allows the
# same, theirs stays as it is. It never enables ufw. Running it again changes nothing.
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

# What differs, as lines "add|command", "delete|command", "note|text". ufw writes each rule into user.rules as
#   ### tuple ### allow tcp 5007 0.0.0.0/0 any 192.168.0.0/16 in comment=<hex>
difference() {
    {
        rules
        echo '=== present ==='
        if [ "$readable" = yes ]; then cat "$etc/user.rules" "$etc/user6.rules"; fi
    } | awk '
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

# put FILE NEW: replace FILE by NEW, keeping its owner and mode.
put() {
    cp -p -- "$1" "$1.portgen-new"
    cat -- "$2" >"$1.portgen-new"
    mv -- "$1.portgen-new" "$1"
}

guard() {
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    rules_file=$etc/after.rules
    init_file=$etc/after.init
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
    if LC_ALL=C ufw status 2>/dev/null | grep -q '^Status: active'; then active=yes; fi
    if [ "$changed" = yes ] && [ "$dry" = yes ]; then
        echo "# would change the PORTGEN-GUARD blocks of $rules_file and $init_file"
        echo 'ufw reload'
    elif [ "$changed" = yes ]; then
        cp -p -- "$rules_file" "$work/rules.old"
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
            ufw reload || true
            echo "$0: ufw did not take the guard; $rules_file is as it was" >&2
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

todo=$(difference)
each() {
    printf '%s\n' "$todo" | sed -n "s/^$1|//p"
}
each note | while IFS= read -r text; do echo "$0: $text" >&2; done
each add | while IFS= read -r command; do run "$command"; done
guard
each delete | while IFS= read -r command; do run "$command"; done
