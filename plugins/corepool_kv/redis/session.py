"""The state of one client's connection."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Protocol

from corepool_kv.engine.turns import SessionBase, SessionOwner
from corepool_kv.redis.replies import Error
from corepool_kv.redis.requests import RequestReader
from corepool_kv.redis.subscriptions import Subscriptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corepool import Connection
    from corepool_kv.engine.blocking import Wait
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.engine.work import Work
    from corepool_kv.redis.options import KvOptions
    from corepool_kv.redis.peers import Gathered
    from corepool_kv.redis.pubsub import PubSub
    from corepool_kv.redis.subscription_changes import SubscriptionChanges
    from corepool_kv.stores import StoreError

_PART_BYTES = 64
"""Memory that a command, and each part of it, costs besides its bytes, at least."""

REPLY_ON, REPLY_OFF, REPLY_SKIP = range(3)
"""Modes of CLIENT REPLY; the last one is about the next command."""

MAX_WATCHED = 10_000
"""Keys that one session may watch."""


def size_in_memory(parts: list[bytes]) -> int:
    """Return about how many bytes words or keys take."""
    size = _PART_BYTES * (1 + len(parts))
    for part in parts:
        size += len(part)
    return size


class Watched:
    """The keys of WATCH, each with its version at that moment."""

    def __init__(self) -> None:
        self.versions: dict[tuple[int, bytes], int | None] = {}
        self._bytes = 0

    def add(self, db: Keyspace, keys: list[bytes], max_bytes: int) -> None:
        """Watch more keys, all or none; a watched key keeps its version.

        :raises RefusedError: the store can't hold one of them.
        :raises Error: they would be too many or too long.
        """
        for key in keys:
            db.check_key(key)
        new = {(db.number, key) for key in keys} - self.versions.keys()
        size = self._bytes + size_in_memory([key for _, key in new])
        if len(self.versions) + len(new) > MAX_WATCHED:
            raise Error(f"ERR more than {MAX_WATCHED} watched keys")
        if size > max_bytes:
            raise Error(f"ERR more than {max_bytes} bytes of watched keys")
        self._bytes = size
        self.versions.update(((number, key), db.version(key)) for number, key in new)

    def have_changed(self, db: Keyspace) -> bool:
        """Report whether one of them was written since."""
        return any(db.select(number).version(key) != version for (number, key), version in self.versions.items())


class Owner(SessionOwner, Protocol):
    """The server of a session, as the session calls it."""

    options: KvOptions

    def go_on(self, session: Session) -> None:
        """Continue with a session that was blocked."""

    def explain(self, error: StoreError, works: Sequence[Work]) -> bytes:
        """Return the replies to work whose transaction has failed."""


class Session(SessionBase):
    """One client's state; reset by RESET, gone with its connection. Implements `execution.Client`."""

    def __init__(self, owner: Owner, conn: Connection[Session], number: int, *, authenticated: bool) -> None:
        SessionBase.__init__(self, owner, conn)
        self._owner: Owner = owner
        self.number = number
        self.reader = RequestReader(owner.options, is_trusted=authenticated)
        self.needs_password = not authenticated
        self.authenticated = authenticated
        self.resp3 = False
        self.database = 0
        self.name = self.library = self.library_version = b""
        self.began_s = self.active_s = time.monotonic()
        self.last_command = b"NULL"
        self.queue: list[object] | None = None  # of `transactions.Queued`
        self.queue_is_broken = False
        self.watched = Watched()
        self.queued_bytes = 0
        self._frozen = b""
        self._frozen_as: tuple[object, ...] = ()
        """The facts that `_frozen` was made of: it is asked for much more often than it changes."""
        self.subscriptions: Subscriptions | None = None
        self.changes: SubscriptionChanges | None = None
        """Of its subscriptions, by the transaction that runs: they happen when it is committed."""
        self.kept: list[bytes] | None = None
        """A request that waits until this worker takes part in the bus."""
        self.answers: list[Gathered | None] | None = None
        """Of other workers, to the kept request, or to each command that EXEC is about to run."""
        self.gathered: Gathered | None = None
        """Those to the command that runs."""
        self.fed: list[bytes] | None = None
        """The kept request, if clients that monitor have been told of it."""
        self.reply_mode = REPLY_ON
        self.is_asking = self.is_postponed = False
        """The kept request waits for other workers; for the end of CLIENT PAUSE."""
        self.is_silent = self.waits_silently = self.is_monitoring = False
        """The command that runs has no reply; the one that may wait has none; the client is sent all commands."""
        self.blocked: Wait | None = None
        """It waits for elements: later requests are not served before."""
        self.stays = False
        """While it is blocked it stays in this worker, which is leaving."""

    @classmethod
    def thaw(cls, owner: Owner, conn: Connection[Session], state: bytes) -> Session:
        """Return the session that another worker has frozen.

        :raises ValueError: the state is none.
        """
        kept = json.loads(state)
        session = cls(owner, conn, kept["number"], authenticated=kept["authenticated"])
        session.resp3 = kept["resp3"]
        session.database = kept.get("database", 0)
        session.reply_mode = kept.get("reply_mode", REPLY_ON)
        session.waits_silently = kept.get("waits_silently", False)
        session.name = kept["name"].encode("latin-1")
        session.library = kept["library"].encode("latin-1")
        session.library_version = kept["library_version"].encode("latin-1")
        session.began_s = kept["began_s"]
        return session

    def freeze(self) -> bytes | None:
        """Return the state that `thaw` needs; None inside of MULTI, WATCH or a request, and with subscriptions.

        A client that waits for elements goes with its place in the line.
        """
        if self.queue is not None or self.watched.versions or self.waiting or self.ending or not self.reader.is_empty:
            return None
        if self.subscriptions is not None or self.kept is not None or self.is_monitoring:
            return None  # messages would be lost on the way
        blocked = self.blocked
        if blocked is not None and not blocked.can_move:
            return None
        place = None if blocked is None else blocked.place
        names = (self.name, self.library, self.library_version)
        now = (self.resp3, self.database, self.authenticated, self.reply_mode, self.waits_silently, names, place)
        if now != self._frozen_as:
            self._frozen_as = now
            kept = {
                "number": self.number,
                "authenticated": self.authenticated,
                "resp3": self.resp3,
                "database": self.database,
                "reply_mode": self.reply_mode,
                "waits_silently": self.waits_silently,
                "name": self.name.decode("latin-1"),
                "library": self.library.decode("latin-1"),
                "library_version": self.library_version.decode("latin-1"),
                "began_s": self.began_s,
                **({} if place is None else {"place": [part.hex() for part in place]}),
            }
            self._frozen = json.dumps(kept).encode()
        return self._frozen

    def take_answers(self) -> list[Gathered | None]:
        """Return the answers of other workers, for the command that is about to be run; empty: it has not asked."""
        answers, self.answers = self.answers, None
        return answers or []

    def go_on(self) -> None:
        """Serve the requests behind a command that was blocked."""
        self._owner.go_on(self)

    def settle(self) -> None:
        """Have the connection stay in this worker as long as it has to."""
        is_blocked = self.blocked is not None and (self.stays or not self.reader.is_empty)
        stays = self.subscriptions is not None or self.is_monitoring or self.kept is not None
        self.conn.busy = bool(self.waiting) or stays or is_blocked

    def explain(self, error: StoreError, commands: int) -> bytes:
        """Return the replies to commands whose transaction has failed."""
        return self._owner.explain(error, self.waiting[:commands])

    def queue_up(self, queued: object, size: int, max_bytes: int) -> bool:
        """Keep a command for EXEC; return False if the queue would be too large."""
        assert self.queue is not None
        self.queued_bytes += size
        if self.queued_bytes > max_bytes:
            return False
        self.queue.append(queued)
        return True

    def authenticate(self) -> None:
        """Trust the client, which has sent the password."""
        self.authenticated = True
        self.reader.trust()

    def reset(self) -> None:
        """Return to the state of a new connection, except for the number."""
        self.resp3 = False
        self.database = 0
        self.name = b""
        self.authenticated = not self.needs_password
        if self.needs_password:
            self.reader.distrust()
        self.reply_mode = REPLY_ON
        self.is_silent = False
        self.leave_transaction()
        self.end_subscriptions()

    def change_subscriptions(self, pubsub: PubSub, changes: SubscriptionChanges) -> None:
        """Do what commands have noted. Runs in: the loop's thread.

        :raises Error: the system has no memory or descriptor for it, or the worker has too many subscriptions.
        """
        if not changes.wanted:
            return
        try:
            if self.subscriptions is None:
                self.subscriptions = Subscriptions(pubsub, self)
            self.subscriptions.apply(changes.wanted)
        except (OSError, RuntimeError) as error:
            raise Error(f"ERR no subscription: {error}") from None
        finally:
            if self.subscriptions is not None and self.subscriptions.is_empty:
                self.end_subscriptions()
            self.settle()

    def end_subscriptions(self) -> None:
        """Unsubscribe from everything."""
        if self.subscriptions is not None:
            self.subscriptions.close()
            self.subscriptions = None
            self.settle()

    def leave_transaction(self) -> None:
        """Forget the queue of MULTI and the keys of WATCH."""
        self.queue = None
        self.queue_is_broken = False
        self.queued_bytes = 0
        self.watched = Watched()

    def _flags(self) -> str:
        """Return the letters of CLIENT LIST, in Redis's order."""
        letters = {
            "O": self.is_monitoring,
            "P": self.subscriptions is not None,
            "x": self.queue is not None,
            "b": self.blocked is not None or self.is_postponed,
            "U": self.conn.peer.port is None,
        }
        return "".join([letter for letter, holds in letters.items() if holds]) or "N"

    def describe(self) -> str:
        """Describe the client in a line, as CLIENT LIST does."""
        now = time.monotonic()
        fields = {
            "id": self.number,
            "addr": self.conn.peer,
            "laddr": self.conn.local,
            "name": self.name.decode(errors="replace"),
            "age": int(now - self.began_s),
            "idle": int(now - self.active_s),
            "flags": self._flags(),
            "db": self.database,
            "sub": 0 if self.subscriptions is None else len(self.subscriptions.channels),
            "psub": 0 if self.subscriptions is None else len(self.subscriptions.patterns),
            "ssub": 0 if self.subscriptions is None else len(self.subscriptions.shards),
            "multi": -1 if self.queue is None else len(self.queue),
            "multi-mem": self.queued_bytes,
            "omem": self.conn.buffered,
            "tot-mem": self.conn.buffered + self.queued_bytes + self.waiting_bytes,
            "cmd": self.last_command.decode(errors="replace").lower(),
            "user": "default",
            "redir": -1,
            "resp": 3 if self.resp3 else 2,
            "lib-name": self.library.decode(errors="replace"),
            "lib-ver": self.library_version.decode(errors="replace"),
        }
        return " ".join(f"{name}={value}" for name, value in fields.items())
