"""Media types: those of nginx for the same suffix, those that browsers need, and those only to be stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from corepool_http.apps.file_types import type_of

_OTHERS_THAN_NGINX = {
    "js": "text/javascript",  # RFC 9239
    "bmp": "image/bmp",  # RFC 7903
}


def _types_of_nginx() -> dict[str, str]:
    """Read the table of the nginx that is installed."""
    types = {}
    for line in Path("/etc/nginx/mime.types").read_text().splitlines():
        kind, *suffixes = line.strip().rstrip(";").split() or [""]
        if "/" in kind:
            types.update(dict.fromkeys(suffixes, kind))
    assert len(types) > 90
    return types


def test_each_suffix_has_the_type_that_nginx_has() -> None:
    known = {suffix: type_of(f"/a/b.{suffix}").media_type.partition(";")[0] for suffix in _types_of_nginx()}
    assert known == {**_types_of_nginx(), **_OTHERS_THAN_NGINX}


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.webp", "image/webp"),
        ("a.avif", "image/avif"),
        ("a.woff2", "font/woff2"),
        ("a.wasm", "application/wasm"),
        ("a.md", "text/markdown; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.map", "application/json"),
        ("a.json", "application/json"),
        ("a.webmanifest", "application/manifest+json"),
        ("a.ttf", "font/ttf"),
        ("a.csv", "text/csv; charset=utf-8"),
        ("a.vtt", "text/vtt; charset=utf-8"),
        ("a.html", "text/html; charset=utf-8"),
        # Its first line says the charset.
        ("a.xml", "text/xml"),
        # Downloads, which a client must not unpack.
        ("a.tgz", "application/gzip"),
        ("a.tar.gz", "application/gzip"),
        ("a.css.gz", "application/gzip"),
        ("a.txz", "application/x-xz"),
        ("a.tar.xz", "application/x-xz"),
        ("a.tbz2", "application/x-bzip2"),
        ("a.tar.bz2", "application/x-bzip2"),
        ("a.tar.zst", "application/zstd"),
        ("a.zst", "application/zstd"),
        ("a.zip", "application/zip"),
        ("a.js.br", "application/octet-stream"),
        ("a.tar", "application/x-tar"),
        # How a suffix is found.
        ("A.HTML", "text/html; charset=utf-8"),
        ("a.TAR.GZ", "application/gzip"),
        ("a.min.css", "text/css; charset=utf-8"),
        ("a.css.bak", "application/octet-stream"),
        ("a", "application/octet-stream"),
        ("a.", "application/octet-stream"),
        ("css", "application/octet-stream"),
        (".css", "application/octet-stream"),
        ("..css", "application/octet-stream"),
        (".a.css", "text/css; charset=utf-8"),
        ("a.css/b", "application/octet-stream"),
        ("a.\udcff", "application/octet-stream"),
    ],
)
def test_the_last_suffix_decides(name: str, media_type: str) -> None:
    assert type_of(f"/folder/{name}") == (media_type, "")


@pytest.mark.parametrize("name", ["a.svgz", "a.SVGZ", "a.b.svgz"])
def test_a_packed_picture_is_a_picture_with_a_coding(name: str) -> None:
    assert type_of(f"/folder/{name}") == ("image/svg+xml", "gzip")
