"""Who may do what: signatures, keys and their roles, and the tokens of workers that can't sign.

signature      what a request says of who asks, and whether that is proven
keys           the access keys that a server knows, and the file that they stand in
roles          which role may call which operation
worker_tokens  a path of the Runtime API that only one function's workers know
gate           all of it, asked once per request
exposure       whether a server may listen where it is told to
"""
