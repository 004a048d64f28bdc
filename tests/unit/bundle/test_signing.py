"""Signed bundles: what is accepted, and that nothing else is."""

from __future__ import annotations

import base64
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bertline.bundle import Manifest, load, signing, writing
from bertline.bundle import store as store_module
from bertline.bundle.signing import (
    DOMAIN,
    LARGEST_KEY_BYTES,
    PublicKey,
    Signature,
    new_key,
    public_key,
    read_private_key,
    read_public_key,
    read_signatures,
    require_signature,
    sign,
    signed_bytes,
)
from bertline.bundle.verify import SIGNATURE
from bertline.errors import BundleError, DestinationError, UsageError
from tests.disks import disk, fill
from tests.programs import program
from tests.unit.bundle.conftest import FILES, write
from tests.unit.destination.test_claim import holding

OURS = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
THEIRS = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
TRUSTED = (public_key(OURS),)
NOON = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
CASES = int(os.environ.get("BERTLINE_FUZZ_CASES", "300"))
PKCS8 = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

# The golden vector: OURS over these bytes at NOON. Whoever changes what is signed breaks every signature that is out.
GOLDEN_MANIFEST = b'{\n  "format_version": 1\n}\n'
GOLDEN_KEY = "56475aa75463474c"
GOLDEN = "evxtr//zmmH06Oh3pG8YEV89GqfSL3clMHWsFeStxhqKgqOgjqcBXogv4GxVrC+1GqpODKbAfiFOq5nBmH4wDQ=="


@pytest.fixture
def signed(bundle: Path) -> Path:
    sign(bundle, OURS, now=NOON)
    return bundle


