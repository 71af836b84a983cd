"""The scripts that clients have sent: their texts, in the store for all workers, and what their first lines say."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from corepool_kv.redis.inline import split_first_line
from corepool_kv.redis.replies import Error
from corepool_kv.stores import SYSTEM

if TYPE_CHECKING:
    from corepool_kv.engine.keyspace import Keyspace

MAX_SCRIPTS = 1000
"""In one store: one more takes the place of another, whose client has to send it again (NOSCRIPT)."""

MAX_SCRIPT_BYTES = 1 << 20

_PREFIX = b"script "
_COUNT = b"scripts"
"""The key of the digests of all, one after the other, the oldest first."""

_DIGEST_BYTES = 40
_FLAGS = frozenset((b"no-writes", b"allow-oom", b"allow-stale", b"no-cluster", b"allow-cross-slot-keys"))


class Script(NamedTuple):
    """A script, as it is compiled."""

    digest: bytes
    text: bytes
    """Without its first line, if that names the engine; the end of the line is there."""
    writes: bool


def digest_of(text: bytes) -> bytes:
    """Return the name of a script."""
    return hashlib.sha1(text).hexdigest().encode()  # noqa: S324  # the name that clients compute


def parse(text: bytes, digest: bytes) -> Script:
    """Read a script's first line.

    :raises Error: it is wrong, or the script too long.
    """
    if len(text) > MAX_SCRIPT_BYTES:
        raise Error(f"ERR a script of more than {MAX_SCRIPT_BYTES} bytes")
    if not text.startswith(b"#!"):
        return Script(digest, text, True)
    words, body = split_first_line(text, "ERR Invalid script shebang", "ERR Invalid engine in script shebang")
    engine, *options = words
    if engine != b"#!lua":
        raise Error(f"ERR Unexpected engine in script shebang: {_shown(engine)}")
    writes = True
    for option in options:
        name, _, value = option.partition(b"=")
        if name != b"flags":
            raise Error(f"ERR Unknown lua shebang option: {_shown(option)}")
        flags = set(value.split(b",")) - {b""}
        for unknown in sorted(flags - _FLAGS):
            raise Error(f"ERR Unexpected flag in script shebang: {_shown(unknown)}")
        writes = b"no-writes" not in flags
    return Script(digest, body, writes)


def find(db: Keyspace, digest: bytes) -> bytes | None:
    """Return the text of a script that was sent before, to any worker."""
    return db.select(SYSTEM).get(_PREFIX + digest)


def keep(db: Keyspace, digest: bytes, text: bytes) -> None:
    """Keep a script for all workers, in a transaction."""
    system = db.select(SYSTEM)
    if find(db, digest) is not None:
        return
    digests = (system.get(_COUNT) or b"") + digest
    while len(digests) > MAX_SCRIPTS * _DIGEST_BYTES:
        system.delete(_PREFIX + digests[:_DIGEST_BYTES])
        digests = digests[_DIGEST_BYTES:]
    system.put(_PREFIX + digest, text)
    system.put(_COUNT, digests)


def count(db: Keyspace) -> int:
    """Return how many are kept."""
    return len(db.select(SYSTEM).get(_COUNT) or b"") // _DIGEST_BYTES


def forget_all(db: Keyspace) -> None:
    """Forget all, in a transaction."""
    system = db.select(SYSTEM)
    digests = system.get(_COUNT) or b""
    for place in range(0, len(digests), _DIGEST_BYTES):
        system.delete(_PREFIX + digests[place : place + _DIGEST_BYTES])
    system.delete(_COUNT)


def _shown(word: bytes) -> str:
    return word[:128].decode(errors="surrogateescape")
