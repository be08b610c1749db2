"""Sources: the reader of each format, by the name that it has on the wire."""

from commands.report_files import adyen, alipay, bai2, camt053, channel_csv, mt940, paypal, stripe, wechatpay
from commands.report_files.reader import Reader

SOURCES: dict[str, Reader] = {
    "stripe": stripe.read,
    "adyen": adyen.read,
    "paypal": paypal.read,
    "alipay": alipay.read,
    "wechatpay": wechatpay.read,
    "camt053": camt053.read,
    "mt940": mt940.read,
    "bai2": bai2.read,
    "channel_csv": channel_csv.read,
}
