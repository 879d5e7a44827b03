"""Header names that mean time, series or target, in English and Chinese; the first of a list is preferred."""

from __future__ import annotations

import re

_BRACKETS = re.compile(r"[(\[（【<〈].*?[)\]）】>〉]")
_DROPPED = re.compile(r"[\s_\-./:：]+")

TIME_CERTAIN = (
    "datetime", "timestamp", "date", "日期时间", "交易日期", "日期", "数据日期", "统计日期", "tradedate",
    "tradingdate", "ds", "dt", "交易时间", "时间", "时刻", "dateutc", "datestamp", "observationdate",
    "utctimestamp", "opentime",
)  # fmt: skip
TIME_POSSIBLE = (
    "time", "day", "week", "month", "quarter", "period", "year", "交易日", "日", "周", "月份", "月",
    "季度", "年月", "年份", "年度", "年", "yearmonth", "hour", "epoch", "unix", "unixtime",
)  # fmt: skip
CLOCK = ("time", "时间", "交易时间", "hour")
SERIES = (
    "seriesid", "uniqueid", "itemid", "series", "symbol", "ticker", "tic", "股票代码", "证券代码",
    "代码", "tscode", "code", "合约代码", "合约", "品种", "store", "storeid", "storenbr", "station",
    "stationid", "wsid", "sensor", "sensorid", "location", "region", "state", "country", "city",
    "product", "sku", "item", "meter", "门店", "店铺", "商品", "产品", "站点", "城市", "地区", "省份",
    "国家", "股票名称", "证券名称", "名称", "name", "id",
)  # fmt: skip
TARGET = (
    "收盘价", "收盘", "今收盘", "close", "closeprice", "closingprice", "closelast", "price", "lastprice",
    "last", "最新价", "价格", "adjclose", "adjustedclose", "y", "value", "target", "load", "demand",
    "sales", "数值", "值", "目标", "负荷", "用电量", "需求", "需求量", "销量", "销售量", "销售额",
)  # fmt: skip


def simplified(header: str) -> str:
    """A header without case, blanks, underscores and units in brackets: ``开盘价(元)`` is ``开盘价``."""
    bare = _BRACKETS.sub("", header) or header.strip("<>[]()（）【】")
    return _DROPPED.sub("", bare).lower()
