"""Register: every projection there is."""

from projections.audit_trail import AuditTrail
from projections.contracts import Contracts
from projections.disputes import Disputes
from projections.funds import Funds
from projections.holds import Holds
from projections.order_status import OrderStatus
from projections.payouts import Payouts
from projections.postings import Postings
from projections.projection import Projection
from projections.reviews import Reviews
from projections.risk_lists import RiskLists
from projections.risk_signals import RiskSignals

PROJECTIONS: tuple[type[Projection], ...] = (
    Postings,
    Holds,
    OrderStatus,
    Contracts,
    Disputes,
    Payouts,
    Funds,
    AuditTrail,
    RiskSignals,
    RiskLists,
    Reviews,
)
BY_NAME: dict[str, type[Projection]] = {projection.name: projection for projection in PROJECTIONS}
