"""What a team writes by hand in an afternoon: CSafeLoader, Jinja2, difflib. The measure that portgen is held against.

It renders the same files with the same directives. It checks nothing, has no places in its messages, and overwrites what it finds. `--check` exits 1 on a difference.
"""

import difflib
import ipaddress
import os
import sys

import jinja2
import yaml

NGINX = """map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
{% for s in services %}
# {{ s.name }}
upstream up_{{ s.name }} {
    server 127.0.0.1:{{ s.port }};
    keepalive 32;
}
{% endfor %}
server {
    listen 80;
    server_name {{ server_name }};
    include snippets/locations.conf;
}
"""
LOCATIONS = """{% for s in services %}
# {{ s.name }} {{ s.title }}
location = {{ s.route.rstrip("/") }} {
    absolute_redirect off;
    return 301 {{ s.route }}$is_args$args;
}
location ^~ {{ s.route }} {
    proxy_pass http://up_{{ s.name }}/;
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header X-Forwarded-Prefix "{{ s.route.rstrip("/") }}";
    proxy_buffering off;
    proxy_connect_timeout 5s;
    proxy_read_timeout {{ s.timeout or 300 }}s;
    proxy_send_timeout {{ s.timeout or 300 }}s;
{% if s.max_body %}
    client_max_body_size {{ s.max_body }};
{% endif %}
}
{% endfor %}"""
COMPOSE = """services:
{% for s in services %}
  # {{ s.name }} {{ s.title }}
  "{{ s.name }}":
    networks:
      "dashboards":
        ipv4_address: "{{ s.address }}"
{% endfor %}
networks:
  "dashboards":
    name: "dashboards"
    ipam:
      config:
        - subnet: "{{ subnet }}"
"""
UFW = """#!/bin/sh
set -eu
{% for s in services %}
{% for source in s.allow %}
ufw allow proto tcp from {{ source }} to any port {{ s.port }} comment '{{ s.name }}'
{% endfor %}
{% endfor %}
"""
UNIT = """# {{ s.name }}
[Unit]
Description=forwarder: {{ s.title }}, port {{ s.port }}
After=network-online.target docker.service
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
ExecStart=/usr/bin/socat -t 300 TCP4-LISTEN:{{ s.port }},bind=0.0.0.0,reuseaddr,fork,backlog=128 TCP4:{{ s.address }}:{{ s.container_port }}
Restart=always
RestartSec=2
DynamicUser=yes
CapabilityBoundingSet=
PrivateUsers=yes
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProcSubset=pid
PrivateDevices=yes
PrivateTmp=yes
RemoveIPC=yes
UMask=0077
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
IPAddressDeny=any
IPAddressAllow=localhost {{ s.address }} {{ s.allow | join(" ") }}

[Install]
WantedBy=multi-user.target
"""


def main(folder):
    with open(os.path.join(folder, "inventory.yaml")) as file:
        inventory = yaml.load(file, Loader=yaml.CSafeLoader)
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    zones = next(iter(inventory["hosts"].values()))["zones"]
    services = []
    for project in inventory["projects"].values():
        defaults = project.get("defaults", {})
        lowest = int(str(project["ports"]).split("-")[0])
        subnet = ipaddress.ip_network(project["network"]["subnet"]).network_address
        for name, service in project["services"].items():
            merged = {**defaults, **service, "name": name}
            merged["route"] = merged["route"].replace("{name}", name)
            merged["allow"] = [source for zone in merged["allow"] for source in zones[zone]]
            merged["address"] = subnet + 16 + merged["port"] - lowest
            services.append(merged)
    files = {
        name: environment.from_string(text).render(services=services)
        for name, text in (("nginx.conf", NGINX), ("locations.conf", LOCATIONS), ("compose.yml", COMPOSE), ("ufw.sh", UFW))
    }
    unit = environment.from_string(UNIT)
    files.update((f"{s['name']}.service", unit.render(s=s)) for s in services)
    different = False
    for name, text in sorted(files.items()):
        path = os.path.join(folder, "script-output", name)
        try:
            with open(path) as file:
                before = file.read()
        except FileNotFoundError:
            before = ""
        if before != text:
            different = True
            sys.stdout.writelines(difflib.unified_diff(before.splitlines(True), text.splitlines(True), path, path))
            if "--check" not in sys.argv:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w") as file:
                    file.write(text)
    sys.exit(1 if different and "--check" in sys.argv else 0)


main(sys.argv[1])
