"""Circuits: when a channel is given a rest, tried again, and trusted again. A pure judgement of recorded results.

What an issuer declines is an answer like any other: only silence, broken answers, answers that are too slow, and what
could not be sent at all are technical failures.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from commands.policies.routing_rules import CircuitTerms
from ledger.circuit_state import Circuit
from ledger.events.circuits import CircuitClosed, CircuitHalfOpened, CircuitOpened


class Result(msgspec.Struct, frozen=True):
    """What an attempt showed of its channel: `trouble` is empty, or says what went wrong technically.

    `begun` and `position` are those of the attempt's beginning and of this answer in the log.
    """

    attempt: str
    begun: int
    position: int
    at: datetime
    took_s: float
    trouble: str = ""

    def failure(self, slow_s: int) -> str:
        """Why this counts as a failure; empty: it does not."""
        return self.trouble or (f"answered after {self.took_s:.1f} s" if self.took_s > slow_s else "")


Transition = CircuitOpened | CircuitHalfOpened | CircuitClosed


def next_transition(
    circuit: Circuit, results: Sequence[Result], terms: CircuitTerms, now: datetime
) -> Transition | None:
    """What becomes of the circuit now; None: it stays as it is. `results` are the last ones, oldest first."""
    if circuit.by_hand:
        return None
    match circuit.state:
        case "closed":
            # What led to the last rest is forgiven.
            since = [result for result in results if result.begun > circuit.position][-terms.of :]
            failed = [result for result in since if result.failure(terms.slow_s)]
            if len(failed) < terms.failures:
                return None
            because = f"{len(failed)} of the last {len(since)} answers were failures"
            return _opened(circuit, failed, because, terms, now)
        case "open":
            if circuit.until is None or now < circuit.until:
                return None
            return CircuitHalfOpened(circuit.channel, circuit.method, terms.probes, terms.probe_percent)
        case "half_open":
            probes = [result for result in results if result.begun > circuit.position]
            failed = [result for result in probes if result.failure(terms.slow_s)]
            if failed:
                return _opened(circuit, failed, "a probe failed", terms, now)
            if len(probes) >= circuit.probes:
                return CircuitClosed(circuit.channel, circuit.method, f"{len(probes)} probes went well")
            return None


def _opened(
    circuit: Circuit, failed: Sequence[Result], because: str, terms: CircuitTerms, now: datetime
) -> CircuitOpened:
    because = f"{because}: {failed[-1].failure(terms.slow_s)}"
    names = tuple(result.attempt for result in failed)
    return CircuitOpened(circuit.channel, circuit.method, because, now + timedelta(seconds=terms.open_s), names)
