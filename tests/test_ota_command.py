"""The command `ota`: a table, a package that a device takes, a key that stays private, and one sentence for bad input."""

import json
import stat

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from typer.testing import CliRunner

from hwaware_utils.__main__ import app
from hwaware_utils.base.errors import UserError
from hwaware_utils.decide.ota import delta, keys, table
from hwaware_utils.simulate.cortex_m.random_model import RandomModel


def small_model(path, seed: int):
    model = RandomModel((12, 12, 3), seed)
    path.write_bytes(model.finish(model.dense(model.mean(model.conv(0, 64, kernel=3, stride=2)), 10)))
    return path


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two INT8 models of the same sizes with other weights and scales."""
    folder = tmp_path_factory.mktemp("models")
    return small_model(folder / "base.tflite", 1), small_model(folder / "new.tflite", 2)


def ota(*arguments):
    return CliRunner().invoke(app, ["ota", *map(str, arguments)])


@pytest.fixture(scope="module")
def written(models, tmp_path_factory):
    """(package, key, what the command said in JSON); the delta must fit into 100 kB of RAM."""
    out, key = (tmp_path_factory.mktemp("ota") / name for name in ("update.pkg", "key.pem"))
    done = ota(*models, "--out", out, "--key", key, "--package-version", 7, "--ram-bytes", 100_000, "--json")
    assert done.exit_code == 0, done.output
    return out, key, json.loads(done.output)


def test_the_package_takes_a_device_to_the_new_model(written, models):
    out, key, told = written
    base, new = models
    device = table.make_device(base, keys.read_key(key))
    assert device.key.public_bytes_raw().hex() == told["public_key"]
    booted = device.install(out.read_bytes())
    assert (booted.version, booted.image) == (7, new.read_bytes())


def test_the_table_has_every_method_and_one_choice(written):
    methods = written[2]["methods"]
    assert {row["method"] for row in methods} == set(delta.METHODS)
    chosen = [row for row in methods if row["chosen"]]
    assert len(chosen) == 1
    assert chosen[0]["ram_bytes"] <= 100_000
    assert chosen[0]["package_bytes"] == written[0].stat().st_size
    assert all(row["evidence"] == "measured" for row in methods)


def test_a_new_key_is_private_from_the_first_byte_and_then_used_again(written):
    key = written[1]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes()
    with pytest.raises(UserError, match="cannot be made"):
        keys.make_key(key)
    assert key.read_bytes() == before
    assert keys.public_hex(keys.read_key(key)) == written[2]["public_key"]


def pem(key, password=None):
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)


@pytest.mark.parametrize(
    ("content", "mode", "told"),
    [
        (b"no key at all", 0o600, "no private key in unencrypted PEM"),
        (b"", 0o600, "no private key in unencrypted PEM"),
        (pem(ed25519.Ed25519PrivateKey.generate(), b"secret"), 0o600, "no private key in unencrypted PEM"),
        (pem(rsa.generate_private_key(65537, 1024)), 0o600, "of another kind"),
        (pem(ed25519.Ed25519PrivateKey.generate()), 0o644, "chmod 600"),
    ],
)
def test_a_bad_key_gets_one_sentence(tmp_path, content, mode, told):
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(UserError, match=told) as refused:
        keys.read_key(path)
    assert "\n" not in str(refused.value)


def test_bad_input_gets_one_sentence_and_writes_nothing(tmp_path, models):
    base, new = models
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(base.read_bytes()[:1000])
    out, key = tmp_path / "out.pkg", tmp_path / "key.pem"
    for arguments, told in (
        ((base, tmp_path / "absent.tflite"), "does not exist"),
        ((cut, new), "cut off or corrupt"),
        ((base, new, "--out", out), "give both"),
        ((base, new, "--key", key), "give both"),
    ):
        done = ota(*arguments)
        assert isinstance(done.exception, UserError)  # `cli` makes it exit code 2
        assert told in str(done.exception)
    assert not out.exists()
    assert not key.exists()


def test_a_version_or_ram_that_cannot_be_makes_no_key(tmp_path, models):
    out, key = tmp_path / "out.pkg", tmp_path / "key.pem"
    for extra, told in (
        (("--package-version", 0), "version 0"),
        (("--package-version", 2**32), "version 4294967296"),
        (("--ram-bytes", 10), "no decoder fits into 10 bytes"),
    ):
        done = ota(*models, "--out", out, "--key", key, *extra)
        assert told in str(done.exception)
        assert not out.exists()
        assert not key.exists()


def test_check_cuts_the_power_in_every_write(models):
    done = ota(*models, "--check", "--json")
    told = json.loads(done.output)
    pages = -(-models[1].stat().st_size // 256)
    sectors = -(-models[1].stat().st_size // 4096)
    assert told["writes"] == pages + sectors + 1  # each page and erase of a slot, and the journal's page
    assert told["power_cuts"] == 3 * told["writes"]
    assert told["bricked"] == 0
