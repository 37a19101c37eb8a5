"""What stands before Streamlit's server."""

import asyncio
import urllib.request
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from pages.ui.frame import server
from tests.serving import serving

TRACER = """
import os, sys

def note(event, given):
    if event in {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"}:
        trace.write(f"{event} {given[event == 'socket.connect':]}\\n")

trace = open(os.environ["TRACE"], "a", buffering=1)
trace.write("begun\\n")
sys.addaudithook(note)
"""  # Python imports a module of this name as it starts
NAMED = ["https://b.org ", "d.org", "e.org:80", "*", "http://[", ""]
OPTIONS = {"server.enableCORS": True, "server.corsAllowedOrigins": NAMED, "browser.serverAddress": "c.org"}


@pytest.mark.parametrize("origin, host, allowed", [
    (None, "a.org", True), ("http://a.org:8501", "a.org:8501", True), ("http://localhost:3000", "a.org", True),
    ("https://b.org", "a.org", True), ("https://c.org:1", "a.org", True), ("http://a.org:80", "a.org:8501", False),
    ("http://evil.org", "a.org", False), ("null", "a.org", False), ("http://[", "a.org", False), ("", None, False),
    ("https://d.org", "a.org", True), ("http://e.org", "a.org", True), ("file://", "a.org", False),
])  # fmt: skip
def test_a_page_of_another_origin_is_let_in_only_where_the_configuration_names_it(monkeypatch, origin, host, allowed):
    monkeypatch.setattr(server.st, "get_option", OPTIONS.__getitem__)
    assert server.is_allowed(origin, host) is allowed


@pytest.mark.parametrize("given, expected", [
    ("", "'self'"), ("*", "*"), ("'none'", "'none'"), ("https://a.org", "'self' https://a.org"),
    ("'self' https://*.a.org  b.org:8080", "'self' https://*.a.org b.org:8080"), ("selfhttps://a.org", None),
    ("https://a.org;", None), ("https://a.org, https://b.org", None), ("self", None), ("https://a.org *", None),
])  # fmt: skip
def test_what_names_no_site_is_said_in_one_line_and_only_the_app_shows_itself(monkeypatch, caplog, given, expected):
    monkeypatch.setenv("FRAME_ANCESTORS", given)
    assert server.frame_ancestors.__wrapped__() == (expected or "'self'")
    assert len(caplog.records) == (expected is None)
    assert all("FRAME_ANCESTORS" in each.message and "\n" not in each.message for each in caplog.records)


def test_what_fails_at_the_end_of_the_server_does_not_keep_the_rest_from_its_end(monkeypatch, caplog):
    ended = []
    monkeypatch.setattr(server, "endings", [lambda: ended[0], lambda: ended.append("second")])
    monkeypatch.setattr(server.st, "get_option", {"server.headless": True}.__getitem__)

    async def live() -> None:
        async with server.lifespan(None):
            pass

    asyncio.run(live())
    assert ended == ["second"] and len(caplog.records) == 1


@pytest.mark.slow
def test_a_server_asks_no_other_machine_whoever_comes(tmp_path: Path):
    (tmp_path / "sitecustomize.py").write_text(TRACER)
    trace, named = tmp_path / "trace", "https://class.org"
    more = {"TRACE": str(trace), "PYTHONPATH": str(tmp_path), "STREAMLIT_SERVER_CORS_ALLOWED_ORIGINS": named}
    with serving("app.py", **more) as running:
        stream = f"ws{running.address[4:]}/_stcore/stream"
        with pytest.raises(InvalidStatus, match="403"):
            connect(stream, origin="https://evil.org", subprotocols=["streamlit"])
        for origin in (named, running.address):
            with connect(stream, origin=origin, subprotocols=["streamlit"]):
                pass
        with urllib.request.urlopen(running.address) as page:
            assert page.headers["X-Content-Type-Options"] == "nosniff"
            assert page.headers["Content-Security-Policy"] == "frame-ancestors 'self'"
        assert "https://evil.org" in running.log.read_text()
    assert set(trace.read_text().splitlines()) == {"begun"}


def test_a_server_may_have_as_many_files_as_the_system_permits():
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        server.allow_files()
        most = server.FILES if before[1] == resource.RLIM_INFINITY else min(server.FILES, before[1])
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == most
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
