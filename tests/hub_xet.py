"""Xet, the hub's newer store: the client's own local one, whose index the server reads.

`local://` as the store's address and the layout of its shards are undocumented (hf_xet 1.8).
"""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.hub_server import _Handler

_RECORD = 48  # bytes of the shard's header and of each of its entries
_HAS_VERIFICATION, _HAS_SHA256 = 1 << 31, 1 << 30


class XetFile(bytes):
    """A file whose content the store has, and the server only its names."""

    sha256: str
    size: int
    xet_hash: str


def find(store: Path, sha256: str, size: int) -> XetFile:
    """Find the file with this sha256 in the store's index."""
    for shard in store.glob("xet/xorbs/shards/*.mdb"):
        names = _names(shard.read_bytes())
        if sha256 in names:
            file = XetFile()
            file.sha256, file.size, file.xet_hash = sha256, size, names[sha256]
            return file
    raise KeyError(sha256)


def _names(shard: bytes) -> dict[str, str]:
    """Read Xet's name of every file of a shard, by sha256."""
    names, at = {}, _RECORD
    while shard[at : at + 32] != b"\xff" * 32:  # the section's last entry
        flags, entries = (int.from_bytes(shard[at + i : at + i + 4], "little") for i in (32, 36))
        last = at + _RECORD * (1 + entries * (2 if flags & _HAS_VERIFICATION else 1))
        if flags & _HAS_SHA256:
            names[_hex(shard[last : last + 32])] = _hex(shard[at : at + 32])
            last += _RECORD
        at = last
    return names


def _hex(name: bytes) -> str:
    """Write a name as Xet does: four little-endian numbers."""
    return "".join(name[i : i + 8][::-1].hex() for i in range(0, 32, 8))


def answer_token(request: "_Handler") -> None:
    """Tell the client where the store is."""
    url, token, expires = f"local://{request.hub.xet_store}", "xet", int(time.time()) + 3600
    body = {"accessToken": token, "exp": expires, "casUrl": url}
    headers = {
        "X-Xet-Cas-Url": url,
        "X-Xet-Access-Token": token,
        "X-Xet-Token-Expiration": str(expires),
        "Content-Type": "application/json",
    }
    request.answer(200, json.dumps(body).encode(), headers)


def answer_file(request: "_Handler", file: XetFile, headers: dict[str, str], token: str) -> None:
    """Name a file for the client to fetch from the store."""
    names = {
        "X-Linked-Etag": f'"{file.sha256}"',
        "X-Linked-Size": str(file.size),
        "X-Xet-Hash": file.xet_hash,
        "Link": f'<{request.hub.endpoint}{token}>; rel="xet-auth"',
    }
    request.answer(200, headers=headers | names)
