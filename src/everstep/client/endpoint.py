"""Which region, and which host answers for Lambda there, by the rules that all AWS SDKs share.

Rule: what the environment says wins; botocore is asked only for a region that is not in it. Endpoints that stand in
`~/.aws/config` are not read: inject a boto3 client for those.
Source: AWS SDKs and Tools Reference Guide (region, service-specific endpoints, FIPS and dual-stack); partitions as in botocore.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from everstep.client.credentials import botocore_session
from everstep.errors import UsageError

# Prefix of the region -> DNS suffix, dual-stack DNS suffix. Regions with none of these prefixes are in the commercial partition.
_PARTITIONS: Final[Mapping[str, tuple[str, str]]] = {
    "cn-": ("amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    "eusc-": ("amazonaws.eu", "api.amazonwebservices.eu"),
    "us-iso-": ("c2s.ic.gov", "api.aws.ic.gov"),
    "us-isob-": ("sc2s.sgov.gov", "api.aws.scloud"),
    "us-isof-": ("csp.hci.ic.gov", "api.aws.hci.ic.gov"),
    "eu-isoe-": ("cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
}
_COMMERCIAL: Final = ("amazonaws.com", "api.aws")


class Endpoint(Struct, frozen=True):
    """Where requests go. path: put before every request's path; "" or "/base"."""

    host: str
    port: int
    is_tls: bool
    path: str = ""

    @property
    def authority(self) -> str:
        """The Host header: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_tls else 80) else f"{host}:{self.port}"


def parse_endpoint(url: str) -> Endpoint:
    """The endpoint that a URL names. Raises UsageError."""
    from urllib.parse import urlsplit  # 3 ms that functions on AWS, with no URL to parse, don't pay

    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"{url!r} is not a usable endpoint: {error}") from None
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise UsageError(f"{url!r} is not a usable endpoint: it must look like http://localhost:8080 or https://example.com/path")
    is_tls = parts.scheme == "https"
    return Endpoint(host, port or (443 if is_tls else 80), is_tls, parts.path.rstrip("/"))


def aws_host(region: str, *, is_fips: bool = False, is_dual_stack: bool = False) -> str:
    """The public host name of the Lambda API."""
    suffix, dual_stack_suffix = next((names for prefix, names in _PARTITIONS.items() if region.startswith(prefix)), _COMMERCIAL)
    return f"lambda{'-fips' if is_fips else ''}.{region}.{dual_stack_suffix if is_dual_stack else suffix}"


def endpoint_in(environ: Mapping[str, str], region: str) -> Endpoint:
    """AWS_ENDPOINT_URL_LAMBDA, else AWS_ENDPOINT_URL, else AWS's own host for the region. Raises UsageError."""
    if not _is_true(environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")):
        url = environ.get("AWS_ENDPOINT_URL_LAMBDA") or environ.get("AWS_ENDPOINT_URL")
        if url:
            return parse_endpoint(url)
    host = aws_host(
        region,
        is_fips=_is_true(environ.get("AWS_USE_FIPS_ENDPOINT")),
        is_dual_stack=_is_true(environ.get("AWS_USE_DUALSTACK_ENDPOINT")),
    )
    return Endpoint(host, 443, is_tls=True)


def region_in(environ: Mapping[str, str]) -> str:
    """AWS_REGION, else AWS_DEFAULT_REGION, else that of botocore's profile. Raises UsageError."""
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or profile_region()
    if not region:
        raise UsageError("no AWS region: set AWS_REGION (a local service takes any, us-east-1 for instance)")
    return region


def profile_region(profile: str | None = None) -> str | None:
    """That of botocore's profile, the default or another. None if it says none, or there is no botocore. Raises UsageError."""
    session = botocore_session(profile)
    try:
        return session.get_config_variable("region") if session is not None else None
    except Exception as error:
        if profile is None:
            raise
        raise UsageError(f"the profile {profile} cannot be used: {error}") from error


def _is_true(setting: str | None) -> bool:
    return setting is not None and setting.strip().lower() == "true"
