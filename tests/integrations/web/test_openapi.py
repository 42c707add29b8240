"""Every route keeps to the OpenAPI document, whatever is sent: no server error, no answer that is not described."""

import asyncio
import tempfile

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings

from empathy_r1.integrations.app import create_app
from empathy_r1.plugin.engine import EmpathyEngine
from empathy_r1.plugin.settings import Settings
from empathy_r1.storage.crypto import new_key

from support.keys import key
from support.models import ZH_CHAIN, ScriptedModel
from support.served import served

schemathesis = pytest.importorskip("schemathesis")
from schemathesis.generation import GenerationMode  # noqa: E402
from schemathesis.specs.openapi import checks  # noqa: E402

COMPLETIONS = "/v1/chat/completions"
EXAMPLES = 10
CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
FEW = hypothesis_settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def app_settings(folder):
    address = f"sqlite+aiosqlite:///{folder}/openapi.db"
    return Settings(database_url=address, data_dir=folder, encryption_keys=new_key("t"), drain_seconds=5)


def cases():
    """Every method and path of the document with what fits it, and with what does not where it takes anything."""
    for path, methods in create_app(app_settings(tempfile.gettempdir())).openapi()["paths"].items():
        for method, operation in methods.items():
            yield method, path, GenerationMode.POSITIVE
            # A path's text and OpenAI's open body fit whatever they are.
            if {"parameters", "requestBody"} & set(operation) and path not in ("/v1/models/{model}", COMPLETIONS):
                yield method, path, GenerationMode.NEGATIVE


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """The document, the address, and headers with a key that opens everything."""
    settings = app_settings(tmp_path_factory.mktemp("openapi"))
    model = ScriptedModel(script=ZH_CHAIN, piece=1000)
    app = create_app(settings, open_engine=lambda chosen: EmpathyEngine.open(chosen, model=model))
    with served(app) as url, httpx.Client(base_url=url, timeout=60) as client:
        headers = asyncio.run(key(settings, "clinic"))
        yield schemathesis.openapi.from_url(f"{url}/openapi.json"), client, headers


@pytest.mark.parametrize(("method", "path", "mode"), [*cases()], ids=str)
def test_strangers_get_described_answers(api, method, path, mode):
    operation = api[0][path][method]

    @FEW
    @given(operation.as_strategy(mode))
    def check(case):
        case.call_and_validate(checks=CHECKS)

    check()


@pytest.mark.parametrize(("method", "path", "mode"), [*cases()], ids=str)
def test_whoever_may_do_it_gets_described_answers(api, method, path, mode):
    """The same with a key, on a session and a turn that are there."""
    schema, client, headers = api
    operation = schema[path][method]

    @FEW
    @given(operation.as_strategy(mode))
    def check(case):
        if "session_id" in case.path_parameters:
            made = client.post("/v1/sessions", headers=headers).json()["session_id"]
            case.path_parameters["session_id"] = made
            if "turn_id" in case.path_parameters:
                turn = client.post(f"/v1/sessions/{made}/turns", json={"text": "hello there"}, headers=headers).json()
                case.path_parameters["turn_id"] = turn["turn_id"]
        case.call_and_validate(headers=headers, checks=CHECKS)

    check()
