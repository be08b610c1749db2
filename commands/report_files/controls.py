"""Controls: what a file states at its end, beside what its rows come to, as whole numbers of one unit."""

from decimal import Decimal

from commands.report_files.opening import Unreadable
from ledger.money import LARGEST
from ledger.report_row import Control, FileRefused


def sum_control(name: str, line: int, stated: Decimal, counted: Decimal, currency: str) -> Control:
    """Two sums in minor units; where one of them has a fraction both are told in the finest unit, and the name says it.

    Raises FileRefused for more than a column of the database holds.
    """
    finer = max(0, *(-int(one.normalize().as_tuple().exponent) for one in (stated, counted)))
    if finer:
        name = f"{name}, in 1/{10**finer} of the minor unit"
    first, second = int(stated.scaleb(finer)), int(counted.scaleb(finer))
    if max(abs(first), abs(second)) > LARGEST:
        raise FileRefused("its amounts add up to more than can be counted", line)
    return Control(name, line, first, second, currency)


def countable(amount: int) -> int:
    """A sum or difference of amounts, if it is one itself; raises Unreadable."""
    if abs(amount) > LARGEST:
        raise Unreadable("its amounts add up to more than can be counted")
    return amount
