"""One exchange with the API: the only module that opens a connection.

It is made of the standard library's `http.client`, because an HTTP library costs a command more CPU
time to import than its request takes. Every wait has a deadline. What goes wrong below HTTP comes
out as a `Failure` with exit code 3.
"""

import os
import socket
import ssl
import sys
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Final
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from cli import environment
from cli.configuration import Configuration
from cli.failures import MISUSE, NETWORK, NO_REMEDY, Change, Failure, Remedy
from cli.proxies import is_loopback, proxy_for
from cli.version import STAMP

CONNECT_TIMEOUT_S: Final = 10.0
SILENCE_TIMEOUT_S: Final = 120.0
"""A blocking invocation is answered after 60 s, unless the operator made it longer."""
_DEFAULT_HOST: Final = "brisk property set --apihost http://127.0.0.1:3233"
MOST_REDIRECTS: Final = 10
USER_AGENT: Final = f"OpenWhisk-CLI/1.0 ({STAMP}) {sys.platform} {os.uname().machine}"
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Request:
    """One request: what it asks, and of whom. `url` is whole."""

    method: str
    url: str
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; the names of *headers* are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


Witness = Callable[[Request, Answer | None], None]
"""Is shown each request before it is sent, with None, and again with its answer."""


class Transport:
    """Sends requests to the configured host, each over a connection of its own."""

    def __init__(self, configuration: Configuration, witness: Witness | None = None) -> None:
        self._configuration = configuration
        self._witness = witness

    def exchange(
        self, method: str, target: str, body: bytes | None = None, *, authorised: bool = True
    ) -> Answer:
        """Return the answer to *method* of *target*, a path with its query below the host.

        A GET follows redirects. Raises `Failure` when there is no answer.
        """
        headers = {"User-Agent": USER_AGENT}
        if authorised:
            headers["Authorization"] = self._credentials()
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = Request(method, self._configuration.host_url + target, body, headers)
        answer = self._once(request)
        for _ in range(MOST_REDIRECTS):
            if method != "GET" or answer.status not in _REDIRECTS:
                break
            request = _redirected(request, answer)
            answer = self._once(request)
        return answer

    def _credentials(self) -> str:
        if not self._configuration.auth:
            raise Failure(
                "Authorization key is not configured (--auth is required)",
                MISUSE,
                remedy=Remedy(
                    "no --auth, no WHISK_AUTH, no AUTH in the property file",
                    "brisk property set --auth UUID:KEY",
                ),
            )
        return "Basic " + b64encode(self._configuration.auth.encode(errors="replace")).decode()

    def _once(self, request: Request) -> Answer:
        if self._witness:
            self._witness(request, None)
        with self._response(request, SILENCE_TIMEOUT_S) as response:
            answer = Answer(response.status, _named(response), response.read())
        if self._witness:
            self._witness(request, answer)
        return answer

    @contextmanager
    def streamed(
        self, target: str, headers: dict[str, str], silence_s: float
    ) -> Iterator[tuple[Answer, Iterable[bytes]]]:
        """Yield the head of the answer to a GET of *target*, and its lines as they come.

        silence_s: how long nothing may come.
        Raises `Failure` when there is no answer, or no more of it; also while lines are read.
        """
        named = {"User-Agent": USER_AGENT, "Authorization": self._credentials()} | headers
        request = Request("GET", self._configuration.host_url + target, None, named)
        if self._witness:
            self._witness(request, None)
        with self._response(request, silence_s) as response:
            head = Answer(response.status, _named(response), b"")
            if self._witness:
                self._witness(request, head)
            yield head, response

    @contextmanager
    def _response(self, request: Request, silence_s: float) -> Iterator[HTTPResponse]:
        """Yield the answer to *request*; its body is read inside. Raises `Failure`."""
        url = _split(request.url)
        try:
            connection = self._connection(url)
            try:
                connection.connect()
                connection.sock.settimeout(silence_s)
                target = request.url if _speaks_to_proxy(url) else _target(url)
                headers = request.headers | _proxy_headers(url)
                connection.request(request.method, target, request.body, headers)
                yield connection.getresponse()
            finally:
                connection.close()
        except (OSError, HTTPException) as error:
            raise _unreachable(request, url, error, self._configuration.api_host) from error

    def _connection(self, url: SplitResult) -> HTTPConnection:
        proxy = proxy_for(url)
        host, port = url.hostname or "", url.port
        if url.scheme == "https":
            at = proxy or url
            secured = HTTPSConnection(
                at.hostname or "", at.port, timeout=CONNECT_TIMEOUT_S, context=self._tls()
            )
            if proxy:
                secured.set_tunnel(host, port, _proxy_credentials(proxy))
            return secured
        if proxy:
            host, port = proxy.hostname or "", proxy.port
        return HTTPConnection(host, port, timeout=CONNECT_TIMEOUT_S)

    def _tls(self) -> ssl.SSLContext:
        self._configuration.check_certificate()
        context = ssl.create_default_context()
        if self._configuration.is_insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self._configuration.cert:
            try:
                context.load_cert_chain(self._configuration.cert, self._configuration.key)
            except (ssl.SSLError, OSError) as error:
                raise Failure(
                    f"Unable to load the X509 key pair due to the following reason: {error}"
                ) from error
        return context


