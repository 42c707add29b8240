"""The chat page, the custom element, help for the person, and the published safety protocol."""

import html
from collections.abc import Iterable
from importlib import resources
from typing import Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse

from empathy_r1.graph.labels import Locale
from empathy_r1.graph.safety.crisis import grounding, safety_plan
from empathy_r1.graph.safety.help import help_for
from empathy_r1.graph.safety.protocol import published_protocol
from empathy_r1.integrations.web.access import Engine
from empathy_r1.integrations.web.problems import answers, language

STATIC = resources.files("empathy_r1.integrations.web") / "static"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob:; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_PAGE = {"Content-Security-Policy": CSP, "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}
_PAGE["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=()"
_FILE = {"Cache-Control": "no-cache"}

router = APIRouter(tags=["pages"])


@router.get("/", response_class=HTMLResponse, include_in_schema=False)
async def chat_page() -> Response:
    """The chat page."""
    return FileResponse(str(STATIC / "index.html"), media_type="text/html; charset=utf-8", headers=_PAGE)


@router.get("/widget.js", response_class=FileResponse, include_in_schema=False)
async def widget() -> Response:
    """The custom element `<empathy-chat>`; any origin may embed it."""
    headers = _FILE | {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
    return FileResponse(str(STATIC / "empathy-chat.js"), media_type="text/javascript; charset=utf-8", headers=headers)


@router.get("/page.css", response_class=FileResponse, include_in_schema=False)
async def page_css() -> Response:
    """The page's own few rules."""
    return FileResponse(str(STATIC / "page.css"), media_type="text/css; charset=utf-8", headers=_FILE)


@router.get("/icon.svg", response_class=FileResponse, include_in_schema=False)
async def page_icon() -> Response:
    """The page's icon."""
    return FileResponse(str(STATIC / "icon.svg"), media_type="image/svg+xml", headers=_FILE)


@router.get("/v1/help", responses=answers("invalid_request"))
async def read_help(
    engine: Engine,
    locale: Locale = "en",
    region: str | None = Query(None, max_length=35, description="ISO 3166-1 alpha-2 country; none if unknown."),
) -> dict[str, Any]:
    """Help lines, the sections of a safety plan and a grounding exercise. Needs neither model nor database."""
    return {
        "card": help_for(region or engine.settings.region, locale).as_json(),
        "plan": safety_plan(locale),
        "grounding": grounding(locale),
        "limits": {"max_post_chars": engine.settings.max_post_chars},
    }


@router.get("/safety-protocol", response_class=HTMLResponse, responses={200: {"content": {"application/json": {}}}})
async def safety_protocol(request: Request, lang: Locale | None = None) -> Response:
    """The published crisis protocol, as a page or (Accept: application/json) as JSON."""
    locale = lang or language(request)
    protocol = published_protocol(locale)
    vary = {"Vary": "Accept, Accept-Language", "Content-Language": locale}
    if "application/json" in request.headers.get("accept", ""):
        return JSONResponse(protocol, headers=vary)
    return HTMLResponse(protocol_page(protocol, locale), headers=_PAGE | vary)


def protocol_page(protocol: dict[str, Any], locale: Locale) -> str:
    """The protocol as a page that needs no script."""
    zh = locale == "zh"
    e = html.escape
    title, versions = e(protocol["title"]), ", ".join(f"{k} {v}" for k, v in protocol["versions"].items())
    return "\n".join(
        [
            f'<!doctype html><html lang="{"zh-Hans" if zh else "en"}"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<title>{title}</title><link rel="icon" href="icon.svg"><link rel="stylesheet" href="page.css"></head>',
            f"<body><main><h1>{title}</h1><p>{e(protocol['summary'])}</p>",
            f'<p><a href="?lang={"en" if zh else "zh"}">{"English" if zh else "中文"}</a></p>',
            f"<h2>{'求助热线' if zh else 'Help lines'}</h2>",
            *(_card(card, zh) for card in (*protocol["help"], protocol["help_elsewhere"])),
            f"<h2>{'我们怎么做' if zh else 'What we do'}</h2>",
            *(f"<p><strong>{e(step['title'])}</strong> {e(step['text'])}</p>" for step in protocol["steps"]),
            f"<h2>{'回复里不会出现的' if zh else 'What a reply never holds'}</h2>",
            _list(row["about"] for row in protocol["withheld"]),
            f"<h2>{'什么时候会提醒你' if zh else 'When you are reminded'}</h2>",
            _list(row["text"] for row in protocol["disclosures"]),
            f"<h2>{'它做不到的' if zh else 'Its limits'}</h2>{_list(protocol['limits'])}",
            f"<p><small>{e(versions)}</small></p></main></body></html>",
        ]
    )


def _card(card: dict[str, Any], zh: bool) -> str:
    url = html.escape(card["directory_url"])
    if not card["region"]:
        return f'<p>{"其他国家和地区：" if zh else "Other countries: "}<a href="{url}">{url}</a></p>'
    return f'<div class="wide"><table>{"".join(_row(line, zh) for line in card["lines"])}</table></div>'


def _row(line: dict[str, Any], zh: bool) -> str:
    how = {"call": "电话" if zh else "call", "text": "短信" if zh else "text"}[line["how"]]
    hours = " · ".join(filter(None, (line["hours"], line["note"])))
    place, name, number, href, source, verified = (
        html.escape(line[key]) for key in ("place", "name", "number", "href", "source", "verified")
    )
    return (
        f"<tr><td>{place}</td><td>{name}<br><small>{html.escape(hours)}</small></td>"
        f'<td><a href="{href}">{number}</a> {how}<br><small>{source}, {verified}</small></td></tr>'
    )


def _list(items: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{html.escape(item)}</li>' for item in items)}</ul>"