def content(bundle: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((bundle / SIGNATURE).read_bytes())
    return found


def change(bundle: Path, **entries: str) -> None:
    """Other entries in the bundle's only signature."""
    (one,) = content(bundle)["signatures"]
    (bundle / SIGNATURE).write_text(json.dumps({"signatures": [{**one, **entries}]}))


def test_a_signed_bundle_is_loaded_and_says_by_whom(signed: Path) -> None:
    found = load(signed, trusted=TRUSTED)
    assert found.signature is not None
    assert (found.signature.key, found.signature.signed_at) == (GOLDEN_KEY, "2026-11-20T12:00:00Z")
    assert load(signed).signature is None  # none was asked for, so none was checked


def test_a_signature_changes_neither_the_version_nor_the_accepted_files(bundle: Path) -> None:
    before = load(bundle)
    sign(bundle, OURS)
    after = load(bundle)
    assert (after.version, after.manifest) == (before.version, before.manifest)
    assert before.is_current()


def test_the_golden_signature_is_made_again(tmp_path: Path) -> None:
    made = Signature(algorithm="ed25519", key=GOLDEN_KEY, signed_at="2026-11-20T12:00:00Z", signature=GOLDEN)
    assert made.fits(TRUSTED[0], GOLDEN_MANIFEST)
    assert not made.fits(TRUSTED[0], GOLDEN_MANIFEST + b"\n")


@pytest.mark.parametrize(("altered", "code"), [(b"", 0), (b" ", 1)])
def test_openssl_agrees_on_the_golden_signature(tmp_path: Path, altered: bytes, code: int) -> None:
    """What a stranger needs: the public key, the documented bytes, and a tool that is not ours."""
    (tmp_path / "key.pub").write_bytes(OURS.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    message = b"bertline bundle manifest v1\n56475aa75463474c\n2026-11-20T12:00:00Z\n" + GOLDEN_MANIFEST
    (tmp_path / "message").write_bytes(message + altered)
    (tmp_path / "signature").write_bytes(base64.b64decode(GOLDEN))
    command = [program("openssl"), "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "key.pub"]
    command += ["-in", "message", "-sigfile", "signature"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == code, result.stderr


# -------------------------------------------------------------------------------------------- what is not accepted


def test_an_unsigned_bundle_is_refused_with_the_command_that_signs(bundle: Path) -> None:
    told = (
        rf"{bundle} is not signed \(it has no bertline.json.sig; .*: sign it with bertline models sign {bundle} --key"
    )
    with pytest.raises(BundleError, match=told):
        load(bundle, trusted=TRUSTED)


def test_a_signature_by_a_key_that_is_not_trusted_is_refused_and_both_are_named(signed: Path) -> None:
    other = public_key(THEIRS)
    with pytest.raises(BundleError, match=rf"is signed by key {GOLDEN_KEY}, but only key {other.id} is trusted: "):
        load(signed, trusted=[other])


def test_of_no_trusted_key_no_signature_is_good(signed: Path) -> None:
    with pytest.raises(BundleError, match=rf"is signed by key {GOLDEN_KEY}, but no key is trusted"):
        load(signed, trusted=())


def test_a_signature_under_the_id_of_a_trusted_key_is_refused(bundle: Path) -> None:
    """The id is a name, and anybody can write a name."""
    sign(bundle, THEIRS)
    change(bundle, key=GOLDEN_KEY)
    with pytest.raises(BundleError, match="is not what key 56475aa75463474c signed"):
        load(bundle, trusted=TRUSTED)


@pytest.mark.parametrize("path", [*FILES, "vocab.txt", "bertline.json"])
@pytest.mark.parametrize("verify", [True, False])
def test_a_flipped_bit_in_any_file_is_refused(signed: Path, path: str, verify: bool) -> None:
    raw = bytearray((signed / path).read_bytes())
    raw[random.Random(path).randrange(len(raw))] ^= 1 << random.Random(path).randrange(8)
    (signed / path).write_bytes(raw)
    with pytest.raises(BundleError, match=rf"{path} (in|of) .*reviews"):
        load(signed, trusted=TRUSTED, verify=verify)


def test_a_flipped_bit_anywhere_in_the_signature_file_is_refused_or_changes_nothing(signed: Path) -> None:
    """Blanks between the entries are not signed; every byte that means something is."""
    original = (signed / SIGNATURE).read_bytes()
    accepted = 0
    for place in range(len(original)):
        raw = bytearray(original)
        raw[place] ^= 1
        (signed / SIGNATURE).write_bytes(raw)
        try:
            found = load(signed, trusted=TRUSTED).signature
        except BundleError:
            continue
        accepted += 1
        assert found == Signature.model_validate(json.loads(original)["signatures"][0])
    assert accepted == 0


@pytest.mark.parametrize("kept", [0, 1, 50, -30, -2])
def test_a_truncated_signature_file_is_refused(signed: Path, kept: int) -> None:
    (signed / SIGNATURE).write_bytes((signed / SIGNATURE).read_bytes()[:kept])
    with pytest.raises(BundleError, match=r"bertline.json.sig of .*reviews is damaged, or of another tool"):
        load(signed, trusted=TRUSTED)


def test_the_time_is_signed_too(signed: Path) -> None:
    change(signed, signed_at="2026-11-21T12:00:00Z")
    with pytest.raises(BundleError, match="is not what key 56475aa75463474c signed"):
        load(signed, trusted=TRUSTED)


@pytest.mark.parametrize("domain", [b"", b"bertline bundle manifest v2\n", DOMAIN[:-1]])
def test_a_token_signed_for_another_purpose_is_refused(signed: Path, domain: bytes) -> None:
    raw = signed_bytes((signed / "bertline.json").read_bytes(), GOLDEN_KEY, "2026-11-20T12:00:00Z")
    forged = OURS.sign(domain + raw.removeprefix(DOMAIN))
    change(signed, signature=base64.b64encode(forged).decode())
    with pytest.raises(BundleError, match="is not what key 56475aa75463474c signed"):
        load(signed, trusted=TRUSTED)


def test_a_signature_of_another_bundle_is_refused(signed: Path, manifest: Manifest, tmp_path: Path) -> None:
    other = write(tmp_path / "other", manifest, marker=b"two")
    shutil.copy(signed / SIGNATURE, other)
    with pytest.raises(BundleError, match=r"bertline.json of .*other is not what key .* written again after that"):
        load(other, trusted=TRUSTED)


def test_writing_a_bundle_again_removes_its_signature(signed: Path, manifest: Manifest) -> None:
    with writing(signed, manifest, overwrite=True) as staging:
        for path in ("vocab.txt", SIGNATURE):  # as whoever copies all of it would
            shutil.copy(signed / path, staging)
    assert sorted(path.name for path in signed.iterdir()) == ["bertline.json", "vocab.txt"]
    with pytest.raises(BundleError, match="is not signed"):
        load(signed, trusted=TRUSTED)


def test_nothing_is_interpreted_before_the_signature_fits(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sign(bundle, THEIRS)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("it was looked into")

    monkeypatch.setattr(store_module, "parse", never)
    monkeypatch.setattr(store_module, "check_files", never)
    with pytest.raises(BundleError, match="have it signed by a trusted key"):
        load(bundle, trusted=TRUSTED)


def test_the_manifest_that_was_checked_is_the_one_that_is_used(
    signed: Path, manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another manifest comes in its place as soon as the signature was found to fit."""
    theirs = write(tmp_path / "theirs", manifest.model_copy(update={"name": "theirs"}))
    fits = Signature.fits

    def fit_then_swap(self: Signature, *asked: Any) -> bool:
        found = fits(self, *asked)
        shutil.copy(theirs / "bertline.json", signed)
        return found

    monkeypatch.setattr(Signature, "fits", fit_then_swap)
    assert load(signed, trusted=TRUSTED).manifest.name == "reviews"
    with pytest.raises(BundleError, match="is not what key"):
        load(signed, trusted=TRUSTED)


def test_another_bundle_than_the_one_that_was_loaded_is_refused_by_its_checksum(
    bundle: Path, manifest: Manifest
) -> None:
    checksum = load(bundle).manifest.checksum
    assert load(bundle, checksum=checksum).manifest.checksum == checksum
    write(bundle, manifest, overwrite=True, marker=b"two")
    with pytest.raises(BundleError, match="was replaced by another version while it was served: load that one"):
        load(bundle, checksum=checksum)


@pytest.mark.parametrize("make", [lambda path, target: path.symlink_to(target), lambda path, _: os.mkfifo(path)])
def test_a_signature_file_that_is_a_link_or_a_pipe_is_refused_unopened(
    signed: Path, tmp_path: Path, make: Callable[[Path, Path], None]
) -> None:
    (signed / SIGNATURE).rename(tmp_path / "elsewhere")
    make(signed / SIGNATURE, tmp_path / "elsewhere")
    for trusted in (TRUSTED, None):
        with pytest.raises(BundleError, match=r"bertline.json.sig in .* is (a symbolic link|not a plain file)"):
            load(signed, trusted=trusted)


def test_a_signature_file_that_is_far_too_large_is_not_read(signed: Path) -> None:
    os.truncate(signed / SIGNATURE, 2**40)
    with pytest.raises(BundleError, match=f"has {2**40:,} bytes, far more than bertline writes"):
        load(signed, trusted=TRUSTED)


def test_a_path_without_a_bundle_is_reported(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="does not exist"):
        require_signature(tmp_path / "nowhere", TRUSTED)


# -------------------------------------------------------------------------------------------------- signing


def test_several_keys_sign_and_each_may_be_the_trusted_one(signed: Path) -> None:
    sign(signed, THEIRS)
    sign(signed, OURS)  # again: takes the place of its earlier one
    assert [one.key for one in read_signatures(signed)] == [public_key(THEIRS).id, GOLDEN_KEY]
    for key in (OURS, THEIRS):
        found = load(signed, trusted=[public_key(key)]).signature
        assert found is not None
        assert found.key == public_key(key).id


def test_a_stale_signature_does_not_spoil_a_fresh_one(signed: Path, manifest: Manifest) -> None:
    stale = (signed / SIGNATURE).read_bytes()
    write(signed, manifest, overwrite=True, marker=b"two")
    (signed / SIGNATURE).write_bytes(stale)
    sign(signed, THEIRS)
    assert load(signed, trusted=[*TRUSTED, public_key(THEIRS)]).signature == read_signatures(signed)[1]
    with pytest.raises(BundleError, match=f"is not what key {GOLDEN_KEY} signed"):
        load(signed, trusted=TRUSTED)


def test_a_damaged_bundle_is_not_signed(bundle: Path) -> None:
    (bundle / "vocab.txt").write_bytes(b"two")
    with pytest.raises(BundleError, match=r"vocab\.txt in .* was altered"):
        sign(bundle, OURS)
    assert not (bundle / SIGNATURE).exists()


def test_more_signatures_than_would_be_read_again_are_not_written(
    signed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing, "LARGEST_SIGNATURE_BYTES", (signed / SIGNATURE).stat().st_size + 10)
    with pytest.raises(BundleError, match="has too many signatures: remove that file"):
        sign(signed, THEIRS)
    assert load(signed, trusted=TRUSTED).signature == read_signatures(signed)[0]


def test_an_unwritable_destination_is_reported_and_nothing_is_left(
    signed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = (signed / SIGNATURE).read_bytes()
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(BundleError, match=r"bertline.json.sig cannot be written: No space left on device; sign a copy"):
        sign(signed, THEIRS)
    assert (signed / SIGNATURE).read_bytes() == before
    assert not list(signed.glob(".*"))


def test_of_two_that_sign_at_once_neither_signature_is_lost(signed: Path) -> None:
    """T13: the second is refused while the first one reads and writes the file of signatures."""
    with (
        holding(signed / SIGNATURE) as process,
        pytest.raises(DestinationError, match=rf"is being written by process {process.pid} "),
    ):
        sign(signed, THEIRS)
    sign(signed, THEIRS)
    assert len(read_signatures(signed)) == 2
    assert not list(signed.glob(".*"))


# ---------------------------------------------------------------------------------------------------- keys


def test_a_full_disk_leaves_no_half_of_a_pair(tmp_path: Path) -> None:
    """T12."""
    with disk(tmp_path / "disk", megabytes=1) as place:
        filler = fill(place)
        with pytest.raises(UsageError, match="cannot be written: No space left on device; choose another place"):
            new_key(place / "release.key")
        assert list(place.iterdir()) == [filler]
        filler.unlink()
        new_key(place / "release.key")


@pytest.mark.parametrize("passphrase", [None, b"correct horse"])
def test_a_new_pair_signs_and_only_its_owner_reads_the_private_half(
    bundle: Path, tmp_path: Path, passphrase: bytes | None
) -> None:
    made = new_key(tmp_path / "release.key", passphrase)
    assert (tmp_path / "release.key").stat().st_mode & 0o777 == 0o600
    assert read_public_key(tmp_path / "release.key.pub") == made
    sign(bundle, read_private_key(tmp_path / "release.key", passphrase))
    assert load(bundle, trusted=[made]).signature is not None


@pytest.mark.parametrize("there", ["release.key", "release.key.pub"])
def test_no_key_is_overwritten(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("precious")
    with pytest.raises(UsageError, match=f"{there} exists already, and a key is never overwritten"):
        new_key(tmp_path / "release.key")
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "precious"


def test_a_private_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    new_key(tmp_path / "key")
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(UsageError, match=rf"others than its owner may read: chmod 600 {tmp_path / 'key'}"):
        read_private_key(tmp_path / "key")


def test_a_missing_a_wrong_and_a_needless_passphrase_have_their_messages(tmp_path: Path) -> None:
    new_key(tmp_path / "closed", b"correct horse")
    new_key(tmp_path / "open")
    for name, passphrase, told in (
        ("closed", None, "needs its passphrase: pass --passphrase-file"),
        ("closed", b"wrong horse", "the passphrase is wrong, or the file is damaged"),
        ("open", b"correct horse", "has no passphrase, but one was given: leave out --passphrase-file"),
    ):
        with pytest.raises(UsageError, match=told) as caught:
            read_private_key(tmp_path / name, passphrase)
        assert "horse" not in str(caught.value)


def test_keys_of_openssh_are_read(bundle: Path, tmp_path: Path) -> None:
    private = OURS.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    (tmp_path / "id_ed25519").write_bytes(private)
    (tmp_path / "id_ed25519").chmod(0o600)
    line = OURS.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    (tmp_path / "id_ed25519.pub").write_bytes(line + b" a@b\n")
    sign(bundle, read_private_key(tmp_path / "id_ed25519"))
    assert load(bundle, trusted=[read_public_key(tmp_path / "id_ed25519.pub")]).signature is not None


def test_the_id_of_a_key_is_the_hash_of_its_bytes() -> None:
    assert public_key(OURS).id == GOLDEN_KEY
    assert PublicKey(bytes(32)).id == "66687aadf862bd77"  # SHA-256 of 32 zeros begins so


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (OURS.private_bytes(*PKCS8), r"is a private key, which only the signer may have: give the public one"),
        (b"", "is not a public key in PEM or OpenSSH's form"),
        (b"-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n", "is not a public key in PEM"),
        (b"ssh-ed25519 AAAA", "is not a public key in PEM or OpenSSH's form"),
        (b"ssh-ed25519 AAAA a\nssh-ed25519 BBBB b\n", "has several keys, but only one would be read"),
        (2 * OURS.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), "has several keys"),
        (
            generate_ec_key(SECP256R1()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "is a public key but not an Ed25519 one",
        ),
        (bytes(LARGEST_KEY_BYTES + 1), "is far too long for a key"),
    ],
)
def test_a_file_that_is_not_a_public_key_is_refused(tmp_path: Path, raw: bytes, told: str) -> None:
    (tmp_path / "key").write_bytes(raw)
    with pytest.raises(UsageError, match=told):
        read_public_key(tmp_path / "key")


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"nothing", "cannot be opened, it is damaged or not a private key"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "cannot be opened"),
        (generate_ec_key(SECP256R1()).private_bytes(*PKCS8), "is a private key but not an Ed25519 one"),
    ],
)
def test_a_file_that_is_not_a_private_key_is_refused(tmp_path: Path, raw: bytes, told: str) -> None:
    (tmp_path / "key").write_bytes(raw)
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(UsageError, match=told):
        read_private_key(tmp_path / "key")


def test_a_key_that_is_not_there_is_named(tmp_path: Path) -> None:
    for read in (read_public_key, read_private_key):
        with pytest.raises(UsageError, match=r"the key .*nowhere cannot be read: No such file"):
            read(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="cannot be written: No such file or directory; choose another place"):
        new_key(tmp_path / "nowhere" / "key")


def test_without_the_library_the_remedy_is_named_and_loading_still_works(signed: Path) -> None:
    code = f"""
import sys
sys.modules["cryptography"] = None
from pathlib import Path
from bertline.bundle import load
from bertline.bundle.signing import PublicKey
from bertline.errors import UsageError
print(load(Path({str(signed)!r})).manifest.name)
try:
    load(Path({str(signed)!r}), trusted=[PublicKey(bytes.fromhex({TRUSTED[0].raw.hex()!r}))])
except UsageError as error:
    print(error)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    needed = "signatures need cryptography, which is not installed: pip install 'bertline[sign]'"
    assert found.stdout.splitlines() == ["reviews", needed]


# -------------------------------------------------------------------------------------------------- any bytes

ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "algorithm": st.sampled_from(["ed25519", "rsa", "none", "", None]) | st.text(max_size=9),
        "key": st.sampled_from([GOLDEN_KEY, "0" * 16, GOLDEN_KEY.upper(), GOLDEN_KEY + "\n"]) | st.text(max_size=20),
        "signed_at": st.sampled_from(["2026-11-20T12:00:00Z", "2026-11-20T12:00:00Z\n"]) | st.integers(),
        "signature": st.sampled_from([GOLDEN, "A" * 88, "A" * 86 + "==", "=" * 88]) | st.text(max_size=90),
        "more": st.none() | st.lists(st.integers(), max_size=3),
    },
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20) | ENTRY,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["signatures", "x"]), inner),
)
ANY_FILE = (
    st.binary(max_size=300)
    | ANY_JSON.map(lambda one: json.dumps(one).encode())
    | st.lists(ENTRY, max_size=4).map(lambda some: json.dumps({"signatures": some}).encode())
    | st.integers(1, 20_000).map(lambda deep: b'{"signatures":' + b"[" * deep)
)


@settings(
    max_examples=CASES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(raw=ANY_FILE)
def test_any_signature_file_gives_at_most_a_bundle_error(bundle: Path, raw: bytes) -> None:
    (bundle / SIGNATURE).write_bytes(raw)
    with pytest.raises(BundleError):
        load(bundle, trusted=TRUSTED)
