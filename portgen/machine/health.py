"""A health check: one GET, answered or not within a few seconds, whatever the other side does; and many of
them, repeated until they are as they should be.

In: `Request`s. Out: `Reply`s. Follows no redirect, asks no proxy, sends no password, reads the head and the
first bytes of a body. Writes nothing.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlsplit

from portgen.plan.live import Reply
from portgen.targets import Request

TIMEOUT = 3.0  # seconds for all of it: a server that trickles does not get more
HEAD = 200  # bytes of a body that are read
_AT_ONCE = 16
_PAUSE = 0.2  # seconds between two rounds
_BUFFER = 512  # bytes that are taken at once, head and body
_KEPT = "/%:=&?~+!$,;'@()*[]-._"  # what a path may have as it is


def ask(request: Request, timeout: float = TIMEOUT) -> Reply:
    """One GET of a host's own port. Its certificate need not be valid for an address of the host's."""
    begun = time.monotonic()
    connection = _Connection(begun + timeout)
    status, head, why = None, "", ""
    try:
        try:
            answer = connection.get(request.url)
            status = answer.status
            head = connection.head_of(answer).decode("utf-8", "replace")
        finally:
            connection.close()
    except TimeoutError:
        why = f"no answer within {timeout:g} s"
    except (http.client.RemoteDisconnected, ssl.SSLEOFError):
        why = (
            "the connection was closed without an answer"  # a forwarder with nobody behind it does
        )
    except http.client.HTTPException as error:
        why = f"what answers does not speak HTTP ({type(error).__name__})"
    except ssl.SSLError as error:
        why = f"what answers does not speak TLS ({error.reason or error})"
    except OSError as error:
        why = (error.strerror or str(error)).lower()
    except ValueError as error:  # a header that can't be read, a length that is not a number
        why = f"what answers does not speak HTTP ({error})"
    return Reply(request.service, request.url, status, head, why, time.monotonic() - begun)


def ask_all(some: Iterable[Request]) -> dict[str, Reply]:
    """The answers, by URL, side by side."""
    asked = {request.url: request for request in some}
    if not asked:
        return {}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(asked, pool.map(ask, asked.values()), strict=True))


def ask_until(
    some: Mapping[Request, float],
    is_fine: Callable[[Reply], bool],
    tell: Callable[[str], None] = lambda _text: None,
) -> dict[str, Reply]:
    """The answers, by URL: what is not fine is asked again, each for as many seconds as it has."""
    begun = time.monotonic()
    found: dict[str, Reply] = {}
    pending = dict(some)
    while pending:
        found.update(ask_all(pending))
        spent = time.monotonic() - begun
        left = {}
        for request, seconds in pending.items():
            if not is_fine(found[request.url]) and spent < seconds:
                left[request] = seconds
        pending = left
        if pending:
            tell(f"waiting for {', '.join(request.service for request in list(pending)[:3])}")
            time.sleep(_PAUSE)
    return found


class _Connection:
    """A connection all of whose steps together have to be done by `end`, on the monotonic clock."""

    def __init__(self, end: float) -> None:
        self.end = end
        self.socket: socket.socket | None = None

    def remaining(self) -> float:
        """How many seconds are left. Raises TimeoutError where none are."""
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def get(self, url: str) -> http.client.HTTPResponse:
        """The answer, its body not read yet."""
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        self.socket = socket.create_connection((parts.hostname or "", port), self.remaining())
        if secure:
            self.socket = self._with_tls(self.socket)
        path = quote(parts.path or "/", _KEPT)
        if parts.query:
            path += "?" + quote(parts.query, _KEPT)
        lines = (
            f"GET {path} HTTP/1.1",
            f"Host: {parts.netloc}",
            "User-Agent: portgen-audit",
            "Accept: */*",
            "Connection: close",
        )
        self.socket.settimeout(self.remaining())
        self.socket.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode())
        answer = http.client.HTTPResponse(_Readable(self), method="GET")  # type: ignore[arg-type]
        answer.begin()
        return answer

    def _with_tls(self, plain: socket.socket) -> socket.socket:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        plain.settimeout(self.remaining())
        return context.wrap_socket(plain)

    def head_of(self, answer: http.client.HTTPResponse) -> bytes:
        """The first bytes of the body, as many as come in time."""
        head = b""
        try:
            while len(head) < HEAD:
                part = answer.read1(HEAD - len(head))
                if not part:
                    break
                head += part
        except (OSError, ValueError, http.client.HTTPException):
            pass  # it has answered; its body stays away or breaks off
        return head

    def read_into(self, buffer: memoryview) -> int:
        """What has come, up to the end of the time."""
        if self.socket is None:
            return 0
        self.socket.settimeout(self.remaining())
        return self.socket.recv_into(buffer)

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()


class _Readable(io.RawIOBase):
    """The connection as http.client reads one."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self, _BUFFER)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        return self._connection.read_into(buffer)
