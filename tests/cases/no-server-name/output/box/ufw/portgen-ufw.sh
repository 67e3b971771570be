#!/bin/sh
# Rendered by portgen from the inventory of box: change it there, edits here are lost.
#
#   portgen-ufw.sh             add the rules below that are missing, then delete those of ours that are no longer below
#   portgen-ufw.sh --dry-run   print the ufw commands that it would run
#
# Ours is a rule whose comment is `portgen:` and a name. Nobody else's rule is changed: where an operator already allows the
# same, theirs stays as it is. It never enables ufw. Running it again changes nothing.
set -eu

rules() {
    cat <<'RULES'
ufw allow proto tcp from any to any port 8080 comment 'portgen:nginx'
ufw allow proto tcp from any to any port 8443 comment 'portgen:nginx'
RULES
}
guarded=no

