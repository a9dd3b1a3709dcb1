"""A scripted server with vLLM's HTTP API for token ids, for tests of failures."""

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

from ...harmony import STOP_TOKENS, decode
from ...harmony.constrain import PROBE_TEXT, probe_turn_grammar
from .turns import harmony_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The server's response to one completion request."""

    turn: str | Sequence[int] = ()
    """The sampled turn: harmony text that starts after `<|start|>assistant`, or token ids."""
    status: int = 200
    """The HTTP status. Any status but 200 sends `error` and no stream."""
    error: str = "scripted error"
    drop_after: int | None = None
    """Close the connection after this number of tokens, in the middle of the stream."""
    hang_after: int | None = None
    """Send nothing more after this number of tokens, until the client disconnects."""
    line_after: tuple[int, str] | None = None
    """A number of tokens, and a raw line to send after them, such as broken JSON."""
    token_ids: bool = True
    """False sends text only, like a server that does not know `return_token_ids`."""
    cached_tokens: int | None = 0

    @property
    def tokens(self) -> list[int]:
        """Return the turn as token ids."""
        return harmony_tokens(self.turn) if isinstance(self.turn, str) else list(self.turn)


Grammars = Literal["obeyed", "ignored", "refused"]
"""How the server responds when a client probes its support for grammars. The scripted turns are
sampled in any case."""

_PROBE = {"grammar": probe_turn_grammar()}
_PROBE_REPLIES: dict[Grammars, Reply] = {
    "obeyed": Reply(turn=f"{PROBE_TEXT}<|return|>"),
    "ignored": Reply(turn="<|channel|>final<|message|>Hello!<|return|>"),
    "refused": Reply(status=400, error="the grammar is not supported"),
}


class FakeVLLM:
    """The server, with its URL and the requests that it received.

    async with open_fake_vllm([Reply(turn="<|channel|>final<|message|>Hi<|return|>")]) as fake:
        engine = VLLMEngine(fake.url)
    """

    def __init__(
        self, replies: Iterable[Reply], *, model: str, window: int, grammars: Grammars
    ) -> None:
        self.url = ""
        self.requests: list[dict[str, Any]] = []
        """The JSON body of each completion request, without grammar probes."""
        self.headers: list[dict[str, str]] = []
        """The headers of every request, with names in lower case."""
        self.request_received = anyio.Event()
        """Set when the first completion request arrives."""
        self.client_disconnected = anyio.Event()
        """Set when a client disconnects from a stream that hangs."""
        self._replies = iter(replies)
        self._model = model
        self._window = window
        self._probe_reply = _PROBE_REPLIES[grammars]

    async def serve(self, stream: SocketStream) -> None:
        """Serve one connection until the client or the script closes it."""
        http = _Connection(stream)
        async with stream:
            while (request := await http.request()) is not None:
                target, headers, body = request
                self.headers.append(headers)
                if target == "/v1/models":
                    await http.respond(200, self._models())
                elif not await self._complete(http, json.loads(body)):
                    return

    async def _complete(self, http: _Connection, body: dict[str, Any]) -> bool:
        """Send the reply to one completion request; return False to close the connection."""
        reply = self._next_reply(body)
        if reply.status != 200:
            await http.respond(reply.status, {"error": {"message": reply.error}})
            return True
        await http.start_stream()
        tokens = reply.tokens[: body["max_tokens"]]
        for index, token in enumerate(tokens):
            if not await self._misbehave(http, reply, index):
                return False
            is_last = index == len(tokens) - 1
            finish = ("stop" if token in STOP_TOKENS else "length") if is_last else None
            choice: dict[str, Any] = {"index": 0, "text": decode([token]), "finish_reason": finish}
            if reply.token_ids:
                choice["token_ids"] = [token]
            await http.send_line(_json({"choices": [choice]}))
        if not await self._misbehave(http, reply, len(tokens)):
            return False
        details = {"cached_tokens": reply.cached_tokens}
        usage = {"prompt_tokens": len(body["prompt"]), "prompt_tokens_details": details}
        await http.send_line(_json({"choices": [], "usage": usage}))
        await http.send_line("[DONE]")
        await http.end_stream()
        return True

    def _next_reply(self, body: dict[str, Any]) -> Reply:
        if body.get("structured_outputs") == _PROBE:
            return self._probe_reply
        self.requests.append(body)
        self.request_received.set()
        # Fail the request, not the task of this server: then the client's error has the reason.
        missing = Reply(status=500, error=f"the script has no reply {len(self.requests)}")
        return _checked(next(self._replies, missing))

    async def _misbehave(self, http: _Connection, reply: Reply, sent: int) -> bool:
        """Do what the script says for after `sent` tokens; return False to end the stream."""
        if reply.line_after is not None and reply.line_after[0] == sent:
            await http.send_line(reply.line_after[1])
        if reply.hang_after == sent:
            await http.wait_until_closed()
            self.client_disconnected.set()
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
    """Serve a script of `Reply` objects on loopback until the block ends.

    replies: one for each completion request; taken one by one, so they can come from a generator.
        A request after the last reply gets the HTTP status 500.
    """
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


def _checked(reply: object) -> Reply:
    """Return a reply, or one that says what to write instead."""
    if isinstance(reply, Reply):
        return reply
    kind = type(reply).__name__
    return Reply(status=500, error=f"the script contains a value of type {kind}: write Reply(...)")


class _Connection:
    """An HTTP/1.1 connection on one socket. h11 implements the protocol."""

    def __init__(self, stream: SocketStream) -> None:
        self._stream = stream
        self._h11 = h11.Connection(h11.SERVER)

    async def request(self) -> tuple[str, dict[str, str], bytes] | None:
        """Return the next request's target, headers and body; None if the client disconnected."""
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

    async def respond(self, status: int, value: dict[str, Any]) -> None:
        body = _json(value).encode()
        head = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        await self._send(h11.Response(status_code=status, headers=head))
        await self._send(h11.Data(data=body))
        await self._send(h11.EndOfMessage())

    async def start_stream(self) -> None:
        head = [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")]
        await self._send(h11.Response(status_code=200, headers=head))

    async def send_line(self, data: str) -> None:
        await self._send(h11.Data(data=f"data: {data}\n\n".encode()))

    async def end_stream(self) -> None:
        await self._send(h11.EndOfMessage())

    async def wait_until_closed(self) -> None:
        """Wait until the client closes its side."""
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


def _json(value: dict[str, Any]) -> str:
    """Return compact JSON with raw UTF-8, as vLLM sends it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
