"""Every page and every form of the console, over HTTP."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256

from everstep.server.access.keys import AccessKey
from tests.console.functions import HOSTILE
from tests.console.visiting import Visitor, ended, event_of, in_path, page_of, start, waiting
from tests.server.running import Running, declared, payload_of, running, status_of

OPERATOR = AccessKey(access_key_id="boss", secret_access_key="s" * 24, roles=["operator"])
INVOKER = AccessKey(access_key_id="shop", secret_access_key="t" * 24, roles=["invoker"])


def test_the_list_shows_executions_of_all_functions_and_finds_them_by_what_they_are(server: Running, visitor: Visitor) -> None:
    ended(server, start(server, "quick", 1, "list-quick"))
    ended(server, start(server, "failing", 1, "list-failing"))

    everything = visitor.get("/").text
    failed = visitor.get("/?status=FAILED").text
    by_error = visitor.get("/?error=ValueError").text
    by_function = visitor.get("/?function=quick&name=list-quick").text
    later = visitor.get("/?after=2999-01-01T00:00").text

    assert "list-quick" in everything
    assert "list-failing" in everything
    assert "list-failing" in failed
    assert "list-quick" not in failed
    assert "list-failing" in by_error
    assert "list-quick" not in by_error
    assert "list-quick" in by_function
    assert "list-failing" not in by_function
    assert "Nothing here is like that" in later
    assert visitor.get("/?after=soon").status == 400
    assert visitor.get("/?function=no%20name").status == 400


def test_the_list_finds_executions_by_the_operation_that_they_wait_in(server: Running, visitor: Visitor) -> None:
    waiting(server, start(server, "approval", None, "list-approval"), "InvocationCompleted")
    waiting(server, start(server, "sleeper", None, "list-sleeper"), "InvocationCompleted")

    by_name = visitor.get("/?waiting=approval").text
    by_kind = visitor.get("/?kind=WAIT").text
    stuck = visitor.get("/functions/approval/figures").text

    assert "list-approval" in by_name
    assert "list-sleeper" not in by_name
    assert "in approval since" in by_name
    assert "list-sleeper" in by_kind
    assert "list-approval" not in by_kind
    assert 'href="/console/?function=approval&amp;waiting=approval&amp;kind=CALLBACK"' in stuck
    assert visitor.get("/?waiting=a&error=b").status == 400
    assert "<img" not in visitor.get("/?waiting=%3Cimg%20src=x%3E").text


def test_counts_are_links_to_what_they_count(server: Running, visitor: Visitor) -> None:
    ended(server, start(server, "failing"))

    assert 'href="/console/?status=FAILED"' in visitor.get("/counts").text
    assert 'href="/console/?function=failing&amp;status=FAILED"' in visitor.get("/counts?function=failing").text


def test_an_executions_page_shows_its_operations_payloads_errors_and_events(server: Running, visitor: Visitor) -> None:
    arn = ended(server, start(server, "failing", {"amount": 3}))

    page = visitor.get(page_of(arn)).text
    events = visitor.get(f"/events/{in_path(arn)}").text

    assert "Failed" in page
    assert "&#34;amount&#34;: 3" in page
    assert "out of stock" in page
    assert "Stack trace" in page
    assert "StepFailed" in events
    assert "<rect" in page


def test_an_operation_is_shown_with_what_it_recorded_and_the_execution_that_it_invoked(server: Running, visitor: Visitor) -> None:
    arn = ended(server, start(server, "caller", "hello"))
    first = event_of(server, arn, "ChainedInvokeStarted")

    shown = visitor.get(f"/operation/{in_path(arn)}?id={first['Id']}").text

    assert "&#34;hello&#34;" in shown
    assert in_path(first["ChainedInvokeStartedDetails"]["DurableExecutionArn"]) in shown


def test_what_users_wrote_is_text_everywhere(server: Running, visitor: Visitor) -> None:
    arn = ended(server, start(server, "hostile", {HOSTILE: HOSTILE}))
    step = event_of(server, arn, "StepStarted")

    pages = [
        visitor.get(path)
        for path in (
            page_of(arn),
            f"/operations/{in_path(arn)}",
            f"/events/{in_path(arn)}",
            f"/operation/{in_path(arn)}?id={step['Id']}",
            "/functions/hostile/figures",
            "/?name=%3Cimg%20src=x%3E",
            "/?function=%3Cimg%20src=x%3E",
            "/?error=%3Cimg%20src=x%3E%22",
        )
    ]

    assert "onerror" in pages[0].text
    assert not any("<img" in page.text for page in pages)
    for page in pages:
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert "unsafe" not in page.headers["content-security-policy"]


def test_a_page_brings_its_style_along_and_allows_no_other(visitor: Visitor) -> None:
    page = visitor.get("/")

    (style,) = re.findall(r"<style>(.*?)</style>", page.text, re.DOTALL)
    proof = b64encode(sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{proof}';" in page.headers["content-security-policy"]


def test_a_callback_is_completed_by_its_form(server: Running, visitor: Visitor) -> None:
    arn = waiting(server, start(server, "approval"), "CallbackStarted")
    page = visitor.get(page_of(arn)).text
    callback = event_of(server, arn, "CallbackStarted")["CallbackStartedDetails"]["CallbackId"]

    wrong = visitor.post(f"/callback/{in_path(arn)}", ("callback", callback), ("outcome", "succeed"), ("value", "{nonsense"))
    sent = visitor.post(f"/callback/{in_path(arn)}", ("callback", callback), ("outcome", "succeed"), ("value", '{"by": "ann"}'))

    assert callback in page
    assert wrong.status == 422
    assert (sent.status, sent.headers["location"]) == (303, f"/console{page_of(arn)}")
    assert status_of(server.client, ended(server, arn)) == "SUCCEEDED"


def test_a_callback_is_failed_by_its_form(server: Running, visitor: Visitor) -> None:
    arn = waiting(server, start(server, "approval"), "CallbackStarted")
    visitor.get(page_of(arn))
    callback = event_of(server, arn, "CallbackStarted")["CallbackStartedDetails"]["CallbackId"]

    visitor.post(f"/callback/{in_path(arn)}", ("callback", callback), ("outcome", "fail"), ("message", "not today"))

    assert status_of(server.client, ended(server, arn)) == "FAILED"
    assert "not today" in visitor.get(page_of(arn)).text


def test_executions_are_paused_resumed_stopped_run_again_and_deleted(server: Running, visitor: Visitor) -> None:
    arn = waiting(server, start(server, "sleeper", {"n": 1}), "InvocationCompleted")
    visitor.get(page_of(arn))

    visitor.post(f"/pause/{in_path(arn)}")
    assert status_of(server.client, arn) == "PAUSED"
    assert "Resume" in visitor.get(page_of(arn)).text
    visitor.post(f"/resume/{in_path(arn)}")
    assert status_of(server.client, arn) == "RUNNING"
    visitor.post(f"/stop/{in_path(arn)}", ("reason", "enough"))
    assert status_of(server.client, arn) == "STOPPED"
    assert "enough" in visitor.get(page_of(arn)).text
    again = visitor.post(f"/again/{in_path(arn)}")
    page = visitor.get(again.headers["location"].removeprefix("/console")).text
    assert "&#34;n&#34;: 1" in page
    assert visitor.post(f"/delete/{in_path(arn)}").headers["location"] == "/console/"


def test_an_execution_is_started_from_its_functions_page(server: Running, visitor: Visitor) -> None:
    page = visitor.get("/functions/quick").text

    wrong = visitor.post("/functions/quick/start", ("payload", "{oops"), ("qualifier", "$LATEST"))
    begun = visitor.post("/functions/quick/start", ("payload", '{"a": 1}'), ("qualifier", "$LATEST"), ("name", "by-hand"))
    refused = visitor.post("/functions/quick/start", ("payload", '{"a": 2}'), ("qualifier", "$LATEST"), ("name", "by-hand"))

    assert "Start an execution" in page
    assert (wrong.status, refused.status) == (422, 422)
    assert "{oops" in wrong.text
    assert "line 1, column 2" in wrong.text
    assert "by-hand" in begun.headers["location"]


def test_a_functions_page_shows_what_its_input_is_like_and_begins_with_such_a_one(visitor: Visitor) -> None:
    described = visitor.get("/functions/order").text
    unknown = visitor.get("/functions/quick").text

    assert "as JSON Schema" in described
    assert "additionalProperties" in described
    assert "is not known here" in unknown


def test_an_execution_is_started_with_the_input_of_another_one_to_be_edited(server: Running, visitor: Visitor) -> None:
    arn = ended(server, start(server, "quick", {HOSTILE: 3}))

    page = visitor.get(page_of(arn)).text
    form = visitor.get(f"/functions/quick?like={in_path(arn)}").text

    assert f"/functions/quick?like={in_path(arn)}" in page
    assert "&#34;&lt;img src=x onerror=alert(1)&gt;" in form
    assert "<img" not in form


def test_an_execution_leads_to_the_one_that_invoked_it(server: Running, visitor: Visitor) -> None:
    parent = ended(server, start(server, "caller", "hello", "the-parent"))
    invoked = event_of(server, parent, "ChainedInvokeStarted")

    page = visitor.get(page_of(invoked["ChainedInvokeStartedDetails"]["DurableExecutionArn"])).text

    assert f'{page_of(parent)}#op-{invoked["Id"]}">the-parent</a>' in page
    assert "Invoked by" not in visitor.get(page_of(parent)).text


def test_a_plain_function_can_be_called_too(server: Running, visitor: Visitor) -> None:
    visitor.get("/functions/plain")

    called = visitor.post("/functions/plain/start", ("payload", "1"), ("qualifier", ""))

    assert called.headers["location"] == "/console/functions/plain"


def test_functions_show_their_versions_counts_and_figures(server: Running, visitor: Visitor) -> None:
    ended(server, start(server, "failing"))

    assert "approval" in visitor.get("/functions").text
    assert "$LATEST" in visitor.get("/functions/failing").text
    assert "p99" in visitor.get("/functions/failing/figures").text


def test_a_form_of_another_sites_page_changes_nothing(server: Running, visitor: Visitor) -> None:
    arn = waiting(server, start(server, "sleeper"), "InvocationCompleted")
    visitor.get(page_of(arn))

    forged = [visitor.post(f"/stop/{in_path(arn)}", proof=proof) for proof in ("", "0" * 64, "é")]
    by_get = visitor.get(f"/stop/{in_path(arn)}")

    assert [one.status for one in forged] == [403, 403, 403]
    assert by_get.status == 404
    assert status_of(server.client, arn) == "RUNNING"


def test_another_sites_name_for_this_machine_shows_nothing(visitor: Visitor) -> None:
    assert visitor.get("/", host="rebound.example:9000").status == 403
    assert visitor.get("/", host="localhost:9000").status == 200


def test_what_is_not_there_is_said_to_be_so(server: Running, visitor: Visitor) -> None:
    unknown = "arn:aws:lambda:us-east-1:123456789012:function:quick:$LATEST/durable-execution/none/none"

    assert visitor.get(page_of(unknown)).status == 404
    assert visitor.get("/nowhere").status == 404
    assert visitor.get("/functions/nobody").status == 404
    assert server.request("GET", "/console")[0] == 307
    for name in ("console.js", "editor.js", "timeline.js", "htmx.min.js", "icon.svg"):
        assert visitor.get(f"/static/{name}").status == 200


def test_with_credentials_an_operators_key_opens_the_console_and_no_other() -> None:
    functions = [declared("quick", handler="tests.server.functions:quick")]
    with running(functions, keys=[OPERATOR, INVOKER]) as server:
        visitor = Visitor(server)
        assert payload_of(server.client.invoke(FunctionName="quick:$LATEST", Payload=b"1")) == 1
        assert visitor.get("/").headers["location"] == "/console/sign-in"
        visitor.get("/sign-in")

        wrong = visitor.post("/sign-in", ("key", "boss"), ("secret", "w" * 24))
        invoker = visitor.post("/sign-in", ("key", "shop"), ("secret", "t" * 24))
        stranger, before = visitor.cookie, visitor.proof
        right = visitor.post("/sign-in", ("key", "boss"), ("secret", "s" * 24))

        assert (wrong.status, invoker.status, right.status) == (403, 403, 303)
        assert "role operator" in invoker.text
        for attribute in ("HttpOnly", "SameSite=strict", "Max-Age="):
            assert attribute in right.headers["set-cookie"]
        assert visitor.cookie != stranger
        assert "quick" in visitor.get("/").text
        assert visitor.post("/sign-out", proof=before).status == 403
        assert visitor.post("/sign-out").status == 303
        assert visitor.get("/").status == 303


def test_an_operation_says_which_line_of_the_handler_calls_it(server: Running, visitor: Visitor) -> None:
    arn = ended(server, start(server, "priced", 1))
    step = event_of(server, arn, "StepStarted")

    assert re.search(r'class="site">tests/console/functions\.py:\d+<', visitor.get(page_of(arn)).text)
    assert "ctx.step" in visitor.get(f"/operation/{in_path(arn)}?id={step['Id']}").text
