#!/bin/bash
# started by /etc/rc.local after docker is up
sleep 10

GRAFANA=172.17.0.2
LOG=/var/log/forwards.log

socat TCP-LISTEN:3000,fork,reuseaddr TCP:$GRAFANA:3000 &

# minio: api for everybody at home, console for this machine only
nohup socat TCP4-LISTEN:9000,fork,reuseaddr TCP4:172.17.0.3:9000 >> $LOG 2>&1 &
nohup socat TCP4-LISTEN:9001,bind=127.0.0.1,fork,reuseaddr TCP4:172.17.0.3:9001 >> "$LOG" 2>&1 &

# the branch office has IPv6 only
socat TCP6-LISTEN:8443,bind=[2001:db8:1::10],ipv6only=1,fork,reuseaddr TCP4:172.17.0.4:443 &

# syslog of the router
nohup /usr/bin/socat -T 60 UDP4-LISTEN:5514,fork,reuseaddr \
    UDP4:172.17.0.5:514 &

#socat TCP-LISTEN:3307,fork,reuseaddr TCP:172.17.0.9:3306 &     # mysql is gone

# docker's api, for the agent on this machine
socat TCP-LISTEN:2375,bind=127.0.0.1,fork,reuseaddr UNIX-CONNECT:/var/run/docker.sock &

exit 0
