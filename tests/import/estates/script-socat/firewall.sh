#!/bin/sh -e
# run once after changes

LAN=192.168.1.0/24

ufw --force reset
ufw default deny incoming
ufw default allow outgoing

ufw allow 22/tcp comment 'ssh'
ufw allow from $LAN to any port 3000 proto tcp comment "grafana"
ufw allow proto tcp from ${LAN} to any port 9000
ufw allow proto tcp from 10.77.0.0/16 to any port 9000 comment 'cameras'
ufw allow proto tcp from 2001:db8:2::/48 to any port 8443
ufw allow in proto udp from 192.168.1.1 to any port 5514   # the router
ufw allow from $LAN to any port 3307 proto tcp
# ufw allow 9001/tcp

ufw --force enable
ufw status verbose
