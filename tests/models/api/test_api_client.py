import asyncio
import threading
import time

from scripted import Body, Handler, Serve, with_logprobs

from linnet.models.api import loop
from linnet.models.api.client import Client, ask_all
from linnet.models.api.endpoint import endpoint
from linnet.models.api.patience import Limits
from linnet.models.api.reply import Reply

BODY = {"model": "tiny", "messages": [{"role": "user", "content": "?"}]}


def ask(client: Client, times: int) -> list[Reply]:
    return loop.run(ask_all([client.ask(BODY) for _ in range(times)]))


def test_no_more_than_the_given_number_of_requests_are_under_way(serve: Serve) -> None:
    lock, under_way, most = threading.Lock(), [0], [0]

    def behave(handler: Handler, body: Body) -> None:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        time.sleep(0.02)
        with lock:
            under_way[0] -= 1
        with_logprobs(handler, body)

    client = Client(endpoint(f"tiny@{serve(behave).url}"), Limits(concurrency=3))
    assert len(ask(client, 12)) == 12
    assert most[0] == 3


def test_requests_run_where_another_loop_is_running(serve: Serve) -> None:
    client = Client(endpoint(f"tiny@{serve().url}"), Limits())

    async def notebook() -> list[Reply]:
        return ask(client, 2)

    assert [reply.missing for reply in asyncio.run(notebook())] == [None, None]


def test_the_models_of_a_server_are_listed(serve: Serve) -> None:
    server = serve()
    client = Client(endpoint(f"tiny@{server.url}"), Limits())
    assert loop.run(client.models()) == ["tiny", "other"]
    server.stop()
    assert loop.run(client.models()) == []
