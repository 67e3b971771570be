"""How the firewall's rules change, and between whom."""

from __future__ import annotations

from portgen.plan.ports import Endpoint
from portgen.plan.types import NGINX
from portgen.review import host_words, steps, words
from portgen.review.firewall import Rule
from tests.review.reviewed import by_files, by_plans

WALL = """\
version: 1
hosts:
  box:
    zones: {lan: [192.168.0.0/16]}
    nginx: {server_name: a.example.com, listen: LISTEN, allow: [lan]}
projects: {wall: {ports: 5000-5099, services: {wall: {port: PORT, via: process, allow: [lan]}}}}
"""


def test_a_port_that_goes_from_nginx_to_a_service_is_neither_opened_nor_closed() -> None:
    before = WALL.replace("LISTEN", "5005").replace("PORT", "5006")
    after = WALL.replace("LISTEN", "5004").replace("PORT", "5005")
    box, port, lan = "box", Endpoint(5005, "tcp"), "192.168.0.0/16"
    for found in (by_plans(before, after), by_files(before, after)):
        [step] = (step for step in found.steps if isinstance(step, steps.ChangeFirewall))
        assert step.relabels == (Rule(box, port, lan, "wall", NGINX),)
        assert [rule.port.port for rule in step.opens] == [5004]
        assert [rule.port.port for rule in step.closes] == [5006]
        assert (
            words.service(found.services[0], found.names)[2] == "takes over 5005/tcp, open to lan"
        )
        assert list(host_words.hosts(found)) == [
            "box: nginx listens on 5004/tcp (was 5005/tcp)",
            "box: nginx opens 5004/tcp to lan",
        ]
