"""Finding the command of a request, or the error in Redis's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.redis.replies import Error, text_of
from corepool_kv.redis.table import COMMANDS

if TYPE_CHECKING:
    from corepool_kv.redis.entry import Command

_SHOWN_BYTES = 128

_HTTP_WORDS = (b"post", b"host:")
"""The first words of a browser's POST and of its header Host: Redis closes at the same words."""


def find_command(request: list[bytes]) -> Command:
    """Return the command or subcommand of a request.

    :raises Error: there is none, or the request has too many or too few words for it.
    """
    command = COMMANDS.get(request[0].lower())
    if command is None:
        raise _unknown(request)
    if command.subcommands and len(request) > 1:
        subcommand = command.subcommands.get(request[1].lower())
        if subcommand is None:
            raise Error(f"ERR unknown subcommand '{text_of(request[1])}'. Try {command.name.decode().upper()} HELP.")
        command = subcommand
    elif command.subcommands and command.arity == -len(request):
        return command
    if not command.takes(len(request)):
        raise Error(f"ERR wrong number of arguments for '{command.name.decode()}' command")
    return command


def is_http(word: bytes) -> bool:
    """Report whether a word in the place of a command is part of an HTTP request."""
    return word.partition(b"\0")[0].lower() in _HTTP_WORDS


def _unknown(request: list[bytes]) -> Error:
    shown = b""
    for argument in request[1:]:
        if len(shown) >= _SHOWN_BYTES:
            break
        shown += b"'%b' " % _beginning(argument, _SHOWN_BYTES - len(shown))
    text = b"ERR unknown command '%b', with args beginning with: %b" % (_beginning(request[0]), shown)
    return Error(text.decode(errors="surrogateescape"))


def _beginning(word: bytes, most: int = _SHOWN_BYTES) -> bytes:
    """Return the beginning of a word, to its first NUL: Redis prints it as C does."""
    return word[:most].partition(b"\0")[0]
