"""The recipe of `.deploy/nginx.conf` on one machine: nginx, with https, before two servers of the app."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.serving import ROOT, await_start, free_port

# What the file leaves to the configuration around it, with nothing of it outside of one folder.
AROUND = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    include {folder}/site.conf;
}}
"""


@contextmanager
def proxying(folder: Path, servers: Sequence[str]) -> Iterator[str]:
    """The https address of a proxy for two servers, given as HOST:PORT. Skips the test where there is no nginx and none
    can be installed."""
    program, port = _nginx(), free_port()
    site = (ROOT / ".deploy" / "nginx.conf").read_text("utf-8")
    site = re.sub(r" *listen \[::].*\n", "", site)  # not every machine that runs tests has IPv6
    for name, here in {
        "server-a:8501": servers[0],
        "server-b:8501": servers[1],
        "listen 443": f"listen 127.0.0.1:{port}",
        "listen 80": f"listen 127.0.0.1:{free_port()}",
        "/etc/nginx/certs": str(folder),
    }.items():
        assert name in site
        site = site.replace(name, here)
    (folder / "site.conf").write_text(site)
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder))
    _certify(folder)
    process = subprocess.Popen([program, "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")])
    try:
        await_start(process, (folder / "nginx.pid").exists, folder / "error.log")
        yield f"https://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def _nginx() -> str:
    on_path = f"{os.environ['PATH']}:/usr/sbin"
    if not all(shutil.which(name, path=on_path) for name in ("nginx", "openssl")):
        if os.geteuid() == 0 and shutil.which("apt-get"):
            command = "apt-get update && apt-get install -y --no-install-recommends nginx-light openssl"
            subprocess.run(["sh", "-c", command], capture_output=True)
    found = shutil.which("nginx", path=on_path)
    if not (found and shutil.which("openssl")):
        pytest.skip("nginx and openssl are not installed here")
    return found


def _certify(folder: Path) -> None:
    """A certificate that names the machine itself, signed with its own key."""
    files = ["-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"]
    key = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-noenc",
        "-days",
        "1",
        "-subj",
        "/CN=127.0.0.1",
    ]
    subprocess.run(["openssl", "req", "-x509", *key, *files], check=True, capture_output=True)
