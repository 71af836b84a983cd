"""The options of the kv protocol."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr, SecretStr, model_validator

from corepool import Duration, Size
from corepool_kv.engine.notifications import parse_letters, show_letters
from corepool_kv.redis.secret_file import read_secret
from corepool_kv.stores.options import StoreOptions
from corepool_kv.stores.remote_url import is_remote

_MAX_PASSWORD = 8192  # more would not fit into the AUTH of a client that has not sent it yet


def _readable(path: str) -> str:
    read_secret(path)
    return path


def _letters(text: str) -> str:
    letters = parse_letters(text)
    if letters is None:
        raise ValueError("expected letters out of AKEg$lshzxetdmn")
    return show_letters(letters)


class KvOptions(StoreOptions):
    """[listener.options] of protocol = "kv"."""

    password: SecretStr = SecretStr("")
    """The password that clients must send with AUTH before anything else; empty: no AUTH is needed."""

    password_file: Annotated[str, AfterValidator(_readable)] | None = None
    """A file with the password, which other users may not read; a line break at its end is not part of it."""

    max_line: Annotated[Size, Field(ge=64)] = 65_536
    """Bytes of an inline command (redis: 64 KiB)."""

    max_arguments: Annotated[int, Field(ge=1)] = 1_048_576
    """Arguments of one command (redis: 1,048,576)."""

    max_request: Annotated[Size, Field(ge=1024)] = 64 * 1024 * 1024
    """Bytes of one command with all of its arguments, which is also the bound of a value, and of what MULTI queues."""

    max_reply: Annotated[Size, Field(ge=1024)] = 64 * 1024 * 1024
    """Bytes of one reply to MGET, KEYS or EXEC; what would be longer is an error."""

    notify_keyspace_events: Annotated[str, AfterValidator(_letters)] = ""
    """Events of keys that are published on channels, as letters of Redis's option of that name: K or E or both, and
    the classes, such as "Ex" or "KEA". Empty: none, which costs nothing. CONFIG SET changes it, too."""

    store_timeout: Annotated[Duration, Field(gt=0)] = 10.0
    """Seconds after which a server of a store on servers has failed, if requests wait and nothing comes from it."""

    enable_debug_command: Literal["no", "local", "yes"] = "no"
    """Who may use DEBUG, which can make a worker sleep: no client, those of this machine, or all."""

    _expected: SecretStr = PrivateAttr(SecretStr(""))

    @property
    def expected(self) -> bytes:
        """The password, wherever it comes from. Read once, when these options are made, and so at each reload."""
        return self._expected.get_secret_value().encode(errors="surrogateescape")

    @model_validator(mode="after")
    def _notifies_of_its_own(self) -> Self:
        if is_remote(self.store) and self.notify_keyspace_events:
            raise ValueError("`notify_keyspace_events` is for a store on this machine: CONFIG SET tells the servers")
        return self

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        self._expected = self.password
        if self.password_file is not None:
            if self.password.get_secret_value():
                raise ValueError("`password` and `password_file`: one of them says it")
            self._expected = SecretStr(read_secret(self.password_file))
        if len(self.expected) > _MAX_PASSWORD:
            raise ValueError(f"the password has more than {_MAX_PASSWORD} bytes")
        return self
