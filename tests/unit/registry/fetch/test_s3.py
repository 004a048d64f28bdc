"""Bundles in S3, against a small server over HTTP; SeaweedFS has its own test (tests/stores)."""

from __future__ import annotations

import re
import ssl
from pathlib import Path

import pytest
import trustme

from bertline.bundle import Bundle, load
from bertline.errors import StoreError, UsageError
from bertline.registry.fetch import local_bundle, parse_address, pull_to, push
from bertline.registry.fetch import part as part_module
from bertline.registry.fetch.s3 import S3, _of_profile
from bertline.registry.fetch.settings import StoreSettings
from bertline.registry.fetch.source import Absent, Altered, Denied, LinkError
from tests.bucket_server import Bucket, bucket_server

TEXT = "s3://models/team/reviews"
ADDRESS = parse_address(TEXT)


@pytest.fixture
def pinned(bucket: Bucket, bundle: Bundle) -> str:
    return str(push(bundle.path, ADDRESS))


def test_what_is_pushed_is_pulled(pinned: str, bundle: Bundle, tmp_path: Path) -> None:
    pulled = pull_to(ADDRESS, tmp_path / "out")
    assert pulled.received_bytes == sum(file.bytes for file in bundle.manifest.files.values())
    assert load(tmp_path / "out").manifest == bundle.manifest
    assert pinned == f"{TEXT}@sha256:{bundle.manifest.checksum}"


