"""Our extensions keep the contract that every plugin's must keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from corepool.testing.extension import ExtensionContract

if TYPE_CHECKING:
    from collections.abc import Mapping


class TestAccess(ExtensionContract):
    name = "access"
    options: ClassVar[Mapping[str, object]] = {"allow": ["127.0.0.0/8"]}


class TestLimits(ExtensionContract):
    name = "limits"
    options: ClassVar[Mapping[str, object]] = {"per_peer": 64, "rate": 10_000, "total": 64}


class TestAccessLog(ExtensionContract):
    name = "accesslog"
    options: ClassVar[Mapping[str, object]] = {"format": "json"}
