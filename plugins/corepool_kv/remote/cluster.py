"""The way to the keys of a store on a cluster: the servers, the slots of each, and what happens when a slot has moved.

The servers say themselves when they are asked for a slot that is another's (the Redis cluster specification,
"Redirection and resharding"):

- MOVED: the request goes to the other one, and so does every later one for the slot. Then slots are asked for anew.
- ASK: this one request goes to the other one, behind ASKING.
- TRYAGAIN: some of its keys have moved and some have not; it is sent again after a moment.

While a client has a request that was sent again, its next ones wait: they would overtake it.
"""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING, Protocol, cast

from corepool.logs.rate_limited import RateLimitedLog
from corepool_kv import events
from corepool_kv.remote.node import Node
from corepool_kv.remote.request import Request, encode_request
from corepool_kv.remote.slots import SLOTS, read_redirection, read_slots, slot_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from corepool_kv.remote.link import Link, Settings
    from corepool_kv.stores.remote_url import Server

log = logging.getLogger(__name__)

_MAX_TRIES = 16
_TRY_AGAIN_S = 0.05
_ASK_INTERVAL_S = 0.2
"""Between two rounds of asking for slots. A round asks one server after the other, until one has answered."""
_ROUTINE_INTERVAL_S = 30.0
_LOG_INTERVAL_S = 10.0

_UNKNOWN = "CLUSTERDOWN no server of the cluster has said where its keys are"


class Redirected(Protocol):
    """A client whose request is sent once more."""

    def sends_again(self, request: Request, node: Node | None, *, asking: bool) -> bool:
        """Take note of it.

        :param node: the server that has the key now; None: the same one is asked again.
        :param asking: the request has to follow ASKING.
        :returns: whether the request is to be sent on a shared link; else the client has sent it, or has its answer.
        """


