"""The Lambda durable functions API over HTTP, for boto3, the AWS CLI and every SDK of the family.

    app           the ASGI application over an `everstep.Service`
    straight      connections, whose frequent requests go past ASGI
    routing       which operation a request means
    requests      a request's members, parsed and checked; wire, markers, errors: what is answered
    routes/       the operations; invoke: Invoke alone; runtime_api: what workers speak
    catalog       functions with their versions and aliases; declared: the functions file
    code          what runs a function: in this process, behind an endpoint, pulled by workers, in processes of its own

Importing this package loads none of them.
"""
