"""The channel simulator: the counterparts of our adapters, one process that keeps each channel's own books.

HOW TO DRIVE IT

Channels are those of commands/policies/channels.py; each has its own books, secret and fault plan and lives under
`/<channel>`. The first, `card_simulator`, answers at the root as well: `GET /books` is `GET /card_simulator/books`.
In tests: tests/channels/simulator_process.py (`control`, `payer_does`, `settlement`, `set_faults(…, channel=…)`).

Tokens (Charge.token; several are joined by +, as in tok_sms+tok_refund_returned; anything else is approved):
  tok_<decline code>          declined: tok_insufficient_funds, tok_stolen_card, … (conduct.DECLINES), tok_declined
  tok_<fault>                 tok_timeout_before, tok_timeout_after, tok_error_500_after, tok_duplicate_callback, …
  tok_late, tok_late_decline  answered `pending`, decided after 1 s, told by callback
  tok_refund_<any of these>   the charge goes well, its refunds go so: tok_refund_do_not_honor, tok_refund_late, …
  tok_refund_returned         the refund succeeds and comes back a second later (RefundReturned by callback)
  tok_capture_<…>, tok_void_<…>, tok_increment_<…>, tok_extend_<…>     the same for these changes of the charge
  tok_sms                     ActionRequired sms_code; ConfirmCharge with 123456 pays it. A wrong code is answered with
                              ActionRequired again (data.tries_left), the third with Declined authentication_failed
  tok_three_ds, tok_redirect  ActionRequired three_ds or redirect, url = the payer's page at the simulator; also tok_3ds
  tok_qr                      ActionRequired qr_code, data.qr = the payer's page
  tok_frictionless            approved, also with `authenticate`
  tok_at_once                 the payer is not asked, where the channel asks everybody (bank_redirect, carrier)
  tok_partial_<n>             an authorization over n hundredths of what was asked: tok_partial_75
  tok_expires_<n>             an authorization, or an open action, that is over after n seconds
Charge.authenticate: three_ds, unless the token names another action. Charge.contract: charged without a word of the
payer if that contract is signed, else declined `revocation_of_authorization` (mandate_ended).

SignContract: sms_code, the code is 123456 (a wrong one: ContractDeclined retryable, twice). Its details {"sign":
"redirect"} send to the payer's page, {"sign": "at_once"} is signed at once, {"sign": "declined"} never; tokens that
say so do the same: tok_redirect, tok_at_once, tok_declined. With `replaces` it is asked for a new card under an
agreement that is signed already, which goes on by its own reference.
SendPayout: any destination is paid; its key "simulate" may hold a decline code (agreements.PAYOUT_DECLINES), `returned`
(paid, and sent back a second later), or a word such as late, timeout_after, timeout_before; so may its token, tok_late.

The payer: GET /payer/{reference} shows a page; POST to it with the form field action=approve | refuse.
Control, no signature, JSON, at the root for all channels; ids are ours, callbacks follow at once:
  POST /control/charges/{attempt id}/approve | refuse | expire     what the payer, or time, does
  POST /control/charges/{attempt id}/succeed                       the late success, also after a decline or an expiry
  POST /control/charges/{attempt id}/capture_before                {"at": "2026-11-21T12:00:00Z"}
  POST /control/contracts/{contract id}/approve | refuse | end     `end`: by the user
  POST /control/contracts/{contract id}/replace_card               by the payer's bank, with no word of ours
  POST /control/refunds/{refund id}/return                         RefundReturned
  POST /control/payouts/{payout id}/return                         PayoutReturned
  POST /control/disputes    DisputeMoved: {"charge": attempt id, "stage", "status", "amount"?, "fee"?, "reason"?,
                            "evidence_due_at"?, "currency"?, "id"?}; the answer names the dispute
  POST /control/coins       CoinsSeen: {"charge": attempt id, "txid"?, "amount"? (minor units; all that is asked for
                            without it), "confirmations"?, "dropped"?}; the same txid again: more blocks lie on it
  GET  /control/settlement?date=YYYY-MM-DD&channel=NAME            the settlement file of a day (UTC), CSV
  GET  /control/bill?date=YYYY-MM-DD&channel=alipay|wechat_pay     the platform's own bill of a day (China's)
Each channel: GET /<channel>/books, GET and PUT /<channel>/faults (faults.py), GET /<channel>/callbacks (how many owed).

__main__.py      its command line, and who plays which kind of channel
app.py           all channels behind one address, and whoever drives them
payer_page.py    where payers approve or refuse
desk.py          one channel: a request in, the faults of the plan, the books, the answer out
conduct.py       the tokens that decide an outcome, and the ways to misbehave
faults.py        the fault plan: when it misbehaves
operations.py    what a channel remembers
charges.py       charges, captures, voids, increments, refunds
chain.py         coins that are sent to an address
agreements.py    contracts, payouts, disputes
books.py         all of them, once for each id
store.py         … and on the disk, with the money that moved and the messages that are owed
keeper.py        the one thread that works on the books
callbacks.py     the signed messages it sends, until they are answered
settlement.py    the settlement file of a day
bills.py         the bills that wallet platforms write
counterparts/    for each kind of channel: from its wire to our requests, and from the books to its wire
"""
