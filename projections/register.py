"""Register: every projection there is."""

from projections.approvals import Approvals
from projections.audit_trail import AuditTrail
from projections.bank_expectations import BankExpectations
from projections.contracts import Contracts
from projections.dated_back import DatedBack
from projections.disputes import Disputes
from projections.funds import Funds
from projections.holds import Holds
from projections.order_status import OrderStatus
from projections.payouts import Payouts
from projections.postings import Postings
from projections.projection import Projection
from projections.receivable_items import ReceivableItems
from projections.reconciliation import Reconciliation
from projections.report_files import ReportFiles
from projections.reviews import Reviews
from projections.risk_lists import RiskLists
from projections.risk_signals import RiskSignals
from projections.settlement_batches import SettlementBatches
from projections.sub_ledgers import SubLedgers

PROJECTIONS: tuple[type[Projection], ...] = (
    Postings,
    DatedBack,
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
    Approvals,
    ReportFiles,
    Reconciliation,
    ReceivableItems,
    BankExpectations,
    SettlementBatches,
    SubLedgers,
)
BY_NAME: dict[str, type[Projection]] = {projection.name: projection for projection in PROJECTIONS}
