"""`/openapi.json` and `/docs`, which load nothing from elsewhere."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import Response

from recprism.serve.answering import as_json
from recprism.serve.faults import Refused

router = APIRouter(include_in_schema=False)
PLACE = "/docs/assets"
ASSETS = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "favicon.png": "image/png",
}
_FOR_A_DAY = {"Cache-Control": "public, max-age=86400"}


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """The API as a machine reads it."""
    return as_json(request.app.openapi())


@router.get("/docs")
async def docs() -> Response:
    """The API as a person reads it."""
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="RecPrism",
        swagger_js_url=f"{PLACE}/swagger-ui-bundle.js",
        swagger_css_url=f"{PLACE}/swagger-ui.css",
        swagger_favicon_url=f"{PLACE}/favicon.png",
    )


@router.get(PLACE + "/{name}")
async def asset(name: str) -> Response:
    """A file of the page, from the package that keeps them."""
    if name not in ASSETS:
        raise Refused(404, "not-found", "There is nothing at this address.")
    content = (files("fastapi_offline") / "static" / name).read_bytes()
    return Response(content, media_type=ASSETS[name], headers=_FOR_A_DAY)
