"""Start the app with two workers; four clients write to one session.

python web_workers.py uvicorn
python web_workers.py gunicorn
"""

import json
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from importlib import import_module
from time import monotonic

WORKERS = 2
CLIENTS_OF_EACH = 2
MESSAGES = 25
SECONDS = 30  # to wait for what comes at once on an idle machine
# {} is the open socket on which the server listens.
SERVERS = {
    "uvicorn": "uvicorn web_app:app --workers 2 --fd {}"
    " --lifespan off --log-level warning",
    "gunicorn": "gunicorn wsgi_app:app --workers 2 --bind fd://{}"
    " --threads 4 --preload --log-level warning",
}


def ask(client: HTTPConnection, method: str, body: str = "") -> dict[str, int]:
    """Send one request for the session, and return what a worker said."""
    client.request(method, "/trip", body)
    response = client.getresponse()
    said: dict[str, int] = json.load(response)
    assert response.status == 200, said
    return said


def clients_of_each_worker(port: int) -> list[HTTPConnection]:
    """Open connections until each worker has its clients.

    A connection stays with the worker that has taken it.
    """
    found: dict[int, list[HTTPConnection]] = {}
    until = monotonic() + SECONDS
    while monotonic() < until:
        client = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        taken = found.setdefault(ask(client, "GET")["worker"], [])
        if len(taken) < CLIENTS_OF_EACH:
            taken.append(client)
        else:
            client.close()
        clients = [client for taken in found.values() for client in taken]
        if len(clients) == WORKERS * CLIENTS_OF_EACH:
            return clients
    raise RuntimeError(f"only {len(found)} workers have answered")


def write(number: int, client: HTTPConnection) -> list[int]:
    """Send the messages of one client, and return who answered."""
    texts = [f"client {number}, message {count}" for count in range(MESSAGES)]
    return [ask(client, "POST", text)["worker"] for text in texts]


def main(port: int) -> None:
    """Let all clients write at once, and count."""
    clients = clients_of_each_worker(port)
    with ThreadPoolExecutor(len(clients)) as pool:
        answered = list(pool.map(write, range(len(clients)), clients))
    for worker in sorted({worker for one in answered for worker in one}):
        count = sum(one.count(worker) for one in answered)
        print(f"a worker has answered {count} requests")
    seen = {ask(client, "GET")["messages"] for client in clients}
    print("messages that each client sees:", *seen)
    for client in clients:
        client.close()


if __name__ == "__main__":
    server_name = sys.argv[1] if len(sys.argv) > 1 else "uvicorn"
    # A free port, listened to before the workers are: who is early waits.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        # uvicorn leaves its copy of the socket open until it ends.
        python = [sys.executable, "-W", "ignore::ResourceWarning", "-m"]
        words = SERVERS[server_name].format(listening.fileno()).split()
        # If the app is broken, it fails here and not in each worker.
        import_module(words[1].split(":")[0])
        command = [*python, *words]
        port = listening.getsockname()[1]
        server = subprocess.Popen(command, pass_fds=[listening.fileno()])
    # Only the server listens now: if it ends, so does this program.
    try:
        main(port)
    finally:
        server.terminate()  # and with it its workers
        server.wait(SECONDS)
