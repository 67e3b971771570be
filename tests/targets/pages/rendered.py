"""The pages of an inventory, as text."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from portgen.files import render
from portgen.plan.types import Plan
from portgen.targets.docs import writing as docs
from tests.estates import planned

ROOT = Path(__file__).parents[3]
EVERYTHING = Path(__file__).parent / "everything"


class Pages(NamedTuple):
    """One host's pages."""

    guide: str
    page: str

    @property
    def data(self) -> str:
        """The lines that the page's script reads."""
        start = self.page.index('id="data">') + len('id="data">')
        return self.page[start : self.page.index("</script>", start)]


def pages(text: bytes) -> Pages:
    """The first host's pages."""
    plan = planned(text)
    files = _files(plan)
    folder = f"{plan.hosts[0].name}/docs"
    return Pages(files[f"{folder}/PORTS.md"], files[f"{folder}/ports.html"])


def _files(plan: Plan) -> dict[str, str]:
    """The texts of all hosts' pages, by path."""
    rendered = render.files(plan, {"docs": docs}, [ROOT / "templates"])
    return {file.path: file.text for file in rendered}


def many(services: int) -> bytes:
    """A host with so many services that the map is a picture and the table has pages."""
    lines = [
        "version: 1",
        "hosts: {big: {nginx: {server_name: big.example.com, allow: [any]}}}",
        "projects:",
        "  dashboard:",
        "    ports: 2000-29999",
        "    network: {name: dashboards, subnet: 172.16.0.0/15}",
        "    defaults: {container_port: 5000, route: '/dashboard/{name}/'}",
        "    services:",
    ]
    lines += [
        f"      dashboard-{number:05}: {{title: Dashboard {number}, port: {2000 + number}}}"
        for number in range(services)
    ]
    return "\n".join(lines).encode()
