"""Brings what runs notebooks, without a grammar of addresses that takes five seconds to import."""

import sys

sys.modules.setdefault("rfc3987_syntax", None)
pytest_plugins = ("nbmake.pytest_plugin",)

LONGEST = (
    "17",
    "12",
    "18",
    "19",
    "15",
    "14",
    "06",
    "07",
    "13",
    "08",
    "02",
    "05",
    "09",
    "16",
    "22",
    "24",
)


def pytest_collection_modifyitems(items):
    """Run the longest first: last, one would keep a core busy while the other waits."""
    places = {number: place for place, number in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name[:2], len(LONGEST)))
