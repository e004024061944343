"""The service behind the handlers: a pure machine under stores, a scheduler and invokers."""
