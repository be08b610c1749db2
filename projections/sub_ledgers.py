"""Sub-ledgers: what is open of each refund, payout, frozen sum and dispute behind a control account?"""

from collections import defaultdict

from ledger.sub_ledgers import flows
from projections.projection import Page, Projection, Writing

_ADD = """
INSERT INTO {sub_ledger_items} AS known (account, subject, currency, position, amount)
SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::bigint[], %b::bigint[])
    ON CONFLICT (account, subject) DO UPDATE SET amount = known.amount + excluded.amount
"""


class SubLedgers(Projection):
    """One row per control account and what is open on it. `position`: of the first event about it."""

    name = "sub_ledgers"
    version = 1
    tables = ("sub_ledger_items",)

    def forget(self) -> None:
        """Nothing is remembered from page to page."""

    def project(self, page: Page, cursor: Writing) -> None:
        sums: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        first: dict[tuple[str, str, str], int] = {}
        for recorded in page:
            for flow in flows(recorded):
                place = flow.account, flow.subject, flow.currency
                sums[place] += flow.amount
                first.setdefault(place, recorded.position)
        if sums:
            places = sorted(sums)
            cursor.execute(
                self.statement(_ADD),
                (
                    [account for account, _, _ in places],
                    [subject for _, subject, _ in places],
                    [currency for _, _, currency in places],
                    [first[place] for place in places],
                    [sums[place] for place in places],
                ),
            )
