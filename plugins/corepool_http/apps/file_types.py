"""Media types of files, by their suffix. A table of our own: the same on each machine and with each Python.

The types of nginx and those that have come since, as IANA has registered them. A suffix that is missing here is of no
known type, and a browser offers its file as a download.
"""

from __future__ import annotations

from typing import NamedTuple

_TYPES = """
text/html                       html htm shtml
text/css                        css
text/javascript                 js mjs cjs
text/plain                      txt text log conf ini c h cc cpp hpp py rs go java toml diff patch
text/markdown                   md markdown
text/csv                        csv
text/tab-separated-values       tsv
text/calendar                   ics
text/vcard                      vcf
text/vtt                        vtt
text/cache-manifest             appcache
text/mathml                     mml
text/vnd.sun.j2me.app-descriptor  jad
text/vnd.wap.wml                wml
text/x-component                htc
text/xml                        xml xsl
image/gif                       gif
image/jpeg                      jpeg jpg jpe jfif
image/png                       png
image/apng                      apng
image/avif                      avif
image/webp                      webp
image/jxl                       jxl
image/heic                      heic
image/heif                      heif
image/bmp                       bmp
image/svg+xml                   svg svgz
image/tiff                      tif tiff
image/vnd.wap.wbmp              wbmp
image/x-icon                    ico
image/x-jng                     jng
font/woff                       woff
font/woff2                      woff2
font/ttf                        ttf
font/otf                        otf
font/collection                 ttc
audio/midi                      mid midi kar
audio/mpeg                      mp3
audio/ogg                       ogg oga opus
audio/x-m4a                     m4a
audio/x-realaudio               ra
audio/aac                       aac
audio/flac                      flac
audio/wav                       wav
audio/webm                      weba
video/3gpp                      3gpp 3gp
video/mp2t                      ts
video/mp4                       mp4
video/mpeg                      mpeg mpg
video/ogg                       ogv
video/quicktime                 mov
video/webm                      webm
video/matroska                  mkv
video/x-flv                     flv
video/x-m4v                     m4v
video/x-mng                     mng
video/x-ms-asf                  asx asf
video/x-ms-wmv                  wmv
video/x-msvideo                 avi
model/gltf-binary               glb
model/gltf+json                 gltf
application/atom+xml            atom
application/rss+xml             rss
application/xhtml+xml           xhtml
application/xslt+xml            xslt
application/xspf+xml            xspf
application/json                json map
application/jsonl               jsonl ndjson
application/ld+json             jsonld
application/geo+json            geojson
application/manifest+json       webmanifest
application/yaml                yaml yml
application/wasm                wasm
application/pdf                 pdf
application/epub+zip            epub
application/postscript          ps eps ai
application/rtf                 rtf
application/sql                 sql
application/dash+xml            mpd
application/vnd.apple.mpegurl   m3u8
application/vnd.google-earth.kml+xml  kml
application/vnd.google-earth.kmz  kmz
application/msword              doc
application/vnd.ms-excel        xls
application/vnd.ms-fontobject   eot
application/vnd.ms-powerpoint   ppt
application/vnd.oasis.opendocument.graphics      odg
application/vnd.oasis.opendocument.presentation  odp
application/vnd.oasis.opendocument.spreadsheet   ods
application/vnd.oasis.opendocument.text          odt
application/vnd.openxmlformats-officedocument.presentationml.presentation  pptx
application/vnd.openxmlformats-officedocument.spreadsheetml.sheet          xlsx
application/vnd.openxmlformats-officedocument.wordprocessingml.document    docx
application/vnd.sqlite3         sqlite sqlite3
application/vnd.android.package-archive  apk
application/vnd.wap.wmlc        wmlc
application/java-archive        jar war ear
application/mac-binhex40        hqx
application/x-cocoa             cco
application/x-java-archive-diff jardiff
application/x-java-jnlp-file    jnlp
application/x-makeself          run
application/x-perl              pl pm
application/x-pilot             prc pdb
application/x-redhat-package-manager  rpm
application/x-sea               sea
application/x-sh                sh
application/x-shockwave-flash   swf
application/x-tcl               tcl tk
application/x-x509-ca-cert      der pem crt
application/x-xpinstall         xpi
application/gzip                gz tgz
application/x-xz                xz txz
application/x-bzip2             bz2 tbz tbz2
application/x-lzip              lz
application/zstd                zst tzst
application/x-tar               tar
application/x-7z-compressed     7z
application/x-rar-compressed    rar
application/x-stuffit           sit
application/zip                 zip whl
"""

_OTHER = "application/octet-stream"

_CODED = {"svgz": "gzip"}
"""Suffixes of packed files that browsers show, but only with a Content-Encoding. Archives have none: a client would
unpack a file that it should store."""

_NAMES_ITS_CHARSET = "text/xml"
"""Its first line may name another charset, which a header would overrule (RFC 7303, 3)."""


class FileType(NamedTuple):
    """The facts that a file's suffix tells about its content."""

    media_type: str
    coding: str = ""
    """The Content-Encoding that the file itself has."""


def _read_table() -> dict[str, FileType]:
    types = {}
    for line in _TYPES.split("\n"):
        if not line:
            continue
        media_type, *suffixes = line.split()
        if media_type.startswith("text/") and media_type != _NAMES_ITS_CHARSET:
            media_type += "; charset=utf-8"
        for suffix in suffixes:
            types[suffix] = FileType(media_type, _CODED.get(suffix, ""))
    return types


_BY_SUFFIX = _read_table()
_UNKNOWN = FileType(_OTHER)


def type_of(path: str) -> FileType:
    """Return the type of a file.

    The last suffix counts, without regard to case; the dots that a name begins with are none of a suffix.
    """
    name = path[path.rfind("/") + 1 :].lstrip(".")
    _, dot, suffix = name.rpartition(".")
    return _BY_SUFFIX.get(suffix.lower(), _UNKNOWN) if dot else _UNKNOWN
