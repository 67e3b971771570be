#!/bin/sh
# Rendered by portgen from the inventory of box: change it there, edits here are lost.
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
ufw allow proto tcp from 10.0.0.0/8 to any port 2530 comment 'portgen:both-transports'
ufw allow proto tcp from 10.0.0.0/8 to any port 2531 comment 'portgen:both-transports'
ufw allow proto udp from 10.0.0.0/8 to any port 2531 comment 'portgen:both-transports'
ufw allow proto tcp from any to any port 2510 comment 'portgen:mixed'
ufw allow proto tcp from any to any port 2511 comment 'portgen:mixed'
ufw allow proto udp from any to any port 2512 comment 'portgen:mixed'
ufw allow proto tcp from any to any port 2513 comment 'portgen:mixed'
ufw allow proto tcp from any to any port 2560 comment 'portgen:on-the-host'
ufw allow proto tcp from any to any port 2561 comment 'portgen:on-the-host'
ufw allow proto tcp from any to any port 2550 comment 'portgen:published'
ufw allow proto udp from any to any port 2551 comment 'portgen:published'
ufw allow proto udp from any to any port 2540 comment 'portgen:udp'
RULES
}
guarded=no