def _named(response: HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # Is only looked at when it is asked for.
    except ValueError as error:
        raise Failure(f"The API host is not valid: {error}") from error
    if not parts.hostname or any(character.isspace() for character in parts.netloc):
        raise Failure(f"The API host is not valid: '{parts.netloc}' is no host")
    return parts


def _target(url: SplitResult) -> str:
    return f"{url.path}?{url.query}" if url.query else url.path


def _speaks_to_proxy(url: SplitResult) -> bool:
    return url.scheme == "http" and proxy_for(url) is not None


def _proxy_headers(url: SplitResult) -> dict[str, str]:
    proxy = proxy_for(url)
    return _proxy_credentials(proxy) if proxy and url.scheme == "http" else {}


def _proxy_credentials(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + b64encode(pair.encode()).decode()}


def _redirected(request: Request, answer: Answer) -> Request:
    url = urljoin(request.url, answer.headers.get("location", ""))
    headers = dict(request.headers)
    if urlsplit(url).netloc != urlsplit(request.url).netloc:
        headers.pop("Authorization", None)  # The key is for the host it was configured for.
    return Request("GET", url, None, headers)


def _unreachable(request: Request, url: SplitResult, error: Exception, typed: str) -> Failure:
    port = url.port or (443 if url.scheme == "https" else 80)
    what, remedy = _diagnosis(url.hostname or "", f"{url.hostname}:{port}", error, typed)
    verb = request.method.capitalize()
    return Failure(f'{verb} "{request.url}": {what}', NETWORK, remedy=remedy)


def _diagnosis(host: str, at: str, error: Exception, typed: str) -> tuple[str, Remedy]:
    """Return what is wrong with the host that is configured as *typed*, and what mends it."""
    elsewhere = Change(("--apihost", typed), ())
    named = "unset WHISK_APIHOST" if environment.variable("WHISK_APIHOST") else _DEFAULT_HOST
    match error:
        case ConnectionRefusedError():
            refused = f"dial tcp {at}: connect: connection refused"
            port = at.rpartition(":")[2]
            serve = "brisk serve" if port == "3233" else f"brisk serve --port {port}"
            if is_loopback(host):
                return refused, Remedy(f"nothing listens at {at}", serve)
            return refused, Remedy(f"nothing listens at {at}", named, elsewhere)
        case socket.gaierror():
            unknown = Remedy(f"the name {host} has no address", named, elsewhere)
            return f"dial tcp: lookup {host}: no such host", unknown
        case ssl.SSLCertVerificationError():
            reason = f"tls: failed to verify certificate: {error.verify_message}"
            return reason, Remedy(
                "this machine does not trust the certificate", "-i", Change((), ("-i",))
            )
        case ssl.SSLError():
            plain = f"http://{typed.removeprefix('https://')}"
            fix = f"brisk property set --apihost {plain}"
            no_tls = Remedy(f"{at} may not speak https", fix, Change((typed,), (plain,)))
            return f"tls: {error.reason or error}", no_tls
        case TimeoutError():
            silent = Remedy(f"{at} does not answer in time", "brisk doctor")
            return "context deadline exceeded (Client.Timeout exceeded)", silent
        case ConnectionError() | HTTPException():
            return "EOF", Remedy(f"{at} closed the connection without an answer", "brisk doctor")
        case _:
            return f"dial tcp {at}: {str(error).lower() or type(error).__name__}", NO_REMEDY
