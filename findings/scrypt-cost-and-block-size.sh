#!/usr/bin/env bash
# scrypt with r = 1: whether N = 2^16 can be derived depends on the library, and who cannot blames
# the memory.
#
# RFC 7914 wants N to be less than 2^(128 * r / 8): with r = 1 the largest power of two is 2^15.
# OpenSSL holds to that, and so does all that is built on it; the scrypt of others has no such bound,
# Go's among them, by which backup programs choose N, r and p so that a derivation takes a given
# time. A key file with N = 65536, r = 1 opens in some programs and never in others. Nothing says
# that r is the cause: OpenSSL calls it "memory limit exceeded" however large maxmem is, and
# `cryptography` raises MemoryError for 8 MiB.
#
# Seen on 29 November 2026, Python 3.11 with OpenSSL 3.0.22, on Linux x86_64:
#   cryptography 50.0.2    N=32768 709f41b342ec3b18   N=65536 MemoryError
#   hashlib (OpenSSL 3)    N=32768 709f41b342ec3b18   N=65536 ValueError
#   passlib 1.7.4          N=32768 709f41b342ec3b18   N=65536 ValueError (it asks hashlib)
#   pylibscrypt 2.0.0      N=32768 709f41b342ec3b18   N=65536 ValueError
#   pycryptodome 4.4.0     N=32768 709f41b342ec3b18   N=65536 8121e8a1140a1dbf
#   scrypt 0.9.4           N=32768 709f41b342ec3b18   N=65536 8121e8a1140a1dbf
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check \
  cryptography==50.0.2 passlib==1.7.4 pycryptodome==4.4.0 pylibscrypt==2.0.0 scrypt==0.9.4
"$scratch/venv/bin/python" - <<'PYTHON'
import hashlib
import sys

import pylibscrypt
import scrypt
from Crypto.Protocol import KDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from passlib.crypto import scrypt as passlib_scrypt

SECRET, SALT, SIZE = b"password", b"sodium chloride", 32
LIBRARIES = {
    "cryptography": lambda n: Scrypt(salt=SALT, length=SIZE, n=n, r=1, p=1).derive(SECRET),
    "hashlib": lambda n: hashlib.scrypt(
        SECRET, salt=SALT, n=n, r=1, p=1, dklen=SIZE, maxmem=1 << 30
    ),
    "passlib": lambda n: passlib_scrypt.scrypt(SECRET, SALT, n, 1, 1, SIZE),
    "pylibscrypt": lambda n: pylibscrypt.scrypt(SECRET, SALT, n, 1, 1, SIZE),
    "pycryptodome": lambda n: KDF.scrypt(SECRET, SALT, SIZE, n, 1, 1),
    "scrypt": lambda n: scrypt.hash(SECRET, SALT, n, 1, 1, SIZE),
}


def outcome(derive, n):
    try:
        return derive(n).hex()[:16], ""
    except Exception as error:
        return type(error).__name__, str(error)


as_seen = True
WANTED = {
    "cryptography": "MemoryError",
    "hashlib": "ValueError",
    "passlib": "ValueError",
    "pylibscrypt": "ValueError",
    "pycryptodome": "8121e8a1140a1dbf",
    "scrypt": "8121e8a1140a1dbf",
}
for name, derive in LIBRARIES.items():
    (within, _), (beyond, text) = outcome(derive, 1 << 15), outcome(derive, 1 << 16)
    print(f"{name:<13} N=32768 {within}   N=65536 {beyond} {text}")
    as_seen = as_seen and (within, beyond) == ("709f41b342ec3b18", WANTED[name])
if not as_seen:
    sys.exit("This is not what was seen.")
print("As seen.")
PYTHON
