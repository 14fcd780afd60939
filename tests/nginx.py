"""A real nginx in front of a server of the tests: ours alone, in a folder, on a free port."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
MISSING = "no nginx here: apt-get install nginx-light"
SNIPPET = Path(__file__).resolve().parents[1] / "deploy" / "nginx.conf"
_CONFIG = """daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {{ }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port}{tls};
        {locations}
    }}
}}
"""


@contextmanager
def nginx(folder: Path, locations: str, tls: str = "") -> Iterator[int]:
    """Run nginx until the block ends.

    Args:
        folder: Empty; gets its configuration and its temporary files.
        locations: What stands in the `server { … }`.
        tls: " ssl" for https; the certificate is then among the locations.

    Yields:
        The port.
    """
    assert NGINX is not None, MISSING
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        config = folder / "nginx.conf"
        config.write_text(_CONFIG.format(port=port, tls=tls, locations=locations))
        log = folder / "log.txt"
        command = [NGINX, "-p", str(folder), "-c", str(config), "-e", "stderr"]
        with log.open("wb") as file:
            process = subprocess.Popen(command, stderr=file)
        if _answers(process, port):
            break
        if "Address already in use" not in log.read_text():  # else somebody was quicker
            raise AssertionError(log.read_text())
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


def _answers(process: "subprocess.Popen[bytes]", port: int) -> bool:
    while process.poll() is None:
        with closing(socket.socket()) as asked:
            if not asked.connect_ex(("127.0.0.1", port)):
                return True
        time.sleep(0.02)
    return False
