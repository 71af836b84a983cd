"""CONFIG: the settings of this server, under the names that Redis has for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.redis.glob import Glob
from corepool_kv.redis.parameters import PARAMETERS
from corepool_kv.redis.replies import OK, Error, text_of

if TYPE_CHECKING:
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState

_MAX_PATTERNS = 100


def get(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    if len(args) > _MAX_PATTERNS:
        raise Error(f"ERR more than {_MAX_PATTERNS} patterns")
    globs = [Glob(pattern.lower()) for pattern in set(args)]
    names = [name for name in PARAMETERS if any(glob.matches(name.encode()) for glob in globs)]
    return {name.encode(): server.parameters[name].encode() for name in names}


def set_(server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG001
    """Set all or none."""
    if len(args) % 2:
        raise Error("ERR syntax error")
    values: dict[str, str] = {}
    for word, text in zip(args[::2], args[1::2], strict=True):
        name = word.decode("latin-1").lower()
        if name not in PARAMETERS:
            raise Error(f"ERR Unknown option or number of arguments for CONFIG SET - '{text_of(word)}'")
        if name in values:
            raise _refused(name, "duplicate parameter")
        values[name] = _parse(server, name, text)
    server.parameters.set(db, {name: value for name, value in values.items() if value != server.parameters[name]})
    return OK


def rewrite(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    raise Error("ERR The server is running without a config file: the pool's is the operator's")


def _parse(server: ServerState, name: str, text: bytes) -> str:
    parse = PARAMETERS[name].parse
    if parse is None:
        if text.lower() == server.parameters[name].encode().lower():
            return server.parameters[name]
        raise _refused(name, "it is set by the pool's configuration, and a reload")
    try:
        value = parse(text)
    except Error as error:
        raise _refused(name, str(error)) from None
    if name == "maxmemory" and int(value) > server.options.max_bytes:
        raise _refused(name, f"the pool's configuration has max_bytes = {server.options.max_bytes}, which bounds it")
    return value


def _refused(name: str, reason: str) -> Error:
    return Error(f"ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")
