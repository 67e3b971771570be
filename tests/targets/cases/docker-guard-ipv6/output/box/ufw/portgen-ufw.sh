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
ufw allow proto tcp from any to any port 5002 comment 'portgen:for-all'
ufw allow proto tcp from 0.0.0.0/0 to any port 5003 comment 'portgen:for-all-of-ipv4'
ufw allow proto tcp from fd00:77::7 to any port 5003 comment 'portgen:for-all-of-ipv4'
ufw allow proto tcp from 192.168.0.0/16 to any port 5000 comment 'portgen:for-lan'
ufw allow proto tcp from fd00:77::/64 to any port 5000 comment 'portgen:for-lan'
ufw allow in on wg0 proto tcp from any to any port 5001 comment 'portgen:for-wire'
ufw allow proto tcp from 10.0.0.0/8 to any port 5004 comment 'portgen:ipv4-only'
ufw allow proto tcp from 192.168.0.0/16 to any port 5100 comment 'portgen:joined'
ufw allow proto tcp from fd00:77::/64 to any port 5100 comment 'portgen:joined'
ufw allow proto tcp from fd00:77::/64 to fd00:77::5 port 5005 comment 'portgen:on-one-address'
ufw allow proto udp from 192.168.0.0/16 to any port 30000:30009 comment 'portgen:relay'
ufw allow proto udp from fd00:77::/64 to any port 30000:30009 comment 'portgen:relay'
ufw allow proto tcp from 192.168.0.0/16 to any port 5200 comment 'portgen:without-ipv6'
ufw allow proto tcp from fd00:77::/64 to any port 5200 comment 'portgen:without-ipv6'
"""
# Which compose service may publish a port or have an address; holder6: by IPv6, or publish from a network.
HOLDERS = """
holder 5002/tcp wall for-all # portgen:for-all
holder 172.30.0.18 wall for-all # portgen:for-all
holder6 5002/tcp wall for-all # portgen:for-all
holder6 fd00:30::/64 wall for-all # portgen:for-all
holder 5003/tcp wall for-all-of-ipv4 # portgen:for-all-of-ipv4
holder 172.30.0.19 wall for-all-of-ipv4 # portgen:for-all-of-ipv4
holder6 5003/tcp wall for-all-of-ipv4 # portgen:for-all-of-ipv4
holder6 fd00:30::/64 wall for-all-of-ipv4 # portgen:for-all-of-ipv4
holder 5000/tcp wall for-lan # portgen:for-lan
holder 172.30.0.16 wall for-lan # portgen:for-lan
holder6 5000/tcp wall for-lan # portgen:for-lan
holder6 fd00:30::/64 wall for-lan # portgen:for-lan
holder 5001/tcp wall for-wire # portgen:for-wire
holder 172.30.0.17 wall for-wire # portgen:for-wire
holder6 5001/tcp wall for-wire # portgen:for-wire
holder6 fd00:30::/64 wall for-wire # portgen:for-wire
holder 5004/tcp wall ipv4-only # portgen:ipv4-only
holder 172.30.0.20 wall ipv4-only # portgen:ipv4-only
holder6 fd00:30::/64 wall ipv4-only # portgen:ipv4-only
holder 5100/tcp beside joined # portgen:joined
holder 172.30.0.36 beside joined # portgen:joined
holder6 5100/tcp beside joined # portgen:joined
holder6 fd00:30::/64 beside joined # portgen:joined
holder 172.30.0.22 wall on-loopback # portgen:on-loopback
holder6 fd00:30::/64 wall on-loopback # portgen:on-loopback
holder 172.30.0.21 wall on-one-address # portgen:on-one-address
holder6 [fd00:77::5]:5005/tcp wall on-one-address # portgen:on-one-address
holder6 fd00:30::/64 wall on-one-address # portgen:on-one-address
holder 30000-30009/udp wall relay # portgen:relay
holder 172.30.0.26 wall relay # portgen:relay
holder6 30000-30009/udp wall relay # portgen:relay
holder6 fd00:30::/64 wall relay # portgen:relay
holder 5200/tcp apart without-ipv6 # portgen:without-ipv6
holder 172.30.2.16 apart without-ipv6 # portgen:without-ipv6
holder6 5200/tcp apart without-ipv6 # portgen:without-ipv6
"""
# For which families portgen-after.rules (4) and portgen-after6.rules (6) are there.
GUARDED = (4, 6)



sys.exit(main(sys.argv[2:], RULES, HOLDERS, GUARDED, Path(os.path.realpath(sys.argv[1])).parent))
PORTGEN_UFW
