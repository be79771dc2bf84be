"""Brings what runs notebooks, without a grammar of addresses that takes five seconds to import."""

import sys

sys.modules.setdefault("rfc3987_syntax", None)
pytest_plugins = ("nbmake.pytest_plugin",)
