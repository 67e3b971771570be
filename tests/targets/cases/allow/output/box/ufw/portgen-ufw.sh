#!/bin/sh
# Rendered by portgen from the inventory of box: change it there, edits here are lost.
#
#   portgen-ufw.sh             add the rules below that are missing, then delete portgen's rules that are not below
#   portgen-ufw.sh --dry-run   print what it would do
#   portgen-ufw.sh --keep 5007/tcp,5353/udp   the same, but leave the old rules for these ports to a later run
#
# portgen's rules are those with the comment `portgen:` and a name. Any other rule for the same port and source is neither
# changed nor removed, whatever it says. The guard (portgen-after.rules, and portgen-after6.rules for IPv6, if they are there)
# is loaded into the kernel before anything is opened, and removed only when no container needs it. The script never enables or
# reloads ufw.
# Exit codes: 0: everything is in force. 3: everything but what was skipped or kept on purpose, which is printed, or ufw is not
# active. 1: a command failed; while a rule can't be added, none is removed. It can be run again: it finishes what is left.
exec python3 -I - "$0" "$@" <<'PORTGEN_UFW'
from __future__ import annotations

RULES = """
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
"""
# Which compose service may publish a port or have an address; holder6: by IPv6, or publish from a network.
HOLDERS = """
holder 172.30.0.23 wall a-network # portgen:a-network
holder 172.30.0.21 wall a-project # portgen:a-project
holder 172.30.0.22 wall a-project-of-programs # portgen:a-project-of-programs
holder 172.30.0.24 wall an-address # portgen:an-address
holder 172.30.0.19 wall anybody # portgen:anybody
holder 172.30.0.20 wall anybody-and-more # portgen:anybody-and-more
holder 172.30.0.26 wall both-families # portgen:both-families
holder 172.30.0.16 wall by-default # portgen:by-default
holder 172.30.0.18 wall cancelled # portgen:cancelled
holder 172.30.0.25 wall ipv6 # portgen:ipv6
holder 172.30.0.17 wall nobody # portgen:nobody
holder 172.30.0.27 wall the-same-twice # portgen:the-same-twice
"""
# For which families portgen-after.rules (4) and portgen-after6.rules (6) are there.
GUARDED = ()



sys.exit(main(sys.argv[2:], RULES, HOLDERS, GUARDED, Path(os.path.realpath(sys.argv[1])).parent))
PORTGEN_UFW
