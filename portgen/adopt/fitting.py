"""Whether an inventory may have a value, and in which form.

In: a value as a source has it. Out: yes or no; or the value as the inventory writes it. Pure. The types of
the inventory decide, so that what is written can be loaded.
"""

from __future__ import annotations

import ipaddress
from typing import Any

import msgspec

from portgen.inventory import model
from portgen.inventory.networks import BindAddress, Cidr
from portgen.plan.ports import EVERYWHERE, EVERYWHERE6

WILD = ("", EVERYWHERE, EVERYWHERE6)  # each address: of both families, or of one


def fits(value: object, kind: Any) -> bool:
    """Whether a value is one of a type of the inventory's."""
    return why_not(value, kind) is None


def why_not(value: object, kind: Any) -> str | None:
    """What is wrong with a value; None where it is one of that type."""
    try:
        msgspec.convert(value, kind, strict=True, dec_hook=model.decode_value)
    except msgspec.ValidationError as error:
        return str(error).partition(" - at ")[0]
    return None


def network(text: str) -> str | None:
    """A network or an address as an inventory has it, without the bits of one host; None of what is
    neither."""
    try:
        found = str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return None
    return found if fits(found, Cidr) else None


def is_port(number: int) -> bool:
    """Whether it is a port."""
    return 0 < number < 65536


def is_bind(address: str) -> bool:
    """Whether somebody can listen there: "" and the addresses that stand for all of a family count, too."""
    return address in WILD or fits(address, BindAddress)


def is_in(address: str, subnet: str) -> bool:
    """Whether an address is one of a network; a name is none."""
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(subnet, strict=False)
    except ValueError:
        return False
