"""The last reload that has failed, as `status` and `top` show it."""

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def failed_reload(answer: "Mapping[str, Any]") -> str | None:
    """Return a line about the last reload that has failed; None: there is none, or a later one has succeeded.

    :param answer: the status of a master, perhaps of another version.
    """
    failure = answer.get("reload", {}).get("failure")
    if not failure:
        return None
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(failure["at"]))
    reason, place = failure["reason"], f"{failure['file']}:{failure['line']}"
    # That of a configuration has its place in it, and others may as well.
    where = f" ({place})" if failure["line"] and place not in reason else ""
    text = f"the last reload has failed at {when}: {reason}{where}; workers kept: {failure['kept']}"
    return printable(text)


def printable(text: str) -> str:
    """Return a text without terminal codes, which a traceback or a file may have."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
