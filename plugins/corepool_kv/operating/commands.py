"""The commands `corepool kv dump`, `restore` and `import`."""

# No `from __future__ import annotations`: typer reads the annotations, and their defaults.

from pathlib import Path
from typing import Annotated

import typer

from corepool_kv.operating.places import folder_of
from corepool_kv.operating.progress import Progress

app = typer.Typer(
    help="Copy the store of a kv or memcached listener, and fill one.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

_File = Annotated[Path, typer.Argument(metavar="FILE", help="The file of the dump.")]
_Store = Annotated[str, typer.Option("--store", metavar="lmdb:PATH", help="The store, as in the configuration.")]
_Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Tell no progress.")]


@app.command()
def dump(file: _File, *, store: _Store, quiet: _Quiet = False) -> None:
    """Copy a store to a new file.

    Pools may be serving the store. The file has every write that was acknowledged before, and no half of a transaction.
    It appears under its name when it is complete and on the disk.
    """
    from corepool_kv.operating.dump import dump_store  # noqa: PLC0415 - `corepool --help` imports this module

    with Progress("dumped", is_quiet=quiet) as progress:
        size = dump_store(folder_of(store), file, progress.tell)
    typer.echo(f"{file}: {size} bytes")


@app.command()
def restore(
    file: _File,
    *,
    store: _Store,
    replace: Annotated[bool, typer.Option("--replace", help="The store may have data: they are given up.")] = False,
    quiet: _Quiet = False,
) -> None:
    """Make a store of a dump. No pool may be serving it."""
    from corepool_kv.operating.restore import restore_store  # noqa: PLC0415 - as above

    with Progress("restored", is_quiet=quiet) as progress:
        restore_store(file, folder_of(store), replaces=replace, tell=progress.tell)
    typer.echo(f"{store}: restored from {file}")


@app.command(name="import")
def import_(
    *,
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="URL",
            help="The server: redis://[USER:PASSWORD@]HOST:PORT, rediss://... (TLS), or unix:///PATH.",
        ),
    ],
    store: _Store,
    replace: Annotated[bool, typer.Option("--replace", help="Keys that the store has, too, are replaced.")] = False,
    quiet: _Quiet = False,
) -> None:
    """Copy the keys of a Redis into a store.

    The server is any that speaks Redis's protocol. Pools may be serving the store. Needs the library redis: pip install
    'corepool[redis]'. Keys that the store has already are kept, unless told otherwise. Ends with status 1 if some of
    them could not be copied.
    """
    from corepool_kv.operating.importing import import_from  # noqa: PLC0415 - as above

    with Progress("keys", is_quiet=quiet, in_bytes=False) as progress:
        counts = import_from(source, folder_of(store), replaces=replace, tell=progress.tell)
    for reason in counts.faults:
        typer.echo(f"corepool: {reason}", err=True)
    typer.echo(f"{store}: {counts.copied} keys copied, {counts.kept} kept, {counts.failed} not copied")
    if counts.failed:
        raise typer.Exit(1)
