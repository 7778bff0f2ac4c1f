"""A subscriber made with the package `websockets`: subscribe.py URL

Prints each message as it came, and {"pings": n, "pongs": n} whenever one of the gateway's pings was
answered. After the message whose value is "end" it closes with 1000 and prints {"closed": code}
with the code of the close frame that came back.
"""

import asyncio
import json
import logging
import sys

from websockets.asyncio.client import connect
from websockets.frames import Frame, Opcode


class Heartbeat(logging.Handler):
    """Counts the frames of the heartbeat: the package answers pings by itself and logs each frame."""

    def __init__(self):
        super().__init__()
        self.count = {"pings": 0, "pongs": 0}

    def emit(self, record):
        frame = record.args[0] if isinstance(record.args, tuple) and record.args else None
        if not isinstance(frame, Frame):
            return
        if record.msg.startswith("<") and frame.opcode is Opcode.PING:
            self.count["pings"] += 1
        if record.msg.startswith(">") and frame.opcode is Opcode.PONG:
            self.count["pongs"] += 1
            tell(json.dumps(self.count))


def tell(line):
    print(line, flush=True)


def is_last(message):
    return json.loads(message).get("message", {}).get("value") == "end"


async def main(url):
    logger = logging.getLogger("subscribe")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(Heartbeat())
    # No pings of its own: that the connection lives is the gateway's doing.
    async with connect(url, logger=logger, ping_interval=None) as socket:
        async for message in socket:
            tell(message)
            if is_last(message):
                break
        await socket.close(1000)
    tell(json.dumps({"closed": socket.close_code}))


asyncio.run(main(sys.argv[1]))
