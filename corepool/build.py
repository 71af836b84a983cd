"""How this corepool was built."""

from pathlib import Path


def is_compiled() -> bool:
    """Report whether the hot path is machine code; else it is Python, and does the same. See hatch_build.py."""
    return Path(__file__).with_name("compiled.txt").exists()


def version_line(version: str) -> str:
    """Return the answer to `corepool --version`."""
    return f"corepool {version} ({'compiled' if is_compiled() else 'pure Python'})"