def test_a_pinned_bundle_in_the_cache_needs_no_network(pinned: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = local_bundle(pinned)
    assert local_bundle(TEXT) == path
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert local_bundle(pinned) == path


def test_a_changed_byte_is_refused(pinned: str, bucket: Bucket, bundle: Bundle, tmp_path: Path) -> None:
    key = f"team/reviews/{bundle.manifest.checksum}/model.safetensors"
    content = bytearray(bucket.objects[key])
    content[1_000_000] ^= 1
    bucket.objects[key] = bytes(content)
    with pytest.raises(
        Altered, match=r"model.safetensors at s3://models/team/reviews is not the file that its manifest"
    ):
        pull_to(ADDRESS, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_object_that_is_replaced_while_it_is_read_is_noticed(bucket: Bucket) -> None:
    objects = S3(ADDRESS, StoreSettings())
    objects.put("x", b"a" * 1000)
    assert b"".join(objects.read("x", 10).chunks) == b"a" * 990
    objects.put("x", b"b" * 1000)
    sentence = f"{TEXT} (x) was replaced while it was read: run the command again"
    with pytest.raises(Altered, match=re.escape(sentence)):
        objects.read("x", 20)
    with pytest.raises(Absent, match=re.escape(f"{TEXT} (y) does not exist: check the address")):
        objects.read("y")
    assert objects.size("x") == 1000
    assert objects.size("y") is None


def test_a_bucket_that_does_not_exist_is_named(bucket: Bucket, bundle: Bundle) -> None:
    sentence = "s3://nobody/x has a bucket that does not exist: create it, or correct the address or AWS_ENDPOINT_URL"
    for call in (lambda: local_bundle("s3://nobody/x"), lambda: push(bundle.path, parse_address("s3://nobody/x"))):
        with pytest.raises(Denied, match=re.escape(sentence)):
            call()


def test_an_endpoint_that_does_not_answer_is_named(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(
        LinkError, match=re.escape(f"{TEXT} (tags/latest.json) cannot be reached (connection refused): ")
    ):
        local_bundle(TEXT)


ANSWERS = {
    "InvalidAccessKeyId": "does not know the access key: check AWS_ACCESS_KEY_ID or AWS_PROFILE",
    "SignatureDoesNotMatch": "refuses the secret key: check AWS_SECRET_ACCESS_KEY, and AWS_REGION",
    "RequestTimeTooSkewed": "says that this machine's clock is wrong: set it (timedatectl set-ntp true)",
    "PermanentRedirect": "is in another region or at another endpoint: set AWS_REGION to the bucket's",
    "AccessDenied": "denies access: let the credentials read (s3:GetObject) or, to push, write (s3:PutObject) there",
}


@pytest.mark.parametrize(("code", "sentence"), ANSWERS.items())
def test_each_refusal_has_its_sentence_and_quotes_nothing(code: str, sentence: str, bucket: Bucket) -> None:
    bucket.refusal = (301 if code == "PermanentRedirect" else 403, code)
    with pytest.raises(Denied, match=re.escape(f"{TEXT} {sentence}")) as caught:
        local_bundle(TEXT)
    assert "AKIATEST" not in str(caught.value)


def test_a_connection_that_ends_early_is_made_again(
    pinned: str, bucket: Bucket, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_module, "BACKOFF_S", 0.0)
    bucket.cut_bytes = 10**6
    bucket.received.clear()
    pulled = pull_to(ADDRESS, tmp_path / "out")
    assert load(tmp_path / "out").manifest == bundle.manifest
    assert pulled.received_bytes == sum(file.bytes for file in bundle.manifest.files.values())
    assert sum("bytes=" in one for one in bucket.received) >= 3


def test_keys_region_and_endpoint_of_a_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bucket: Bucket) -> None:
    (tmp_path / "config").write_text("[profile ci]\nregion = eu-west-3\nendpoint_url = https://s3.example\n")
    (tmp_path / "keys").write_text("[ci]\naws_access_key_id = AKIAFILE\naws_secret_access_key = hidden\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "keys"))
    monkeypatch.setenv("AWS_PROFILE", "ci")
    assert _of_profile() == {}, "the environment wins"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name)
    assert _of_profile() == {
        "access_key_id": "AKIAFILE", "secret_access_key": "hidden",
        "region": "eu-west-3", "endpoint": "https://s3.example",
    }  # fmt: skip
    (tmp_path / "keys").write_text("[ci]\ncredential_process = /bin/keys\n")
    with pytest.raises(
        UsageError, match="the AWS profile ci gets its credentials from a program: export them with eval"
    ):
        _of_profile()
    monkeypatch.setenv("AWS_PROFILE", "cd")
    with pytest.raises(UsageError, match="AWS_PROFILE is cd, which neither"):
        _of_profile()
    (tmp_path / "keys").write_text("aws_secret_access_key = hidden\n")
    with pytest.raises(UsageError, match="keys is not in the format of the AWS command line") as caught:
        _of_profile()
    assert "hidden" not in str(caught.value)


def test_an_environment_without_credentials_is_named(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", bucket.url)
    sentence = f"no credentials for {TEXT}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or AWS_SKIP"
    with pytest.raises(Denied, match=re.escape(sentence)):
        local_bundle(TEXT)
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    with pytest.raises(Absent, match="holds no bundle"):
        local_bundle(TEXT)


def test_a_private_authority(bucket: Bucket, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_module, "BACKOFF_S", 0.0)
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    with bucket_server(context) as secure:
        monkeypatch.setenv("AWS_ENDPOINT_URL", secure.url)
        with pytest.raises(LinkError, match="its certificate is not trusted: see AWS_CA_BUNDLE"):
            local_bundle(TEXT)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "authority.pem"))
        push(bundle.path, ADDRESS)
        assert load(local_bundle(TEXT)).manifest == bundle.manifest


def test_a_file_of_authorities_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, bucket: Bucket) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "no-such.pem")
    with pytest.raises(UsageError, match=r"AWS_CA_BUNDLE, no-such.pem, cannot be read: No such file or directory"):
        S3(ADDRESS, StoreSettings())


def test_no_half_of_a_bundle_is_visible_while_it_is_pushed(bucket: Bucket, bundle: Bundle) -> None:
    objects = S3(ADDRESS, StoreSettings())
    objects.put(f"{bundle.manifest.checksum}/config.json", b"{}")
    with pytest.raises(StoreError, match="holds no bundle"):
        local_bundle(TEXT)
