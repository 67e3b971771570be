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
"""
# Which compose service may publish a port or have an address; holder6: by IPv6, or publish from a network.
HOLDERS = """
holder 172.30.0.31 wall Derived_1.x # portgen:derived
holder 172.30.0.16 wall lowest # portgen:lowest
holder 172.30.0.2 wall pinned # portgen:pinned
holder 172.30.0.3 wall published # portgen:published
"""
# For which families portgen-after.rules (4) and portgen-after6.rules (6) are there.
GUARDED = (4,)



sys.exit(main(sys.argv[2:], RULES, HOLDERS, GUARDED, Path(os.path.realpath(sys.argv[1])).parent))
PORTGEN_UFW
