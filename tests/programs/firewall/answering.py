"""In a container: `answering.py NAME PORT[/udp]...` answers each visitor with its name, on both families."""

from __future__ import annotations

import selectors
import socket
import sys


def main(name: str, *ports: str) -> None:
    listeners = selectors.DefaultSelector()
    for written in ports:
        number, _, transport = written.partition("/")
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        listener = socket.socket(socket.AF_INET6, kind)
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(("::", int(number)))
        if kind == socket.SOCK_STREAM:
            listener.listen(64)
        listeners.register(listener, selectors.EVENT_READ, kind)
    while True:
        for key, _ in listeners.select():
            if key.data == socket.SOCK_DGRAM:
                _, visitor = key.fileobj.recvfrom(64)
                key.fileobj.sendto(name.encode(), visitor)
                continue
            visit, _ = key.fileobj.accept()
            with visit:
                visit.sendall(name.encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
