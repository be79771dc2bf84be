"""The service keeps to its own OpenAPI document, whatever it is asked."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from service_stub import TONE, Stub

from emorec.app.store import Store

pytest.importorskip("fastapi")
schemathesis = pytest.importorskip("schemathesis")

_CONTENTS = st.sampled_from([TONE, b"", b"some words", b"\x00\x01\x02"]) | st.binary(max_size=99)
# A form may be as it should be and hold no clip.
_SETTINGS = {"checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", 422]}}}
_HOST = {"host": "127.0.0.1"}


@pytest.fixture
def operations():
    from emorec.service.api import make_service

    schemathesis.openapi.format("binary", _CONTENTS)
    config = schemathesis.Config.from_dict(_SETTINGS)
    config.base_url = "http://127.0.0.1"
    with Store(keep_s=0) as store:
        app = make_service(Stub(), None, store, None)
        document = schemathesis.openapi.from_asgi(
            "/openapi.json", app, config=config, headers=_HOST
        )
        yield {found.ok().label: found.ok() for found in document.get_all_operations()}


def answers(operation, mode) -> Counter[int]:
    """Ask for an operation in many ways; every answer has to be one that the document names."""
    statuses: Counter[int] = Counter()

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=30,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def ask(case):
        statuses[case.call_and_validate(headers=_HOST).status_code] += 1

    ask()
    return statuses


def test_what_is_as_it_should_be_is_served(operations):
    mode = schemathesis.GenerationMode.POSITIVE
    assert set(operations) == {"POST /v1/classify", "GET /v1/models", "GET /health"}
    statuses = {label: answers(operation, mode) for label, operation in operations.items()}
    assert set(statuses.pop("POST /v1/classify")) == {200, 422}
    assert {status for found in statuses.values() for status in found} == {200}


def test_what_is_not_is_refused(operations):
    statuses = answers(operations["POST /v1/classify"], schemathesis.GenerationMode.NEGATIVE)
    assert set(statuses) <= {400, 415} and sum(statuses.values()) >= 20
