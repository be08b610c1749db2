"""Register: every projection there is."""

from projections.audit_trail import AuditTrail
from projections.holds import Holds
from projections.order_status import OrderStatus
from projections.postings import Postings
from projections.projection import Projection

PROJECTIONS: tuple[type[Projection], ...] = (Postings, Holds, OrderStatus, AuditTrail)
BY_NAME: dict[str, type[Projection]] = {projection.name: projection for projection in PROJECTIONS}
