"""Hand-written: render everything from inventory.yaml, show a diff, write (or exit 1 with --check)."""

import argparse
import difflib
import ipaddress
import sys
from pathlib import Path

import jinja2
import yaml


def services(inventory):
    zones = next(iter(inventory["hosts"].values()))["zones"]
    for project in inventory["projects"].values():
        lowest = int(str(project["ports"]).split("-")[0])
        network = ipaddress.ip_network(project["network"]["subnet"])
        for name, own in project["services"].items():
            service = {**project.get("defaults", {}), **own, "name": name}
            service["route"] = service["route"].replace("{name}", name)
            service["allow"] = [source for zone in service["allow"] for source in zones[zone]]
            service["address"] = network.network_address + 16 + service["port"] - lowest
            yield service


def render(inventory):
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    host = next(iter(inventory["hosts"].values()))
    every = list(services(inventory))
    values = {
        "services": every,
        "server_name": host["nginx"]["server_name"],
        "subnet": "172.16.0.0/15",
    }
    for name in ("nginx.conf", "locations.conf", "compose.yml", "ufw.sh"):
        yield name, environment.get_template(f"{name.split('.')[0]}.j2").render(values)
    for service in every:
        yield f"{service['name']}.service", environment.get_template("unit.j2").render(s=service)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    inventory = yaml.load((options.folder / "inventory.yaml").read_text(), Loader=yaml.CSafeLoader)
    different = False
    for name, text in render(inventory):
        path = options.folder / "script-output" / name
        before = path.read_text() if path.exists() else ""
        diff = list(
            difflib.unified_diff(
                before.splitlines(True), text.splitlines(True), str(path), str(path)
            )
        )
        if diff:
            different = True
            sys.stdout.writelines(diff)
            if not options.check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
    return int(different and options.check)


sys.exit(main())
