"""Every dashboard is found behind nginx, by its own name and by nobody else's, and hears where the visitor
came from."""

from __future__ import annotations

import pytest

from tests.real.estate import HOST, NEIGHBOUR, Estate


@pytest.mark.parametrize("netns", ["lan", "outside"])
def test_every_route_answers_with_its_own_dashboards_name(estate: Estate, netns: str) -> None:
    assert len(estate.declared.routed) == 25
    assert estate.who_answers(netns=netns) == {
        service.name: service.name for service in estate.declared.routed
    }


def test_every_forwarder_leads_to_its_own_dashboard(estate: Estate) -> None:
    services = [
        service for service in estate.declared.services if service.ports[0].protocol == "http"
    ]
    answers = estate.visit([estate.direct(service, "api/health") for service in services])
    assert [answer.get("json", {}).get("name") for answer in answers] == [
        service.name for service in services
    ]


def test_a_dashboard_hears_the_visitors_address_scheme_host_and_its_prefix(estate: Estate) -> None:
    places = [
        estate.place(service, "deep/er?q=1&r=%20x", netns="outside")
        for service in estate.declared.routed
    ]
    for service, answer in zip(
        estate.declared.routed, estate.visit(places, netns="outside"), strict=True
    ):
        heard = answer["json"]
        assert service.route is not None
        assert (heard["path"], heard["query"]) == ("/deep/er", "q=1&r=%20x"), service.name
        assert heard["host"] == "dashboards.example.com"
        assert heard["forwarded"]["x-forwarded-for"] == NEIGHBOUR["outside"]
        assert heard["forwarded"]["x-forwarded-proto"] == "https"
        assert heard["forwarded"]["x-forwarded-host"] == "dashboards.example.com"
        assert heard["forwarded"]["x-forwarded-prefix"] == service.route.rstrip("/")


def test_a_dashboards_own_redirect_stays_under_its_prefix(estate: Estate) -> None:
    for name in ("hub-dashboard", "variances-dashboard", "technician-kpi-wall"):
        (answer,) = estate.visit([estate.place(name, "login")])
        assert answer["status"] == 302
        assert answer["headers"]["location"] == f"https://dashboards.example.com/dashboard/{name}/"


def test_a_route_without_its_slash_redirects_within_the_visitors_address(
    estate: Estate,
) -> None:
    routes = [service.route or "" for service in estate.declared.routed]
    places = [
        {"url": f"https://dashboards.example.com{route.rstrip('/')}?a=1&b=2", "at": HOST["lan"]}
        for route in routes
    ]
    for route, answer in zip(routes, estate.visit(places), strict=True):
        assert answer["status"] in {301, 302, 307, 308}
        # Relative to what the visitor asked, so it holds behind any host and port, such as a forwarded one.
        assert answer["headers"]["location"] == f"{route}?a=1&b=2"


def test_a_visitor_is_told_nginxs_own_port_whatever_port_the_host_header_has(
    estate: Estate,
) -> None:
    place = {
        **estate.place("hub-dashboard", "login"),
        "headers": {"Host": "dashboards.example.com:8443"},
    }
    (answer,) = estate.visit([place])
    assert (
        answer["headers"]["location"] == "https://dashboards.example.com/dashboard/hub-dashboard/"
    )


def test_plain_http_redirects_to_https_and_keeps_the_path_and_the_query(estate: Estate) -> None:
    places = [
        {"url": f"http://dashboards.example.com{path}", "at": HOST["lan"]}
        for path in ("/", "/dashboard/smartnumbers/x?a=1&b=2", "/dashboard/smartnumbers")
    ]
    for place, answer in zip(places, estate.visit(places), strict=True):
        assert answer["status"] in (301, 302, 307, 308)
        assert answer["headers"]["location"] == place["url"].replace("http://", "https://")


def test_a_path_that_only_begins_like_a_route_is_nobodys(estate: Estate) -> None:
    places = [
        {"url": f"https://dashboards.example.com{path}", "at": HOST["lan"]}
        for path in (
            "/dashboard/hub-dashboardx/",
            "/dashboard/hub-dashboardx",
            "/dashboard/",
            "/dashboard/nobody/",
        )
    ]
    assert [(answer["status"], answer.get("json")) for answer in estate.visit(places)] == [
        (404, None)
    ] * len(places)


def test_the_api_and_the_hub_answer_and_postgresql_does_to_the_dashboards_only(
    estate: Estate,
) -> None:
    api, hub = estate.visit(
        [estate.direct("api-server", "api/health"), estate.place("hub-dashboard")]
    )
    assert api["json"]["name"] == "api-server"
    assert "<h1>hub-dashboard</h1>" in hub["text"]
    ask = (
        "import socket, struct; s = socket.create_connection(('172.30.0.1', 5432), 3);"
        "s.sendall(struct.pack('!II', 8, 80877103)); print(s.recv(1).decode())"
    )
    assert estate.compose("exec", "-T", "smartnumbers", "python3", "-c", ask).strip() == "N"
    assert estate.ask("reach", targets=[[HOST["lan"], 5432, "tcp"]]) == ["silent"]
