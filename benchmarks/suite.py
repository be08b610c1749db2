"""Suite: every measurement there is, and how much of each a full and a quick run measure."""

from collections.abc import Callable

from benchmarks import deciding, exporting, in_process, over_http, past, payments, reconciliation, sealing
from benchmarks.bench import Bench, Scale
from benchmarks.figures import Figure

MEASUREMENTS: dict[str, Callable[[Bench], list[Figure]]] = {
    "batches-1000": in_process.batches,
    "batches-hot": in_process.hot_batches,
    "batches-8000": in_process.large_batches,
    "batches-wide": in_process.wide_batches,
    "sealing": sealing.sealing,
    "transfers-http": over_http.transfers,
    "batches-http": over_http.batches,
    "catch-up": in_process.catch_up,
    "rebuild": in_process.rebuild,
    "growth": in_process.growth,
    "export": exporting.exporting,
    "memory": over_http.memory,
    "payments-balance": payments.from_wallets,
    "payments-card": payments.by_card,
    "decision": deciding.decision,
    "as-of": past.past,
    "reconciliation": reconciliation.reconciliation,
}

FULL = Scale(
    rounds=5,
    reference_s=3,
    batched=200_000,
    one_by_one=32_000,
    warm_up=24_000,
    caught_up=100_000,
    large=1_000_000,
    wide=100_000,
    payers=1_000,
    paid_from_wallets=16_000,
    paid_by_card=6_400,
    decided=5_000,
    past=10_000_000,
    reconciled=100_000,
    reconciled_large=1_000_000,
)
# Enough to see that everything works, and to compare a change with what was before it; too little for a verdict.
QUICK = Scale(
    rounds=1,
    reference_s=1,
    batched=32_000,
    one_by_one=6_400,
    warm_up=8_000,
    caught_up=32_000,
    large=40_000,
    wide=5_000,
    payers=128,
    paid_from_wallets=1_280,
    paid_by_card=640,
    decided=500,
    past=200_000,
    reconciled=10_000,
    reconciled_large=100_000,
)
