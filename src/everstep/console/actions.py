"""What the console's forms do. Each answers with the page that shows what came of it."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from everstep.console.api import Refused
from everstep.console.functions import with_form
from everstep.console.values import json_problem
from everstep.console.visits import Visit
from everstep.protocol.shapes import ErrorObject
from everstep.protocol.sigv4 import Credentials

BY_CONSOLE: Final = ErrorObject(error_type="StoppedByOperator", error_message="Stopped from the console")


async def stop(visit: Visit) -> Response:
    message = visit.field("reason").strip()
    error = BY_CONSOLE if not message else ErrorObject(error_type=BY_CONSOLE.error_type, error_message=message)
    await visit.api.stop(visit.arn, error)
    return visit.to_execution(visit.arn)


async def pause(visit: Visit) -> Response:
    await visit.api.pause(visit.arn, visit.field("reason").strip())
    return visit.to_execution(visit.arn)


async def resume(visit: Visit) -> Response:
    await visit.api.resume(visit.arn, visit.field("reason").strip())
    return visit.to_execution(visit.arn)


async def delete(visit: Visit) -> Response:
    await visit.api.delete(visit.arn)
    return visit.to("/")


async def start(visit: Visit) -> Response:
    name, payload, qualifier = str(visit.request.path_params["name"]), visit.field("payload"), visit.field("qualifier")
    if problem := json_problem(payload):
        return await with_form(visit, name, status=422, problem=f"The input is no JSON: {problem}", payload=payload, qualifier=qualifier)
    try:
        arn = await visit.api.start(name, qualifier, payload, visit.field("name").strip())
    except Refused as error:
        if error.needs_sign_in:
            raise
        return await with_form(visit, name, status=422, problem=error.message, payload=payload, qualifier=qualifier)
    return visit.to_execution(arn) if arn else visit.to(f"/functions/{name}")


async def run_again(visit: Visit) -> Response:
    """A new execution with the same input, of the same version."""
    return visit.to_execution(await visit.api.run_again(visit.arn))


async def answer_callback(visit: Visit) -> Response:
    """Complete a callback that the execution waits for, or fail it."""
    callback_id, value = visit.field("callback"), visit.field("value")
    if visit.field("outcome") == "fail":
        error = ErrorObject(error_type=visit.field("error_type").strip() or "CallbackRejected", error_message=visit.field("message"))
        await visit.api.fail_callback(callback_id, error)
    else:
        if value.strip() and (problem := json_problem(value)):
            return visit.problem(422, "Not JSON", f"The result is no JSON: {problem}. A text stands in quotes. Go back and correct it.")
        await visit.api.succeed_callback(callback_id, value)
    return visit.to_execution(visit.arn)


async def sign_in_page(visit: Visit) -> Response:
    return visit.page("sign_in.html", problem="")


async def sign_in(visit: Visit) -> Response:
    credentials = Credentials(visit.field("key").strip(), visit.field("secret").strip(), visit.field("token").strip() or None)
    try:
        await visit.api.signed_by(credentials).functions()
    except Refused as error:
        said = (
            "Only a key with the role operator opens the console."
            if error.code == "AccessDeniedException"
            else "The key or its secret is wrong."
        )
        return visit.page("sign_in.html", 403, problem=said)
    visit.sessions.end(visit.cookie)
    visit.cookie = visit.sessions.begin(credentials)
    return visit.to("/")


async def sign_out(visit: Visit) -> Response:
    visit.sessions.end(visit.cookie)
    visit.cookie = visit.sessions.stranger()
    return visit.to("/sign-in")
