"""Every dashboard is found behind nginx, by its own name and by nobody else's."""

from __future__ import annotations

from estate import HOST, Estate


def test_every_route_answers_with_its_own_dashboards_name(estate: Estate) -> None:
    assert len(estate.declared.routed) == 25
    for netns in ("lan", "outside"):
        answers = estate.who_answers(netns=netns)
        assert answers == {service.name: service.name for service in estate.declared.routed}