class Cluster:
    """Implements `routes.Way` and `node.Routes`."""

    is_cluster = True

    def __init__(self, settings: Settings) -> None:
        """Begin to ask for the slots."""
        self._settings = settings
        self._loop: asyncio.AbstractEventLoop = settings.worker.loop
        self._nodes: dict[Server, Node] = {}
        self._slots: list[Node | None] = [None] * SLOTS
        self._is_known = False
        """The slots were told, some time ago."""
        self._when_ready: list[Callable[[], None]] = []
        self._to_ask: list[Node] | None = None
        """Those that are left in this round; None: there is no round."""
        self._reason = ""
        self._log = RateLimitedLog(log, interval_s=_LOG_INTERVAL_S)
        self._next_round: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._begin_round()

    # --- the way

    def node_of(self, key: bytes | None) -> Node | str:
        """Return the server that has a key, or any one; or why there is none."""
        if key is not None:
            return self._slots[slot_of(key)] or ("CLUSTERDOWN Hash slot not served" if self._is_known else _UNKNOWN)
        served = [each for each in set(self._slots) if each is not None]
        return random.choice(served) if served else _UNKNOWN  # noqa: S311  # spreads the load

    def nodes(self) -> list[Node]:
        """Return all primaries, in an order that stays the same."""
        return sorted({each for each in self._slots if each is not None}, key=lambda each: each.server)

    def is_ready(self, call: Callable[[], None]) -> bool:
        """Return whether slots are known; if they are being asked for, have `call` called when that is over."""
        if self._is_known or self._to_ask is None:
            return True
        self._when_ready.append(call)
        return False

    def look(self, now_s: float) -> None:
        """End links whose server does not answer. Called about once a second."""
        for node in list(self._nodes.values()):
            node.look(now_s)

    def close(self) -> None:
        """Close every link."""
        self._is_closed = True
        if self._next_round is not None:
            self._next_round.cancel()
        for node in list(self._nodes.values()):
            node.close()

    # --- of its nodes

    def failed(self, node: Node) -> None:  # noqa: ARG002  # whichever it was, a replica may have taken its place
        self._ask_soon()

    def redirects(self, node: Node, link: Link, request: Request, reply: bytes) -> bool:
        kind = reply[:6]
        if not hasattr(request.asker, "sends_again"):
            return False  # one of our own requests
        asker = cast("Redirected", request.asker)
        if kind == b"-MOVED" or kind[:5] == b"-ASK ":
            found = read_redirection(reply, node.server)
            if found is None:
                return False
            slot, server = found
            target = self._node(server)
            if kind == b"-MOVED":
                self._slots[slot] = target
                self._ask_soon()
            if request.tries >= _MAX_TRIES:
                return False
            request.tries += 1
            asking = kind != b"-MOVED"
            if asker.sends_again(request, target, asking=asking):
                self._send(target, link, request, asking=asking)
            return True
        if reply.startswith(b"-TRYAGAIN") and request.tries < _MAX_TRIES:
            request.tries += 1
            if asker.sends_again(request, None, asking=False):
                self._loop.call_later(_TRY_AGAIN_S * request.tries, self._send_again, node, link, request)
                return True
            return False
        if reply.startswith(b"-CLUSTERDOWN"):
            self._ask_soon()
        return False

    def _send(self, node: Node, before: Link, request: Request, *, asking: bool) -> None:
        link = node.shared(resp3=before.resp3, database=0)
        if isinstance(link, str):
            request.answer(f"-ERR the store has failed: {link}\r\n".encode())
            return
        if asking:
            link.send_silently(b"ASKING")
        link.send(request)

    def _send_again(self, node: Node, before: Link, request: Request) -> None:
        if not self._is_closed:
            self._send(node, before, request, asking=False)

    # --- which server has which slots

    def _node(self, server: Server) -> Node:
        node = self._nodes.get(server)
        if node is None:
            node = self._nodes[server] = Node(self._settings, self, server)
        return node

    def _ask_soon(self) -> None:
        self._ask_in(_ASK_INTERVAL_S)

    def _ask_in(self, seconds: float) -> None:
        if self._is_closed or self._to_ask is not None:
            return
        when = self._loop.time() + seconds
        if self._next_round is not None:
            if self._next_round.when() <= when:
                return
            self._next_round.cancel()
        self._next_round = self._loop.call_at(when, self._begin_round)

    def _begin_round(self) -> None:
        self._next_round = None
        if self._is_closed:
            return
        known = list({node for node in self._slots if node is not None})
        random.shuffle(known)
        seeds = [self._node(server) for server in self._settings.url.servers]
        self._to_ask = [*seeds, *known]
        self._ask_next()

    def _ask_next(self) -> None:
        while self._to_ask:
            node = self._to_ask.pop()
            link = node.shared(resp3=False, database=0)
            if isinstance(link, str):
                self._reason = link
            else:
                link.send(Request(_Answer(self, node), encode_request((b"CLUSTER", b"SLOTS"))))
                return
        self._end_round(_ASK_INTERVAL_S)
        events.kv_cluster_unknown(self._log, reason=self._reason)

    def heard(self, node: Node, reply: bytes) -> None:
        """Take a server's reply to CLUSTER SLOTS."""
        if self._to_ask is None or self._is_closed:
            return
        try:
            rows = read_slots(reply, node.server)
        except ValueError as error:
            self._reason = f"{node.server}: {error}"
            self._ask_next()
            return
        if not rows:
            self._reason = f"{node.server} serves no slots"
            self._ask_next()
            return
        slots: list[Node | None] = [None] * SLOTS
        for numbers, server in rows:
            slots[numbers.start : numbers.stop] = [self._node(server)] * len(numbers)
        self._slots = slots
        self._is_known = True
        self._close_unknown()
        self._end_round(_ROUTINE_INTERVAL_S if None not in slots else _ASK_INTERVAL_S)

    def _close_unknown(self) -> None:
        """Forget servers that have gone: each has links, and there would be more with every change."""
        used = {id(node) for node in self._slots}
        seeds = set(self._settings.url.servers)
        for server, node in list(self._nodes.items()):
            if id(node) not in used and server not in seeds and node.is_unused:
                del self._nodes[server]
                node.close()

    def _end_round(self, next_s: float) -> None:
        self._to_ask = None
        self._ask_in(next_s)
        waiting, self._when_ready = self._when_ready, []
        for call in waiting:
            call()


class _Answer:
    """The asker of CLUSTER SLOTS. Implements `Asker`."""

    def __init__(self, cluster: Cluster, node: Node) -> None:
        self._cluster = cluster
        self._node = node

    def arrived(self, request: Request) -> None:
        assert request.reply is not None
        self._cluster.heard(self._node, request.reply)
