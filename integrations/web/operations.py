"""For operators: alive, ready, counters."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from empathy_r1.integrations.web import metrics
from empathy_r1.integrations.web.access import Engine
from empathy_r1.plugin.views import Health

router = APIRouter(tags=["operations"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Whether the process is alive. Asks nothing else."""
    return {"status": "ok"}


@router.get("/readyz", response_model=Health, responses={503: {"model": Health, "description": "Send it no posts."}})
async def readyz(engine: Engine) -> Response:
    """Whether the process can answer posts: database, model, not draining."""
    health = await engine.ready()
    return JSONResponse(health.model_dump(), status_code=200 if health.ready else 503)


@router.get("/metrics", response_class=PlainTextResponse)
async def read_metrics(engine: Engine) -> Response:
    """Counters in the Prometheus text format, without personal data."""
    return Response(metrics.page(await engine.ready()), media_type="text/plain; version=0.0.4; charset=utf-8")
