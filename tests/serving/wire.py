"""The server without its sockets: the bytes of requests in, the bytes of answers out."""

import asyncio
from types import SimpleNamespace

from mnist_kedro.serving.champion import open_champion
from mnist_kedro.serving.server import create_server
from tests.serving.mean_digits import make_manifest, make_model, mean_images

TURNS = 20  # of the event loop, within which a request without its end is refused or waited for


class Wire(asyncio.Transport):
    """Keeps what is written to it."""

    def __init__(self):
        super().__init__()
        self.written = bytearray()
        self.closed = False

    def write(self, data):
        self.written += data

    def close(self):
        self.closed = True

    def is_closing(self):
        return self.closed

    def pause_reading(self):
        pass

    def resume_reading(self):
        pass


class WiredServer:
    """What `kedro demo` runs, with a small model."""

    def __init__(self):
        model = make_model(mean_images())
        champion = open_champion("v", model, make_manifest(model))
        self.server = create_server(SimpleNamespace(current=champion), "127.0.0.1")
        self.server.config.load()
        self.runner = asyncio.Runner()

    def answer(self, request):
        """Return all that is answered to these bytes on a connection of their own."""
        return self.runner.run(self._answer(request))

    async def _answer(self, request):
        config, state, wire = self.server.config, self.server.server_state, Wire()
        protocol = config.http_protocol_class(config, state, {})
        protocol.connection_made(wire)
        protocol.data_received(request)
        if protocol.cycle and protocol.cycle.more_body:  # and it would wait for the rest
            for _ in range(TURNS):
                await asyncio.sleep(0)
            protocol.connection_lost(None)
        while state.tasks:
            await asyncio.wait(set(state.tasks))
        if protocol in state.connections:
            protocol.connection_lost(None)
        return bytes(wire.written)
