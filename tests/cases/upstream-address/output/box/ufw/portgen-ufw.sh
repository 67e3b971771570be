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
ufw allow proto tcp from any to any port 80 comment 'portgen:nginx'
RULES
}
guarded=yes

