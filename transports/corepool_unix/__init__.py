"""The unix transport: `unix:///path?mode=0660` and `unix:@name`.

A path must be absolute and is taken as written (no %-escapes). The socket file is made with its mode from
the first moment; the default, 0600, lets only the pool's own user connect (nginx makes it 0666): say
`?mode=0660` for a proxy in the same group, or set an umask in [process]. It belongs to the user and group of [process],
if there are any. A name after `@` is in Linux's abstract namespace: there is no
file, and therefore no mode, and every user of the same network namespace can connect.
"""

from corepool_unix.transport import Unix

__all__ = ["Unix"]
