"""The one interceptor through which every RPC passes.

Around each call, in this order: request id, log line and metrics; deadline; who calls and
with which role; the organization that the request names; the field rules of the proto;
and, whatever happens inside, the one translation of errors to a status. All four shapes of
RPC are covered. Handlers read a request stream by iterating over it.
"""

import asyncio
import re
import time
import uuid
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
)
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc

from services.chassis import (
    access,
    deadlines,
    errors,
    faults,
    grpc_errors,
    logs,
    metrics,
    mutations,
)
from services.chassis.causes import said
from services.chassis.grpc_wire import REQUEST_ID_KEY
from services.chassis.tokens import TokenVerifier
from services.chassis.validation import require_valid
from spareline.errors.v1 import cause_pb2, reason_pb2

EXEMPT = ("/grpc.health.", "/grpc.reflection.")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_OUR_FAULT = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE})

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Any, Any]
    Handler = grpc.RpcMethodHandler[Any, Any]
else:
    Context = grpc.aio.ServicerContext
    Handler = grpc.RpcMethodHandler


class Guard(grpc.aio.ServerInterceptor):
    """Lets a call through to its handler only by the rules of the proto."""

    def __init__(
        self,
        rules: access.Access,
        verifier: TokenVerifier,
        delegations: access.Delegations,
        recorder: mutations.Recorder | None = None,
    ) -> None:
        self._access = rules
        self._recorder = recorder
        self._left: set[asyncio.Task[None]] = set()
        self._verifier = verifier
        self._delegations = delegations
        self._log = logs.get_logger("rpc")

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Wrap the handler of a call; one without a rule is as good as not there."""
        handler = await continuation(handler_call_details)
        path = str(handler_call_details.method)
        if handler is None or path.startswith(EXEMPT):
            return handler  # None: gRPC answers UNIMPLEMENTED
        rule = self._access.rule(path)
        if rule is None:
            return None
        return self._wrapped(handler, _Call(path, rule, _metadata(handler_call_details)))

    def _wrapped(self, handler: Handler, call: "_Call") -> Handler:
        codec = (handler.request_deserializer, handler.response_serializer)
        if handler.request_streaming and handler.response_streaming:
            answer = self._streamed(handler.stream_stream, call, self._checked_stream)
            return grpc.stream_stream_rpc_method_handler(answer, *codec)
        if handler.request_streaming:
            single = self._single(handler.stream_unary, call, self._checked_stream)
            return grpc.stream_unary_rpc_method_handler(single, *codec)
        if handler.response_streaming:
            answer = self._streamed(handler.unary_stream, call, self._checked)
            return grpc.unary_stream_rpc_method_handler(answer, *codec)
        single = self._single(handler.unary_unary, call, self._checked)
        return grpc.unary_unary_rpc_method_handler(single, *codec)

    def _single(self, behaviour: Any, call: "_Call", check: Any) -> Any:
        async def answer(request: Any, context: Context) -> Any:
            async with self._answering(call, context) as principal:
                call.answer = await behaviour(await check(request, call, principal), context)
                return call.answer

        return answer

    def _streamed(self, behaviour: Any, call: "_Call", check: Any) -> Any:
        async def answer(request: Any, context: Context) -> AsyncGenerator[Any, None]:
            async with self._answering(call, context) as principal:
                result = behaviour(await check(request, call, principal), context)
                if not hasattr(result, "__aiter__"):
                    await result  # a handler that writes through its context
                    return
                async for message in result:
                    yield message

        return answer

    async def _checked(self, request: Any, call: "_Call", principal: access.Principal) -> Any:
        call.request = request
        # Access before validity: a stranger learns nothing from which fields are wrong.
        await access.require_request(principal, call.rule, request, self._delegations)
        require_valid(request)
        return request

    async def _checked_stream(
        self, requests: AsyncIterable[Any], call: "_Call", principal: access.Principal
    ) -> AsyncIterator[Any]:
        async def checked() -> AsyncIterator[Any]:
            first = True
            async for request in requests:
                if first:
                    call.request = request
                    await access.require_request(principal, call.rule, request, self._delegations)
                    first = False
                require_valid(request)
                yield request

        return checked()

    @asynccontextmanager
    async def _answering(self, call: "_Call", context: Context) -> AsyncIterator[access.Principal]:
        logs.request_id.set(call.request_id)
        deadlines.start(context.time_remaining())
        started, code, principal = time.perf_counter(), grpc.StatusCode.OK, access.ANONYMOUS
        trailing = ((REQUEST_ID_KEY, call.request_id),)
        context.set_trailing_metadata(trailing)
        metrics.RPCS_IN_FLIGHT.inc()
        try:
            principal = await self._authenticate(call)
            access.become(principal)
            access.require_role(principal, call.rule)
            yield principal
            await self._record(call, principal, mutations.OK)
        except (asyncio.CancelledError, GeneratorExit):
            code = grpc.StatusCode.CANCELLED
            # The caller has gone, and nobody knows yet how far the call came.
            self._leave(self._record(call, principal, code.name))
            raise
        except grpc.aio.AbortError:
            code = _code_of(context)
            raise
        except Exception as error:
            refusal = faults.as_domain_error(error)
            refusal.metadata.setdefault("request_id", call.request_id)
            status = grpc_errors.to_status(refusal)
            code = status.code
            self._log_failure(call, code, error)
            await self._record(call, principal, grpc_errors.reason_name(refusal.reason))
            await context.abort(code, status.message, (*trailing, *status.trailing_metadata))
        finally:
            metrics.RPCS_IN_FLIGHT.dec()
            seconds = time.perf_counter() - started
            metrics.RPCS.labels(call.path, code.name).inc()
            metrics.RPC_SECONDS.labels(call.path).observe(seconds)
            self._log.info(
                "rpc",
                method=call.path,
                code=code.name,
                milliseconds=round(seconds * 1000, 1),
                subject=principal.subject,
            )

    def _leave(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._left.add(task)
        task.add_done_callback(self._left.discard)

    async def _record(self, call: "_Call", principal: access.Principal, outcome: str) -> None:
        if self._recorder is None or not call.rule.recorded:
            return
        done = mutations.of_call(
            call.path, call.rule, principal, call.request, call.answer, outcome, call.request_id
        )
        if done:
            await self._recorder(done)

    def _log_failure(self, call: "_Call", code: grpc.StatusCode, error: Exception) -> None:
        if code is grpc.StatusCode.INTERNAL:
            self._log.error("rpc failed", method=call.path, exc_info=error)
        elif code in _OUR_FAULT:
            self._log.warning("rpc failed", method=call.path, error=type(error).__name__)

    async def _authenticate(self, call: "_Call") -> access.Principal:
        scheme, _, token = call.authorization.partition(" ")
        if not token:
            return access.ANONYMOUS
        try:
            if scheme.lower() != "bearer":
                raise errors.Unauthenticated(
                    reason_pb2.REASON_UNAUTHENTICATED, said(cause_pb2.CAUSE_NOT_SIGNED_IN)
                )
            return await self._verifier.verify(token.strip())
        except errors.Unauthenticated:
            if call.rule.public:  # an old token must not keep anyone from signing in again
                return access.ANONYMOUS
            raise


class _Call:
    """One call as its metadata tells it."""

    __slots__ = ("answer", "authorization", "path", "request", "request_id", "rule")

    def __init__(self, path: str, rule: access.Rule, metadata: dict[str, str]) -> None:
        self.path = path
        self.rule = rule
        self.request: Any = None
        self.answer: Any = None
        self.authorization = metadata.get("authorization", "")
        given = metadata.get(REQUEST_ID_KEY, "")
        self.request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _metadata(details: grpc.HandlerCallDetails) -> dict[str, str]:
    pairs: Any = details.invocation_metadata or ()
    return {key: value for key, value in pairs if isinstance(value, str)}


def _code_of(context: Context) -> grpc.StatusCode:
    code: Any = context.code()
    if isinstance(code, grpc.StatusCode):
        return code
    known = {status.value[0]: status for status in grpc.StatusCode}
    return known.get(code, grpc.StatusCode.UNKNOWN)
