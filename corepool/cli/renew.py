"""`corepool renew`: have a running pool read its certificates again, and wait until its workers serve with them."""

import json
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corepool.cli.arguments import AsJson, Config, Which, whole_number
from corepool.cli.pools import pool_of
from corepool.cli.reloads import printable
from corepool.errors import ControlError
from corepool.plugins.renewal import expiry, named
from corepool.spec.certificates import ServerCertificate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LOOK_S = 0.1
"""How often a pool is asked how far it has got."""


def renew(
    config: Config = None,
    control: Which = None,
    timeout: Annotated[str, typer.Option("--timeout", metavar="SECONDS", help="How long to wait for workers.")] = "60",
    *,
    as_json: AsJson = False,
) -> None:
    """Read certificates and keys again.

    For what renews them to call. The pool looks by itself every ten seconds; this does it at once, and waits until
    every worker serves with the new ones. No connection is closed. Ends with status 1 if a file is wrong: the old
    certificate stays; or if a worker does not take the new one in time: it does so later.
    """
    timeout_s = whole_number(timeout)
    its = pool_of(config, control)
    changed: Any = its.order("renew")["changed"]
    seen: Any = its.status()["renewal"]
    give_up = time.monotonic() + timeout_s
    while seen["waiting"] and time.monotonic() < give_up:
        time.sleep(_LOOK_S)
        seen = its.status()["renewal"]
    if as_json:
        typer.echo(json.dumps({"pool": its.as_json(), "changed": changed, **seen}, indent=2))
    elif changed and not seen["waiting"]:
        typer.echo(f"{its}: renewed: bound sockets with new files: {changed}; every worker serves with them")
    elif not (seen["failures"] or seen["waiting"]):
        typer.echo(f"{its}: no file has changed")
    lines = [f"{its}: not renewed: {each}" for each in failures({"renewal": seen})]
    if seen["waiting"]:
        names = ", ".join(map(printable, seen.get("waiting_for", ())))
        lines.append(
            f"{its}: after {timeout_s} s these workers still serve with the old files, and take the new later: {names}"
        )
    if lines:
        raise ControlError("\n".join(lines))


def failures(answer: "Mapping[str, Any]") -> "Iterator[str]":
    """Yield a line about each wrong file, and about each worker that could not take a new one.

    :param answer: the status of a master, perhaps of another version.
    """
    for each in answer.get("renewal", {}).get("failures", ()):
        worker = f", worker {each['worker']}" if each["worker"] else ""
        yield printable(f"{each['listener']} ({each['url']}){worker}: {each['reason']}; the old certificate stays")


def expiring(answer: "Mapping[str, Any]", now: float) -> "Iterator[str]":
    """Yield a line about each certificate that ends soon, has ended, or is not valid yet.

    :param now: seconds since the epoch.
    """
    for each in answer.get("renewal", {}).get("certificates", ()):
        its = ServerCertificate(each["source"], tuple(each["names"]), each["not_before"], each["not_after"])
        said = expiry(its, now)
        if said is not None:
            yield printable(f"{each['listener']}: {named(its)} {said}")
