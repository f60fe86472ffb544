"""What keeps the overview to its own browser: the cookie, where a request comes from, and what a page may load.

Refuses a request that changes something unless the page that sends it is our own: browsers say so in Sec-Fetch-Site,
those that do not in Origin.
Source: docs/decisions/0026-sign-in-by-launch.md.

> INVARIANT: the session's cookie is read by no script, goes to no other address and follows no link from elsewhere.
"""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import urlsplit

from litestar.types import HTTPScope

from sluss_schemas.problems import Invalid
from sluss_server.http import bodies
from sluss_server.http.bodies import Headers

ROOT: Final = "/overview"
SESSION: Final = "sluss_session"
LANGUAGE: Final = "sluss_lang"
THEME: Final = "sluss_theme"

# No inline script or style, nothing from elsewhere; the map draws in a worker, and its little pictures are data.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_YEAR_S: Final = 365 * 86_400
_MOST_COOKIE: Final = 4096


def cookies(headers: Headers) -> dict[str, str]:
    """Return a request's cookies; what is none is left out."""
    found = SimpleCookie()
    try:
        found.load(bodies.header(headers, b"cookie")[:_MOST_COOKIE])
    except CookieError:
        return {}
    return {name: one.value for name, one in found.items()}


def remember(name: str, value: str, *, secure: bool) -> str:
    """Return the `Set-Cookie` of a wish of the browser's person: language or colours."""
    return f"{name}={value}; Max-Age={_YEAR_S}{_bounds(secure=secure)}"


def sign_in(cookie: str, *, secure: bool) -> str:
    """Return the `Set-Cookie` of a session; the browser forgets it when it is closed."""
    return f"{SESSION}={cookie}{_bounds(secure=secure)}"


def sign_out(*, secure: bool) -> str:
    """Return the `Set-Cookie` that takes a session's cookie away."""
    return f"{SESSION}=; Max-Age=0{_bounds(secure=secure)}"


def is_secure(scope: HTTPScope, public_url: str) -> bool:
    """Tell whether browsers reach this server by HTTPS."""
    return urlsplit(public_url).scheme == "https" if public_url else scope["scheme"] == "https"


def must_be_our_page(scope: HTTPScope, public_url: str) -> None:
    """Return quietly if a request was sent by a page of this server.

    Raises:
        Invalid: `cross_site`, also where the browser says nothing.

    """
    headers = scope["headers"]
    site = bodies.header(headers, b"sec-fetch-site")
    if site:
        ours = site == "same-origin"
    else:
        # Browsers say Sec-Fetch-Site over HTTPS and on this machine only.
        base = urlsplit(public_url or f"{scope['scheme']}://{bodies.header(headers, b'host')}")
        ours = bodies.header(headers, b"origin") == f"{base.scheme}://{base.netloc}"
    if not ours:
        raise Invalid("cross_site", "origin")


def _bounds(*, secure: bool) -> str:
    return f"; Path={ROOT}; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}"
