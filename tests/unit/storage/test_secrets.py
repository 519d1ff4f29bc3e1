"""No secret of the environment, of an address or of a header passes into a message."""

import io
import logging
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import StoreUnreachable
from storage.secrets import HIDDEN, hide_secrets_in_logs, names_a_secret, without_secrets

secrets = st.text(string.ascii_letters + string.digits + "-_.~+/%=", min_size=8, max_size=60).map("9{}9".format)
"""With digits, which nothing around them has."""
words = st.text(string.ascii_letters + " ,.:'\n", max_size=30)
PLACES = (
    "https://host.example/a.wav?X-Amz-Signature={}",
    "https://host.example/a?X-Amz-Credential={}&X-Amz-Date=1",
    "https://host.example/a?x=1&X-Amz-Security-Token={}&y",
    "(https://acc.blob.core.windows.net/c/a?sv=1&sig={}&se=2)",
    "'https://storage.googleapis.com/b/a?X-Goog-Signature={}'",
    "https://bucket.s3.amazonaws.com/a?AWSAccessKeyId=x&Signature={}&Expires=1",
    "https://host/api?access_token={}",
    "https://host/api?api_key={}",
    "Authorization: Bearer {}",
    "{{'Authorization': 'Basic {}'}}",
    "aws_secret_access_key={}",
    "{{'secret': '{}'}}",
    'password="{}"',
)


@pytest.mark.parametrize("place", PLACES)
@given(before=words, secret=secrets, after=words)
def test_what_stands_where_secrets_stand_is_hidden(place, before, secret, after):
    text = f"{before} {place.format(secret)} {after}"
    hidden = without_secrets(text)
    assert secret not in hidden
    assert HIDDEN in hidden
    assert without_secrets(hidden) == hidden


@pytest.mark.parametrize("scheme", ["https", "s3", "postgresql+asyncpg"])
@given(user=st.text(string.ascii_letters, min_size=1), secret=secrets.filter(lambda text: "/" not in text))
def test_credentials_of_an_address_are_hidden(scheme, user, secret):
    assert without_secrets(f"cannot reach {scheme}://{user}:{secret}@host.example/x") == (
        f"cannot reach {scheme}://{HIDDEN}@host.example/x"
    )


@pytest.mark.parametrize(
    "name", ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HF_TOKEN", "PREFECT_API_KEY", "PGPASSWORD", "MY_CREDENTIAL"]
)
@given(before=words, secret=secrets, after=words)
def test_secrets_of_the_environment_are_hidden_wherever_they_stand(name, before, secret, after):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, secret)
        assert secret not in without_secrets(f"{before}{secret}{after}{secret}")


@pytest.mark.parametrize(
    "text", ["AKIAIOSFODNN7EXAMPLE", "hf_" + "a" * 34, "pnu_" + "b" * 36, "eyJhbGciOiJI.eyJzdWIiOiIx.c2ln"]
)
def test_what_looks_like_a_key_is_one(text):
    assert without_secrets(f"for {text}!") == f"for {HIDDEN}!"


@pytest.mark.parametrize(
    "text",
    [
        "a.wav: is damaged in 3 places, which were left out; copy it again",
        "Unexpected token: found ] at 3",
        "worker 12: ended in the middle of its work (signal 11)",
        "there is no column 'source', only 'file', 'keywords'",
        "setting 'x' is no assignment; write it as transcriber.options.beam_size=1",
        "s3://bucket/interviews/mill house.flac: cannot be read (404)",
        "https://host.example/a?part=1&size=20",
        "KeyError: 'tokenizer'",
        "max_tokens 3 is below min_tokens 4",
    ],
)
def test_what_is_no_secret_stays(text):
    assert without_secrets(text) == text


def test_an_error_hides_what_another_library_said():
    error = StoreUnreachable("s3://b/a", "403 for https://b/a?X-Amz-Signature=0123456789abcdef", "it is tried again")
    assert str(error) == f"s3://b/a: 403 for https://b/a?X-Amz-Signature={HIDDEN}; it is tried again"
    assert "0123456789abcdef" not in repr(error)


def test_logs_hide_secrets_in_messages_arguments_and_tracebacks():
    before, heard = logging.getLogRecordFactory(), io.StringIO()
    handler, logger = logging.StreamHandler(heard), logging.getLogger("voxlake test of secrets")
    logger.addHandler(handler)
    try:
        hide_secrets_in_logs()
        hide_secrets_in_logs()
        logger.error("failed: %s", "https://h/a?sig=first-secret")
        logger.error("it is tried again", exc_info=OSError("https://h/a?token=second-secret"))
        logger.error("%d%% of %s", 3, "all")
    finally:
        logging.setLogRecordFactory(before)
        logger.removeHandler(handler)
    said = heard.getvalue()
    assert "-secret" not in said
    assert "OSError: https://h/a?token=***" in said
    assert "3% of all" in said


def test_settings_that_would_hold_a_secret_are_known_by_name():
    assert all(
        map(names_a_secret, ["token", "hf_token", "api_key", "apikey", "password", "client_secret", "auth_token"])
    )
    assert not any(map(names_a_secret, ["tokenizer", "max_tokens", "key", "beam_size", "same_nats", "passes"]))
