"""The third part of the demo's story: the channel's file and the bank's statement come in, and nothing is left between.

A customer's click has led to a receivable from the channel; the channel's file turns it into a batch, and the line of
the bank clears the batch, to the cent.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import httpx2

from api.cli.narrator import Json, Narrator, expect, money

_EUR = "EUR"
_CHANNEL = "card_simulator"
_RECEIVABLE, _PENDING, _BANK = f"sys:1110:{_CHANNEL}:", f"sys:1120:{_CHANNEL}:", "sys:1020:"


class StoryOfAClose:
    """The close of the day on which all of the story took place."""

    def __init__(self, narrator: Narrator, simulator: str) -> None:
        """`simulator` is the address of the channel simulator, which writes the file of its day."""
        self._tell = narrator
        self._simulator = simulator

    def chapters(self) -> list[Callable[[], None]]:
        return [self.from_the_channel_s_file_to_the_bank_s_line]

    def from_the_channel_s_file_to_the_bank_s_line(self) -> None:
        tell = self._tell
        tell.chapter("From the channel's file to the bank's line")
        owed = self._show("before it")[_RECEIVABLE]
        tell.say(f"{_CHANNEL} sends the file of the day: every sale, refund, dispute and payout that it knows of.")
        self._take_in("channel_csv", _CHANNEL, self._channels_file())
        held = self._show("after the channel's file")
        expect((held[_RECEIVABLE], held[_PENDING]) == (0, owed), f"the channel's file has left {held}")
        tell.say("The bank's statement shows one sum for all of them, and the payout that left.")
        payouts = tell.get("/v1/payouts", aloud=False, status="paid")["data"]
        at_bank = [one for one in payouts if one["channel"] == _CHANNEL]
        before, left = held[_BANK], sum(one["amount"] for one in at_bank)
        self._take_in("mt940", "main", _statement(owed, at_bank))
        held = self._show("after the bank's statement")
        expected = {_RECEIVABLE: 0, _PENDING: 0, _BANK: before + owed - left}
        expect(held == expected, f"the bank's statement has left {held}")
        tell.say(f"  {money(held[_PENDING], _EUR)} are left between the payers and the bank.")

    # --- steps ------------------------------------------------------------------------------------------------------

    def _take_in(self, source: str, account: str, content: bytes) -> None:
        """A file comes in whole, and a run over its day finds that everything agrees."""
        tell = self._tell
        file = tell.send_file(f"/v1/reconciliation/files?source={source}&account={account}", content)
        expect((file["status"], file["rejected"]) == ("imported", 0), f"the file is {file.body}")
        today = datetime.now(UTC).date().isoformat()
        asked = {"source": source, "account": account, "date": today}
        name = tell.post("/v1/reconciliation/runs", asked, status=(200, 201, 202))["id"]
        run = tell.becomes(f"/v1/reconciliation/runs/{name}", "completed", "failed")
        agrees = (run["status"], run["breaks"], run["waiting"], run["refused"]) == ("completed", 0, 0, 0)
        expect(agrees, f"the run came to {run}")
        tell.say(f"  {file['rows']} rows, {run['settled']} matches, no break.")

    def _channels_file(self) -> bytes:
        asked = {"date": datetime.now(UTC).date().isoformat(), "channel": _CHANNEL}
        with httpx2.Client(trust_env=False) as client:
            reply = client.get(f"{self._simulator}/control/settlement", params=asked)
        expect(reply.status_code == 200, f"the simulator answered with {reply.status_code}")
        return reply.content

    def _show(self, when: str) -> dict[str, int]:
        """What the channel owes, what it has reported, and what is at the bank, in minor units."""
        accounts = self._tell.get("/v1/trial-balance", aloud=False)["accounts"]
        held = {
            prefix: sum(one["balance"] for one in accounts if one["account"].startswith(prefix) and _is_eur(one))
            for prefix in (_RECEIVABLE, _PENDING, _BANK)
        }
        words = ("owed by the channel", "reported by it", "at the bank")
        rows = [(word, money(amount, _EUR)) for word, amount in zip(words, held.values(), strict=True)]
        self._tell.table(when, {"what": False, "sum": True}, rows)
        return held


def _is_eur(account: Json) -> bool:
    return bool(account["currency"] == _EUR)


def _statement(owed: int, payouts: list[Json]) -> bytes:
    """MT940: what the channel pays, and each payout, on the day."""
    day = f"{datetime.now(UTC):%y%m%d}"
    lines = [f":61:{day}C{_comma(owed)}NTRFNONREF//BANK-1", ":86:card settlement"]
    for number, one in enumerate(payouts, 2):
        lines += [f":61:{day}D{_comma(one['amount'])}NTRFNONREF//BANK-{number}", f":86:{one['id']}"]
    closing = owed - sum(one["amount"] for one in payouts)
    ends = [f":62F:{'C' if closing >= 0 else 'D'}{day}EUR{_comma(abs(closing))}", "-", ""]
    begins = [":20:DEMO", ":25:DE02120300000000202051", ":28C:1/1", f":60F:C{day}EUR0,00"]
    return "\n".join([*begins, *lines, *ends]).encode()


def _comma(amount: int) -> str:
    return f"{amount // 100},{amount % 100:02d}"
