import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache

from fastapi import APIRouter, FastAPI
from fastapi.middleware.gzip import GZipMiddleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.routing import BaseRoute

from backend import __version__
from backend.api import (
    batches,
    catalog,
    compare_figures,
    comparisons,
    datasets,
    error_table,
    exports,
    figures,
    measurements,
    pages,
    queue,
    results,
    runs,
    service,
    steering,
    stream,
    system,
    views,
)
from backend.api.compression import StreamCompression
from backend.api.error_table import problem
from backend.api.schemas.base import ErrorAnswer
from backend.api.trust import MAX_BODY_BYTES, Access, TrustMiddleware
from backend.contract import PRESETS
from backend.db.engine import Database
from backend.dependencies import Lab
from backend.disk import DiskMeter
from backend.feed import Feed
from backend.maintenance import Maintenance
from backend.notifier import ChangeListener, RedisNotifier
from backend.queue import CeleryQueue
from backend.reaper import Reaper
from backend.series import SeriesCache
from backend.settings import Settings
from backend.submission import LaunchOrder, Submission


def create_app(settings: Settings | None = None) -> FastAPI:
    """The web application: API, stream and page over one database and one Redis."""
    settings = settings or Settings()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    database = Database(settings.resolved_database_url)
    notifier, messages = RedisNotifier(settings.redis_url), CeleryQueue(settings.redis_url)
    feed = Feed(settings.max_streams)
    submission = Submission(database, messages, notifier)
    access = Access(settings.token.get_secret_value()) if settings.token is not None else None
    listener = ChangeListener(settings.redis_url, feed.wake)
    reaper = Reaper(database, messages, notifier, settings.lease_s)
    maintenance = Maintenance(database)
    meter = DiskMeter(database, settings.runs_dir)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        maintenance.start()
        feed.open()
        listener.start()
        reaper.start()
        meter.start()
        if settings.demo:
            demo = PRESETS["demo"]
            submission.launch_first(LaunchOrder(demo.config, [demo.config.seed], demo.pair, name="demo"))
        yield
        feed.close()
        meter.stop()
        reaper.stop()
        listener.stop()
        maintenance.stop()
        database.close()

    app = FastAPI(
        title="Backprop Lab",
        version=__version__,
        description="Launch, follow and compare runs of hand-written backpropagation.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.state.lab = Lab(settings, database, notifier, submission, feed, access, SeriesCache())
    error_table.install(app)
    app.router.routes.extend(_api_routes())
    pages.install(app)
    app.add_middleware(StreamCompression)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=MAX_BODY_BYTES)
    app.add_middleware(TrustMiddleware, settings=settings, access=access, refuse=problem, login_page=pages.login_page)
    return app


@cache
def _api_routes() -> Sequence[BaseRoute]:
    """The API's routes, which no setting changes: building them is most of what an application costs (70 ms)."""
    api = APIRouter(prefix="/api", responses={status: {"model": ErrorAnswer} for status in (422, 503, 507)})
    # compare_figures stands before figures, which answers for every name.
    compared = (comparisons, exports, views, compare_figures)
    for module in (
        *(runs, steering, queue, results, batches, measurements, system, *compared),
        *(figures, stream, catalog, datasets, service),
    ):
        api.include_router(module.router)
    routes = APIRouter()
    routes.include_router(api)
    return routes.routes
