"""A server that speaks vLLM's HTTP for tokens, from a script: for tests of what goes wrong."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import anyio
import h11
from anyio.abc import SocketAttribute, SocketStream

from ...harmony import STOP_TOKENS
from ...harmony.constrain import PROBE_TEXT, probe_grammar_tag
from .scripted import harmony_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the server does with one request for a completion."""

    turn: str | Sequence[int] = ()
    """What it samples: harmony text that begins after `<|start|>assistant`, or token ids."""
    status: int = 200
    """Anything else is answered with `error`, and no stream."""
    error: str = "scripted error"
    drop_after: int | None = None
    """Close the connection after that many tokens, in mid-stream."""
    hang_after: int | None = None
    """Say nothing more after that many tokens, until the client goes away."""
    line_after: tuple[int, str] | None = None
    """After that many tokens, a line of the stream as it stands: broken JSON, say."""
    token_ids: bool = True
    """False: text alone, as servers do that do not know `return_token_ids`."""
    cached_tokens: int | None = 0

    @property
    def tokens(self) -> list[int]:
        """The turn as token ids."""
        return harmony_tokens(self.turn) if isinstance(self.turn, str) else list(self.turn)


Grammars = Literal["obeyed", "ignored", "refused"]
"""What the server does about grammars, as far as a client can try it out. What the script says is
sampled either way."""

_CANARY = {"structural_tag": json.dumps(probe_grammar_tag())}
_CANARY_REPLIES: dict[Grammars, Reply] = {
    "obeyed": Reply(turn=f"{PROBE_TEXT}<|return|>"),
    "ignored": Reply(turn="<|channel|>final<|message|>Hello!<|return|>"),
    "refused": Reply(status=400, error="structural_tag is not supported"),
}


class FakeVLLM:
    """The server: its URL, and everything that it was asked.

    async with open_fake_vllm([Reply(turn="<|channel|>final<|message|>Hi<|return|>")]) as fake:
        engine = VLLMEngine(fake.url)
    """

    def __init__(
        self, replies: Iterable[Reply], *, model: str, window: int, grammars: Grammars
    ) -> None:
        self.url = ""
        self.requests: list[dict[str, Any]] = []
        """The JSON of each request for a completion."""
        self.headers: list[dict[str, str]] = []
        """The headers of each request of any kind; names in lower case."""
        self.asked = anyio.Event()
        """Set when the first request for a completion has come."""
        self.left = anyio.Event()
        """Set when a client has gone away from a stream that hangs."""
        self._replies = iter(replies)
        self._model = model
        self._window = window
        self._canary = _CANARY_REPLIES[grammars]

    async def serve(self, stream: SocketStream) -> None:
        """Answer one connection until the client or the script ends it."""
        http = _Connection(stream)
        async with stream:
            while (request := await http.request()) is not None:
                target, headers, body = request
                self.headers.append(headers)
                if target == "/v1/models":
                    await http.answer(200, self._models())
                elif not await self._complete(http, json.loads(body)):
                    return

    async def _complete(self, http: _Connection, asked: dict[str, Any]) -> bool:
        """Play the next reply; False if the connection is to be closed."""
        if asked.get("structured_outputs") == _CANARY:
            reply = self._canary
        else:
            self.requests.append(asked)
            self.asked.set()
            said = next(self._replies, None)
            assert said is not None, f"the script has no reply number {len(self.requests)}"
            reply = said
        if reply.status != 200:
            await http.answer(reply.status, {"error": {"message": reply.error}})
            return True
        await http.begin_stream()
        tokens = reply.tokens[: asked["max_tokens"]]
        for count, token in enumerate(tokens):
            if not await self._misbehave(http, reply, count):
                return False
            last = count == len(tokens) - 1
            finish = ("stop" if token in STOP_TOKENS else "length") if last else None
            choice: dict[str, Any] = {"index": 0, "text": "…", "finish_reason": finish}
            if reply.token_ids:
                choice["token_ids"] = [token]
            await http.line(json.dumps({"choices": [choice]}))
        if not await self._misbehave(http, reply, len(tokens)):
            return False
        details = {"cached_tokens": reply.cached_tokens}
        usage = {"prompt_tokens": len(asked["prompt"]), "prompt_tokens_details": details}
        await http.line(json.dumps({"choices": [], "usage": usage}))
        await http.line("[DONE]")
        await http.end_stream()
        return True

    async def _misbehave(self, http: _Connection, reply: Reply, sent: int) -> bool:
        """Do what the script says for after `sent` tokens; False if nothing shall follow."""
        if reply.line_after is not None and reply.line_after[0] == sent:
            await http.line(reply.line_after[1])
        if reply.hang_after == sent:
            await http.gone()
            self.left.set()
            return False
        return reply.drop_after != sent

    def _models(self) -> dict[str, Any]:
        return {"data": [{"id": self._model, "max_model_len": self._window}]}


@asynccontextmanager
async def open_fake_vllm(
    replies: Iterable[Reply],
    *,
    model: str = "gpt-oss-fake",
    window: int = 8192,
    port: int = 0,
    grammars: Grammars = "obeyed",
) -> AsyncGenerator[FakeVLLM]:
    """Serve a script on loopback until the block ends. A script that is used up fails the test."""
    fake = FakeVLLM(replies, model=model, window=window, grammars=grammars)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port)
    async with listener:
        port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - anyio's, not Django's
        fake.url = f"http://127.0.0.1:{port}"
        async with anyio.create_task_group() as group:
            group.start_soon(partial(listener.serve, fake.serve))
            try:
                yield fake
            finally:
                group.cancel_scope.cancel()


class _Connection:
    """HTTP/1.1 on one socket, as far as the fake needs it; the protocol itself is h11's."""

    def __init__(self, stream: SocketStream) -> None:
        self._stream = stream
        self._h11 = h11.Connection(h11.SERVER)

    async def request(self) -> tuple[str, dict[str, str], bytes] | None:
        """The next request's target, headers and body; None when the client is gone."""
        if self._h11.our_state is h11.DONE:
            self._h11.start_next_cycle()
        request, body = None, b""
        while True:
            event = self._h11.next_event()
            if event is h11.NEED_DATA:
                self._h11.receive_data(await self._receive())
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage) and request is not None:
                headers = {name.decode(): value.decode() for name, value in request.headers}
                return request.target.decode(), headers, body
            else:
                return None

    async def answer(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        head = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        await self._send(h11.Response(status_code=status, headers=head))
        await self._send(h11.Data(data=body))
        await self._send(h11.EndOfMessage())

    async def begin_stream(self) -> None:
        head = [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")]
        await self._send(h11.Response(status_code=200, headers=head))

    async def line(self, data: str) -> None:
        await self._send(h11.Data(data=f"data: {data}\n\n".encode()))

    async def end_stream(self) -> None:
        await self._send(h11.EndOfMessage())

    async def gone(self) -> None:
        """Wait until the client has closed its side."""
        while await self._receive():
            pass

    async def _receive(self) -> bytes:
        try:
            return await self._stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return b""

    async def _send(self, event: h11.Event) -> None:
        data = self._h11.send(event)
        try:
            await self._stream.send(data or b"")
        except anyio.BrokenResourceError:
            return
