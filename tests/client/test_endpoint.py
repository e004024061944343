"""Region and host come out as they do for every AWS SDK."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from everstep.client.endpoint import Endpoint, aws_host, endpoint_in, parse_endpoint, region_in
from everstep.errors import UsageError

boto3 = import_module("boto3")  # it has no types
REGIONS: list[str] = sorted(
    region
    for partition in boto3.Session().get_available_partitions()
    for region in boto3.Session().get_available_regions("lambda", partition_name=partition)
)


@pytest.fixture(scope="module")
def botocore_endpoints() -> dict[tuple[str, bool, bool], str]:
    """What botocore's own rules give for each (region, is_fips, is_dual_stack) of Lambda."""
    client = boto3.client("lambda", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    rules = client._ruleset_resolver._provider  # it has no public name, and no other source is as good
    return {
        (region, is_fips, is_dual_stack): rules.resolve_endpoint(Region=region, UseFIPS=is_fips, UseDualStack=is_dual_stack).url
        for region in REGIONS
        for is_fips in (False, True)
        for is_dual_stack in (False, True)
    }


@pytest.mark.parametrize(("is_fips", "is_dual_stack"), [(False, False), (True, False), (False, True), (True, True)])
def test_every_region_of_every_partition_has_the_host_that_botocore_finds(
    botocore_endpoints: dict[tuple[str, bool, bool], str], is_fips: bool, is_dual_stack: bool
) -> None:
    ours = {region: f"https://{aws_host(region, is_fips=is_fips, is_dual_stack=is_dual_stack)}" for region in REGIONS}

    assert len(ours) > 30
    assert ours == {region: botocore_endpoints[region, is_fips, is_dual_stack] for region in REGIONS}


def test_the_endpoint_of_the_service_wins_over_the_general_one_and_over_aws() -> None:
    environ = {"AWS_ENDPOINT_URL": "http://localhost:1", "AWS_ENDPOINT_URL_LAMBDA": "http://localhost:2/base/"}

    assert endpoint_in(environ, "eu-west-1") == Endpoint("localhost", 2, is_tls=False, path="/base")
    assert endpoint_in({"AWS_ENDPOINT_URL": "https://[::1]"}, "eu-west-1") == Endpoint("::1", 443, is_tls=True)
    assert endpoint_in({}, "eu-west-1") == Endpoint("lambda.eu-west-1.amazonaws.com", 443, is_tls=True)


def test_configured_endpoints_are_ignored_on_request() -> None:
    environ = {"AWS_ENDPOINT_URL_LAMBDA": "http://localhost:2", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "True"}

    assert endpoint_in(environ, "cn-north-1").host == "lambda.cn-north-1.amazonaws.com.cn"


def test_fips_and_dual_stack_hosts_are_used_on_request() -> None:
    assert endpoint_in({"AWS_USE_FIPS_ENDPOINT": "true"}, "us-gov-west-1").host == "lambda-fips.us-gov-west-1.amazonaws.com"
    assert endpoint_in({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "us-east-1").host == "lambda.us-east-1.api.aws"


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("http://localhost", "localhost"),
        ("http://localhost:80", "localhost"),
        ("https://localhost:80", "localhost:80"),
        ("http://[::1]:8080", "[::1]:8080"),
        (" https://example.com/ ", "example.com"),
    ],
)
def test_the_host_header_names_the_port_where_it_is_not_the_usual_one(url: str, authority: str) -> None:
    assert parse_endpoint(url).authority == authority


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://localhost", "http://", "http://h:99999", "http://h?x=1", "http://[::1"])
def test_an_unusable_endpoint_is_refused_with_its_text(url: str) -> None:
    with pytest.raises(UsageError, match="is not a usable endpoint") as raised:
        parse_endpoint(url)

    assert url in str(raised.value)


def test_the_region_of_the_environment_wins() -> None:
    assert region_in({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"}) == "eu-west-1"
    assert region_in({"AWS_DEFAULT_REGION": "us-east-1"}) == "us-east-1"


def test_without_a_region_the_error_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_session(profile: str | None = None) -> None: ...

    monkeypatch.setattr("everstep.client.endpoint.botocore_session", no_session)

    with pytest.raises(UsageError, match="set AWS_REGION"):
        region_in({})


def test_the_region_of_a_profile_is_found_by_botocore(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[default]\nregion = ap-south-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)

    assert region_in({}) == "ap-south-1"
