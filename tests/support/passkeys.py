"""An authenticator in software, with the browser around it: keys, counters, origins, answers."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData

FLAGS = AuthenticatorData.FLAG
PRESENT_AND_VERIFIED = FLAGS.UP | FLAGS.UV


@dataclass
class SoftAuthenticator:
    """One passkey. What it claims of origin and relying party can be bent."""

    origin: str
    rp_id: str
    credential_id: bytes = field(default_factory=lambda: os.urandom(32))
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    user_handle: bytes = b""
    count: int = 0

    def create(self, options: Mapping[str, Any], *, verified: bool = True) -> str:
        """Answer the options of a registration, as JSON for the form."""
        asked = options["publicKey"]
        self.user_handle = websafe_decode(asked["user"]["id"])
        attested = AttestedCredentialData.create(b"\0" * 16, self.credential_id, _public(self.key))
        data = self._data(FLAGS.AT | (PRESENT_AND_VERIFIED if verified else FLAGS.UP), attested)
        response = {
            "clientDataJSON": websafe_encode(self._client_data("webauthn.create", asked)),
            "attestationObject": websafe_encode(AttestationObject.create("none", data, {})),
            "transports": ["internal"],
        }
        return self._answer(response, {"credProps": {"rk": True}})

    def get(self, options: Mapping[str, Any], *, verified: bool = True) -> str:
        """Answer the options of a sign-in, as JSON for the form."""
        self.count += 1
        client_data = self._client_data("webauthn.get", options["publicKey"])
        data = self._data(PRESENT_AND_VERIFIED if verified else FLAGS.UP, None)
        signed = data + hashlib.sha256(client_data).digest()
        response = {
            "clientDataJSON": websafe_encode(client_data),
            "authenticatorData": websafe_encode(data),
            "signature": websafe_encode(self.key.sign(signed, ec.ECDSA(SHA256()))),
            "userHandle": websafe_encode(self.user_handle),
        }
        return self._answer(response, {})

    def _data(self, flags: FLAGS, attested: AttestedCredentialData | None) -> AuthenticatorData:
        digest = hashlib.sha256(self.rp_id.encode()).digest()
        return AuthenticatorData.create(digest, flags, self.count, attested or b"")

    def _client_data(self, kind: str, asked: Mapping[str, Any]) -> bytes:
        return json.dumps(
            {"type": kind, "challenge": asked["challenge"], "origin": self.origin}
        ).encode()

    def _answer(self, response: dict[str, Any], results: dict[str, Any]) -> str:
        name = websafe_encode(self.credential_id)
        return json.dumps(
            {
                "type": "public-key",
                "id": name,
                "rawId": name,
                "response": response,
                "authenticatorAttachment": "platform",
                "clientExtensionResults": results,
            }
        )


def _public(key: ec.EllipticCurvePrivateKey) -> ES256:
    made: ES256 = ES256.from_cryptography_key(key.public_key())  # type: ignore[no-untyped-call]
    return made
