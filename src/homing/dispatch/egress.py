"""Which addresses may be dialled. Pure: nothing is looked up here.

Source: OWASP, "Server-Side Request Forgery Prevention".
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from homing.core.urls import Url
from homing.dispatch.ranges import Address, Network, is_metadata, is_public, unmapped

#: all that a caller is told about a refused address: no name, no number, no reason
NOT_ALLOWED: Final = "address not allowed; an operator can allow it with HOMING_EGRESS_ALLOW"


class Egress:
    """The rule about addresses: public ones, and those an operator has allowed; never our own API.

    Args:
        allow: networks that may be dialled although they are not public.
        allow_for: the same for single applications, by their ids.
        own_port: at which this machine serves the API, which must not be made to call itself.
        is_here: whether an address is one of this machine's.
    """

    def __init__(
        self,
        allow: Iterable[Network] = (),
        *,
        allow_for: Mapping[str, Iterable[Network]] | None = None,
        own_port: int | None = None,
        is_here: Callable[[str], bool] = lambda address: False,
    ) -> None:
        self._allow = tuple(allow)
        self._allow_for = {app_id: tuple(n) for app_id, n in (allow_for or {}).items()}
        self._own_port = own_port
        self._is_here = is_here

    def permits(self, address: str, *, port: int | None = None, app_id: str = "") -> bool:
        """Whether this numeric address may be dialled; False for anything that is not one.

        Args:
            port: that would be dialled; None: not our own.
            app_id: the application on whose word.
        """
        try:
            number = unmapped(ipaddress.ip_address(address))
        except ValueError:
            return False
        if "%" in address:  # a zone: means something on this machine only
            return False
        if port is not None and port == self._own_port and self._is_here(str(number)):
            return False
        return self._allows(number, app_id) or is_public(number)

    def permits_all(
        self, addresses: Sequence[str], *, port: int | None = None, app_id: str = ""
    ) -> bool:
        """Whether a name's whole answer may be used: one bad address spoils it.

        An answer that mixes public and private addresses is an attack or a mistake; picking the
        good ones would help either.
        """
        return bool(addresses) and all(
            self.permits(address, port=port, app_id=app_id) for address in addresses
        )

    def permits_url(self, url: Url, app_id: str) -> bool:
        """Whether there is hope for this URL; names are judged when they are dialled."""
        try:
            ipaddress.ip_address(url.host)
        except ValueError:
            return True
        return self.permits(url.host, port=url.port, app_id=app_id)

    def _allows(self, number: Address, app_id: str) -> bool:
        return any(
            number in network and (network.num_addresses == 1 or not is_metadata(number))
            for network in (*self._allow, *self._allow_for.get(app_id, ()))
        )
