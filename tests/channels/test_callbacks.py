"""Callbacks in: the signature is judged over the raw bytes, and each way of being wrong has its own stated answer."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.channels.registry import ChannelSettings, Registry
from commands.channels.signatures import (
    ID_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    Secret,
    secret_from_file,
    sign_message,
    verify_message,
)
from ledger.errors import ChannelNotFound, Refusal, SignatureInvalid, SignatureMalformed, TimestampOutOfWindow

SECRET = Secret(b"thirty-two bytes that nobody has")
STRANGER = Secret(b"thirty-two bytes of someone else")
NOW = datetime(2026, 3, 29, 1, 59, 59, 999000, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
BODY = b'{"object":"charge"}'
GENUINE = sign_message(SECRET, "evt_1", SECONDS, BODY)
RIGHT = GENUINE[SIGNATURE_HEADER]
ARABIC_DIGITS = str(SECONDS).translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
WRONG = sign_message(STRANGER, "evt_1", SECONDS, BODY)[SIGNATURE_HEADER]


def signed(at: int, message_id: str = "evt_1") -> dict[str, str]:
    return sign_message(SECRET, message_id, at, BODY)


def written(name: str, value: str) -> dict[str, str]:
    """The genuine headers with one of them replaced."""
    return GENUINE | {name: value}


def without(name: str) -> dict[str, str]:
    return {each: value for each, value in GENUINE.items() if each != name}


def signed_at(timestamp: str) -> dict[str, str]:
    """Signed by the channel over a timestamp that is written in a strange way."""
    signature = SECRET.signature(f"evt_1.{timestamp}.".encode() + BODY)
    return {ID_HEADER: "evt_1", TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: signature}


@pytest.mark.parametrize(
    ("what", "headers"),
    [
        ("as it should be", GENUINE),
        ("sent again within the window", GENUINE),
        ("names in capitals", {name.upper(): value for name, value in GENUINE.items()}),
        ("300 s old", signed(SECONDS - 300)),
        ("300 s early", signed(SECONDS + 300)),
        ("two signatures while the secret is rotated", written(SIGNATURE_HEADER, f"{WRONG} {RIGHT}")),
        ("beside a version that we do not know", written(SIGNATURE_HEADER, f"v1a,anything {RIGHT} v2,!")),
        ("the last of 16", written(SIGNATURE_HEADER, " ".join([WRONG] * 15 + [RIGHT]))),
        ("other headers around it", {"host": "here", "Webhook-Id": "x"} | GENUINE),
    ],
)
def test_an_authentic_message_is_accepted(what: str, headers: dict[str, str]) -> None:
    assert verify_message(SECRET, headers, BODY, NOW) == "evt_1", what


@pytest.mark.parametrize(
    ("what", "headers", "refusal"),
    [
        ("301 s old", signed(SECONDS - 301), TimestampOutOfWindow),
        ("301 s early", signed(SECONDS + 301), TimestampOutOfWindow),
        ("in 1970", signed(0), TimestampOutOfWindow),
        ("in 30,000 years", signed(999_999_999_999), TimestampOutOfWindow),
        ("a fraction", signed_at(f"{SECONDS}.0"), SignatureMalformed),
        ("nan", signed_at("nan"), SignatureMalformed),
        ("inf", signed_at("inf"), SignatureMalformed),
        ("negative", signed_at("-1"), SignatureMalformed),
        ("with a plus", signed_at(f"+{SECONDS}"), SignatureMalformed),
        ("with an underscore", signed_at(f"{SECONDS // 1000}_{SECONDS % 1000:03d}"), SignatureMalformed),
        ("in Arabic digits", signed_at(ARABIC_DIGITS), SignatureMalformed),
        ("hexadecimal", signed_at(hex(SECONDS)), SignatureMalformed),
        ("with a line break", signed_at(f"{SECONDS}\n"), SignatureMalformed),
        ("with a space", signed_at(f" {SECONDS}"), SignatureMalformed),
        ("of 13 digits", signed_at("1" * 13), SignatureMalformed),
        ("of 5,000 digits", signed_at("1" * 5_000), SignatureMalformed),
        ("empty", signed_at(""), SignatureMalformed),
        ("no version", written(SIGNATURE_HEADER, RIGHT.removeprefix("v1,")), SignatureMalformed),
        ("v1 without a comma", written(SIGNATURE_HEADER, "v1"), SignatureMalformed),
        ("v1 without a signature", written(SIGNATURE_HEADER, "v1,"), SignatureMalformed),
        ("not base64", written(SIGNATURE_HEADER, "v1,not*base64"), SignatureMalformed),
        ("base64 of a wrong length", written(SIGNATURE_HEADER, RIGHT[:-1]), SignatureMalformed),
        ("base64 for addresses", written(SIGNATURE_HEADER, "v1,__--"), SignatureMalformed),
        ("not ASCII", written(SIGNATURE_HEADER, "v1,é"), SignatureMalformed),
        ("two spaces", written(SIGNATURE_HEADER, f"{RIGHT}  {RIGHT}"), SignatureMalformed),
        ("a comma between them", written(SIGNATURE_HEADER, f"{RIGHT},{RIGHT}"), SignatureMalformed),
        ("one of two cannot be read", written(SIGNATURE_HEADER, f"{RIGHT} v1"), SignatureMalformed),
        ("17 signatures", written(SIGNATURE_HEADER, " ".join([RIGHT] * 17)), SignatureMalformed),
        ("1,000 signatures", written(SIGNATURE_HEADER, " ".join([RIGHT] * 1_000)), SignatureMalformed),
        ("no signature at all", written(SIGNATURE_HEADER, ""), SignatureMalformed),
        ("only versions that we do not know", written(SIGNATURE_HEADER, RIGHT.replace("v1", "v2")), SignatureInvalid),
        ("another's", written(SIGNATURE_HEADER, WRONG), SignatureInvalid),
        ("another's and old", sign_message(STRANGER, "evt_1", 0, BODY), SignatureInvalid),
        ("a shorter hash", written(SIGNATURE_HEADER, "v1," + base64.b64encode(b"short").decode()), SignatureInvalid),
        ("16 of another", written(SIGNATURE_HEADER, " ".join([WRONG] * 16)), SignatureInvalid),
        ("another id", written(ID_HEADER, "evt_2"), SignatureInvalid),
        ("another time", written(TIMESTAMP_HEADER, str(SECONDS - 1)), SignatureInvalid),
        ("an empty id", written(ID_HEADER, ""), SignatureMalformed),
        ("an id with a space", signed(SECONDS, "evt 1"), SignatureMalformed),
        ("an id of 256", signed(SECONDS, "e" * 256), SignatureMalformed),
        ("the id twice", GENUINE | {"Channel-Id": "evt_1"}, SignatureMalformed),
        ("no headers", {}, SignatureMalformed),
        ("without an id", without(ID_HEADER), SignatureMalformed),
        ("without a time", without(TIMESTAMP_HEADER), SignatureMalformed),
        ("without a signature", without(SIGNATURE_HEADER), SignatureMalformed),
    ],
)
def test_a_message_that_is_not_authentic_and_fresh_is_refused(
    what: str, headers: dict[str, str], refusal: type[Refusal]
) -> None:
    with pytest.raises(Refusal) as refused:
        verify_message(SECRET, headers, BODY, NOW)
    assert type(refused.value) is refusal, what
    assert refused.value.status == (400 if refusal is SignatureMalformed else 401)


def test_what_is_signed_cannot_be_split_in_another_way() -> None:
    """id "evt.5" at 7 with body "x" and id "evt" at 5 with body "7.x" are signed over the same bytes."""
    headers = sign_message(SECRET, "evt.5", SECONDS, b"x")
    with pytest.raises(SignatureMalformed):
        verify_message(SECRET, headers, b"x", NOW)


def test_the_body_is_signed_to_the_last_byte() -> None:
    for body in (b"", BODY[:-1], BODY + b"\n", b" " + BODY, BODY.replace(b"charge", b"refund")):
        with pytest.raises(SignatureInvalid):
            verify_message(SECRET, GENUINE, body, NOW)


def test_the_standard_gives_the_same_signature() -> None:
    """The example of Standard Webhooks 1.0.0 (`webhook-id` there is `channel-id` here)."""
    secret = Secret.parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = sign_message(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers[SIGNATURE_HEADER] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(names=st.dictionaries(st.sampled_from([*GENUINE, "other"]), st.text()), body=st.binary())
def test_a_stranger_gets_a_refusal_and_never_an_error(names: dict[str, str], body: bytes) -> None:
    with pytest.raises((SignatureMalformed, SignatureInvalid)):
        verify_message(SECRET, GENUINE | names, body + b"!", NOW)


@given(offset=st.integers(-10_000, 10_000), message_id=st.from_regex(r"[A-Za-z0-9_-]{1,255}", fullmatch=True))
def test_the_window_is_300_seconds_to_both_sides(offset: int, message_id: str) -> None:
    headers = sign_message(SECRET, message_id, SECONDS + offset, BODY)
    if abs(offset) <= 300:
        assert verify_message(SECRET, headers, BODY, NOW) == message_id
    else:
        with pytest.raises(TimestampOutOfWindow):
            verify_message(SECRET, headers, BODY, NOW)


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_a_secret_never_shows_itself(tmp_path: Path) -> None:
    text = "whsec_" + base64.b64encode(b"thirty-two bytes that nobody has").decode()
    settings = ChannelSettings("card_simulator", "https://channel.example", Secret.parse(text))
    registry = Registry([settings])
    shown = f"{settings!r} {settings} {registry!r} {registry.channel('card_simulator')!r} {SECRET!r} {SECRET}"
    assert "nobody" not in shown
    assert text[8:] not in shown
    with pytest.raises(TypeError):
        msgspec.json.encode(settings)


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_!!!!", "whsec_c2hvcnQ=", "c2VjcmV0", "whsec_" + "QUFB" * 30])
def test_a_secret_that_cannot_be_used_is_not_repeated_in_the_error(text: str) -> None:
    with pytest.raises(ValueError, match="a secret") as refused:
        Secret.parse(text)
    assert not text or text not in str(refused.value)


def test_a_secret_file_is_made_once_and_read_by_everybody(tmp_path: Path) -> None:
    file = tmp_path / "state" / "channel_secret"
    first = secret_from_file(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert secret_from_file(file).signature(b"x") == first.signature(b"x")
    assert [each.name for each in file.parent.iterdir()] == ["channel_secret"]


def test_of_two_that_make_the_secret_file_the_first_one_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "channel_secret"

    def somebody_is_quicker(count: int) -> bytes:
        file.write_text("whsec_" + base64.b64encode(b"of the one who was quicker than us").decode())
        return bytes(count)

    monkeypatch.setattr("commands.channels.signatures.secrets.token_bytes", somebody_is_quicker)
    assert secret_from_file(file).signature(b"x") == Secret(b"of the one who was quicker than us").signature(b"x")


# --- the registry ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: [ChannelSettings("a", "ftp://channel.example", SECRET)],
        lambda: [ChannelSettings("a", "channel.example", SECRET)],
        lambda: [ChannelSettings("a", "http://", SECRET)],
        lambda: [ChannelSettings("a", "http://channel.example/", SECRET)],
        lambda: [ChannelSettings("a", "http://channel.example?x=1", SECRET)],
        lambda: [ChannelSettings("a", "http://me:password@channel.example", SECRET)],
        lambda: [ChannelSettings("a", "http://channel.example", SECRET, read_ms=0)],
        lambda: [ChannelSettings("a", "http://channel.example", SECRET, adapter="abacus")],
        lambda: [ChannelSettings("a", "http://channel.example", SECRET)] * 2,
    ],
)
def test_settings_that_cannot_work_are_refused_at_the_start(wrong: Callable[[], list[ChannelSettings]]) -> None:
    with pytest.raises(ValueError, match=r"channel|adapter") as refused:
        Registry(wrong())
    assert "password" not in str(refused.value)


def test_one_adapter_may_serve_two_channels() -> None:
    names = ("card_simulator", "second_acquirer")
    registry = Registry([ChannelSettings(name, "http://channel.example", SECRET) for name in names])
    assert registry.names() == names
    assert [registry.channel(name).name for name in names] == list(names)
    with pytest.raises(ChannelNotFound):
        registry.channel("third")
    with pytest.raises(ChannelNotFound):
        registry.settings("third")


def test_a_fresh_message_is_judged_by_the_time_it_is_given() -> None:
    later = NOW + timedelta(days=365)
    with pytest.raises(TimestampOutOfWindow):
        verify_message(SECRET, GENUINE, BODY, later)
    assert verify_message(SECRET, signed(int(later.timestamp())), BODY, later) == "evt_1"
