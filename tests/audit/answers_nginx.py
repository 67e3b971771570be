"""What lies in /etc/nginx on a clean host, for any plan.

In: a question about files, and the rendered files. Out: the files, as Debian's nginx has them, with ours
among them.
"""

from __future__ import annotations

import fnmatch
import posixpath

from portgen.plan.live import InstalledFile
from portgen.plan.types import Host
from portgen.targets import Files
from portgen.targets.nginx import observing
from tests.audit import numbers

AT = 1_800_000_000.0
MAIN = """\
user www-data;
worker_processes auto;
pid /run/nginx.pid;
include /etc/nginx/modules-enabled/*.conf;

events {
	worker_connections 768;
}

http {
	include /etc/nginx/mime.types;
	access_log /var/log/nginx/access.log;

	include /etc/nginx/conf.d/*.conf;
	include /etc/nginx/sites-enabled/*;
}

#mail {
#	server { listen localhost:110; }
#}
"""
DEFAULT = """\
server {
	listen 80 default_server;
	listen [::]:80 default_server;
	root /var/www/html;
	server_name _;
	location / {
		try_files $uri $uri/ =404;
	}
}
"""
# What a team writes that has its own server block.
TEAM = """\
server {
    listen 80;
    server_name team.example.com;
    include snippets/portgen-locations.conf;
}
"""
OTHERS = {
    "/etc/nginx/nginx.conf": MAIN,
    "/etc/nginx/mime.types": "types { text/html html; }\n",
    "/etc/nginx/modules-enabled/50-mod-http-echo.conf": (
        "load_module modules/ngx_http_echo_module.so;\n"
    ),
    "/etc/nginx/sites-enabled/default": DEFAULT,
}
LINKS = {"/etc/nginx/sites-enabled/default": "/etc/nginx/sites-available/default"}


def texts(host: Host, rendered: dict[str, str]) -> dict[str, str]:
    """All files that are read, by path."""
    found = dict(OTHERS)
    if host.server is not None and not host.server.names:
        found["/etc/nginx/sites-enabled/team"] = TEAM
    for path, place in observing.OURS.items():
        if path in rendered:
            found[place] = rendered[path]
    return found


def files(ask: Files, host: Host, rendered: dict[str, str]) -> tuple[InstalledFile, ...]:
    """The answer to one question about a folder of nginx's, or about a key."""
    if not ask.read:
        paths = [path for path in observing.secrets(host) if ask == Files.one(path, read=False)]
        return tuple(InstalledFile(path, None, 0o640, _older(), "root:www-data") for path in paths)
    return tuple(
        InstalledFile(path, text, 0o644, _older(), real=LINKS.get(path, path))
        for path, text in sorted(texts(host, rendered).items())
        if fnmatch.fnmatchcase(posixpath.dirname(path), ask.folder)
        and fnmatch.fnmatchcase(posixpath.basename(path), ask.pattern)
    )


def _older() -> float:
    """Earlier than nginx's workers."""
    return AT - numbers.BEFORE - 60
