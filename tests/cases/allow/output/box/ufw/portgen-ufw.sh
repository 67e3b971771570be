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
ufw allow proto tcp from 203.0.113.0/24 to any port 5007 comment 'portgen:a-network'
ufw allow proto tcp from 172.31.0.0/24 to any port 5005 comment 'portgen:a-project'
ufw allow proto tcp from 203.0.113.7 to any port 5008 comment 'portgen:an-address'
ufw allow proto tcp from 203.0.113.8 to any port 5008 comment 'portgen:an-address'
ufw allow proto tcp from any to any port 5003 comment 'portgen:anybody'
ufw allow proto tcp from any to any port 5004 comment 'portgen:anybody-and-more'
ufw allow proto tcp from 10.0.0.0/8 to any port 5010 comment 'portgen:both-families'
ufw allow proto tcp from 192.168.0.0/16 to any port 5010 comment 'portgen:both-families'
ufw allow proto tcp from 2001:db8::1 to any port 5010 comment 'portgen:both-families'
ufw allow proto tcp from fd00::/8 to any port 5010 comment 'portgen:both-families'
ufw allow proto tcp from 10.0.0.0/8 to any port 5000 comment 'portgen:by-default'
ufw allow proto tcp from 192.168.0.0/16 to any port 5000 comment 'portgen:by-default'
ufw allow proto tcp from 172.30.0.0/23 to any port 6000 comment 'portgen:daemon'
ufw allow proto tcp from 172.31.0.0/24 to any port 6000 comment 'portgen:daemon'
ufw allow proto tcp from fd00::/8 to any port 5009 comment 'portgen:ipv6'
ufw allow proto tcp from 10.0.0.0/8 to any port 80 comment 'portgen:nginx'
ufw allow proto tcp from 192.168.0.0/16 to any port 80 comment 'portgen:nginx'
ufw allow proto tcp from fd00::/8 to any port 5012 comment 'portgen:program-for-ipv6'
ufw allow proto tcp from 10.0.0.0/8 to any port 5011 comment 'portgen:the-same-twice'
ufw allow proto tcp from 192.168.0.0/16 to any port 5011 comment 'portgen:the-same-twice'
RULES
}
guarded=no

