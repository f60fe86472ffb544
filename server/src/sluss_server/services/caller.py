"""Who asks: the device that signed a request, and what the directory says about it.

Decides nothing; a service asks it and refuses.
"""

from __future__ import annotations

from dataclasses import dataclass

from sluss_schemas.problems import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A known device.

    Attributes:
        partnership: 16 bytes, the partnership that the device's agency belongs to.
        agency: 16 bytes.
        device: the device's key id, 16 bytes.
        sign_key: the raw Ed25519 public key with which its requests are signed.
        active: whether its person is in service now.
        revoked: whether the device was revoked.

    """

    partnership: bytes
    agency: bytes
    device: bytes
    sign_key: bytes
    active: bool
    revoked: bool

    def must_be_active(self) -> None:
        """Return quietly if this device may ask for anything at all.

        Raises:
            Invalid: `revoked_device`, or `not_allowed` while its person is not in service.

        """
        if self.revoked:
            raise Invalid("revoked_device", "device")
        if not self.active:
            raise Invalid("not_allowed", "device")
